/* test_shield.c: weft_shield: cancelling the waiter leaves the future alone. Transcripts are asyncio 3.13's. */
#include <errno.h>

#include "unit/sync/trace.h"

static WEFT_ASYNC(behind, weft_future_t *, const char *);
static int behind(weft_future_t *future, const char *name) {
  int value = 0, rc = weft_shield(future, &value);
  if (rc < 0)
    mark("%s=%s(%s)", name, weft_error_name(rc), weft_error()->message);
  else
    mark("%s=%d:%d", name, rc, value);
  return rc;
}

static WEFT_ASYNC(yielder, int, int);
static int yielder(int n, int status) {
  for (int i = 0; i < n; i++) weft_ignore(weft_yield());
  mark("/");
  return status;
}

static WEFT_ASYNC(hops);
static int hops(void) {
  weft_detach(weft_create_task(ticker_async("t", 8)));
  weft_task_t *task = weft_create_task(yielder_async(2, 5));
  weft_ignore(behind(weft_task_future(task), "S"));
  weft_ignore(behind(weft_task_future(task), "S")); /* done: at once */
  return weft_join(task);
}

static void order_is_asyncios(void **state) {
  (void)state;
  assert_int_equal(run1(hops_async()), 5);
  const char *expected = "t0 t1 t2 / t3 t4 S=5:5 S=5:5";
  assert_memory_equal(trace(), expected, strlen(expected));
}

static WEFT_ASYNC(outer_cancelled, int);
static int outer_cancelled(int times) {
  weft_task_t *inner = weft_create_task(sleeper_async("inner", 30, 7));
  for (int i = 0; i < times; i++) {
    weft_task_t *outer = weft_create_task(behind_async(weft_task_future(inner), "O"));
    weft_ignore(weft_sleep(0.005));
    assert_true(weft_task_cancel(outer, "enough"));
    assert_int_equal(weft_join(outer), WEFT_CANCELLED);
    assert_false(weft_task_done(inner));
  }
  return weft_join(inner);
}

static void outer_cancelled_inner_survives(void **state) {
  (void)state;
  assert_int_equal(run1(outer_cancelled_async(2)), 7);
  assert_trace("O=CancelledError(enough) O=CancelledError(enough) inner");
}

static WEFT_ASYNC(inner_cancelled);
static int inner_cancelled(void) {
  weft_task_t *inner = weft_create_task(sleeper_async("inner", 30, 7));
  weft_task_t *outer = weft_create_task(behind_async(weft_task_future(inner), "O"));
  weft_ignore(weft_sleep(0.01));
  weft_task_cancel(inner, "inside");
  assert_int_equal(weft_join(outer), WEFT_CANCELLED);
  weft_ignore(weft_join(inner));
  weft_future_t *f = weft_future_open(sizeof(int));
  outer = weft_create_task(behind_async(f, "F"));
  weft_ignore(weft_yield());
  weft_ignore(weft_future_set_error(f, WEFT_VALUE, "bad"));
  assert_int_equal(weft_join(outer), WEFT_VALUE);
  weft_future_unref(f);
  return 0;
}

static void inner_ends_go_through(void **state) {
  (void)state;
  assert_int_equal(run1(inner_cancelled_async()), 0);
  assert_trace("inner! O=CancelledError() F=ValueError(bad)");
}

static int handler(weft_loop_t *loop, const weft_error_context_t *context, void *data) {
  (void)loop;
  (void)data;
  mark("handler: %s %s(%s)", context->message, context->error->name, context->error->message);
  return 0;
}

static WEFT_ASYNC(late_error);
static int late_error(void) {
  weft_loop_set_exception_handler(weft_get_running_loop(), handler, NULL);
  weft_task_t *inner = weft_create_task(sleeper_async("late", 30, WEFT_VALUE));
  weft_task_t *outer = weft_create_task(behind_async(weft_task_future(inner), "O"));
  weft_ignore(weft_sleep(0.01));
  weft_task_cancel(outer, NULL);
  weft_ignore(weft_join(outer));
  weft_ignore(weft_sleep(0.03));
  weft_detach(inner);
  mark("end");
  return 0;
}

static void error_after_the_waiter_left_is_reported(void **state) {
  (void)state;
  assert_int_equal(run1(late_error_async()), 0);
  assert_trace("O=CancelledError() late handler: Task exception was never retrieved ValueError(late) end");
}

/* Set and cancelled in one step: the cancellation wins in the task, the future keeps its value. */
static WEFT_ASYNC(raced);
static int raced(void) {
  weft_future_t *f = weft_future_open(sizeof(int));
  weft_task_t *outer = weft_create_task(behind_async(f, "O"));
  weft_ignore(weft_yield());
  assert_int_equal(weft_future_set_result(f, &(int){3}), 0);
  weft_task_cancel(outer, NULL);
  assert_int_equal(weft_join(outer), WEFT_CANCELLED);
  int value = 0;
  assert_int_equal(weft_future_result(f, &value), 0);
  weft_future_unref(f);
  return value;
}

static void cancelled_between_end_and_callback(void **state) {
  (void)state;
  assert_int_equal(run1(raced_async()), 3);
  assert_trace("O=CancelledError()");
}

static WEFT_ASYNC(misuse);
static int misuse(void) {
  mark("%s", weft_error_name(weft_shield(NULL, NULL)));
  mark("%s", weft_error_name(weft_shield(weft_task_future(weft_current_task()), NULL)));
  weft_future_t *f = weft_future_open(0);
  weft__alloc_fail_after(1);
  mark("%s", weft_error_name(weft_shield(f, NULL)));
  weft__alloc_fail_after(-1);
  weft_future_unref(f);
  return 0;
}

static void misuse_and_memory(void **state) {
  (void)state;
  assert_int_equal(run1(misuse_async()), 0);
  assert_trace("ENOMEM RuntimeError ENOMEM");
}

static WEFT_ASYNC(setter, weft_future_t *, int);
static int setter(weft_future_t *f, int yields) {
  for (int i = 0; i < yields; i++) weft_ignore(weft_yield());
  return weft_future_set_result(f, &yields);
}

static WEFT_ASYNC(quiet, weft_future_t *);
static int quiet(weft_future_t *f) {
  int value = -1, rc = weft_shield(f, &value);
  return rc < 0 ? rc : value;
}

static WEFT_ASYNC(races);
static int races(void) {
  for (int round = 0; round < scaled(2000); round++) {
    weft_future_t *f = weft_future_open(sizeof(int));
    weft_task_t *outer = weft_create_task(quiet_async(f)), *other = weft_create_task(setter_async(f, round % 3));
    if (round % 2) weft_ignore(weft_yield());
    weft_task_cancel(outer, NULL);
    int rc = weft_join(outer);
    assert_true(rc == WEFT_CANCELLED || rc == round % 3);
    assert_int_equal(weft_join(other), 0);
    weft_future_unref(f);
  }
  return 0;
}

static void on_several_workers(void **state) {
  (void)state;
  assert_int_equal(run4(races_async()), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(order_is_asyncios),
      cmocka_unit_test(outer_cancelled_inner_survives),
      cmocka_unit_test(inner_ends_go_through),
      cmocka_unit_test(error_after_the_waiter_left_is_reported),
      cmocka_unit_test(cancelled_between_end_and_callback),
      cmocka_unit_test(misuse_and_memory),
      cmocka_unit_test(on_several_workers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
