/* test_wait.c: weft_wait: nothing is cancelled, no error is raised. Transcripts are asyncio 3.13's. */
#include <errno.h>

#include "unit/sync/trace.h"

static WEFT_ASYNC(waiter, weft_task_t **, int, int, double, const char *);
static int waiter(weft_task_t **tasks, int n, int return_when, double ms, const char *name) {
  bool done[8];
  int rc = weft_wait_tasks(tasks, (size_t)n, return_when, ms / 1000, done);
  if (rc < 0) {
    mark("%s=%s", name, weft_error_name(rc));
    return rc;
  }
  char text[16] = "";
  for (int i = 0; i < n; i++) text[i] = done[i] ? '1' : '0';
  mark("%s=%d:%s", name, rc, text);
  return rc;
}

static WEFT_ASYNC(yielder, const char *, int, int);
static int yielder(const char *name, int n, int status) {
  for (int i = 0; i < n; i++) {
    int rc = weft_yield();
    if (rc < 0) return rc;
  }
  mark("/%s", name);
  return status < 0 ? weft_fail(status, "%s", name) : status;
}

static void join_all(weft_task_t *tasks[], int n) {
  for (int i = 0; i < n; i++) weft_ignore(weft_join(tasks[i]));
}

static WEFT_ASYNC(hops);
static int hops(void) {
  weft_detach(weft_create_task(ticker_async("t", 12)));
  weft_task_t *tasks[3] = {weft_create_task(yielder_async("a", 3, 0)), weft_create_task(yielder_async("b", 1, 0)),
                           weft_create_task(yielder_async("c", 2, WEFT_VALUE))};
  weft_ignore(waiter(tasks, 3, WEFT_FIRST_COMPLETED, 1e6, "F"));
  weft_ignore(waiter(tasks, 3, WEFT_FIRST_EXCEPTION, 1e6, "X"));
  weft_ignore(waiter(tasks, 3, WEFT_ALL_COMPLETED, 1e6, "A"));
  weft_ignore(waiter(tasks, 3, WEFT_ALL_COMPLETED, 1e6, "A"));
  join_all(tasks, 3);
  return 0;
}

static void order_is_asyncios(void **state) {
  (void)state;
  assert_int_equal(run1(hops_async()), 0);
  const char *expected = "t0 t1 /b t2 /c t3 /a F=3:111 t4 t5 X=3:111 t6 t7 A=3:111 t8 t9 A=3:111";
  assert_memory_equal(trace(), expected, strlen(expected));
}

static WEFT_ASYNC(modes);
static int modes(void) {
  weft_task_t *tasks[3] = {weft_create_task(sleeper_async("a", 10, 0)),
                           weft_create_task(sleeper_async("b", 20, WEFT_VALUE)),
                           weft_create_task(sleeper_async("c", 30, 0))};
  weft_ignore(waiter(tasks, 3, WEFT_FIRST_COMPLETED, 1e6, "F"));
  weft_ignore(waiter(tasks, 3, WEFT_FIRST_EXCEPTION, 1e6, "X"));
  weft_ignore(waiter(tasks, 3, WEFT_ALL_COMPLETED, 1e6, "A"));
  join_all(tasks, 3);
  return 0;
}

static void return_when(void **state) {
  (void)state;
  assert_int_equal(run1(modes_async()), 0);
  assert_trace("a F=1:100 b X=2:110 c A=3:111");
}

static WEFT_ASYNC(no_exception);
static int no_exception(void) {
  weft_task_t *tasks[2] = {weft_create_task(sleeper_async("a", 100, 0)), weft_create_task(sleeper_async("b", 20, 0))};
  weft_ignore(weft_yield());
  weft_task_cancel(tasks[0], NULL);
  weft_ignore(waiter(tasks, 2, WEFT_FIRST_EXCEPTION, 1e6, "X")); /* a cancellation is no exception */
  join_all(tasks, 2);
  return 0;
}

static void cancellation_is_no_exception(void **state) {
  (void)state;
  assert_int_equal(run1(no_exception_async()), 0);
  assert_trace("a! b X=2:11");
}

static WEFT_ASYNC(limits);
static int limits(void) {
  weft_task_t *tasks[2] = {weft_create_task(sleeper_async("a", 20, 0)), weft_create_task(sleeper_async("b", 60, 0))};
  weft_ignore(waiter(tasks, 2, WEFT_ALL_COMPLETED, 40, "T"));
  weft_ignore(waiter(tasks, 2, WEFT_ALL_COMPLETED, 0, "0"));
  weft_ignore(waiter(tasks, 2, WEFT_ALL_COMPLETED, -5, "-"));
  mark("%d", ms_now() % 10 == 0);
  join_all(tasks, 2);
  return 0;
}

static void timeout_cancels_nothing(void **state) {
  (void)state;
  assert_int_equal(run1(limits_async()), 0);
  assert_trace("a T=1:10 0=1:10 -=1:10 1 b");
}

static WEFT_ASYNC(cancelled);
static int cancelled(void) {
  weft_task_t *tasks[2] = {weft_create_task(sleeper_async("a", 20, 0)), weft_create_task(sleeper_async("b", 40, 0))};
  weft_task_t *task = weft_create_task(waiter_async(tasks, 2, WEFT_ALL_COMPLETED, 1e6, "W"));
  weft_ignore(weft_sleep(0.03));
  weft_task_cancel(task, NULL);
  weft_ignore(weft_join(task));
  join_all(tasks, 2);
  return 0;
}

static void cancelled_it_leaves_the_rest_alone(void **state) {
  (void)state;
  assert_int_equal(run1(cancelled_async()), 0);
  assert_trace("a W=CancelledError b");
}

/* Ended, but its callback has not run when the waiter is cancelled: the waiter is cancelled, the callback finds nobody. */
static WEFT_ASYNC(raced);
static int raced(void) {
  weft_future_t *f = weft_future_open(0);
  weft_task_t *tasks[1] = {(weft_task_t *)f};
  weft_task_t *task = weft_create_task(waiter_async(tasks, 1, WEFT_ALL_COMPLETED, 1e6, "W"));
  weft_ignore(weft_yield());
  assert_int_equal(weft_future_set_done(f), 0);
  weft_task_cancel(task, NULL);
  assert_int_equal(weft_join(task), WEFT_CANCELLED);
  weft_future_unref(f);
  return 0;
}

static void cancelled_between_end_and_callback(void **state) {
  (void)state;
  assert_int_equal(run1(raced_async()), 0);
  assert_trace("W=CancelledError");
}

static WEFT_ASYNC(refused);
static int refused(void) {
  weft_future_t *f = weft_future_open(0);
  mark("%s", weft_error_name(weft_wait(NULL, 0, WEFT_ALL_COMPLETED, 1, NULL)));
  mark("(%s)", weft_error()->message);
  mark("%s", weft_error_name(weft_wait((weft_future_t *[]){NULL, NULL}, 2, WEFT_ALL_COMPLETED, 1, NULL)));
  mark("%s", weft_error_name(weft_wait(&f, 1, 7, 1, NULL)));
  mark("(%s)", weft_error()->message);
  mark("%s", weft_error_name(weft_wait(&f, 1, WEFT_ALL_COMPLETED, (double)NAN, NULL)));
  weft_future_unref(f);
  weft_future_t *g = weft_future_open(0);
  assert_int_equal(weft_future_set_done(g), 0);
  bool done[3] = {true, false, true};
  mark("%d", weft_wait((weft_future_t *[]){NULL, g, NULL}, 3, WEFT_ALL_COMPLETED, 1, done));
  mark("%d%d%d", done[0], done[1], done[2]);
  weft_future_unref(g);
  return 0;
}

static void misuse_is_an_error(void **state) {
  (void)state;
  assert_int_equal(weft_wait(NULL, 0, WEFT_ALL_COMPLETED, 1, NULL), -EPERM);
  assert_int_equal(run1(refused_async()), 0);
  assert_trace(
      "ValueError (Set of Tasks/Futures is empty.) ValueError ValueError (Invalid return_when value: 7) EINVAL "
      "1 010");
}

static WEFT_ASYNC(starved);
static int starved(void) {
  weft_future_t *f = weft_future_open(0);
  assert_int_equal(weft_future_set_done(f), 0);
  for (long n = 1;; n++) {
    weft__alloc_fail_after(n);
    int rc = weft_wait(&f, 1, WEFT_ALL_COMPLETED, 5, NULL);
    bool failed = weft__alloc_failed();
    weft__alloc_fail_after(-1);
    if (!failed) {
      assert_int_equal(rc, 1);
      break;
    }
    if (rc < 0) assert_int_equal(rc, -ENOMEM);
  }
  weft_future_unref(f);
  return 0;
}

static void memory_runs_out(void **state) {
  (void)state;
  assert_int_equal(run1(starved_async()), 0);
}

static WEFT_ASYNC(setter, weft_future_t *, int);
static int setter(weft_future_t *f, int yields) {
  for (int i = 0; i < yields; i++) weft_ignore(weft_yield());
  return weft_future_set_done(f);
}

static WEFT_ASYNC(races);
static int races(void) {
  for (int round = 0; round < scaled(2000); round++) {
    weft_future_t *f[3];
    weft_task_t *tasks[3];
    for (int i = 0; i < 3; i++) {
      f[i] = weft_future_open(0);
      tasks[i] = weft_create_task(setter_async(f[i], round % 4 + i));
    }
    bool done[3];
    int rc = weft_wait(f, 3, round % 3, round % 5 == 0 ? 0 : 10, done);
    assert_true(rc >= 0);
    assert_true(rc >= (round % 5 != 0));
    if (round % 3 == WEFT_ALL_COMPLETED && round % 5 != 0) assert_int_equal(rc, 3);
    for (int i = 0; i < 3; i++) {
      assert_int_equal(weft_join(tasks[i]), 0);
      weft_future_unref(f[i]);
    }
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
      cmocka_unit_test(return_when),
      cmocka_unit_test(cancellation_is_no_exception),
      cmocka_unit_test(timeout_cancels_nothing),
      cmocka_unit_test(cancelled_it_leaves_the_rest_alone),
      cmocka_unit_test(cancelled_between_end_and_callback),
      cmocka_unit_test(misuse_is_an_error),
      cmocka_unit_test(memory_runs_out),
      cmocka_unit_test(on_several_workers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
