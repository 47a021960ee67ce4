/* test_taskgroups_next.c: a group's tasks in the order of their ends, and groups that collect. */
#include <errno.h>

#include "unit/sync/trace.h"

static int drain(weft_taskgroup_t *group) {
  weft_task_t *task;
  int rc;
  while ((rc = weft_taskgroup_next(group, &task)) > 0) {
    int status = weft_join(task);
    mark("=%s", status < 0 ? weft_error_name(status) : "");
    if (status >= 0) mark("%d", status);
  }
  return rc;
}

static WEFT_ASYNC(in_order);
static int in_order(void) {
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  weft_taskgroup_create_task(&group, sleeper_async("a", 30, 1));
  weft_taskgroup_create_task(&group, sleeper_async("b", 10, 2));
  weft_taskgroup_create_task(&group, sleeper_async("c", 20, 3));
  weft_ignore(weft_sleep(0.025));
  mark("|");
  mark("%d", drain(&group));
  weft_taskgroup_create_task(&group, sleeper_async("d", 10, 4)); /* it goes on */
  weft_taskgroup_create_task(&group, sleeper_async("e", 20, 5));
  weft_task_t *task;
  mark("%d", weft_taskgroup_next(&group, &task));
  weft_ignore(weft_join(task));
  return weft_taskgroup_exit(&group, 7); /* e was not taken */
}

static void ends_come_in_order(void **state) {
  (void)state;
  assert_int_equal(run1(in_order_async()), 7);
  assert_trace("b c | = 2 = 3 a = 1 0 d 1 e");
}

static WEFT_ASYNC(hops);
static int hops(void) {
  weft_detach(weft_create_task(ticker_async("t", 8)));
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  weft_taskgroup_create_task(&group, sleeper_async("a", 0, 1));
  weft_task_t *task;
  weft_ignore(weft_taskgroup_next(&group, &task)); /* two passes after its end, as any combinator */
  mark("=%d", weft_join(task));
  return weft_taskgroup_exit(&group, 0);
}

static void two_hops(void **state) {
  (void)state;
  assert_int_equal(run1(hops_async()), 0);
  const char *expected = "t0 t1 a t2 t3 =1";
  assert_memory_equal(trace(), expected, strlen(expected));
}

static WEFT_ASYNC(failing, unsigned);
static int failing(unsigned flags) {
  weft_taskgroup_t group;
  weft_taskgroup_enter_with(&group, flags);
  weft_taskgroup_create_task(&group, sleeper_async("a", 10, WEFT_VALUE));
  weft_taskgroup_create_task(&group, sleeper_async("b", 20, 2));
  int rc = drain(&group);
  mark("%s", rc < 0 ? weft_error_name(rc) : "0");
  rc = weft_taskgroup_exit(&group, rc);
  mark("%s", rc < 0 ? weft_error_name(rc) : "0");
  return weft_task_cancelling(weft_current_task());
}

static void a_failure_cancels_unless_collected(void **state) {
  (void)state;
  assert_int_equal(run1(failing_async(0)), 0);
  assert_trace("a b! CancelledError ExceptionGroup");
  assert_int_equal(run1(failing_async(WEFT_TASKGROUP_COLLECT)), 0);
  assert_trace("a =ValueError b = 2 0 0");
}

static WEFT_ASYNC(left_over);
static int left_over(void) {
  weft_taskgroup_t group;
  weft_taskgroup_enter_with(&group, WEFT_TASKGROUP_COLLECT);
  weft_taskgroup_create_task(&group, sleeper_async("a", 10, WEFT_VALUE));
  weft_taskgroup_create_task(&group, sleeper_async("b", 20, WEFT_TYPE));
  weft_taskgroup_create_task(&group, sleeper_async("c", 30, 0));
  weft_task_t *task;
  assert_int_equal(weft_taskgroup_next(&group, &task), 1);
  assert_int_equal(weft_join(task), WEFT_VALUE);
  int rc = weft_taskgroup_exit(&group, 0);
  mark("%s %zu %s", weft_error_name(rc), weft_error()->count, weft_error()->parts[0]->name);
  weft_taskgroup_enter_with(&group, WEFT_TASKGROUP_COLLECT);
  weft_taskgroup_create_task(&group, sleeper_async("d", 10, 0));
  rc = weft_taskgroup_exit(&group, weft_fail(WEFT_VALUE, "body")); /* a failing body still cancels */
  mark("%s", weft_error_name(rc));
  return 0;
}

static void errors_that_nobody_took_are_raised_at_exit(void **state) {
  (void)state;
  assert_int_equal(run1(left_over_async()), 0);
  assert_trace("a b c ExceptionGroup 1 TypeError ExceptionGroup");
}

static WEFT_ASYNC(waiter, weft_task_t **);
static int waiter(weft_task_t **out) {
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  weft_taskgroup_create_task(&group, stubborn_async("a", 20, 5, 6));
  weft_task_t *task;
  int rc = weft_taskgroup_next(&group, &task);
  mark("%s", weft_error_name(rc));
  *out = NULL;
  return weft_taskgroup_exit(&group, rc);
}

static WEFT_ASYNC(cancelled);
static int cancelled(void) {
  weft_task_t *none, *task = weft_create_task(waiter_async(&none));
  weft_ignore(weft_sleep(0.01));
  weft_task_cancel(task, NULL);
  return weft_join(task);
}

static void cancelled_it_takes_nothing(void **state) {
  (void)state;
  assert_int_equal(run1(cancelled_async()), WEFT_CANCELLED);
  assert_trace("CancelledError a! a.");
}

static WEFT_ASYNC(misuse);
static int misuse(void) {
  weft_taskgroup_t group = {0};
  weft_task_t *task;
  mark("%s", weft_error_name(weft_taskgroup_next(&group, &task)));
  weft_taskgroup_enter(&group);
  mark("%s", weft_error_name(weft_taskgroup_next(&group, NULL)));
  mark("%d", weft_taskgroup_next(&group, &task));
  mark("%d", weft_taskgroup_exit(&group, 0));
  mark("%s", weft_error_name(weft_taskgroup_next(&group, &task)));
  return 0;
}

static void misuse_is_an_error(void **state) {
  (void)state;
  assert_int_equal(run1(misuse_async()), 0);
  assert_trace("RuntimeError EINVAL 0 0 RuntimeError");
}

static WEFT_ASYNC(spin, int);
static int spin(int n) {
  for (int i = 0; i < n % 5; i++) {
    int rc = weft_yield();
    if (rc < 0) return rc;
  }
  return n % 7 == 6 ? weft_fail(WEFT_VALUE, "spin") : n;
}

/* A pool of eight at a time, refilled by what comes out. */
static WEFT_ASYNC(pool, int);
static int pool(int jobs) {
  weft_taskgroup_t group;
  weft_taskgroup_enter_with(&group, WEFT_TASKGROUP_COLLECT);
  int started = 0, ended = 0, failed = 0, rc;
  weft_task_t *task;
  while (started < 8) weft_taskgroup_create_task(&group, spin_async(started++));
  while ((rc = weft_taskgroup_next(&group, &task)) > 0) {
    if (!weft_task_done(task)) return weft_fail(WEFT_TYPE, "not done");
    failed += weft_join(task) < 0;
    ended++;
    if (started < jobs) weft_taskgroup_create_task(&group, spin_async(started++));
  }
  rc = weft_taskgroup_exit(&group, rc);
  if (rc < 0) return rc;
  return ended == jobs && failed == jobs / 7 ? 0 : weft_fail(WEFT_TYPE, "%d ended, %d failed", ended, failed);
}

static WEFT_ASYNC(pools);
static int pools(void) {
  int n = scaled(3000);
  return weft_gather(pool_async(n), pool_async(n), pool_async(n));
}

static void on_several_workers(void **state) {
  (void)state;
  assert_int_equal(run4(pools_async()), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ends_come_in_order),
      cmocka_unit_test(two_hops),
      cmocka_unit_test(a_failure_cancels_unless_collected),
      cmocka_unit_test(errors_that_nobody_took_are_raised_at_exit),
      cmocka_unit_test(cancelled_it_takes_nothing),
      cmocka_unit_test(misuse_is_an_error),
      cmocka_unit_test(on_several_workers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
