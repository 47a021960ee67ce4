/* test_wait_for.c: weft_wait_for and weft_wait_for_future. Transcripts are asyncio 3.13's. */
#include <errno.h>

#include "unit/sync/trace.h"

static int started; /* milliseconds of loop time */
static void mark_status(int rc) {
  mark("[%d] %s", ms_now() - started, rc < 0 ? weft_error_name(rc) : rc > 0 ? "+" : "0");
}

static WEFT_ASYNC(basics);
static int basics(void) {
  started = ms_now();
  mark_status(weft_wait_for(sleeper_async("a", 10, 4), 0.03));
  mark_status(weft_wait_for(stubborn_async("b", 50, 5, 0), 0.02));
  mark("<%s(%s)", weft_error_name(weft_error()->context), weft_error()->message);
  mark_status(weft_wait_for(sleeper_async("c", 10, 0), WEFT_FOREVER));
  mark_status(weft_wait_for(sleeper_async("d", 10, WEFT_VALUE), 1));
  mark_status(weft_wait_for(stubborn_async("e", 50, 10, 6), 0.02)); /* goes on regardless: its status */
  mark_status(weft_wait_for(stubborn_async("f", 50, 10, WEFT_TYPE), 0.02));
  mark_status(weft_wait_for(sleeper_async("g", -1, 0), 1));
  return weft_task_cancelling(weft_current_task());
}

static void results_limits_errors(void **state) {
  (void)state;
  assert_int_equal(run1(basics_async()), 0);
  assert_trace("a [10] + b! b. [35] TimeoutError <CancelledError() c [45] 0 d [55] ValueError e! e. [85] + f! f. "
               "[115] TypeError g [115] 0");
}

static WEFT_ASYNC(waits, weft_future_t *, double, const char *);
static int waits(weft_future_t *future, double seconds, const char *name) {
  int value = 0, rc = weft_wait_for_future(future, seconds, &value);
  mark("%s=%s:%d", name, rc < 0 ? weft_error_name(rc) : "0", value);
  return rc;
}

static WEFT_ASYNC(zero);
static int zero(void) {
  weft_detach(weft_create_task(ticker_async("t", 12)));
  mark_status(weft_wait_for(sleeper_async("never", -1, 0), 0) == WEFT_TIMEOUT ? 0 : 1);
  mark_status(weft_wait_for(sleeper_async("never", -1, 0), -1) == WEFT_TIMEOUT ? 0 : 1);
  weft_future_t *f = weft_future_open(sizeof(int));
  weft_ignore(weft_future_set_result(f, &(int){3}));
  weft_ignore(waits(f, 0, "F"));
  weft_ignore(waits(f, 1, "F"));
  weft_future_unref(f);
  weft_task_t *task = weft_create_task(sleeper_async("pending", 1000, 0));
  weft_ignore(weft_yield());
  weft_ignore(waits(weft_task_future(task), 0, "P"));
  return weft_join(task);
}

static void zero_and_negative(void **state) {
  (void)state;
  started = 0;
  assert_int_equal(run1(zero_async()), WEFT_CANCELLED);
  const char *text = trace(), *expected = "t0 t1 t2 [";
  assert_memory_equal(text, expected, strlen(expected));
  assert_null(strstr(text, "never"));
  assert_non_null(strstr(text, "t3 t4 t5 ["));
  assert_non_null(strstr(text, "F=0:3 F=0:3 t6 t7 pending! t8 t9 P=TimeoutError:0"));
}

static WEFT_ASYNC(for_future);
static int for_future(void) {
  started = ms_now();
  weft_task_t *task = weft_create_task(sleeper_async("a", 10, 5));
  weft_ignore(waits(weft_task_future(task), 0.05, "A"));
  weft_ignore(weft_join(task));
  task = weft_create_task(stubborn_async("b", 50, 10, 0));
  weft_ignore(waits(weft_task_future(task), 0.02, "B"));
  mark_status(weft_join(task));
  task = weft_create_task(stubborn_async("c", 50, 10, 7));
  weft_ignore(waits(weft_task_future(task), 0.02, "C"));
  mark_status(weft_join(task));
  weft_future_t *f = weft_future_open(sizeof(int));
  weft_ignore(waits(f, 0.01, "F"));
  mark("%d", weft_future_cancelled(f));
  weft_future_unref(f);
  return weft_task_cancelling(weft_current_task());
}

static void futures_and_tasks(void **state) {
  (void)state;
  assert_int_equal(run1(for_future_async()), 0);
  assert_trace("a A=0:5 b! b. B=TimeoutError:0 [40] CancelledError c! c. C=0:7 [70] + F=TimeoutError:0 1");
}

static WEFT_ASYNC(around, double, double, int);
static int around(double ms, double limit, int on_cancel) {
  int rc = weft_wait_for(stubborn_async("job", ms, 10, on_cancel), limit);
  mark_status(rc);
  return rc;
}

static WEFT_ASYNC(from_outside);
static int from_outside(void) {
  started = ms_now();
  weft_task_t *task = weft_create_task(around_async(100, 0.05, 0));
  weft_ignore(weft_sleep(0.01));
  weft_task_cancel(task, NULL);
  mark_status(weft_join(task));
  weft_future_t *f = weft_future_open(sizeof(int));
  task = weft_create_task(waits_async(f, 1, "W"));
  weft_ignore(weft_yield());
  weft_ignore(weft_future_set_result(f, &(int){3}));
  weft_task_cancel(task, NULL);
  mark_status(weft_join(task));
  weft_future_unref(f);
  return 0;
}

static void cancelled_from_outside(void **state) {
  (void)state;
  assert_int_equal(run1(from_outside_async()), 0);
  assert_trace("job! job. [20] CancelledError [20] CancelledError W=CancelledError:0 [20] CancelledError");
}

static WEFT_ASYNC(inner, double, double);
static int inner(double ms, double limit) {
  int rc = weft_wait_for(sleeper_async("job", ms, 0), limit);
  mark("inner %s", weft_error_name(rc));
  return rc;
}

static WEFT_ASYNC(nested);
static int nested(void) {
  started = ms_now();
  mark_status(weft_wait_for(inner_async(100, 0.05), 0.02));
  mark_status(weft_wait_for(inner_async(100, 0.02), 0.05));
  return 0;
}

static void nesting(void **state) {
  (void)state;
  assert_int_equal(run1(nested_async()), 0);
  assert_trace("job! inner CancelledError [20] TimeoutError job! inner TimeoutError [40] TimeoutError");
}

static WEFT_ASYNC(shielded, weft_future_t *);
static int shielded(weft_future_t *future) { return weft_shield(future, NULL); }

static WEFT_ASYNC(with_shield);
static int with_shield(void) {
  started = ms_now();
  weft_task_t *task = weft_create_task(sleeper_async("I", 50, 3));
  mark_status(weft_wait_for(shielded_async(weft_task_future(task)), 0.02));
  mark("%d", weft_task_done(task));
  return weft_join(task);
}

static void shield_inside(void **state) {
  (void)state;
  assert_int_equal(run1(with_shield_async()), 3);
  assert_trace("[20] TimeoutError 0 I");
}

static WEFT_ASYNC(misuse);
static int misuse(void) {
  weft_call_t none = {0};
  mark("%s", weft_error_name(weft_wait_for(none, 1)));
  mark("%s", weft_error_name(weft_wait_for(sleeper_async("never", -1, 0), (double)NAN)));
  mark("%s", weft_error_name(weft_wait_for_future(NULL, 1, NULL)));
  weft__alloc_fail_after(1);
  mark("%s", weft_error_name(weft_wait_for(sleeper_async("never", -1, 0), 1)));
  weft__alloc_fail_after(-1);
  weft_future_t *f = weft_future_open(0);
  for (int i = 0; i < 2; i++) {
    weft__alloc_fail_after(1);
    mark("%s", weft_error_name(weft_wait_for_future(f, i, NULL)));
    weft__alloc_fail_after(-1);
    assert_false(weft_future_done(f));
  }
  weft_future_unref(f);
  return 0;
}

static void misuse_and_memory(void **state) {
  (void)state;
  assert_int_equal(weft_wait_for(sleeper_async("never", -1, 0), 1), -EPERM);
  assert_int_equal(run1(misuse_async()), 0);
  assert_trace("TypeError EINVAL ENOMEM ENOMEM ENOMEM ENOMEM");
}

static WEFT_ASYNC(spin, int);
static int spin(int n) {
  for (int i = 0; i < n; i++) {
    int rc = weft_yield();
    if (rc < 0) return rc;
  }
  return 1;
}

static WEFT_ASYNC(hammer);
static int hammer(void) {
  for (int i = 0; i < scaled(1500); i++) {
    int rc = weft_wait_for(spin_async(i % 15), i % 7 == 0 ? 0 : 15e-6);
    if (rc != 1 && rc != WEFT_TIMEOUT) return rc;
    if (i % 7 == 0 && rc != WEFT_TIMEOUT) return weft_fail(WEFT_TYPE, "started");
  }
  return weft_yield();
}

static WEFT_ASYNC(hammers);
static int hammers(void) { return weft_gather(hammer_async(), hammer_async(), hammer_async(), hammer_async()); }

static void on_several_workers(void **state) {
  (void)state;
  assert_int_equal(run4(hammers_async()), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(results_limits_errors),
      cmocka_unit_test(zero_and_negative),
      cmocka_unit_test(futures_and_tasks),
      cmocka_unit_test(cancelled_from_outside),
      cmocka_unit_test(nesting),
      cmocka_unit_test(shield_inside),
      cmocka_unit_test(misuse_and_memory),
      cmocka_unit_test(on_several_workers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
