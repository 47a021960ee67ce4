/* test_taskgroups.c: weft_taskgroup. Transcripts are asyncio 3.13's. */
#include <errno.h>

#include "unit/sync/trace.h"

static void mark_error(const weft_error_t *error) {
  mark("%s(%s", error->name, error->message);
  for (size_t i = 0; i < error->count; i++) mark_error(error->parts[i]);
  mark(")");
}

static void mark_status(int rc) {
  if (rc < 0)
    mark_error(weft_error());
  else
    mark("%d", rc);
}

static weft_taskgroup_t shared; /* the group of the test that runs */

static WEFT_ASYNC(spawner, const char *);
static int spawner(const char *child) {
  int rc = weft_sleep(0.02);
  mark("b");
  weft_taskgroup_create_task(&shared, sleeper_async(child, 10, 0));
  return rc;
}

static WEFT_ASYNC(success);
static int success(void) {
  int start = ms_now();
  weft_taskgroup_enter(&shared);
  weft_task_t *a = weft_taskgroup_create_task(&shared, sleeper_async("a", 10, 5));
  weft_taskgroup_create_task(&shared, spawner_async("c"));
  mark("body");
  weft_task_ref(a);
  int rc = weft_taskgroup_exit(&shared, 3);
  mark("[%d]", ms_now() - start);
  mark("%d %d", rc, weft_task_result(a));
  weft_task_unref(a);
  weft_taskgroup_enter(&shared);
  mark("%d", weft_taskgroup_exit(&shared, 0)); /* nobody to wait for */
  return 0;
}

static void waits_for_all(void **state) {
  (void)state;
  assert_int_equal(run1(success_async()), 0);
  assert_trace("body a b c [30] 3 5 0");
}

static WEFT_ASYNC(yielder, const char *, int, int);
static int yielder(const char *name, int n, int status) {
  for (int i = 0; i < n; i++) {
    int rc = weft_yield();
    if (rc < 0) {
      mark("%s!", name);
      return rc;
    }
  }
  mark("/%s", name);
  return status < 0 ? weft_fail(status, "%s", name) : status;
}

static WEFT_ASYNC(hops);
static int hops(void) {
  weft_detach(weft_create_task(ticker_async("t", 20)));
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  weft_taskgroup_create_task(&group, yielder_async("a", 1, 0));
  weft_taskgroup_create_task(&group, yielder_async("b", 2, 0));
  mark("=%d", weft_taskgroup_exit(&group, 0));
  weft_taskgroup_enter(&group);
  weft_taskgroup_create_task(&group, yielder_async("c", 0, WEFT_VALUE));
  weft_taskgroup_create_task(&group, yielder_async("d", 9, 0));
  mark("=%s", weft_error_name(weft_taskgroup_exit(&group, 0)));
  weft_taskgroup_enter(&group);
  weft_taskgroup_create_task(&group, yielder_async("e", 1, WEFT_VALUE));
  weft_taskgroup_create_task(&group, yielder_async("f", 9, 0));
  int rc = weft_sleep(1);
  mark("%s", weft_error_name(rc));
  mark("=%s", weft_error_name(weft_taskgroup_exit(&group, rc)));
  return 0;
}

static void order_is_asyncios(void **state) {
  (void)state;
  assert_int_equal(run1(hops_async()), 0);
  const char *expected = "t0 t1 /a t2 /b t3 t4 =0 t5 /c t6 d! t7 t8 =ExceptionGroup t9 t10 /e t11 f! "
                         "t12 CancelledError t13 =ExceptionGroup";
  assert_memory_equal(trace(), expected, strlen(expected));
}

static WEFT_ASYNC(failure);
static int failure(void) {
  int start = ms_now();
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  weft_taskgroup_create_task(&group, stubborn_async("ok", 5000, 10, 0));
  weft_taskgroup_create_task(&group, sleeper_async("bad", 10, WEFT_VALUE));
  weft_taskgroup_create_task(&group, stubborn_async("late", 5000, 0, WEFT_TYPE));
  int rc = weft_sleep(1);
  mark("body%s", rc == WEFT_CANCELLED ? "!" : "");
  rc = weft_taskgroup_exit(&group, rc);
  mark("[%d]", ms_now() - start);
  mark_status(rc);
  mark("%d", weft_task_cancelling(weft_current_task()));
  return weft_sleep(0.01);
}

static void first_failure_cancels_the_rest(void **state) {
  (void)state;
  assert_int_equal(run1(failure_async()), 0);
  assert_trace("bad ok! late! body! late. ok. [20] ExceptionGroup(unhandled errors in a TaskGroup ValueError(bad ) "
               "TypeError(late ) ) 0");
}

static WEFT_ASYNC(body_fails, int);
static int body_fails(int status) {
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  weft_taskgroup_create_task(&group, sleeper_async("a", 100, 0));
  int rc = weft_sleep(0.01);
  if (rc == 0) rc = weft_fail(status, "body");
  mark_status(weft_taskgroup_exit(&group, rc));
  mark("%d", weft_task_cancelling(weft_current_task()));
  return 0;
}

static void body_failure_cancels_the_children(void **state) {
  (void)state;
  assert_int_equal(run1(body_fails_async(WEFT_VALUE)), 0);
  assert_trace("a! ExceptionGroup(unhandled errors in a TaskGroup ValueError(body ) ) 0");
  assert_int_equal(run1(body_fails_async(WEFT_INTERRUPT)), 0);
  assert_trace("a! KeyboardInterrupt(body ) 0");
  assert_int_equal(run1(body_fails_async(WEFT_CANCELLED)), 0); /* raised by itself, nobody asked for it */
  assert_trace("a! CancelledError(body ) 0");
}

static WEFT_ASYNC(grouped, int, bool);
static int grouped(int on_cancel, bool in_body) {
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  weft_taskgroup_create_task(&group, sleeper_async("a", 100, 0));
  weft_taskgroup_create_task(&group, stubborn_async("b", 100, 10, on_cancel));
  int rc = in_body ? weft_sleep(1) : 0;
  rc = weft_taskgroup_exit(&group, rc);
  mark_status(rc);
  mark("%d", weft_task_cancelling(weft_current_task()));
  int next = weft_sleep(0.001);
  mark("%s", weft_error_name(next));
  return rc;
}

static WEFT_ASYNC(from_outside, int, bool);
static int from_outside(int on_cancel, bool in_body) {
  weft_task_t *task = weft_create_task(grouped_async(on_cancel, in_body));
  weft_ignore(weft_sleep(0.01));
  weft_task_cancel(task, "out");
  weft_ignore(weft_join(task));
  return 0;
}

static void cancelled_from_outside(void **state) {
  (void)state;
  for (int in_body = 0; in_body < 2; in_body++) {
    assert_int_equal(run1(from_outside_async(0, in_body)), 0);
    assert_trace("a! b! b. CancelledError(out ) 1 OK");
    assert_int_equal(run1(from_outside_async(WEFT_VALUE, in_body)), 0);
    assert_trace("a! b! b. ExceptionGroup(unhandled errors in a TaskGroup ValueError(b ) ) 1 CancelledError");
  }
}

static WEFT_ASYNC(fails_then_cancelled);
static int fails_then_cancelled(void) {
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  weft_taskgroup_create_task(&group, sleeper_async("bad", 10, WEFT_VALUE));
  weft_taskgroup_create_task(&group, stubborn_async("slow", 100, 20, 0));
  mark_status(weft_taskgroup_exit(&group, 0));
  mark("%d", weft_task_cancelling(weft_current_task()));
  int rc = weft_sleep(0.01);
  mark("%s", weft_error_name(rc));
  return rc;
}

static WEFT_ASYNC(both);
static int both(void) {
  weft_task_t *task = weft_create_task(fails_then_cancelled_async());
  weft_ignore(weft_sleep(0.02));
  weft_task_cancel(task, NULL);
  assert_int_equal(weft_join(task), WEFT_CANCELLED);
  return 0;
}

static void failure_and_outer_cancel_are_both_kept(void **state) {
  (void)state;
  assert_int_equal(run1(both_async()), 0);
  assert_trace("bad slow! slow. ExceptionGroup(unhandled errors in a TaskGroup ValueError(bad ) ) 1 CancelledError");
}

static WEFT_ASYNC(child_cancelled);
static int child_cancelled(void) {
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  weft_task_t *a = weft_taskgroup_create_task(&group, sleeper_async("a", 30, 0));
  weft_taskgroup_create_task(&group, sleeper_async("b", 30, 0));
  weft_taskgroup_create_task(&group, sleeper_async("c", 10, WEFT_CANCELLED));
  weft_ignore(weft_sleep(0.01));
  weft_task_cancel(a, NULL);
  return weft_taskgroup_exit(&group, 4);
}

static void a_child_cancelled_alone_fails_nothing(void **state) {
  (void)state;
  assert_int_equal(run1(child_cancelled_async()), 4);
  assert_trace("a! c b");
}

static WEFT_ASYNC(base_error);
static int base_error(void) {
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  weft_taskgroup_create_task(&group, sleeper_async("v", 10, WEFT_VALUE));
  weft_taskgroup_create_task(&group, stubborn_async("x", 1000, 5, WEFT_EXIT));
  int rc = weft_taskgroup_exit(&group, 0);
  mark_status(rc);
  return rc;
}

static void base_errors_come_bare(void **state) {
  (void)state;
  assert_int_equal(run1(base_error_async()), WEFT_EXIT);
}

static WEFT_ASYNC(nested);
static int nested(void) {
  weft_taskgroup_t outer, inner;
  weft_taskgroup_enter(&outer);
  weft_taskgroup_create_task(&outer, sleeper_async("A", 1000, 0));
  weft_taskgroup_enter(&inner);
  weft_taskgroup_create_task(&inner, sleeper_async("B", 10, WEFT_VALUE));
  weft_taskgroup_create_task(&inner, sleeper_async("C", 1000, 0));
  int rc = weft_taskgroup_exit(&inner, 0);
  mark_status(weft_taskgroup_exit(&outer, rc));
  return 0;
}

static void nesting(void **state) {
  (void)state;
  assert_int_equal(run1(nested_async()), 0);
  assert_trace("B C! A! ExceptionGroup(unhandled errors in a TaskGroup ExceptionGroup(unhandled errors in a TaskGroup "
               "ValueError(B ) ) )");
}

static void try_create(weft_taskgroup_t *group) {
  weft_task_t *task = weft_taskgroup_create_task(group, sleeper_async("never", -1, 0));
  mark("%d %s", task != NULL, weft_error()->message);
}

static WEFT_ASYNC(late_comer);
static int late_comer(void) {
  int rc = weft_sleep(1);
  try_create(&shared);
  return rc;
}

static int in_callback(void *data) {
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  *(int *)data = weft_taskgroup_exit(&group, 0);
  return 0;
}

static WEFT_ASYNC(misuse);
static int misuse(void) {
  shared = (weft_taskgroup_t){0};
  try_create(&shared);
  assert_int_equal(weft_taskgroup_exit(&shared, 0), WEFT_RUNTIME);
  weft_taskgroup_enter(&shared);
  weft_taskgroup_create_task(&shared, late_comer_async());
  weft_taskgroup_create_task(&shared, sleeper_async("bad", 10, WEFT_VALUE));
  assert_int_equal(weft_taskgroup_exit(&shared, 0), WEFT_GROUP);
  assert_int_equal(weft_error()->count, 1);
  try_create(&shared);
  assert_int_equal(weft_taskgroup_exit(&shared, 0), WEFT_RUNTIME);
  int rc = 0;
  weft_call_soon(weft_get_running_loop(), in_callback, &rc);
  weft_ignore(weft_sleep(0.001));
  assert_int_equal(rc, WEFT_RUNTIME);
  return 0;
}

static void misuse_is_an_error(void **state) {
  (void)state;
  assert_int_equal(run1(misuse_async()), 0);
  assert_trace("0 TaskGroup <TaskGroup> has not been entered bad "
               "0 TaskGroup <TaskGroup tasks=1 errors=1 cancelling> is shutting down "
               "0 TaskGroup <TaskGroup errors=1 cancelling> is finished");
}

static WEFT_ASYNC(starved);
static int starved(void) {
  for (long n = 1;; n++) {
    weft_taskgroup_t group;
    weft__alloc_fail_after(n);
    weft_taskgroup_enter(&group);
    weft_taskgroup_create_task(&group, sleeper_async(NULL, 1, 0));
    weft_taskgroup_create_task(&group, sleeper_async(NULL, 100, 0));
    weft_taskgroup_create_task(&group, sleeper_async(NULL, 2, WEFT_VALUE));
    int rc = weft_taskgroup_exit(&group, 0);
    bool failed = weft__alloc_failed();
    weft__alloc_fail_after(-1);
    assert_int_equal(rc, WEFT_GROUP);
    assert_int_equal(weft_task_cancelling(weft_current_task()), 0);
    assert_int_equal(weft_all_tasks(weft_get_running_loop(), NULL, 0), 1);
    if (!failed) return weft_sleep(0.001);
  }
}

static void memory_runs_out(void **state) {
  (void)state;
  assert_int_equal(run1(starved_async()), 0);
}

/* ---- several workers ---------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(leaf, weft_taskgroup_t *, int);
static int leaf(weft_taskgroup_t *group, int i) {
  for (int k = 0; k < i % 4; k++) {
    int rc = weft_yield();
    if (rc < 0) return rc;
  }
  if (i % 5 == 4) weft_taskgroup_create_task(group, leaf_async(group, i / 2));
  return i % 31 == 30 ? weft_fail(WEFT_VALUE, "leaf") : 0;
}

static WEFT_ASYNC(bush, int);
static int bush(int seed) {
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  for (int i = 0; i < 8; i++) weft_taskgroup_create_task(&group, leaf_async(&group, seed + i));
  int rc = seed % 3 ? weft_yield() : 0;
  rc = weft_taskgroup_exit(&group, rc);
  int requests = weft_task_cancelling(weft_current_task());
  if (requests > 1) return weft_fail(WEFT_TYPE, "requests left");
  return rc;
}

static WEFT_ASYNC(forest);
static int forest(void) {
  int seen[3] = {0};
  for (int round = 0; round < scaled(400); round++) {
    weft_task_t *tasks[4];
    for (int i = 0; i < 4; i++) tasks[i] = weft_create_task(bush_async(round + i));
    if (round % 3 == 0) weft_ignore(weft_yield());
    weft_task_cancel(tasks[round % 4], NULL);
    for (int i = 0; i < 4; i++) {
      int rc = weft_join(tasks[i]);
      if (rc != 0 && rc != WEFT_CANCELLED && rc != WEFT_GROUP) return rc;
      seen[rc == 0 ? 0 : rc == WEFT_CANCELLED ? 1 : 2]++;
    }
  }
  return seen[0] > 0 && seen[1] > 0 && seen[2] > 0 && weft_all_tasks(weft_get_running_loop(), NULL, 0) == 1;
}

static void on_several_workers(void **state) {
  (void)state;
  assert_int_equal(run4(forest_async()), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(waits_for_all),
      cmocka_unit_test(order_is_asyncios),
      cmocka_unit_test(first_failure_cancels_the_rest),
      cmocka_unit_test(body_failure_cancels_the_children),
      cmocka_unit_test(cancelled_from_outside),
      cmocka_unit_test(failure_and_outer_cancel_are_both_kept),
      cmocka_unit_test(a_child_cancelled_alone_fails_nothing),
      cmocka_unit_test(base_errors_come_bare),
      cmocka_unit_test(nesting),
      cmocka_unit_test(misuse_is_an_error),
      cmocka_unit_test(memory_runs_out),
      cmocka_unit_test(on_several_workers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
