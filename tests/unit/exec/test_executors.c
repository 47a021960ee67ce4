/* test_executors.c: executors: submit, map, shutdown, close, initializers, memory failure. */
#include <sys/prctl.h>

#include "exec/thread_pool.h"
#include "unit/exec/blocking.h"

static weft_executor_t *open_pool(unsigned threads) {
  weft_executor_t *pool;
  assert_int_equal(weft_thread_pool_open(threads, "test", &pool), 0);
  return pool;
}

/* ---- submit ------------------------------------------------------------------------------------------------------------ */

RUNS(submit_gives_a_future) {
  weft_executor_t *pool = open_pool(2);
  int value = 0;
  weft_future_t *good = weft_executor_submit(pool, give_async(42));
  weft_future_t *bad = weft_executor_submit(pool, give_async(WEFT_VALUE));
  weft_future_t *own = weft_executor_submit(NULL, give_async(43));
  assert_int_equal(weft_await_future(good, &value), 0);
  assert_int_equal(value, 42);
  assert_int_equal(weft_await_future(bad, NULL), WEFT_VALUE);
  assert_string_equal(weft_error()->message, "given -5012");
  assert_int_equal(weft_await_future(own, &value), 0);
  assert_int_equal(value, 43);
  assert_false(weft_future_running(good));
  weft_future_unref(good);
  weft_future_unref(bad);
  weft_future_unref(own);
  assert_null(weft_executor_submit(pool, (weft_call_t){0}));
  assert_int_equal(weft_error()->code, WEFT_TYPE);
  return weft_executor_close(pool);
}

RUNS(submitted_in_order) {
  enum { N = 50 };
  weft_executor_t *pool = open_pool(1);
  weft_future_t *futures[N];
  door_t doors[N];
  memset(doors, 0, sizeof doors);
  for (int i = 0; i < N; i++) futures[i] = weft_executor_submit(pool, pass_async(&doors[i], i));
  for (int i = 0; i < N; i++) { /* one thread: whoever arrives is the one that is let in next */
    int later = 0;
    while (atom_load(&doors[i].arrived, seq_cst) == 0 && later == 0) {
      assert_int_equal(weft_sleep(0.0005), 0);
      for (int k = i + 1; k < N; k++) later += atom_load(&doors[k].arrived, seq_cst);
    }
    assert_int_equal(later, 0);
    door_open(&doors[i]);
  }
  for (int i = 0; i < N; i++) {
    int value;
    assert_int_equal(weft_await_future(futures[i], &value), 0);
    assert_int_equal(value, i);
    weft_future_unref(futures[i]);
  }
  return weft_executor_close(pool);
}

RUNS(cancelling_a_submitted_job) {
  weft_executor_t *pool = open_pool(1);
  door_t first = {0}, second = {0};
  weft_future_t *running = weft_executor_submit(pool, pass_async(&first, 1));
  weft_future_t *waiting = weft_executor_submit(pool, pass_async(&second, 2));
  await_arrived(&first, 1);
  assert_true(weft_future_running(running));
  assert_false(weft_future_running(waiting));
  assert_true(weft_future_cancel(waiting, "no"));
  assert_false(weft_future_cancel(waiting, NULL));
  assert_int_equal(weft_await_future(waiting, NULL), WEFT_CANCELLED);
  assert_string_equal(weft_error()->message, "no");
  /* of this loop: cancelled at once, while the job goes on */
  assert_true(weft_future_cancel(running, NULL));
  assert_true(weft_future_cancelled(running));
  assert_false(weft_future_running(running));
  weft_future_unref(running);
  weft_future_unref(waiting);
  door_open(&first);
  assert_int_equal(weft_executor_close(pool), 0);
  assert_int_equal(atom_load(&first.passed, seq_cst), 1);
  assert_int_equal(atom_load(&second.arrived, seq_cst), 0);
  return 0;
}

RUNS(cancelling_the_waiter_cancels_the_job) {
  weft_executor_t *pool = open_pool(1);
  door_t door = {0};
  weft_future_t *running = weft_executor_submit(pool, pass_async(&door, 1));
  weft_future_t *waiting = weft_executor_submit(pool, pass_async(&door, 2));
  _Atomic(int) begun = 0;
  weft_task_t *a = weft_create_task(awaiting_async(running, &begun));
  weft_task_t *b = weft_create_task(awaiting_async(waiting, &begun));
  await_arrived(&door, 1);
  await_begun(&begun, 2);
  weft_task_cancel(a, NULL);
  weft_task_cancel(b, NULL);
  assert_int_equal(weft_join(a), WEFT_CANCELLED);
  assert_int_equal(weft_join(b), WEFT_CANCELLED);
  door_open(&door);
  weft_future_unref(running);
  weft_future_unref(waiting);
  assert_int_equal(weft_executor_close(pool), 0);
  assert_int_equal(atom_load(&door.arrived, seq_cst), 1);
  return 0;
}

/* A dropped future does not stop its job; its error is reported. */
static _Atomic(int) reports;
static int count_report(weft_loop_t *loop, const weft_error_context_t *context, void *data) {
  (void)loop;
  (void)data;
  if (context->error != NULL && context->error->code == WEFT_VALUE) atom_add(&reports, 1, seq_cst);
  return 0;
}
RUNS(nobody_waits) {
  weft_executor_t *pool = open_pool(1);
  static door_t door;
  door = (door_t){.open = 1};
  atom_store(&reports, 0, seq_cst);
  weft_loop_set_exception_handler(weft_get_running_loop(), count_report, NULL);
  weft_future_unref(weft_executor_submit(pool, pass_async(&door, 1)));
  weft_future_unref(weft_executor_submit(pool, give_async(WEFT_VALUE)));
  assert_int_equal(weft_executor_close(pool), 0);
  assert_int_equal(atom_load(&door.passed, seq_cst), 1);
  assert_int_equal(atom_load(&reports, seq_cst), 1);
  return 0;
}

/* ---- map --------------------------------------------------------------------------------------------------------------- */

static _Atomic(int) inside, most;
static int count_inside(int i) {
  int now = atom_add(&inside, 1, seq_cst) + 1, seen = atom_load(&most, seq_cst);
  while (now > seen && !atom_cas(&most, &seen, now, seq_cst, seq_cst)) {
  }
  nap(1);
  atom_sub(&inside, 1, seq_cst);
  return i * i;
}
static WEFT_ASYNC(count_inside, int);

RUNS(map_keeps_order_and_size) {
  enum { N = 20 };
  weft_executor_t *pool = open_pool(4);
  weft_call_t calls[N];
  int statuses[N];
  atom_store(&most, 0, seq_cst);
  for (int i = 0; i < N; i++) calls[i] = count_inside_async(i);
  assert_int_equal(weft_executor_map(pool, calls, N, statuses), 0);
  for (int i = 0; i < N; i++) assert_int_equal(statuses[i], i * i);
  assert_true(atom_load(&most, seq_cst) <= 4);
  assert_int_equal(atom_load(&inside, seq_cst), 0);
  assert_int_equal(weft_executor_map(pool, NULL, 0, NULL), 0);
  assert_int_equal(weft_executor_map(pool, NULL, 1, NULL), -EINVAL);
  assert_int_equal(weft_executor_map(NULL, calls, 3, NULL), 0);
  calls[7] = give_async(WEFT_VALUE);
  calls[3] = give_async(-EIO);
  assert_int_equal(weft_executor_map(pool, calls, N, statuses), -EIO); /* the first in order */
  assert_string_equal(weft_error()->message, "given -5");
  assert_int_equal(statuses[7], WEFT_VALUE);
  assert_int_equal(statuses[19], 361);
  calls[5] = (weft_call_t){0};
  assert_int_equal(weft_executor_map(pool, calls, N, statuses), WEFT_TYPE);
  return weft_executor_close(pool);
}

static WEFT_ASYNC(mapping, weft_executor_t *, door_t *, int *);
static int mapping(weft_executor_t *pool, door_t *door, int *statuses) {
  const weft_call_t calls[] = {pass_async(door, 1), pass_async(door, 2), pass_async(door, 3)};
  return weft_executor_map(pool, calls, 3, statuses);
}
RUNS(map_cancelled) {
  weft_executor_t *pool = open_pool(1);
  door_t door = {0};
  int statuses[3] = {0};
  weft_task_t *task = weft_create_task(mapping_async(pool, &door, statuses));
  await_arrived(&door, 1);
  weft_task_cancel(task, "stop");
  for (int i = 0; i < 5; i++) assert_int_equal(weft_sleep(0.001), 0);
  assert_false(weft_task_done(task)); /* its arguments are in use */
  weft_task_cancel(task, "again");
  door_open(&door);
  assert_int_equal(weft_join(task), WEFT_CANCELLED);
  assert_string_equal(weft_error()->message, "stop");
  assert_int_equal(statuses[0], 1);
  assert_int_equal(statuses[1], WEFT_CANCELLED);
  assert_int_equal(statuses[2], WEFT_CANCELLED);
  assert_int_equal(atom_load(&door.arrived, seq_cst), 1);
  return weft_executor_close(pool);
}

/* ---- shutdown ---------------------------------------------------------------------------------------------------------- */

RUNS(after_shutdown) {
  weft_executor_t *pool = open_pool(1);
  assert_int_equal(weft_executor_shutdown(pool, true, false), 0); /* no thread was ever started */
  assert_int_equal(weft_executor_shutdown(pool, true, true), 0);
  assert_int_equal(weft_run_in_executor(pool, give_async(1)), WEFT_RUNTIME);
  assert_string_equal(weft_error()->message, "cannot schedule new futures after shutdown");
  assert_null(weft_executor_submit(pool, give_async(1)));
  assert_int_equal(weft_error()->code, WEFT_RUNTIME);
  int statuses[2];
  assert_int_equal(weft_executor_map(pool, (const weft_call_t[]){give_async(1), give_async(2)}, 2, statuses),
                   WEFT_RUNTIME);
  assert_int_equal(statuses[0], WEFT_RUNTIME);
  assert_int_equal(weft_executor_close(pool), 0);
  assert_int_equal(weft_executor_shutdown(NULL, true, true), -EINVAL);
  assert_int_equal(weft_executor_close(NULL), 0);
  return 0;
}

RUNS(shutdown_runs_what_waits) {
  weft_executor_t *pool = open_pool(1);
  door_t door = {0};
  weft_future_t *futures[3];
  for (int i = 0; i < 3; i++) futures[i] = weft_executor_submit(pool, pass_async(&door, i));
  assert_int_equal(weft_executor_shutdown(pool, false, false), 0);
  assert_int_equal(atom_load(&door.passed, seq_cst), 0); /* did not wait */
  door_open(&door);
  assert_int_equal(weft_executor_shutdown(pool, true, false), 0);
  assert_int_equal(atom_load(&door.passed, seq_cst), 3);
  for (int i = 0; i < 3; i++) {
    assert_true(weft_future_done(futures[i]));
    weft_future_unref(futures[i]);
  }
  return weft_executor_close(pool);
}

RUNS(shutdown_cancels_what_waits) {
  weft_executor_t *pool = open_pool(1);
  door_t door = {0};
  weft_task_t *running = weft_create_task(passing_executor_async(pool, &door, 1));
  await_arrived(&door, 1);
  weft_future_t *waiting = weft_executor_submit(pool, pass_async(&door, 2));
  weft_task_t *task = weft_create_task(passing_executor_async(pool, &door, 3));
  while (weft__thread_pool_waiting(pool) < 2) assert_int_equal(weft_sleep(0.0005), 0);
  assert_int_equal(weft_executor_shutdown(pool, false, true), 0);
  assert_int_equal(weft_join(task), WEFT_CANCELLED);
  assert_int_equal(weft_await_future(waiting, NULL), WEFT_CANCELLED);
  weft_future_unref(waiting);
  assert_false(weft_task_done(running));
  door_open(&door);
  assert_int_equal(weft_join(running), 1);
  assert_int_equal(atom_load(&door.arrived, seq_cst), 1);
  return weft_executor_close(pool);
}

static WEFT_ASYNC(closing, weft_executor_t *, _Atomic(int) *);
static int closing(weft_executor_t *pool, _Atomic(int) *begun) {
  atom_add(begun, 1, seq_cst);
  return weft_executor_close(pool);
}
static WEFT_ASYNC(shutting, weft_executor_t *, _Atomic(int) *);
static int shutting(weft_executor_t *pool, _Atomic(int) *begun) {
  atom_add(begun, 1, seq_cst);
  return weft_executor_shutdown(pool, true, false);
}
RUNS(cancelled_while_closing) {
  weft_executor_t *pool = open_pool(1);
  door_t door = {0};
  weft_future_unref(weft_executor_submit(pool, pass_async(&door, 1)));
  await_arrived(&door, 1);
  _Atomic(int) begun = 0;
  weft_task_t *task = weft_create_task(shutting_async(pool, &begun));
  await_begun(&begun, 1);
  weft_task_cancel(task, NULL);
  assert_int_equal(weft_join(task), WEFT_CANCELLED); /* waiting alone can be given up */
  task = weft_create_task(closing_async(pool, &begun));
  await_begun(&begun, 2);
  weft_task_cancel(task, NULL);
  assert_int_equal(weft_sleep(0.002), 0);
  assert_false(weft_task_done(task));
  door_open(&door);
  assert_int_equal(weft_join(task), WEFT_CANCELLED);
  assert_int_equal(atom_load(&door.passed, seq_cst), 1);
  return 0;
}

static int close_own(weft_executor_t *pool) { return weft_executor_close(pool); }
static WEFT_ASYNC(close_own, weft_executor_t *);
RUNS(a_job_cannot_close_its_pool) {
  weft_executor_t *pool = open_pool(1);
  assert_int_equal(weft_run_in_executor(pool, close_own_async(pool)), WEFT_RUNTIME);
  return weft_executor_close(pool);
}

/* ---- initializers and names -------------------------------------------------------------------------------------------- */

static _Atomic(int) initialized;
static int initialize(int by) {
  atom_add(&initialized, by, seq_cst);
  return by < 0 ? weft_fail(WEFT_VALUE, "no") : 0;
}
static WEFT_ASYNC(initialize, int);
static int get_name(char *name) {
  prctl(PR_GET_NAME, name);
  return 0;
}
static WEFT_ASYNC(get_name, char *);

RUNS(initializer_and_name) {
  weft_executor_t *pool;
  const weft_call_t call = initialize_async(3);
  const weft_thread_pool_options_t options = {.max_threads = 1, .name = "mine", .initializer = &call};
  atom_store(&initialized, 0, seq_cst);
  assert_int_equal(weft_thread_pool_open_with(&options, &pool), 0);
  char name[16] = "";
  assert_int_equal(weft_run_in_executor(pool, get_name_async(name)), 0);
  assert_string_equal(name, "mine");
  assert_int_equal(weft_run_in_executor(pool, give_async(1)), 1);
  assert_int_equal(atom_load(&initialized, seq_cst), 3);
  return weft_executor_close(pool);
}

RUNS(failing_initializer_breaks_the_pool) {
  weft_executor_t *pool;
  const weft_call_t call = initialize_async(-1);
  const weft_thread_pool_options_t options = {.max_threads = 2, .initializer = &call};
  assert_int_equal(weft_thread_pool_open_with(&options, &pool), 0);
  assert_int_equal(weft_run_in_executor(pool, give_async(1)), WEFT_BROKEN_POOL);
  assert_string_equal(weft_error()->message, "A thread initializer failed, the thread pool is not usable anymore");
  assert_null(weft_executor_submit(pool, give_async(1)));
  assert_int_equal(weft_error()->code, WEFT_BROKEN_POOL);
  return weft_executor_close(pool);
}

static void bad_options(void **state) {
  (void)state;
  weft_executor_t *pool = (weft_executor_t *)(uintptr_t)16;
  weft_call_t none = {0};
  assert_int_equal(weft_thread_pool_open(1, NULL, NULL), -EINVAL);
  assert_int_equal(weft_thread_pool_open(1000000, NULL, &pool), -EINVAL);
  assert_null(pool);
  assert_int_equal(weft_thread_pool_open_with(&(const weft_thread_pool_options_t){.initializer = &none}, &pool),
                   WEFT_TYPE);
  weft__alloc_fail_after(1);
  assert_int_equal(weft_thread_pool_open(1, NULL, &pool), -ENOMEM);
  weft__alloc_fail_after(-1);
  assert_null(pool);
}

/* ---- memory failure ---------------------------------------------------------------------------------------------------- */

static int fails_somewhere(void) {
  weft_executor_t *pool = open_pool(2);
  const weft_call_t calls[] = {give_async(1), give_async(2), give_async(3)};
  for (long n = 1;; n++) {
    weft__alloc_fail_after(n);
    weft_future_t *future = weft_executor_submit(pool, give_async(1));
    int code = future == NULL ? weft_error()->code : 0;
    int map = weft_executor_map(pool, calls, 3, NULL), run = weft_run_in_executor(pool, give_async(4));
    bool failed = weft__alloc_failed();
    weft__alloc_fail_after(-1);
    assert_true(code == 0 || code == -ENOMEM || code == -EAGAIN);
    assert_true(map == 0 || map == -ENOMEM || map == -EAGAIN);
    assert_true(run == 4 || run == -ENOMEM || run == -EAGAIN);
    if (future != NULL) assert_int_equal(weft_await_future(future, NULL), 0);
    weft_future_unref(future);
    assert_int_equal(weft_executor_map(pool, calls, 3, NULL), 0);
    if (!failed) return weft_executor_close(pool);
  }
}
static WEFT_ASYNC(fails_somewhere);
static void every_allocation_may_fail(void **state) {
  (void)state;
  assert_int_equal(run_on(1, fails_somewhere_async()), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(run_submit_gives_a_future),
      cmocka_unit_test(run_submitted_in_order),
      cmocka_unit_test(run_cancelling_a_submitted_job),
      cmocka_unit_test(run_cancelling_the_waiter_cancels_the_job),
      cmocka_unit_test(run_nobody_waits),
      cmocka_unit_test(run_map_keeps_order_and_size),
      cmocka_unit_test(run_map_cancelled),
      cmocka_unit_test(run_after_shutdown),
      cmocka_unit_test(run_shutdown_runs_what_waits),
      cmocka_unit_test(run_shutdown_cancels_what_waits),
      cmocka_unit_test(run_cancelled_while_closing),
      cmocka_unit_test(run_a_job_cannot_close_its_pool),
      cmocka_unit_test(run_initializer_and_name),
      cmocka_unit_test(run_failing_initializer_breaks_the_pool),
      cmocka_unit_test(bad_options),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
