/* test_sleep.c: weft_sleep and weft_yield: order, cancellation, what is no time, where one may not sleep. */
#include <errno.h>
#include <math.h>

#include "unit/sync/trace.h"

static WEFT_ASYNC(orders);
static int orders(void) {
  weft_task_t *tasks[5];
  static const double ms[] = {30, 10, 20, 10, 0};
  static const char *const names[] = {"a", "b", "c", "d", "e"};
  for (int i = 0; i < 5; i++) tasks[i] = weft_create_task(sleeper_async(names[i], ms[i], 0));
  mark("main");
  for (int i = 0; i < 5; i++) weft_ignore(weft_join(tasks[i]));
  mark("%d", ms_now());
  return 0;
}

static void by_deadline(void **state) {
  (void)state;
  assert_int_equal(run1(orders_async()), 0);
  assert_trace("main e b d c a 30");
}

/* sleep(0) and below take one pass; a timer that is due takes two: its own handle, then the sleeper's step. */
static WEFT_ASYNC(passes);
static int passes(void) {
  weft_task_t *t = weft_create_task(ticker_async("t", 5));
  weft_ignore(weft_sleep(0));
  mark("zero");
  weft_ignore(weft_sleep(-1));
  mark("negative");
  weft_ignore(weft_sleep(-INFINITY));
  mark("-inf");
  weft_ignore(weft_yield());
  mark("yield");
  return weft_join(t);
}

static void zero_yields_once(void **state) {
  (void)state;
  assert_int_equal(run1(passes_async()), 0);
  assert_trace("t0 zero t1 negative t2 -inf t3 yield t4");
}

static WEFT_ASYNC(refusals);
static int refusals(void) {
  int rc = weft_sleep(NAN);
  mark("%s: %s", weft_error_name(rc), weft_error()->message);
  return 0;
}

static int in_callback(void *data) {
  weft_future_t *done = data;
  mark("%d %d", weft_sleep(0.01), weft_yield());
  return weft_future_set_done(done);
}

static WEFT_ASYNC(callback_sleeps);
static int callback_sleeps(void) {
  weft_future_t *done = weft_future_open(0);
  weft_call_soon(weft_get_running_loop(), in_callback, done);
  int rc = weft_await_future(done, NULL);
  weft_future_unref(done);
  return rc;
}

static void refused(void **state) {
  (void)state;
  assert_int_equal(run1(refusals_async()), 0);
  assert_trace("EINVAL: Invalid delay: NaN (not a number)");
  assert_int_equal(run1(callback_sleeps_async()), 0);
  assert_trace("-1 -1");
  assert_int_equal(weft_sleep(0.1), -EPERM); /* a foreign thread */
  assert_int_equal(weft_yield(), -EPERM);
  assert_int_equal(weft_sleep(NAN), -EPERM);
}

static WEFT_ASYNC(cancels);
static int cancels(void) {
  static const double seconds[] = {1e-9, 0.05, 1e9, 1e300, INFINITY};
  for (int i = 0; i < 5; i++) {
    weft_task_t *task = weft_create_task(weft_sleep_async(seconds[i]));
    weft_ignore(weft_sleep(0.01));
    mark("%d", weft_task_cancel(task, NULL));
    mark("%s", weft_error_name(weft_join(task)));
  }
  mark("[%d]", ms_now()); /* nothing waits for the timers of those that were cancelled */
  /* before the first step, and while it is ready */
  weft_task_t *task = weft_create_task(sleeper_async("never", 10, 0));
  weft_task_cancel(task, NULL);
  mark("%s", weft_error_name(weft_join(task)));
  /* requested by itself: delivered by the sleep, which takes no time */
  weft_task_cancel(weft_current_task(), "self");
  int rc = weft_sleep(5);
  mark("%s(%s) [%d]", weft_error_name(rc), weft_error()->message, ms_now());
  weft_task_cancel(weft_current_task(), "again");
  rc = weft_yield();
  mark("%s(%s)", weft_error_name(rc), weft_error()->message);
  return 0;
}

static void cancelled(void **state) {
  (void)state;
  assert_int_equal(run1(cancels_async()), 0);
  assert_trace("0 OK 1 CancelledError 1 CancelledError 1 CancelledError 1 CancelledError [50] CancelledError "
               "CancelledError(self) [50] CancelledError(again)");
}

/* The timer has fired, the sleeper has not run: the cancellation wins in the task. */
static WEFT_ASYNC(cancel_it, weft_task_t **);
static int cancel_it(weft_task_t **victim) {
  int rc = weft_sleep(0.010);
  mark("%d", weft_task_cancel(*victim, NULL));
  return rc;
}

static WEFT_ASYNC(races);
static int races(void) {
  weft_task_t *victim;
  weft_task_t *canceller = weft_create_task(cancel_it_async(&victim));
  victim = weft_create_task(sleeper_async("v", 10, 0));
  weft_ignore(weft_join(canceller));
  mark("%s", weft_error_name(weft_join(victim)));
  return 0;
}

static void expired_and_cancelled(void **state) {
  (void)state;
  assert_int_equal(run1(races_async()), 0);
  assert_trace("1 v! CancelledError");
}

/* Many sleepers on several workers, every third one cancelled: each ends once. */
static WEFT_ASYNC(nap, int, int *);
static int nap(int i, int *ends) {
  int rc = weft_sleep((i * 7919 % 50) * 1e-5);
  __atomic_fetch_add(&ends[rc == 0 ? 0 : 1], 1, __ATOMIC_RELAXED);
  return rc;
}

static WEFT_ASYNC(many, int, int *);
static int many(int n, int *ends) {
  for (int round = 0; round < 20; round++) {
    weft_task_t *tasks[64];
    for (int i = 0; i < 64; i++) tasks[i] = weft_create_task(nap_async(round * 64 + i, ends));
    weft_ignore(weft_sleep((round % 5) * 1e-4));
    for (int i = 0; i < 64; i += 3) weft_task_cancel(tasks[i], NULL);
    for (int i = 0; i < 64; i++) {
      int rc = weft_join(tasks[i]);
      __atomic_fetch_add(&ends[rc == 0 ? 2 : rc == WEFT_CANCELLED ? 3 : 4], 1, __ATOMIC_RELAXED);
    }
    if (round == n) break;
  }
  return 0;
}

/* ends: bodies that slept to the end, that were cancelled; joins that answered 0, WEFT_CANCELLED, anything else. A body may
 * sleep to the end and its task be cancelled right after. */
static void check_ends(const weft_config_t *config) {
  int ends[5] = {0};
  assert_int_equal(weft_run_with(config, many_async(19, ends)), 0);
  assert_int_equal(ends[2] + ends[3], 20 * 64);
  assert_int_equal(ends[4], 0);
  assert_true(ends[0] >= ends[2]);
  assert_true(ends[0] + ends[1] <= 20 * 64); /* one that was cancelled early never began */
}

static void many_workers(void **state) {
  (void)state;
  check_ends(&(weft_config_t){.workers = 4});
  check_ends(&(weft_config_t){.workers = 4, .virtual_time = true});
  check_ends(&(weft_config_t){.workers = 4, .serial = true});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(by_deadline), cmocka_unit_test(zero_yields_once),      cmocka_unit_test(refused),
      cmocka_unit_test(cancelled),   cmocka_unit_test(expired_and_cancelled), cmocka_unit_test(many_workers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
