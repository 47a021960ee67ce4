/* Memory runs out at every single allocation, in turn, of a program that creates, runs, cancels, times out, gathers and
 * closes: each time the run ends by itself, with a result or a named error, and leaves nothing behind. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <weft.h>

#include "base/alloc.h"

static WEFT_ASYNC(sleeper, double);
static int sleeper(double seconds) { return weft_sleep(seconds); }

static WEFT_ASYNC(tree, int);
static int tree(int depth) {
  if (depth == 0) return weft_sleep(0) < 0 ? weft_error()->code : 1;
  weft_task_t *left = weft_create_task(tree_async(depth - 1)), *right = weft_create_task(tree_async(depth - 1));
  int a = weft_join(left), b = weft_join(right);
  return a < 0 ? a : b < 0 ? b : a + b;
}

static int on_callback(void *data) {
  ++*(int *)data;
  return 0;
}
static int on_done(weft_future_t *future, void *data) {
  (void)future;
  ++*(int *)data;
  return 0;
}

static void report_nothing(int level, const char *message, void *data) { (void)level, (void)message, (void)data; }

static WEFT_ASYNC(everything);
static int everything(void) {
  static int calls;
  weft_loop_set_logger(weft_get_running_loop(), report_nothing, NULL);
  int rc = weft_join(weft_create_task(tree_async(3)));
  if (rc != 8) return rc < 0 ? rc : -EILSEQ;
  weft_task_t *task = weft_create_task(sleeper_async(100));
  if (task == NULL) return weft_error()->code;
  weft_ignore(weft_future_add_done_callback(weft_task_future(task), on_done, &calls));
  rc = weft_sleep(0);
  weft_task_cancel(task, "enough");
  int joined = weft_join(task);
  if (rc < 0) return rc;
  if (joined != WEFT_CANCELLED && joined != -ENOMEM) return joined < 0 ? joined : -EILSEQ;
  weft_future_t *future = weft_future_open(sizeof(int));
  if (future == NULL) return weft_error()->code;
  rc = weft_future_set_result(future, &(const int){7});
  int value = 0;
  if (rc == 0) rc = weft_await_future(future, &value);
  weft_future_unref(future);
  if (rc < 0) return rc;
  if (value != 7) return -EILSEQ;
  weft_call_soon(weft_get_running_loop(), on_callback, &calls);
  weft_call_later(weft_get_running_loop(), 0.001, on_callback, &calls);
  rc = weft_gather(tree_async(1), tree_async(2));
  if (rc < 0) return rc;
  rc = weft_wait_for(sleeper_async(100), 0.001);
  if (rc != WEFT_TIMEOUT) return rc < 0 ? rc : -EILSEQ;
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  weft_taskgroup_create_task(&group, tree_async(1));
  weft_taskgroup_create_task(&group, sleeper_async(0.001));
  return weft_taskgroup_exit(&group, 0);
}

/* The code, a group's first part's included. */
static bool is_named_error(int rc, const weft_error_t *error) {
  if (rc >= 0) return true;
  if (rc == WEFT_GROUP) return error->count > 0 && is_named_error(error->parts[0]->code, error->parts[0]);
  return rc == -ENOMEM || rc == WEFT_CANCELLED || rc == WEFT_TIMEOUT;
}

static int run_once(unsigned workers) {
  weft_config_t config = {.workers = workers, .virtual_time = true};
  int rc = weft_run_with(&config, everything_async());
  const weft_error_t *error = weft_error();
  if (!is_named_error(rc, error)) print_error("%d %s: %s\n", rc, error->name, error->message);
  assert_true(is_named_error(rc, error));
  return rc;
}

static void fail_each(unsigned workers, long most) {
  for (unsigned i = 0; i < 20; i++) assert_int_equal(run_once(workers), 0); /* fills what is kept between runs */
  long before = -1;
  for (long n = 1; n <= most; n++) {
    weft__alloc_fail_after(n);
    int rc = run_once(workers);
    bool struck = weft__alloc_failed();
    weft__alloc_fail_after(-1);
    if (!struck) {
      assert_int_equal(rc, 0);
      assert_true(n > 20); /* the program does allocate */
      return;
    }
    weft__alloc_counting(true);
    assert_int_equal(run_once(workers), 0); /* the library works on after a failure */
    long live = weft__alloc_live_bytes();
    weft__alloc_counting(false);
    if (before >= 0 && workers == 1) assert_int_equal(live, before);
    before = live;
  }
  assert_true(workers > 1); /* one worker allocates the same number of times in each run: the end must be reached */
}

static void one_worker(void **state) {
  (void)state;
  fail_each(1, 2000);
}
static void four_workers(void **state) {
  (void)state;
  fail_each(4, 150);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(one_worker), cmocka_unit_test(four_workers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
