/* test_timeouts.c: weft_timeout scopes. Transcripts are asyncio 3.13's. */
#include <errno.h>

#include "task/task.h"
#include "unit/sync/trace.h"

static WEFT_ASYNC(basics);
static int basics(void) {
  int start = ms_now();
  weft_timeout_t limit;
  weft_timeout_enter(&limit, 0.02);
  int rc = weft_sleep(0.05);
  mark("%s %d", weft_error_name(rc), weft_timeout_expired(&limit));
  rc = weft_timeout_exit(&limit, rc);
  mark("[%d] %s(%s)<%s %d %d", ms_now() - start, weft_error_name(rc), weft_error()->message,
       weft_error_name(weft_error()->context), weft_timeout_expired(&limit), weft_task_cancelling(weft_current_task()));
  weft_timeout_enter(&limit, 0.05);
  rc = weft_sleep(0.01);
  rc = weft_timeout_exit(&limit, 5 + rc);
  mark("%d %d", rc, weft_timeout_expired(&limit));
  weft_timeout_enter(&limit, WEFT_FOREVER);
  rc = weft_sleep(0.01);
  rc = weft_timeout_exit(&limit, rc);
  mark("%d %d", rc, weft_timeout_expired(&limit));
  weft_timeout_at_enter(&limit, weft_loop_time(weft_get_running_loop()) + 0.02);
  rc = weft_sleep(0.05);
  rc = weft_timeout_exit(&limit, rc);
  mark("[%d] %s", ms_now() - start, weft_error_name(rc));
  return weft_sleep(0.1);
}

static void expires_or_not(void **state) {
  (void)state;
  assert_int_equal(run1(basics_async()), 0);
  assert_trace("CancelledError 1 [20] TimeoutError()<CancelledError 1 0 5 0 0 0 [60] TimeoutError");
}

static WEFT_ASYNC(at_once);
static int at_once(void) {
  static const double limits[] = {0, -1, -INFINITY};
  weft_timeout_t limit;
  for (int i = 0; i < 4; i++) {
    if (i < 3)
      weft_timeout_enter(&limit, limits[i]);
    else
      weft_timeout_at_enter(&limit, 0);
    mark("body");
    int rc = weft_sleep(0.01);
    mark("%s", weft_error_name(weft_timeout_exit(&limit, rc)));
  }
  weft_timeout_enter(&limit, 0);
  int rc = weft_timeout_exit(&limit, 0);
  mark("%d %d", rc, weft_timeout_expired(&limit)); /* never suspended, not timed out */
  return weft_sleep(0.01);
}

static void zero_and_past(void **state) {
  (void)state;
  assert_int_equal(run1(at_once_async()), 0);
  assert_trace("body TimeoutError body TimeoutError body TimeoutError body TimeoutError 0 0");
}

/* The passes that asyncio needs: timeout(0) is a callback of this pass, the next one cancels, the one after goes on. */
static WEFT_ASYNC(hops);
static int hops(void) {
  weft_detach(weft_create_task(ticker_async("t", 9)));
  weft_timeout_t limit;
  weft_timeout_enter(&limit, 0);
  weft_detach(weft_create_task(ticker_async("u", 9)));
  int rc = weft_sleep(100);
  mark("%s", weft_error_name(weft_timeout_exit(&limit, rc)));
  weft_ignore(weft_yield());
  weft_timeout_enter(&limit, 0);
  weft_future_t *f = weft_future_open(0);
  rc = weft_await_future(f, NULL);
  weft_future_unref(f);
  mark("%s", weft_error_name(weft_timeout_exit(&limit, rc)));
  return 0;
}

static void order_is_asyncios(void **state) {
  (void)state;
  assert_int_equal(run1(hops_async()), 0);
  const char *expected = "t0 u0 t1 TimeoutError u1 t2 u2 t3 u3 t4 TimeoutError u4";
  assert_memory_equal(trace(), expected, strlen(expected));
}

static WEFT_ASYNC(nested);
static int nested(void) {
  weft_timeout_t outer, inner;
  weft_timeout_enter(&outer, 0.05);
  weft_timeout_enter(&inner, 0.02);
  int rc = weft_timeout_exit(&inner, weft_sleep(0.1));
  mark("%s", weft_error_name(rc));
  rc = weft_timeout_exit(&outer, weft_sleep(0.01));
  mark("%d %d%d", rc, weft_timeout_expired(&outer), weft_timeout_expired(&inner));
  weft_timeout_enter(&outer, 0.02);
  weft_timeout_enter(&inner, 0.05);
  rc = weft_timeout_exit(&inner, weft_sleep(0.1));
  mark("%s", weft_error_name(rc));
  rc = weft_timeout_exit(&outer, rc);
  mark("%s %d%d", weft_error_name(rc), weft_timeout_expired(&outer), weft_timeout_expired(&inner));
  /* both */
  weft_timeout_enter(&outer, 0.01);
  weft_timeout_enter(&inner, 0.01);
  weft_loop_advance(weft_get_running_loop(), 0.05);
  rc = weft_timeout_exit(&inner, weft_sleep(0.1));
  mark("%s", weft_error_name(rc));
  rc = weft_timeout_exit(&outer, rc);
  mark("%s %d%d %d", weft_error_name(rc), weft_timeout_expired(&outer), weft_timeout_expired(&inner),
       weft_task_cancelling(weft_current_task()));
  return weft_sleep(0.1);
}

static void nesting(void **state) {
  (void)state;
  assert_int_equal(run1(nested_async()), 0);
  assert_trace("TimeoutError 0 01 CancelledError TimeoutError 10 CancelledError TimeoutError 11 0");
}

static WEFT_ASYNC(limited, const char *, int);
static int limited(const char *name, int on_cancel) {
  weft_timeout_t limit;
  weft_timeout_enter(&limit, 0.02);
  int rc = stubborn(name, 100, 20, on_cancel);
  rc = weft_timeout_exit(&limit, rc);
  mark("%s<%s %d %d", rc < 0 ? weft_error_name(rc) : "0", weft_error_name(weft_error()->context),
       weft_timeout_expired(&limit), weft_task_cancelling(weft_current_task()));
  return rc;
}

static WEFT_ASYNC(with_outer_cancel);
static int with_outer_cancel(void) {
  weft_task_t *t = weft_create_task(limited_async("t", 0));
  weft_ignore(weft_sleep(0.03));
  weft_task_cancel(t, NULL);
  assert_int_equal(weft_join(t), WEFT_CANCELLED);
  t = weft_create_task(limited_async("u", WEFT_VALUE));
  assert_int_equal(weft_join(t), WEFT_VALUE);
  t = weft_create_task(limited_async("v", 6));
  assert_int_equal(weft_join(t), 6);
  return 0;
}

static void outer_cancel_other_errors_and_swallowing(void **state) {
  (void)state;
  assert_int_equal(run1(with_outer_cancel_async()), 0);
  assert_trace("t! t. CancelledError<OK 1 1 u! u. ValueError<TimeoutError 1 0 v! v. 0<OK 1 0");
}

static void mark_error(int rc) { mark("%s(%s)", weft_error_name(rc), weft_error()->message); }

static WEFT_ASYNC(moves);
static int moves(void) {
  weft_timeout_t limit = {0};
  int start = ms_now();
  mark_error(weft_timeout_reschedule(&limit, 1));
  mark("%s", weft_error_name(weft_timeout_exit(&limit, 0)));
  weft_timeout_enter(&limit, WEFT_FOREVER);
  mark("%d", weft_timeout_reschedule(&limit, 0.02));
  mark("%d", weft_timeout_reschedule(&limit, 0.04));
  int rc = weft_sleep(0.1);
  mark("[%d] %s", ms_now() - start, weft_error_name(rc));
  mark_error(weft_timeout_reschedule(&limit, 1));
  mark("%s", weft_error_name(weft_timeout_exit(&limit, rc)));
  mark_error(weft_timeout_reschedule(&limit, 1));
  weft_timeout_enter(&limit, 0.02);
  mark("%d", weft_timeout_reschedule(&limit, WEFT_FOREVER));
  rc = weft_sleep(0.03);
  mark("%d", weft_timeout_exit(&limit, rc));
  mark_error(weft_timeout_reschedule_at(&limit, 1));
  mark("%s", weft_error_name(weft_timeout_exit(&limit, 0)));
  weft_timeout_enter(&limit, 10);
  mark("%d", weft_timeout_reschedule_at(&limit, 0));
  mark("%s", weft_error_name(weft_timeout_exit(&limit, weft_sleep(1))));
  mark("%s", weft_error_name(weft_timeout_reschedule(&limit, (double)NAN)));
  return 0;
}

static void reschedule(void **state) {
  (void)state;
  assert_int_equal(run1(moves_async()), 0);
  assert_trace("RuntimeError(Timeout has not been entered) RuntimeError 0 0 [40] CancelledError "
               "RuntimeError(Cannot change state of expiring Timeout) TimeoutError "
               "RuntimeError(Cannot change state of expired Timeout) 0 0 "
               "RuntimeError(Cannot change state of finished Timeout) RuntimeError 0 TimeoutError EINVAL");
}

static WEFT_ASYNC(retries);
static int retries(void) {
  int start = ms_now();
  static const double takes[] = {0.05, 0.03, 0.01};
  for (int i = 0; i < 3; i++) {
    weft_timeout_t limit;
    weft_timeout_enter(&limit, 0.02);
    int rc = weft_timeout_exit(&limit, weft_sleep(takes[i]));
    mark("[%d] %s %d", ms_now() - start, weft_error_name(rc), weft_task_cancelling(weft_current_task()));
  }
  return 0;
}

static void in_a_loop(void **state) {
  (void)state;
  assert_int_equal(run1(retries_async()), 0);
  assert_trace("[20] TimeoutError 0 [40] TimeoutError 0 [50] OK 0");
}

/* Inside the clean-up of a cancelled task a limit still tells its own request from the one that is being handled. */
static WEFT_ASYNC(cleans_up);
static int cleans_up(void) {
  int rc = weft_sleep(1);
  weft_timeout_t limit;
  weft_timeout_enter(&limit, 0.02);
  int cleanup = weft_timeout_exit(&limit, weft_sleep(0.1));
  mark("%s %d", weft_error_name(cleanup), weft_task_cancelling(weft_current_task()));
  weft_timeout_enter(&limit, 0.02);
  cleanup = weft_timeout_exit(&limit, weft_sleep(0.01));
  mark("%s %d", weft_error_name(cleanup), weft_task_cancelling(weft_current_task()));
  return rc;
}

static WEFT_ASYNC(in_cleanup);
static int in_cleanup(void) {
  weft_task_t *t = weft_create_task(cleans_up_async());
  weft_ignore(weft_sleep(0.01));
  weft_task_cancel(t, NULL);
  return weft_join(t);
}

static void inside_a_cleanup(void **state) {
  (void)state;
  assert_int_equal(run1(in_cleanup_async()), WEFT_CANCELLED);
  assert_trace("TimeoutError 1 OK 1");
}

/* A request that was made and not delivered goes by its tag, also where the count does not come to 0; two together stay. */
static WEFT_ASYNC(tags);
static int tags(void) {
  weft_task_t *self = weft_current_task();
  int mine;
  weft_task_cancel(self, NULL);
  mark("%s", weft_error_name(weft_yield()));
  (void)weft__task_request_cancel_as(self, NULL, true, &mine, 0);
  mark("%d", weft__task_uncancel_as(self, &mine));
  mark("%s", weft_error_name(weft_yield()));
  (void)weft__task_request_cancel_as(self, NULL, true, &mine, 0);
  weft_task_cancel(self, NULL);
  mark("%d", weft__task_uncancel_as(self, &mine));
  mark("%s", weft_error_name(weft_yield()));
  (void)weft__task_request_cancel_as(self, NULL, true, &mine, 0);
  (void)weft_task_uncancel(self); /* somebody else's uncancel leaves it */
  mark("%s", weft_error_name(weft_yield()));
  return 0;
}

static void undelivered_requests_go_by_their_tag(void **state) {
  (void)state;
  assert_int_equal(run1(tags_async()), 0);
  assert_trace("CancelledError 1 OK 2 CancelledError CancelledError");
}

static int in_callback(void *data) {
  weft_timeout_t limit;
  weft_timeout_enter(&limit, 1);
  *(int *)data = weft_timeout_exit(&limit, 0);
  return 0;
}

static WEFT_ASYNC(misuse);
static int misuse(void) {
  weft_timeout_t limit;
  weft_timeout_enter(&limit, (double)NAN);
  int rc = weft_sleep(1);
  mark("%s", weft_error_name(rc));
  rc = weft_timeout_exit(&limit, rc);
  mark("%s %d", weft_error_name(rc), weft_task_cancelling(weft_current_task()));
  rc = 0;
  weft_call_soon(weft_get_running_loop(), in_callback, &rc);
  weft_ignore(weft_sleep(0.01));
  mark("%s", weft_error_name(rc));
  weft__alloc_fail_after(1);
  weft_timeout_enter(&limit, 1);
  assert_true(weft__alloc_failed());
  weft__alloc_fail_after(-1);
  mark("%s", weft_error_name(weft_timeout_exit(&limit, weft_sleep(0.5))));
  weft__alloc_fail_after(1);
  weft_timeout_enter(&limit, 1);
  weft__alloc_fail_after(-1);
  mark("%s", weft_error_name(weft_timeout_exit(&limit, WEFT_TYPE)));
  weft_timeout_enter(&limit, 1);
  weft__alloc_fail_after(1);
  mark("%s", weft_error_name(weft_timeout_reschedule(&limit, 0.5)));
  weft__alloc_fail_after(-1);
  mark("%s", weft_error_name(weft_timeout_exit(&limit, weft_sleep(2))));
  return weft_sleep(0.1);
}

static void misuse_and_memory(void **state) {
  (void)state;
  assert_int_equal(run1(misuse_async()), 0);
  assert_trace("CancelledError EINVAL 0 RuntimeError ENOMEM TypeError ENOMEM TimeoutError");
}

/* The limit strikes on another thread at just the time when the block is left: either it struck inside, or never. */
static WEFT_ASYNC(brink, int);
static int brink(int rounds) {
  int struck = 0;
  for (int i = 0; i < rounds; i++) {
    weft_timeout_t limit;
    weft_timeout_enter(&limit, 20e-6);
    int rc = 0;
    for (int k = 0; k < i % 20 && rc == 0; k++) rc = weft_yield();
    rc = weft_timeout_exit(&limit, rc);
    if (rc != 0 && rc != WEFT_TIMEOUT) return rc;
    struck += rc == WEFT_TIMEOUT;
    if (weft_task_cancelling(weft_current_task()) != 0) return weft_fail(WEFT_VALUE, "a request is left");
    if (weft_yield() != 0) return weft_fail(WEFT_TYPE, "cancelled after the block");
  }
  return struck;
}

static WEFT_ASYNC(brinks);
static int brinks(void) {
  weft_call_t calls[4];
  for (int i = 0; i < 4; i++) calls[i] = brink_async(scaled(1500));
  return weft_gather_n(calls, 4, NULL, 0);
}

static void leaving_disarms(void **state) {
  (void)state;
  assert_int_equal(run4(brinks_async()), 0);
}

/* The same with requests of others under way and with a count that is not zero: what is not the scope's is not lost. */
static WEFT_ASYNC(swallower);
static int swallower(void) {
  int rc = 0;
  for (int i = 0; rc != WEFT_CANCELLED; i++) {
    weft_timeout_t limit;
    weft_timeout_enter(&limit, 20e-6);
    rc = 0;
    for (int k = 0; k < i % 10 && rc == 0; k++) rc = weft_yield();
    rc = weft_timeout_exit(&limit, rc);
    if (rc == 0 && i % 3 == 0) rc = weft_yield();
    if (rc == WEFT_TIMEOUT && i > 1000000) return weft_fail(WEFT_TYPE, "the request was lost");
  }
  if (weft_yield() != 0) return weft_fail(WEFT_VALUE, "cancelled twice");
  return weft_task_cancelling(weft_current_task());
}

static WEFT_ASYNC(swallowers);
static int swallowers(void) {
  for (int round = 0; round < scaled(200); round++) {
    weft_task_t *t = weft_create_task(swallower_async());
    for (int k = 0; k < 3 + round % 7; k++) weft_ignore(weft_yield());
    weft_task_cancel(t, NULL);
    int rc = weft_join(t);
    if (rc != 1 && rc != WEFT_CANCELLED) return rc; /* cancelled before its first step */
  }
  return 0;
}

static void requests_of_others_are_kept(void **state) {
  (void)state;
  assert_int_equal(run4(swallowers_async()), 0);
}

static WEFT_ASYNC(limits);
static int limits(void) {
  weft_loop_t *loop = weft_get_running_loop();
  weft_timeout_t limit = {{0}};
  assert_true(isnan(weft_timeout_when(&limit)));
  double now = weft_loop_time(loop);
  weft_timeout_enter(&limit, 2);
  assert_true(fabs(weft_timeout_when(&limit) - (now + 2)) < 1e-6);
  assert_int_equal(weft_timeout_reschedule(&limit, WEFT_FOREVER), 0);
  assert_true(isinf(weft_timeout_when(&limit)));
  assert_int_equal(weft_timeout_reschedule_at(&limit, now + 3), 0);
  assert_true(fabs(weft_timeout_when(&limit) - (now + 3)) < 1e-6);
  assert_int_equal(weft_timeout_exit(&limit, 0), 0);
  assert_true(fabs(weft_timeout_when(&limit) - (now + 3)) < 1e-6);
  weft_timeout_enter(&limit, -1);
  assert_true(fabs(weft_timeout_when(&limit) - (now - 1)) < 1e-6);
  assert_int_equal(weft_timeout_exit(&limit, 0), 0);
  weft_timeout_enter(&limit, NAN);
  assert_true(isnan(weft_timeout_when(&limit)));
  weft_ignore(weft_timeout_exit(&limit, 0));
  return 0;
}

static void when_is_the_limit(void **state) {
  (void)state;
  assert_int_equal(run1(limits_async()), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(expires_or_not),
      cmocka_unit_test(zero_and_past),
      cmocka_unit_test(order_is_asyncios),
      cmocka_unit_test(nesting),
      cmocka_unit_test(outer_cancel_other_errors_and_swallowing),
      cmocka_unit_test(reschedule),
      cmocka_unit_test(in_a_loop),
      cmocka_unit_test(when_is_the_limit),
      cmocka_unit_test(inside_a_cleanup),
      cmocka_unit_test(undelivered_requests_go_by_their_tag),
      cmocka_unit_test(misuse_and_memory),
      cmocka_unit_test(leaving_disarms),
      cmocka_unit_test(requests_of_others_are_kept),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
