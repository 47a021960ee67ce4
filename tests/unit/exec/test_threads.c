/* test_threads.c: to_thread in its two forms: results, errors, cancellation of jobs that wait and that run, the context,
 * memory failure, virtual time, what a run's end waits for. */
#include "unit/exec/blocking.h"

/* ---- results ----------------------------------------------------------------------------------------------------------- */

RUNS(results_and_errors) {
  assert_int_equal(weft_to_thread(give_async(7)), 7);
  assert_int_equal(weft_to_thread(give_async(WEFT_VALUE)), WEFT_VALUE);
  assert_string_equal(weft_error()->name, "ValueError");
  assert_string_equal(weft_error()->message, "given -5012");
  assert_int_equal(weft_to_thread_owned(give_async(8), NULL), 8);
  assert_int_equal(weft_to_thread_owned(give_async(-EIO), NULL), -EIO);
  assert_string_equal(weft_error()->message, "given -5");
  assert_int_equal(weft_run_in_executor(NULL, give_async(9)), 9);
  return 0;
}

/* A thread's last record must not pass for the next job's. */
static int bare(int status) { return status; }
static WEFT_ASYNC(bare, int);
RUNS(records_do_not_leak) {
  assert_int_equal(weft_to_thread(give_async(WEFT_VALUE)), WEFT_VALUE);
  assert_int_equal(weft_to_thread(bare_async(WEFT_VALUE)), WEFT_VALUE);
  assert_string_equal(weft_error()->message, "");
  return 0;
}

RUNS(no_function) {
  weft_call_t none = {0};
  assert_int_equal(weft_to_thread(none), WEFT_TYPE);
  assert_int_equal(weft_to_thread_owned(none, NULL), WEFT_TYPE);
  assert_int_equal(weft_run_in_executor(NULL, none), WEFT_TYPE);
  return 0;
}

static weft_loop_t *seen_loop;
static int seen_sleep;
static int look_around(void) {
  seen_loop = weft_get_running_loop();
  seen_sleep = weft_sleep(0.1);
  return weft_current_task() != NULL;
}
static WEFT_ASYNC(look_around);
RUNS(jobs_are_outside_the_runtime) {
  assert_int_equal(weft_to_thread(look_around_async()), 0);
  assert_null(seen_loop);
  assert_int_equal(seen_sleep, -EPERM);
  return 0;
}

static int from_callback(void *data) {
  *(int *)data = weft_to_thread(give_async(1));
  return 0;
}
RUNS(not_in_a_callback) {
  int rc = 0;
  weft_call_soon(weft_get_running_loop(), from_callback, &rc);
  while (rc == 0) assert_int_equal(weft_sleep(0.001), 0);
  assert_int_equal(rc, -EPERM);
  return 0;
}

RUNS(others_run_meanwhile) {
  door_t door = {0};
  weft_task_t *task = weft_create_task(passing_thread_async(&door, 3));
  await_arrived(&door, 1); /* this task runs while the job blocks */
  for (int i = 0; i < 10; i++) assert_int_equal(weft_yield(), 0);
  assert_false(weft_task_done(task));
  door_open(&door);
  assert_int_equal(weft_join(task), 3);
  return 0;
}

/* ---- cancelling to_thread ---------------------------------------------------------------------------------------------- */

static _Atomic(int) saw_cancelled;
static int until_cancelled(door_t *door) {
  atom_add(&door->arrived, 1, seq_cst);
  while (!weft_job_cancelled()) nap(0.1);
  atom_add(&saw_cancelled, 1, seq_cst);
  while (!atom_load(&door->open, seq_cst)) nap(0.1);
  return 5;
}
static WEFT_ASYNC(until_cancelled, door_t *);
static int running_until_cancelled(door_t *door) { return weft_to_thread(until_cancelled_async(door)); }
static WEFT_ASYNC(running_until_cancelled, door_t *);

RUNS(a_running_job_is_waited_for) {
  door_t door = {0};
  atom_store(&saw_cancelled, 0, seq_cst);
  assert_false(weft_job_cancelled());
  weft_task_t *task = weft_create_task(running_until_cancelled_async(&door));
  await_arrived(&door, 1);
  assert_true(weft_task_cancel(task, "why"));
  while (!atom_load(&saw_cancelled, seq_cst)) assert_int_equal(weft_sleep(0.0005), 0);
  assert_true(weft_task_cancel(task, "again")); /* changes nothing */
  for (int i = 0; i < 5; i++) assert_int_equal(weft_sleep(0.001), 0);
  assert_false(weft_task_done(task));
  door_open(&door);
  assert_int_equal(weft_join(task), WEFT_CANCELLED);
  assert_string_equal(weft_error()->message, "why");
  return 0;
}

/* A pool of one: the second job waits behind the first. */
RUNS(a_job_that_waits_never_runs) {
  door_t first = {0}, second = {0};
  weft_executor_t *pool;
  assert_int_equal(weft_thread_pool_open(1, "one", &pool), 0);
  weft_task_t *a = weft_create_task(passing_executor_async(pool, &first, 1));
  await_arrived(&first, 1);
  weft_task_t *b = weft_create_task(passing_executor_async(pool, &second, 2));
  weft_task_t *c = weft_create_task(passing_executor_async(pool, &second, 3));
  assert_int_equal(weft_sleep(0.002), 0);
  assert_true(weft_task_cancel(b, NULL));
  assert_int_equal(weft_join(b), WEFT_CANCELLED); /* at once: the first still blocks */
  assert_int_equal(atom_load(&first.passed, seq_cst), 0);
  door_open(&first);
  door_open(&second);
  assert_int_equal(weft_join(a), 1);
  assert_int_equal(weft_join(c), 3);
  assert_int_equal(atom_load(&second.arrived, seq_cst), 1);
  return weft_executor_close(pool);
}

static int cancel_self_first(door_t *door) {
  weft_task_cancel(weft_current_task(), "self");
  return weft_to_thread(pass_async(door, 0));
}
static WEFT_ASYNC(cancel_self_first, door_t *);
RUNS(cancelled_before_it_is_submitted) {
  for (int i = 0; i < scaled(200); i++) {
    door_t door = {.open = 1};
    weft_task_t *task = weft_create_task(cancel_self_first_async(&door));
    assert_int_equal(weft_join(task), WEFT_CANCELLED);
    assert_int_equal(atom_load(&door.arrived, seq_cst), 0);
  }
  return 0;
}

/* Cancelled at any moment: the job ran to its end or never began. */
RUNS(cancelled_at_random) {
  for (int i = 0; i < scaled(1000); i++) {
    door_t door = {.open = 1};
    weft_task_t *task = weft_create_task(passing_thread_async(&door, 6));
    for (int spin = rand() % 4; spin-- > 0;) assert_int_equal(weft_yield(), 0);
    for (volatile int spin = rand() % 20000; spin > 0; spin--) {
    }
    bool asked = weft_task_cancel(task, NULL);
    int rc = weft_join(task);
    assert_true(asked ? rc == WEFT_CANCELLED : rc == 6);
    assert_int_equal(atom_load(&door.arrived, seq_cst), atom_load(&door.passed, seq_cst));
  }
  return 0;
}

static int open_it(void *data) {
  door_open(data);
  return 0;
}
RUNS(a_time_limit_does_not_bound_it) {
  door_t door = {0};
  for (int tries = 0; tries < 100 && atom_load(&door.arrived, seq_cst) == 0;
       tries++) { /* one still queued is withdrawn */
    weft_timeout_t scope;
    atom_store(&door.open, 0, seq_cst);
    weft_handle_t opens = weft_call_later(weft_get_running_loop(), 0.03, open_it, &door);
    weft_timeout_enter(&scope, 0.005);
    assert_int_equal(weft_timeout_exit(&scope, weft_to_thread(pass_async(&door, 4))), WEFT_TIMEOUT);
    weft_handle_cancel(opens); /* of a job that was withdrawn */
  }
  assert_int_equal(atom_load(&door.arrived, seq_cst), 1);
  assert_int_equal(atom_load(&door.passed, seq_cst), 1); /* it had ended */
  return 0;
}

/* ---- to_thread_owned --------------------------------------------------------------------------------------------------- */

static _Atomic(int) dropped;
static void drop(void *args) {
  (void)args;
  atom_add(&dropped, 1, seq_cst);
}
static _Atomic(int) owners;
static int passing_owned(door_t *door, int status) {
  atom_add(&owners, 1, seq_cst);
  return weft_to_thread_owned(pass_async(door, status), drop);
}
static WEFT_ASYNC(passing_owned, door_t *, int);

RUNS(owned_lets_go) {
  static door_t door; /* outlives the waiter */
  door = (door_t){0};
  atom_store(&dropped, 0, seq_cst);
  weft_task_t *task = weft_create_task(passing_owned_async(&door, 3));
  await_arrived(&door, 1);
  weft_task_cancel(task, "gone");
  assert_int_equal(weft_join(task), WEFT_CANCELLED);
  assert_string_equal(weft_error()->message, "gone");
  assert_int_equal(atom_load(&door.passed, seq_cst), 0); /* it runs on */
  assert_int_equal(atom_load(&dropped, seq_cst), 0);
  door_open(&door);
  while (atom_load(&dropped, seq_cst) == 0) assert_int_equal(weft_sleep(0.0005), 0);
  assert_int_equal(atom_load(&door.passed, seq_cst), 1);
  return 0;
}

RUNS(owned_drops_exactly_once) {
  atom_store(&dropped, 0, seq_cst);
  assert_int_equal(weft_to_thread_owned(give_async(1), drop), 1);
  assert_int_equal(atom_load(&dropped, seq_cst), 1);
  assert_int_equal(weft_to_thread_owned(give_async(WEFT_VALUE), drop), WEFT_VALUE);
  assert_int_equal(atom_load(&dropped, seq_cst), 2);
  assert_int_equal(weft_to_thread_owned((weft_call_t){0}, drop), WEFT_TYPE);
  assert_int_equal(atom_load(&dropped, seq_cst), 3);
  atom_store(&dropped, 0, seq_cst);
  atom_store(&owners, 0, seq_cst);
  static door_t door;
  door = (door_t){.open = 1};
  int rounds = scaled(500);
  for (int i = 0; i < rounds; i++) {
    weft_task_t *task = weft_create_task(passing_owned_async(&door, 6));
    for (int spin = rand() % 4; spin-- > 0;) assert_int_equal(weft_yield(), 0);
    weft_task_cancel(task, NULL);
    int rc = weft_join(task);
    assert_true(rc == WEFT_CANCELLED || rc == 6);
  }
  assert_int_equal(weft_loop_shutdown_default_executor(weft_get_running_loop()), 0);
  assert_int_equal(atom_load(&dropped, seq_cst), atom_load(&owners, seq_cst));
  assert_int_equal(weft_to_thread_owned(give_async(1), drop), WEFT_RUNTIME);
  assert_string_equal(weft_error()->message, "Executor shutdown has been called");
  return 0;
}

static void drop_outside(void **state) {
  (void)state;
  atom_store(&dropped, 0, seq_cst);
  assert_int_equal(weft_to_thread_owned(give_async(1), drop), -EPERM);
  assert_int_equal(atom_load(&dropped, seq_cst), 1);
  assert_int_equal(weft_to_thread(give_async(1)), -EPERM);
  assert_false(weft_job_cancelled());
}

static door_t left_behind;
static int leaves_a_job(void) {
  weft_task_t *task = weft_create_task(passing_owned_async(&left_behind, 0));
  await_arrived(&left_behind, 1);
  weft_task_cancel(task, NULL);
  weft_ignore(weft_join(task));
  return 11;
}
static WEFT_ASYNC(leaves_a_job);
static int open_later(void *data) {
  nap(20);
  door_open(data);
  return 0;
}
static void the_run_waits_for_the_pool(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers += 3) {
    left_behind = (door_t){0};
    weft__thread_t opener;
    assert_int_equal(weft__thread_start(&opener, open_later, &left_behind, NULL), 0);
    assert_int_equal(run_on(workers, leaves_a_job_async()), 11);
    assert_int_equal(atom_load(&left_behind.passed, seq_cst), 1);
    weft__thread_join(opener);
  }
}

/* A job that outlives main still hands tasks to the loop, which runs until the pool has ended. */
static _Atomic(int) late_status;
static int ask_the_loop(weft_loop_t *loop, door_t *door) {
  atom_add(&door->arrived, 1, seq_cst);
  while (!atom_load(&door->open, seq_cst)) nap(0.1);
  int status = 0, rc;
  do { /* one that the run's clean-up still finds is cancelled */
    weft_task_t *task = weft_loop_create_task(loop, give_async(12));
    rc = weft_future_wait_blocking(weft_task_future(task), WEFT_FOREVER, &status);
    weft_detach(task);
  } while (rc == WEFT_CANCELLED);
  atom_store(&late_status, status, seq_cst);
  return 0;
}
static WEFT_ASYNC(ask_the_loop, weft_loop_t *, door_t *);
static int asks_late(door_t *door) {
  return weft_to_thread_owned(ask_the_loop_async(weft_get_running_loop(), door), NULL);
}
static WEFT_ASYNC(asks_late, door_t *);
static int ends_early(door_t *door) {
  weft_task_t *task = weft_create_task(asks_late_async(door));
  await_arrived(door, 1);
  weft_detach(task);
  door_open(door);
  return 0;
}
static WEFT_ASYNC(ends_early, door_t *);
static void the_loop_runs_while_the_pool_ends(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers += 3) {
    static door_t door;
    door = (door_t){0};
    atom_store(&late_status, 0, seq_cst);
    assert_int_equal(run_on(workers, ends_early_async(&door)), 0);
    assert_int_equal(atom_load(&late_status, seq_cst), 12);
  }
}

/* ---- context ----------------------------------------------------------------------------------------------------------- */

static char none[] = "none", ctx[] = "ctx", changed[] = "changed";
static weft_contextvar_t request = WEFT_CONTEXTVAR("request", none);
static int read_request(const char **out, char *set) {
  *out = weft_contextvar_get(&request);
  return set != NULL ? weft_contextvar_set(&request, set) : 0;
}
static WEFT_ASYNC(read_request, const char **, char *);

RUNS(context_travels_into_to_thread_only) {
  const char *seen = NULL;
  assert_int_equal(weft_contextvar_set(&request, ctx), 0);
  assert_int_equal(weft_to_thread(read_request_async(&seen, changed)), 0);
  assert_string_equal(seen, "ctx");
  assert_string_equal(weft_contextvar_get(&request), "ctx"); /* a copy went there */
  assert_int_equal(weft_to_thread_owned(read_request_async(&seen, NULL), NULL), 0);
  assert_string_equal(seen, "ctx");
  assert_int_equal(weft_run_in_executor(NULL, read_request_async(&seen, changed)), 0);
  assert_string_equal(seen, "none");
  assert_int_equal(weft_run_in_executor(NULL, read_request_async(&seen, NULL)), 0);
  assert_string_equal(seen, "none"); /* nothing stays on the thread */
  return 0;
}

/* ---- many -------------------------------------------------------------------------------------------------------------- */

static int ten_jobs(_Atomic(long) *sum) {
  for (int i = 0; i < 10; i++) {
    int rc = weft_to_thread(give_async(i));
    if (rc != i) return weft_fail(WEFT_RUNTIME, "%d is not %d", rc, i);
    atom_add(sum, rc, relaxed);
  }
  return 0;
}
static WEFT_ASYNC(ten_jobs, _Atomic(long) *);
RUNS(many_in_flight) {
  int n = scaled(1000);
  _Atomic(long) sum = 0;
  weft_call_t *calls = malloc((size_t)n * sizeof *calls);
  for (int i = 0; i < n; i++) calls[i] = ten_jobs_async(&sum);
  assert_int_equal(weft_gather_n(calls, (size_t)n, NULL, 0), 0);
  assert_int_equal(atom_load(&sum, relaxed), 45L * n);
  free(calls);
  return 0;
}

/* Each is inside until all are: the pool grows although nobody gets on. */
RUNS(blocked_jobs_make_the_pool_grow) {
  enum { N = 4 };
  door_t door = {0};
  weft_task_t *tasks[N];
  for (int i = 0; i < N; i++) tasks[i] = weft_create_task(passing_thread_async(&door, i));
  await_arrived(&door, N);
  door_open(&door);
  for (int i = 0; i < N; i++) assert_int_equal(weft_join(tasks[i]), i);
  return 0;
}

/* ---- virtual time ------------------------------------------------------------------------------------------------------ */

static int real_nap(int ms) {
  nap(ms);
  return 1;
}
static WEFT_ASYNC(real_nap, int);
static int napping(void) { return weft_to_thread(real_nap_async(20)); }
static WEFT_ASYNC(napping);
/* The clock does not jump over a job: a timer of an hour does not fire before the job of 20 ms has ended. */
static int clock_waits(void) {
  weft_task_t *job = weft_create_task(napping_async());
  weft_task_t *hour = weft_create_task(weft_sleep_async(3600));
  assert_int_equal(weft_await(job), 1);
  assert_false(weft_task_done(hour));
  assert_int_equal(weft_join(hour), 0);
  return weft_join(job) == 1 ? 0 : WEFT_VALUE;
}
static WEFT_ASYNC(clock_waits);
static void virtual_time_waits_for_jobs(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers += 3)
    for (int i = 0; i < 5; i++)
      assert_int_equal(
          weft_run_with(&(const weft_config_t){.workers = workers, .virtual_time = true}, clock_waits_async()), 0);
}

/* ---- memory failure ---------------------------------------------------------------------------------------------------- */

static int under_pressure(void) {
  for (long n = 1;; n++) {
    weft__alloc_fail_after(n);
    int a = weft_to_thread(give_async(1));
    int b = weft_to_thread_owned(give_async(2), drop);
    bool failed = weft__alloc_failed();
    weft__alloc_fail_after(-1);
    if (a != 1) assert_true(a == -ENOMEM || a == -EAGAIN);
    if (b != 2) assert_true(b == -ENOMEM || b == -EAGAIN);
    assert_int_equal(weft_to_thread(give_async(3)), 3); /* still usable */
    if (!failed) return 0;
  }
}
static WEFT_ASYNC(under_pressure);
static void every_allocation_may_fail(void **state) {
  (void)state;
  /* The first thread's failures need a fresh pool each time. */
  assert_int_equal(run_on(1, under_pressure_async()), 0);
}

static int first_job_fails(long n) {
  weft__alloc_fail_from(n);
  int rc = weft_to_thread(give_async(1));
  weft__alloc_fail_from(-1);
  assert_true(rc == 1 || rc == -ENOMEM || rc == -EAGAIN);
  assert_int_equal(weft_to_thread(give_async(4)), 4);
  return rc;
}
static WEFT_ASYNC(first_job_fails, long);
static void the_first_thread_may_fail(void **state) {
  (void)state;
  int rc = 0;
  for (long n = 1; rc != 1; n++) rc = run_on(1, first_job_fails_async(n));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(run_results_and_errors),
      cmocka_unit_test(run_records_do_not_leak),
      cmocka_unit_test(run_no_function),
      cmocka_unit_test(run_jobs_are_outside_the_runtime),
      cmocka_unit_test(run_not_in_a_callback),
      cmocka_unit_test(run_others_run_meanwhile),
      cmocka_unit_test(run_a_running_job_is_waited_for),
      cmocka_unit_test(run_a_job_that_waits_never_runs),
      cmocka_unit_test(run_cancelled_before_it_is_submitted),
      cmocka_unit_test(run_cancelled_at_random),
      cmocka_unit_test(run_a_time_limit_does_not_bound_it),
      cmocka_unit_test(run_owned_lets_go),
      cmocka_unit_test(run_owned_drops_exactly_once),
      cmocka_unit_test(drop_outside),
      cmocka_unit_test(the_run_waits_for_the_pool),
      cmocka_unit_test(the_loop_runs_while_the_pool_ends),
      cmocka_unit_test(run_context_travels_into_to_thread_only),
      cmocka_unit_test(run_many_in_flight),
      cmocka_unit_test(run_blocked_jobs_make_the_pool_grow),
      cmocka_unit_test(virtual_time_waits_for_jobs),
      cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(the_first_thread_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
