/* test_concurrent.c: futures across the border: threads that run no loop, wrap_future in both directions, two runtimes. */
#include "unit/exec/blocking.h"

static weft_executor_t *open_pool(unsigned threads) {
  weft_executor_t *pool;
  assert_int_equal(weft_thread_pool_open(threads, "test", &pool), 0);
  return pool;
}

/* ---- without a loop ---------------------------------------------------------------------------------------------------- */

static void results_errors_cancellation(void **state) {
  (void)state;
  weft_executor_t *pool = open_pool(1);
  int value = 0;
  weft_future_t *good = weft_executor_submit(pool, give_async(7)), *bad = weft_executor_submit(pool, give_async(-EIO));
  assert_int_equal(weft_future_wait_blocking(good, WEFT_FOREVER, &value), 0);
  assert_int_equal(value, 7);
  assert_int_equal(weft_future_wait_blocking(bad, WEFT_FOREVER, NULL), -EIO);
  assert_string_equal(weft_error()->message, "given -5");
  door_t door = {0};
  weft_future_t *running = weft_executor_submit(pool, pass_async(&door, 3));
  weft_future_t *waiting = weft_executor_submit(pool, pass_async(&door, 4));
  await_arrived_blocking(&door, 1);
  assert_true(weft_future_running(running));
  assert_false(weft_future_running(waiting));
  assert_int_equal(weft_future_wait_blocking(running, 0.002, NULL), WEFT_TIMEOUT);
  assert_false(weft_future_cancel(running, NULL)); /* concurrent.futures': it cannot be cancelled any more */
  assert_false(weft_future_done(running));
  assert_true(weft_future_cancel(waiting, NULL));
  assert_true(weft_future_cancelled(waiting));
  door_open(&door);
  assert_int_equal(weft_future_wait_blocking(running, WEFT_FOREVER, &value), 0);
  assert_int_equal(value, 3);
  assert_int_equal(weft_future_wait_blocking(waiting, 0, NULL), WEFT_CANCELLED);
  assert_null(weft_executor_submit(NULL, give_async(1)));
  assert_int_equal(weft_error()->code, -EINVAL);
  assert_false(weft_future_running(NULL));
  weft_future_unref(good);
  weft_future_unref(bad);
  weft_future_unref(running);
  weft_future_unref(waiting);
  assert_int_equal(weft_executor_close(pool), 0);
}

/* A job that runs is told when somebody tries to cancel it. */
static int until_told(door_t *door) {
  atom_add(&door->arrived, 1, seq_cst);
  while (!weft_job_cancelled()) nap(0.1);
  return 9;
}
static WEFT_ASYNC(until_told, door_t *);
static void a_running_job_may_ask(void **state) {
  (void)state;
  weft_executor_t *pool = open_pool(1);
  door_t door = {0};
  weft_future_t *future = weft_executor_submit(pool, until_told_async(&door));
  await_arrived_blocking(&door, 1);
  assert_false(weft_future_cancel(future, NULL));
  int value = 0;
  assert_int_equal(weft_future_wait_blocking(future, WEFT_FOREVER, &value), 0);
  assert_int_equal(value, 9);
  weft_future_unref(future);
  assert_int_equal(weft_executor_close(pool), 0);
}

static _Atomic(int) called;
static weft_loop_t *called_in;
static int note_call(weft_future_t *future, void *data) {
  (void)future;
  called_in = weft_get_running_loop();
  atom_add(&called, *(int *)data, seq_cst);
  return 0;
}
static void callbacks_run_where_it_ends(void **state) {
  (void)state;
  weft_executor_t *pool = open_pool(1);
  door_t door = {0};
  int one = 1, ten = 10, hundred = 100;
  atom_store(&called, 0, seq_cst);
  weft_future_t *future = weft_executor_submit(pool, pass_async(&door, 0));
  assert_int_equal(weft_future_add_done_callback(future, note_call, &one), 0);
  assert_int_equal(weft_future_add_done_callback(future, note_call, &ten), 0);
  assert_int_equal(weft_future_remove_done_callback(future, note_call, &ten), 1);
  door_open(&door);
  assert_int_equal(weft_executor_close(pool), 0);
  assert_int_equal(atom_load(&called, seq_cst), 1);
  assert_null(called_in);
  assert_int_equal(weft_future_add_done_callback(future, note_call, &hundred), 0); /* done: at once */
  assert_int_equal(atom_load(&called, seq_cst), 101);
  weft_future_unref(future);
}

static void waiting_for_several(void **state) {
  (void)state;
  weft_executor_t *pool = open_pool(3);
  door_t doors[3];
  bool done[4];
  memset(doors, 0, sizeof doors);
  weft_future_t *futures[4] = {NULL};
  for (int i = 0; i < 3; i++) futures[i] = weft_executor_submit(pool, pass_async(&doors[i], i == 1 ? WEFT_VALUE : i));
  assert_int_equal(weft_wait_blocking(futures, 4, WEFT_ALL_COMPLETED, 0.005, done), 0);
  assert_false(done[0] || done[1] || done[2] || done[3]);
  door_open(&doors[2]);
  assert_int_equal(weft_wait_blocking(futures, 4, WEFT_FIRST_COMPLETED, WEFT_FOREVER, done), 1);
  assert_true(done[2] && !done[0]);
  door_open(&doors[1]);
  assert_int_equal(weft_wait_blocking(futures, 4, WEFT_FIRST_EXCEPTION, WEFT_FOREVER, done), 2);
  assert_true(done[1] && !done[0]);
  door_open(&doors[0]);
  assert_int_equal(weft_wait_blocking(futures, 4, WEFT_ALL_COMPLETED, WEFT_FOREVER, NULL), 3);
  assert_int_equal(weft_wait_blocking(futures, 4, WEFT_ALL_COMPLETED, -1, NULL), 3);
  assert_int_equal(weft_wait_blocking(NULL, 0, WEFT_ALL_COMPLETED, WEFT_FOREVER, NULL), 0);
  assert_int_equal(weft_wait_blocking(NULL, 1, WEFT_ALL_COMPLETED, 0, NULL), -EINVAL);
  assert_int_equal(weft_wait_blocking(futures, 4, 17, 0, NULL), WEFT_VALUE);
  assert_int_equal(weft_wait_blocking(futures, 4, WEFT_ALL_COMPLETED, NAN, NULL), -EINVAL);
  weft__alloc_fail_after(1);
  assert_int_equal(weft_wait_blocking(futures, 4, WEFT_ALL_COMPLETED, 0, NULL), -ENOMEM);
  weft__alloc_fail_after(-1);
  for (int i = 0; i < 3; i++) weft_future_unref(futures[i]);
  assert_int_equal(weft_executor_close(pool), 0);
}

/* Expiry and completion at the same moment, again and again. */
static void limits_race_with_ends(void **state) {
  (void)state;
  weft_executor_t *pool = open_pool(2);
  for (int i = 0; i < scaled(500); i++) {
    weft_future_t *futures[2] = {weft_executor_submit(pool, give_async(1)), weft_executor_submit(pool, give_async(2))};
    int n =
        weft_wait_blocking(futures, 2, i % 2 ? WEFT_ALL_COMPLETED : WEFT_FIRST_COMPLETED, (rand() % 60) * 1e-6, NULL);
    assert_true(n >= 0 && n <= 2);
    weft_future_unref(futures[0]);
    weft_future_unref(futures[1]);
  }
  assert_int_equal(weft_executor_close(pool), 0);
}

RUNS(not_on_a_worker) {
  assert_int_equal(weft_wait_blocking(NULL, 0, WEFT_ALL_COMPLETED, 0, NULL), -EPERM);
  return 0;
}

/* ---- wrap_future ------------------------------------------------------------------------------------------------------- */

static weft_executor_t *outer_pool;
static weft_future_t *outer[4];
static door_t outer_door;
static int wraps(void) {
  int value = 0;
  weft_future_t *here[4];
  for (int i = 0; i < 4; i++) assert_non_null(here[i] = weft_wrap_future(outer[i]));
  assert_int_equal(weft_await_future(outer[2], NULL), WEFT_RUNTIME); /* as it is it belongs elsewhere */
  assert_int_equal(weft_await_future(here[0], &value), 0);
  assert_int_equal(value, 6);
  assert_int_equal(weft_await_future(here[1], NULL), WEFT_VALUE);
  assert_string_equal(weft_error()->message, "given -5012");
  _Atomic(int) begun = 0;
  weft_task_t *task = weft_create_task(awaiting_async(here[3], &begun));
  await_arrived(&outer_door, 1);
  await_begun(&begun, 1);
  weft_task_cancel(task, NULL);
  assert_int_equal(weft_join(task), WEFT_CANCELLED);
  assert_true(weft_future_cancelled(outer[3])); /* it had not started */
  assert_true(weft_future_cancel(here[2], "mine"));
  assert_false(weft_future_done(outer[2])); /* it runs */
  door_open(&outer_door);
  weft_future_t *again = weft_wrap_future(here[0]);
  assert_ptr_equal(again, here[0]);
  weft_future_unref(again);
  for (int i = 0; i < 4; i++) weft_future_unref(here[i]);
  assert_null(weft_wrap_future(NULL));
  assert_int_equal(weft_error()->code, -EINVAL);
  return 0;
}
static WEFT_ASYNC(wraps);
static void a_threads_future_in_a_loop(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers += 3) {
    outer_pool = open_pool(1);
    outer_door = (door_t){0};
    outer[0] = weft_executor_submit(outer_pool, give_async(6));
    outer[1] = weft_executor_submit(outer_pool, give_async(WEFT_VALUE));
    outer[2] = weft_executor_submit(outer_pool, pass_async(&outer_door, 1));
    outer[3] = weft_executor_submit(outer_pool, pass_async(&outer_door, 2));
    assert_int_equal(run_on(workers, wraps_async()), 0);
    for (int i = 0; i < 4; i++) weft_future_unref(outer[i]);
    assert_int_equal(weft_executor_close(outer_pool), 0);
    assert_int_equal(atom_load(&outer_door.arrived, seq_cst), 1);
  }
  assert_null(weft_wrap_future(NULL));
}

/* A loop that is closed before the other future ends. */
static int wraps_and_leaves(void) {
  weft_future_t *here = weft_wrap_future(outer[0]);
  int one = 1;
  weft_future_add_done_callback(here, note_call, &one);
  weft_future_remove_done_callback(here, note_call, &one);
  weft_future_unref(here);
  return 0;
}
static WEFT_ASYNC(wraps_and_leaves);
static void a_loop_that_ends_first(void **state) {
  (void)state;
  for (int i = 0; i < scaled(50); i++) {
    outer_pool = open_pool(1);
    outer_door = (door_t){.open = i % 2};
    outer[0] = weft_executor_submit(outer_pool, pass_async(&outer_door, 6));
    assert_int_equal(run_on(1 + (unsigned)(i % 3), wraps_and_leaves_async()), 0);
    door_open(&outer_door);
    int value = 0;
    assert_int_equal(weft_future_wait_blocking(outer[0], WEFT_FOREVER, &value), 0);
    assert_int_equal(value, 6);
    weft_future_unref(outer[0]);
    assert_int_equal(weft_executor_close(outer_pool), 0);
  }
}

static int wraps_without_memory(void) {
  for (long n = 1;; n++) {
    weft__alloc_fail_after(n);
    weft_future_t *here = weft_wrap_future(outer[0]);
    bool failed = weft__alloc_failed();
    weft__alloc_fail_after(-1);
    if (!failed) {
      int rc = weft_await_future(here, NULL);
      weft_future_unref(here);
      return rc;
    }
    assert_null(here);
    assert_int_equal(weft_error()->code, -ENOMEM);
  }
}
static WEFT_ASYNC(wraps_without_memory);
static void wrapping_without_memory(void **state) {
  (void)state;
  outer_pool = open_pool(1);
  outer[0] = weft_executor_submit(outer_pool, give_async(6));
  assert_int_equal(run_on(1, wraps_without_memory_async()), 0);
  weft_future_unref(outer[0]);
  assert_int_equal(weft_executor_close(outer_pool), 0);
}

/* ---- two runtimes ------------------------------------------------------------------------------------------------------ */

typedef struct runtime {
  weft__thread_t thread;
  unsigned workers;
  int rc, sum;
  weft_loop_t *loop;
  weft_future_t *shared; /* a future of this runtime, for the other one */
  _Atomic(int) ready;
  struct runtime *other;
} runtime_t;

static int use_everything(runtime_t *self) {
  self->loop = weft_get_running_loop();
  self->shared = weft_future_open(sizeof(int));
  atom_store(&self->ready, 1, seq_cst);
  while (!atom_load(&self->other->ready, seq_cst)) weft_ignore(weft_sleep(0.0005));
  assert_ptr_not_equal(self->loop, self->other->loop);
  int value = 0;
  weft_future_t *theirs = weft_wrap_future(self->other->shared);
  assert_int_equal(weft_future_set_result(self->shared, &(int){(int)self->workers}), 0);
  assert_int_equal(weft_await_future(theirs, &value), 0);
  assert_int_equal(value, (int)self->other->workers);
  weft_future_unref(theirs);
  for (int i = 0; i < scaled(200); i++) self->sum += weft_to_thread(give_async(1));
  /* leave together: the other one's future is in use */
  atom_store(&self->ready, 2, seq_cst);
  while (atom_load(&self->other->ready, seq_cst) < 2) weft_ignore(weft_sleep(0.0005));
  weft_future_unref(self->shared);
  return 0;
}
static WEFT_ASYNC(use_everything, runtime_t *);
static int run_runtime(void *argument) {
  runtime_t *self = argument;
  self->rc = run_on(self->workers, use_everything_async(self));
  return 0;
}
static void two_runtimes(void **state) {
  (void)state;
  for (int i = 0; i < 5; i++) {
    runtime_t a = {.workers = 1}, b = {.workers = 3};
    a.other = &b;
    b.other = &a;
    assert_int_equal(weft__thread_start(&a.thread, run_runtime, &a, NULL), 0);
    assert_int_equal(weft__thread_start(&b.thread, run_runtime, &b, NULL), 0);
    weft__thread_join(a.thread);
    weft__thread_join(b.thread);
    assert_int_equal(a.rc, 0);
    assert_int_equal(b.rc, 0);
    assert_int_equal(a.sum, scaled(200));
    assert_int_equal(b.sum, scaled(200));
  }
}

/* One pool for two runtimes, and a run inside a job. */
static int runs_inside(void) {
  int rc = weft_run_with(&(const weft_config_t){.workers = 2}, give_async(21));
  return rc;
}
static WEFT_ASYNC(runs_inside);
RUNS(a_run_inside_a_job) {
  assert_int_equal(weft_to_thread(runs_inside_async()), 21);
  assert_int_equal(weft_run(give_async(1)), WEFT_RUNTIME); /* not inside a task */
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(results_errors_cancellation), cmocka_unit_test(a_running_job_may_ask),
      cmocka_unit_test(callbacks_run_where_it_ends), cmocka_unit_test(waiting_for_several),
      cmocka_unit_test(limits_race_with_ends),       cmocka_unit_test(run_not_on_a_worker),
      cmocka_unit_test(a_threads_future_in_a_loop),  cmocka_unit_test(a_loop_that_ends_first),
      cmocka_unit_test(wrapping_without_memory),     cmocka_unit_test(two_runtimes),
      cmocka_unit_test(run_a_run_inside_a_job),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
