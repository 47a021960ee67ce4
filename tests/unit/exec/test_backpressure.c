/* test_backpressure.c: pools whose queue has a limit: who waits for room, who is refused. */
#include "unit/exec/blocking.h"

/* ---- the queue's limit ------------------------------------------------------------------------------------------------- */

RUNS(backpressure) {
  weft_executor_t *pool;
  const weft_thread_pool_options_t options = {.max_threads = 1, .queue_limit = 2};
  assert_int_equal(weft_thread_pool_open_with(&options, &pool), 0);
  door_t door = {0};
  weft_future_t *futures[3];
  futures[0] = weft_executor_submit(pool, pass_async(&door, 0));
  await_arrived(&door, 1);
  futures[1] = weft_executor_submit(pool, pass_async(&door, 1));
  futures[2] = weft_executor_submit(pool, pass_async(&door, 2));
  assert_null(weft_executor_submit(pool, pass_async(&door, 3)));
  assert_int_equal(weft_error()->code, WEFT_QUEUE_FULL);
  weft_task_t *waits = weft_create_task(passing_executor_async(pool, &door, 4));
  weft_task_t *gives_up = weft_create_task(passing_executor_async(pool, &door, 5));
  weft_task_t *comes_last = weft_create_task(passing_executor_async(pool, &door, 6));
  assert_int_equal(weft_sleep(0.002), 0);
  weft_task_cancel(gives_up, "enough");
  assert_int_equal(weft_join(gives_up), WEFT_CANCELLED);
  assert_false(weft_task_done(waits));
  door_open(&door);
  assert_int_equal(weft_join(waits), 4);
  assert_int_equal(weft_join(comes_last), 6);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(weft_await_future(futures[i], NULL), 0);
    weft_future_unref(futures[i]);
  }
  assert_int_equal(atom_load(&door.arrived, seq_cst), 5);
  return weft_executor_close(pool);
}

/* Whoever waits for room hears of the shutdown. */
RUNS(shutdown_while_waiting_for_room) {
  weft_executor_t *pool;
  const weft_thread_pool_options_t options = {.max_threads = 1, .queue_limit = 1};
  assert_int_equal(weft_thread_pool_open_with(&options, &pool), 0);
  door_t door = {0};
  weft_future_t *first = weft_executor_submit(pool, pass_async(&door, 0));
  await_arrived(&door, 1);
  weft_future_t *second = weft_executor_submit(pool, pass_async(&door, 1));
  weft_task_t *task = weft_create_task(passing_executor_async(pool, &door, 2));
  assert_int_equal(weft_sleep(0.002), 0);
  assert_int_equal(weft_executor_shutdown(pool, false, false), 0);
  assert_int_equal(weft_join(task), WEFT_RUNTIME);
  door_open(&door);
  assert_int_equal(weft_await_future(second, NULL), 0);
  weft_future_unref(first);
  weft_future_unref(second);
  return weft_executor_close(pool);
}

static WEFT_ASYNC(twenty, weft_executor_t *);
static int twenty(weft_executor_t *pool) {
  for (int i = 0; i < 20; i++)
    if (weft_run_in_executor(pool, give_async(i)) != i) return WEFT_VALUE;
  return 0;
}
RUNS(many_through_a_short_queue) {
  weft_executor_t *pool;
  const weft_thread_pool_options_t options = {.max_threads = 3, .queue_limit = 2};
  assert_int_equal(weft_thread_pool_open_with(&options, &pool), 0);
  int n = scaled(100);
  weft_call_t *calls = malloc((size_t)n * sizeof *calls);
  for (int i = 0; i < n; i++) calls[i] = twenty_async(pool);
  assert_int_equal(weft_gather_n(calls, (size_t)n, NULL, 0), 0);
  for (int i = 0; i < n; i++) calls[i] = give_async(i);
  assert_int_equal(weft_executor_map(pool, calls, (size_t)n, NULL), 0);
  free(calls);
  return weft_executor_close(pool);
}

WEFT_EXPORT(give);

/* Processes: two jobs that wait, no more. A job is under way as soon as its thread has it, whatever its process does. */
static WEFT_ASYNC(nap_there, int);
static int nap_there(int ms) {
  nap(ms);
  return ms;
}
WEFT_EXPORT(nap_there);
RUNS(processes) {
  weft_executor_t *pool;
  const weft_process_pool_options_t options = {.max_workers = 1, .queue_limit = 2};
  assert_int_equal(weft_process_pool_open_with(&options, &pool), 0);
  enum { N = 4 };
  weft_future_t *futures[N] = {weft_executor_submit(pool, nap_there_async(200))};
  while (!weft_future_running(futures[0])) assert_int_equal(weft_sleep(0.0005), 0);
  for (int i = 1; i < 3; i++) assert_non_null(futures[i] = weft_executor_submit(pool, give_async(i)));
  assert_null(futures[3] = weft_executor_submit(pool, give_async(3)));
  assert_int_equal(weft_error()->code, WEFT_QUEUE_FULL);
  assert_int_equal(weft_run_in_executor(pool, give_async(4)), 4); /* waits for room */
  for (int i = 0; i < 3; i++) {
    assert_int_equal(weft_await_future(futures[i], NULL), 0);
    weft_future_unref(futures[i]);
  }
  return weft_executor_close(pool);
}

int main(void) {
  if (weft_process_pool_prepare() < 0) return 1;

  const struct CMUnitTest tests[] = {
      cmocka_unit_test(run_backpressure),
      cmocka_unit_test(run_shutdown_while_waiting_for_room),
      cmocka_unit_test(run_many_through_a_short_queue),
      cmocka_unit_test(run_processes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
