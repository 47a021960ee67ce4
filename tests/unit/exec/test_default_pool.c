/* test_default_pool.c: the default executor: setting it, shutting it down, and what closing a loop waits for. */
#include <math.h>
#include <sys/prctl.h>

#include "unit/exec/blocking.h"

static weft_executor_t *open_pool(unsigned threads) {
  weft_executor_t *pool;
  assert_int_equal(weft_thread_pool_open(threads, "test", &pool), 0);
  return pool;
}

static int get_name(char *name) {
  prctl(PR_GET_NAME, name);
  return 0;
}
static WEFT_ASYNC(get_name, char *);

/* ---- the default executor ---------------------------------------------------------------------------------------------- */

RUNS(default_executor_can_be_set) {
  weft_loop_t *loop = weft_get_running_loop();
  weft_executor_t *mine;
  char name[16] = "";
  assert_int_equal(weft_to_thread(get_name_async(name)), 0);
  assert_string_equal(name, "weft-pool");
  assert_int_equal(weft_thread_pool_open(1, "mine", &mine), 0);
  assert_int_equal(weft_loop_set_default_executor(loop, mine), 0);
  assert_int_equal(weft_loop_set_default_executor(loop, mine), 0); /* again */
  assert_int_equal(weft_run_in_executor(NULL, get_name_async(name)), 0);
  assert_string_equal(name, "mine");
  assert_int_equal(weft_to_thread(get_name_async(name)), 0);
  assert_string_equal(name, "mine");
  assert_int_equal(weft_loop_set_default_executor(loop, NULL), -EINVAL);
  assert_int_equal(weft_loop_set_default_executor(NULL, mine), -EINVAL);
  return 0; /* the run closes it */
}

RUNS(default_executor_shut_down) {
  weft_loop_t *loop = weft_get_running_loop();
  assert_int_equal(weft_to_thread(give_async(1)), 1);
  assert_int_equal(weft_loop_shutdown_default_executor(loop), 0);
  assert_int_equal(weft_loop_shutdown_default_executor(loop), 0);
  assert_int_equal(weft_run_in_executor(NULL, give_async(1)), WEFT_RUNTIME);
  assert_string_equal(weft_error()->message, "Executor shutdown has been called");
  assert_int_equal(weft_to_thread(give_async(1)), WEFT_RUNTIME);
  assert_null(weft_executor_submit(NULL, give_async(1)));
  weft_executor_t *mine = open_pool(1);
  assert_int_equal(weft_loop_set_default_executor(loop, mine), WEFT_RUNTIME);
  return weft_executor_close(mine);
}

/* The default pool's size. */
static int count_to_two(void) {
  enum { N = 6 };
  static door_t door;
  door = (door_t){0};
  weft_task_t *tasks[N];
  for (int i = 0; i < N; i++) tasks[i] = weft_create_task(passing_thread_async(&door, i));
  await_arrived(&door, 2);
  assert_int_equal(weft_sleep(0.01), 0);
  assert_int_equal(atom_load(&door.arrived, seq_cst), 2);
  door_open(&door);
  for (int i = 0; i < N; i++) assert_int_equal(weft_join(tasks[i]), i);
  return 0;
}
static WEFT_ASYNC(count_to_two);
static void the_loops_setting_of_its_size(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers += 3) {
    const weft_config_t config = {.workers = workers, .pool_threads = 2};
    assert_int_equal(weft_run_with(&config, count_to_two_async()), 0);
  }
  assert_int_equal(weft_run_with(&(const weft_config_t){.pool_threads = 10001}, give_async(1)), -EINVAL);
}

/* A shutdown that waits for so long and no longer. */
RUNS(shut_down_with_a_limit) {
  weft_loop_t *loop = weft_get_running_loop();
  door_t door = {0};
  weft_task_t *task = weft_create_task(passing_thread_async(&door, 8));
  await_arrived(&door, 1);
  assert_int_equal(weft_loop_shutdown_default_executor_within(loop, NAN), -EINVAL);
  assert_int_equal(weft_loop_shutdown_default_executor_within(NULL, 1), -EINVAL);
  assert_int_equal(weft_loop_shutdown_default_executor_within(loop, 0.002), WEFT_TIMEOUT);
  assert_int_equal(weft_to_thread(give_async(1)), WEFT_RUNTIME); /* no new ones */
  assert_int_equal(weft_loop_shutdown_default_executor_within(loop, 0), WEFT_TIMEOUT);
  assert_false(weft_task_done(task));
  door_open(&door);
  assert_int_equal(weft_loop_shutdown_default_executor_within(loop, WEFT_FOREVER), 0);
  assert_int_equal(weft_loop_shutdown_default_executor_within(loop, 0), 0);
  assert_int_equal(weft_join(task), 8);
  return 0;
}

/* Closing a loop whose tasks wait for jobs: the jobs end first, for they are in the tasks' frames; the loop's own pool's
 * and, later, another pool's. */
static door_t own, elsewhere;
static int open_doors(void *data) {
  (void)data;
  nap(10);
  door_open(&own);
  nap(30);
  door_open(&elsewhere);
  return 0;
}
static WEFT_ASYNC(starts_and_leaves, weft_executor_t *);
static int starts_and_leaves(weft_executor_t *pool) {
  weft_detach(weft_create_task(passing_executor_async(pool, &elsewhere, 1)));
  weft_detach(weft_create_task(passing_thread_async(&own, 1)));
  weft_future_unref(weft_executor_submit(pool, pass_async(&elsewhere, 1)));
  await_arrived(&elsewhere, 2);
  await_arrived(&own, 1);
  return 0;
}
static int quiet(weft_loop_t *loop, const weft_error_context_t *context, void *data) {
  (void)loop;
  (void)context;
  (void)data;
  return 0;
}
static void closing_a_loop_waits_for_jobs(void **state) {
  (void)state;
  weft_executor_t *pool = open_pool(2);
  own = elsewhere = (door_t){0};
  weft_loop_t *loop;
  assert_int_equal(weft_loop_open(&(const weft_config_t){.workers = 2}, &loop), 0);
  weft_loop_set_exception_handler(loop, quiet, NULL);
  assert_int_equal(weft_loop_run_until_complete(loop, starts_and_leaves_async(pool)), 0);
  weft__thread_t opener;
  assert_int_equal(weft__thread_start(&opener, open_doors, NULL, NULL), 0);
  assert_int_equal(weft_loop_close(loop), 0);
  assert_int_equal(atom_load(&own.passed, seq_cst), 1);
  assert_int_equal(atom_load(&elsewhere.passed, seq_cst), 2);
  weft__thread_join(opener);
  assert_int_equal(weft_executor_close(pool), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(run_default_executor_can_be_set), cmocka_unit_test(run_default_executor_shut_down),
      cmocka_unit_test(the_loops_setting_of_its_size),   cmocka_unit_test(run_shut_down_with_a_limit),
      cmocka_unit_test(closing_a_loop_waits_for_jobs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
