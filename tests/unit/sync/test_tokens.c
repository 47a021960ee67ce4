/* test_tokens.c: cancellation tokens. */
#include <errno.h>

#include "base/threads.h"
#include "unit/sync/trace.h"

static WEFT_ASYNC(waits, weft_token_t *, const char *);
static int waits(weft_token_t *token, const char *name) {
  int rc = weft_token_wait(token);
  mark("%s=%s", name, rc < 0 ? weft_error_name(rc) : "0");
  return rc;
}

static WEFT_ASYNC(below);
static int below(void) {
  weft_token_t *root = weft_token_open(), *a = weft_token_open_child(root), *b = weft_token_open_child(root),
               *aa = weft_token_open_child(a);
  weft_timeout_t limit;
  weft_timeout_enter(&limit, 1);
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  weft_taskgroup_create_task(&group, waits_async(root, "root"));
  weft_taskgroup_create_task(&group, waits_async(a, "a"));
  weft_taskgroup_create_task(&group, waits_async(aa, "aa"));
  weft_taskgroup_create_task(&group, waits_async(b, "b"));
  weft_ignore(weft_sleep(0.001));
  weft_token_cancel(a);
  mark("%d%d%d%d", weft_token_is_cancelled(root), weft_token_is_cancelled(a), weft_token_is_cancelled(aa),
       weft_token_is_cancelled(b));
  weft_ignore(weft_sleep(0.001));
  weft_token_t *late = weft_token_open_child(aa);
  mark("%d", weft_token_is_cancelled(late));
  weft_token_unref(late);
  weft_token_cancel(root);
  weft_token_cancel(root);
  int rc = weft_timeout_exit(&limit, weft_taskgroup_exit(&group, weft_token_wait(root)));
  weft_token_unref(root); /* children keep their parents */
  weft_token_unref(a);
  weft_token_unref(b);
  weft_token_unref(aa);
  return rc;
}

static void cancels_what_is_below(void **state) {
  (void)state;
  assert_int_equal(run1(below_async()), 0);
  assert_trace("0110 a=0 aa=0 1 root=0 b=0");
}

static WEFT_ASYNC(runs, weft_token_t *, int);
static int runs(weft_token_t *token, int on_cancel) {
  int rc = weft_token_run(token, stubborn_async("job", 100, 5, on_cancel));
  mark("%s %d", rc < 0 ? weft_error_name(rc) : "0", weft_task_cancelling(weft_current_task()));
  int next = weft_sleep(0.001);
  mark("%s", weft_error_name(next));
  return rc;
}

static WEFT_ASYNC(run_until, int, bool);
static int run_until(int on_cancel, bool request_too) {
  weft_token_t *token = weft_token_open();
  weft_task_t *task = weft_create_task(runs_async(token, on_cancel));
  weft_ignore(weft_sleep(0.01));
  weft_token_cancel(token);
  if (request_too) weft_task_cancel(task, NULL);
  int rc = weft_join(task);
  mark("%s", weft_error_name(weft_token_run(token, sleeper_async("never", 1, 0))));
  weft_token_unref(token);
  return rc;
}

static void runs_until_cancelled(void **state) {
  (void)state;
  assert_int_equal(run1(run_until_async(0, false)), WEFT_CANCELLED);
  assert_trace("job! job. CancelledError 0 OK CancelledError");
  assert_int_equal(run1(run_until_async(6, false)), 6);
  assert_trace("job! job. 0 0 OK CancelledError");
  assert_int_equal(run1(run_until_async(WEFT_VALUE, false)), WEFT_VALUE);
  assert_trace("job! job. ValueError 0 OK CancelledError");
  assert_int_equal(run1(run_until_async(0, true)), WEFT_CANCELLED);
  assert_trace("job! job. CancelledError 1 OK CancelledError");
}

static WEFT_ASYNC(ready);
static int ready(void) {
  weft_token_t *token = weft_token_open();
  mark("%d", weft_token_run(token, sleeper_async("a", 1, 4)));
  weft_token_cancel(token); /* after the run: nobody is asked */
  int rc = weft_sleep(0.001);
  weft_token_unref(token);
  return rc;
}

static void afterwards_nobody_is_asked(void **state) {
  (void)state;
  assert_int_equal(run1(ready_async()), 0);
  assert_trace("a 4");
}

static WEFT_ASYNC(cancelled_wait);
static int cancelled_wait(void) {
  weft_token_t *token = weft_token_open();
  weft_task_t *task = weft_create_task(waits_async(token, "w"));
  weft_ignore(weft_yield());
  weft_task_cancel(task, NULL);
  int rc = weft_join(task);
  weft_token_unref(token);
  return rc;
}

static void waiting_can_be_cancelled(void **state) {
  (void)state;
  assert_int_equal(run1(cancelled_wait_async()), WEFT_CANCELLED);
  assert_trace("w=CancelledError");
}

static void deep_trees(void **state) {
  (void)state;
  weft_token_t *root = weft_token_open(), *last = root;
  for (int i = 0; i < 100000; i++) {
    weft_token_t *child = weft_token_open_child(last);
    assert_non_null(child);
    if (last != root) weft_token_unref(last); /* its child keeps it */
    last = child;
  }
  weft_token_cancel(root);
  assert_true(weft_token_is_cancelled(last));
  weft_token_unref(root);
  weft_token_unref(last);
}

static void misuse_and_memory(void **state) {
  (void)state;
  weft_token_t *token = weft_token_open();
  assert_null(weft_token_open_child(NULL));
  weft__alloc_fail_from(1);
  assert_null(weft_token_open());
  assert_null(weft_token_open_child(token));
  weft__alloc_fail_from(-1);
  weft_token_unref(NULL);
  weft_token_cancel(NULL);
  assert_int_equal(weft_token_wait(token), -EPERM);
  assert_int_equal(weft_token_run(token, sleeper_async("never", 1, 0)), -EPERM);
  weft_token_unref(token);
}

/* ---- several workers and threads ----------------------------------------------------------------------------------------- */

static int cancel_it(void *token) {
  weft_token_cancel(token);
  return 0;
}

static WEFT_ASYNC(spin, weft_token_t *, int);
static int spin(weft_token_t *token, int n) {
  (void)token;
  int rc = 0;
  for (int i = 0; i < n && rc == 0; i++) rc = weft_yield();
  return rc;
}

static WEFT_ASYNC(by_token, weft_token_t *, int);
static int by_token(weft_token_t *token, int n) {
  weft_token_t *child = weft_token_open_child(token);
  int rc = weft_token_run(child, spin_async(child, n));
  weft_token_unref(child);
  if (rc != 0 && rc != WEFT_CANCELLED) return rc;
  if (weft_task_cancelling(weft_current_task()) != 0) return weft_fail(WEFT_VALUE, "a request is left");
  return weft_yield() == 0 ? 0 : weft_fail(WEFT_TYPE, "cancelled after the block");
}

static WEFT_ASYNC(threads);
static int threads(void) {
  for (int round = 0; round < scaled(400); round++) {
    weft_token_t *token = weft_token_open();
    weft_call_t calls[5];
    for (int i = 0; i < 4; i++) calls[i] = by_token_async(token, round % 50 * i);
    calls[4] = weft_token_wait_async(token);
    weft_task_t *tasks[5];
    for (int i = 0; i < 5; i++) tasks[i] = weft_create_task(calls[i]);
    weft__thread_t thread;
    if (weft__thread_start(&thread, cancel_it, token, NULL) < 0) return -ENOMEM;
    int rc = 0;
    for (int i = 0; i < 5; i++) {
      int status = weft_join(tasks[i]);
      if (rc == 0) rc = status;
    }
    weft__thread_join(thread);
    weft_token_unref(token);
    if (rc != 0) return rc;
  }
  return 0;
}

static void from_any_thread(void **state) {
  (void)state;
  assert_int_equal(run4(threads_async()), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cancels_what_is_below),
      cmocka_unit_test(runs_until_cancelled),
      cmocka_unit_test(afterwards_nobody_is_asked),
      cmocka_unit_test(waiting_can_be_cancelled),
      cmocka_unit_test(deep_trees),
      cmocka_unit_test(misuse_and_memory),
      cmocka_unit_test(from_any_thread),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
