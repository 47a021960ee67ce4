/* test_user_executor.c: executors of the user's own: what reaches their methods and in which order, jobs that are run, answered,
 * refused, cancelled and dismissed, from tasks and from threads, and what is left afterwards. */
#include "unit/exec/blocking.h"

enum { QUEUE = 4096 };

/* A queue under a mutex and threads that run what is in it: what a user would write. */
typedef struct mine {
  weft__mutex_t mutex;
  weft__cond_t cond;
  weft_job_t *queue[QUEUE];
  int first, count;
  bool closing;
  int threads;
  weft__thread_t handles[4];
  int refuse; /* what submit answers; 0: it takes the job */
  _Atomic(int) submitted, run, found, not_found, shutdowns, dismissals, closed;
} mine_t;

static weft_job_t *pop(mine_t *mine) {
  weft_job_t *job = NULL;
  weft__mutex_lock(&mine->mutex);
  while (mine->count == 0 && !mine->closing) weft__cond_wait(&mine->cond, &mine->mutex);
  if (mine->count > 0) {
    job = mine->queue[mine->first % QUEUE];
    mine->first++;
    mine->count--;
  }
  weft__mutex_unlock(&mine->mutex);
  return job;
}

static int serve(void *data) {
  mine_t *mine = data;
  for (weft_job_t *job; (job = pop(mine)) != NULL;) {
    assert_int_equal(weft_job_run(job), 0);
    atom_add(&mine->run, 1, seq_cst);
  }
  return 0;
}

static int take(void *data, weft_job_t *job) {
  mine_t *mine = data;
  if (mine->refuse < -5000) return weft_fail(mine->refuse, "not today");
  if (mine->refuse < 0) return mine->refuse;
  atom_add(&mine->submitted, 1, seq_cst);
  weft__mutex_lock(&mine->mutex);
  assert_true(mine->count < QUEUE);
  mine->queue[(mine->first + mine->count++) % QUEUE] = job;
  weft__cond_signal(&mine->cond);
  weft__mutex_unlock(&mine->mutex);
  return 0;
}

/* Takes it out of the queue if it is there. */
static void called_off(void *data, weft_job_t *job) {
  mine_t *mine = data;
  int at = -1;
  weft__mutex_lock(&mine->mutex);
  for (int i = 0; i < mine->count && at < 0; i++)
    if (mine->queue[(mine->first + i) % QUEUE] == job) at = i;
  if (at >= 0) {
    for (int i = at; i + 1 < mine->count; i++)
      mine->queue[(mine->first + i) % QUEUE] = mine->queue[(mine->first + i + 1) % QUEUE];
    mine->count--;
  }
  weft__mutex_unlock(&mine->mutex);
  atom_add(at >= 0 ? &mine->found : &mine->not_found, 1, seq_cst);
  if (at >= 0) assert_int_equal(weft_job_end(job, 77, NULL), 0); /* 77 reaches nobody */
}

static void no_more(void *data, bool cancel_futures) {
  mine_t *mine = data;
  atom_add(&mine->shutdowns, 1, seq_cst);
  if (cancel_futures) atom_add(&mine->dismissals, 1, seq_cst);
}

static void stop(void *data) {
  mine_t *mine = data;
  weft__mutex_lock(&mine->mutex);
  assert_int_equal(mine->count, 0);
  mine->closing = true;
  weft__cond_broadcast(&mine->cond);
  weft__mutex_unlock(&mine->mutex);
  for (int i = 0; i < mine->threads; i++) weft__thread_join(mine->handles[i]);
  weft__cond_destroy(&mine->cond);
  weft__mutex_destroy(&mine->mutex);
  atom_add(&mine->closed, 1, seq_cst);
}

static const weft_executor_methods_t methods = {take, called_off, no_more, stop};

static weft_executor_t *open_mine(mine_t *mine, int threads) {
  weft_executor_t *executor;
  memset(mine, 0, sizeof *mine);
  assert_int_equal(weft__mutex_init(&mine->mutex), 0);
  assert_int_equal(weft__cond_init(&mine->cond), 0);
  assert_int_equal(weft_executor_open_with(&methods, mine, &executor), 0);
  mine->threads = threads;
  for (int i = 0; i < threads; i++) assert_int_equal(weft__thread_start(&mine->handles[i], serve, mine, NULL), 0);
  return executor;
}

static void close_mine(mine_t *mine, weft_executor_t *executor) {
  assert_int_equal(weft_executor_close(executor), 0);
  assert_int_equal(atom_load(&mine->closed, seq_cst), 1);
}

static int wait_for(weft_future_t *future) {
  int value = 0, rc = weft_future_wait_blocking(future, WEFT_FOREVER, &value);
  weft_future_unref(future);
  return rc < 0 ? rc : value;
}

/* ---- jobs that are run ------------------------------------------------------------------------------------------------- */

RUNS(everything_takes_it) {
  mine_t mine;
  weft_executor_t *executor = open_mine(&mine, 2);
  assert_int_equal(weft_run_in_executor(executor, give_async(3)), 3);
  assert_int_equal(weft_run_in_executor(executor, give_async(-EIO)), -EIO);
  assert_string_equal(weft_error()->message, "given -5");
  enum { N = 40 };
  weft_call_t calls[N];
  int statuses[N];
  for (int i = 0; i < N; i++) calls[i] = give_async(i);
  assert_int_equal(weft_executor_map(executor, calls, N, statuses), 0);
  for (int i = 0; i < N; i++) assert_int_equal(statuses[i], i);
  weft_future_t *future = weft_executor_submit(executor, give_async(5));
  int value = 0;
  assert_int_equal(weft_await_future(future, &value), 0);
  assert_int_equal(value, 5);
  weft_future_unref(future);
  assert_int_equal(weft_loop_set_default_executor(weft_get_running_loop(), executor), -EINVAL);
  assert_int_equal(atom_load(&mine.submitted, seq_cst), N + 3);
  close_mine(&mine, executor);
  assert_int_equal(atom_load(&mine.shutdowns, seq_cst), 1);
  assert_int_equal(atom_load(&mine.run, seq_cst), N + 3);
  return 0;
}

static int give_bytes(int n) { return weft_job_result(&n); }
static WEFT_ASYNC(give_bytes, int);
RUNS(a_job_is_outside_the_runtime) {
  mine_t mine;
  weft_executor_t *executor = open_mine(&mine, 1);
  int bytes = 0;
  assert_int_equal(weft_run_for_result(executor, give_bytes_async(9), &bytes, sizeof bytes), 0);
  assert_int_equal(bytes, 9);
  assert_int_equal(weft_run_in_executor(executor, weft_executor_close_async(executor)),
                   WEFT_RUNTIME); /* its own pool */
  close_mine(&mine, executor);
  return 0;
}

static void from_threads(void **state) {
  (void)state;
  mine_t mine;
  weft_executor_t *executor = open_mine(&mine, 1);
  door_t door = {0};
  weft_future_t *running = weft_executor_submit(executor, pass_async(&door, 1));
  weft_future_t *waiting = weft_executor_submit(executor, pass_async(&door, 2));
  await_arrived_blocking(&door, 1);
  assert_true(weft_future_running(running));
  assert_false(weft_future_running(waiting));
  assert_false(weft_future_cancel(running, NULL));
  assert_int_equal(atom_load(&mine.not_found, seq_cst), 1); /* it was told */
  assert_true(weft_future_cancel(waiting, NULL));
  assert_int_equal(atom_load(&mine.found, seq_cst), 1); /* and took that one out */
  assert_int_equal(weft_executor_shutdown_within(executor, false, 0.005), WEFT_TIMEOUT);
  door_open(&door);
  assert_int_equal(wait_for(running), 1);
  assert_int_equal(wait_for(waiting), WEFT_CANCELLED);
  assert_null(weft_executor_submit(executor, give_async(1)));
  assert_int_equal(weft_error()->code, WEFT_RUNTIME);
  assert_int_equal(weft_executor_shutdown_within(executor, false, WEFT_FOREVER), 0);
  close_mine(&mine, executor);
}

/* ---- jobs that are answered otherwise ---------------------------------------------------------------------------------- */

/* It calls nothing: the answer is the call's first argument and one. In submit already. */
static int answer(void *data, weft_job_t *job) {
  atom_add((_Atomic(int) *)data, 1, seq_cst);
  assert_string_equal(weft_job_call(job)->name, "give");
  assert_true(weft_job_begin(job));
  int n;
  memcpy(&n, weft_job_call(job)->args.bytes, sizeof n);
  return weft_job_end(job, n < 0 ? n : n + 1, n == -ENOENT ? "nowhere" : NULL);
}
RUNS(answered_in_submit) {
  const weft_executor_methods_t answers = {.submit = answer};
  _Atomic(int) asked = 0;
  weft_executor_t *executor;
  assert_int_equal(weft_executor_open_with(&answers, &asked, &executor), 0);
  assert_int_equal(weft_run_in_executor(executor, give_async(3)), 4);
  assert_int_equal(weft_run_in_executor(executor, give_async(-ENOENT)), -ENOENT);
  assert_string_equal(weft_error()->message, "nowhere");
  assert_int_equal(weft_run_in_executor(executor, give_async(-EIO)), -EIO);
  assert_string_equal(weft_error()->message, weft_strerror(-EIO));
  weft_future_t *future = weft_executor_submit(executor, give_async(10));
  int value = 0;
  assert_int_equal(weft_await_future(future, &value), 0);
  assert_int_equal(value, 11);
  weft_future_unref(future);
  assert_int_equal(atom_load(&asked, seq_cst), 4);
  return weft_executor_close(executor);
}

static int run_at_once(void *data, weft_job_t *job) {
  (void)data;
  int rc = weft_job_run(job); /* on a worker it refuses, and the job is still ours */
  return rc == -EPERM ? weft_job_end(job, -EPERM, weft_error()->message) : rc;
}
RUNS(not_on_a_worker) {
  const weft_executor_methods_t inline_ones = {.submit = run_at_once};
  weft_executor_t *executor;
  assert_int_equal(weft_executor_open_with(&inline_ones, NULL, &executor), 0);
  assert_int_equal(weft_run_in_executor(executor, give_async(3)), -EPERM);
  assert_string_equal(weft_error()->message, "weft_job_run would block a worker");
  return weft_executor_close(executor);
}
static void on_the_submitting_thread(void **state) {
  (void)state;
  const weft_executor_methods_t inline_ones = {.submit = run_at_once};
  weft_executor_t *executor;
  assert_int_equal(weft_executor_open_with(&inline_ones, NULL, &executor), 0);
  assert_int_equal(wait_for(weft_executor_submit(executor, give_async(3))), 3);
  assert_int_equal(weft_executor_close(executor), 0);
}

RUNS(refused) {
  mine_t mine;
  weft_executor_t *executor = open_mine(&mine, 1);
  mine.refuse = WEFT_QUEUE_FULL; /* whoever may wait for room is told as well: there is nothing to wait for */
  assert_int_equal(weft_run_in_executor(executor, give_async(3)), WEFT_QUEUE_FULL);
  assert_string_equal(weft_error()->message, "not today");
  mine.refuse = -EAGAIN;
  assert_null(weft_executor_submit(executor, give_async(3)));
  assert_int_equal(weft_error()->code, -EAGAIN);
  const weft_call_t calls[] = {give_async(1), give_async(2)};
  int statuses[2];
  assert_int_equal(weft_executor_map(executor, calls, 2, statuses), -EAGAIN);
  mine.refuse = 0;
  assert_int_equal(weft_run_in_executor(executor, give_async(3)), 3);
  close_mine(&mine, executor);
  return 0;
}

/* ---- cancelling -------------------------------------------------------------------------------------------------------- */

static int until_told(door_t *door) {
  atom_add(&door->arrived, 1, seq_cst);
  while (!weft_job_cancelled()) nap(0.1);
  return 9;
}
static WEFT_ASYNC(until_told, door_t *);
static WEFT_ASYNC(telling, weft_executor_t *, door_t *);
static int telling(weft_executor_t *executor, door_t *door) {
  return weft_run_in_executor(executor, until_told_async(door));
}
RUNS(cancelled_tasks) {
  mine_t mine;
  weft_executor_t *executor = open_mine(&mine, 1);
  door_t door = {0}, told = {0};
  weft_task_t *waited_for = weft_create_task(telling_async(executor, &told));
  await_arrived(&told, 1);
  weft_task_t *withdrawn = weft_create_task(passing_executor_async(executor, &door, 1));
  while (atom_load(&mine.submitted, seq_cst) < 2) assert_int_equal(weft_sleep(0.0005), 0);
  weft_task_cancel(withdrawn, NULL);
  assert_int_equal(weft_join(withdrawn), WEFT_CANCELLED);
  assert_int_equal(atom_load(&mine.found, seq_cst), 1);
  weft_task_cancel(waited_for, NULL);
  assert_int_equal(weft_join(waited_for), WEFT_CANCELLED);
  assert_int_equal(atom_load(&mine.not_found, seq_cst), 1);
  assert_int_equal(atom_load(&door.arrived, seq_cst), 0);
  close_mine(&mine, executor);
  return 0;
}

/* Without `cancel` a withdrawn job comes up some time, and is not run. */
static void not_told(void **state) {
  (void)state;
  mine_t mine;
  weft_executor_t *executor = open_mine(&mine, 0), *deaf;
  weft_executor_methods_t fewer = {.submit = take, .close = stop};
  assert_int_equal(weft_executor_open_with(&fewer, &mine, &deaf), 0);
  door_t door = {0};
  weft_future_t *future = weft_executor_submit(deaf, pass_async(&door, 2));
  assert_true(weft_future_cancel(future, NULL));
  weft_job_t *job = pop(&mine);
  assert_false(weft_job_begin(job));
  assert_int_equal(weft_executor_shutdown_within(deaf, true, 0.002), WEFT_TIMEOUT); /* it is still out */
  assert_int_equal(weft_job_run(job), 0);
  assert_int_equal(atom_load(&door.arrived, seq_cst), 0);
  assert_int_equal(wait_for(future), WEFT_CANCELLED);
  assert_int_equal(weft_executor_shutdown(executor, true, false), 0);
  assert_int_equal(weft_executor_close(deaf), 0);
  mine.threads = 0;
  assert_int_equal(weft__mutex_init(&mine.mutex), 0);
  assert_int_equal(weft__cond_init(&mine.cond), 0);
  assert_int_equal(weft_executor_close(executor), 0);
}

static void dismissed(void **state) {
  (void)state;
  mine_t mine;
  weft_executor_t *executor = open_mine(&mine, 0);
  weft_future_t *futures[3];
  for (int i = 0; i < 3; i++) futures[i] = weft_executor_submit(executor, give_async(i));
  assert_true(weft_job_begin(mine.queue[0])); /* that one is on its way */
  assert_int_equal(weft_executor_shutdown(executor, false, true), 0);
  assert_int_equal(atom_load(&mine.dismissals, seq_cst), 1);
  for (int i = 1; i < 3; i++) assert_int_equal(wait_for(futures[i]), WEFT_CANCELLED);
  assert_false(weft_future_done(futures[0]));
  for (int i = 0; i < 3; i++) assert_int_equal(weft_job_end(pop(&mine), 40 + i, NULL), 0);
  assert_int_equal(wait_for(futures[0]), 40);
  close_mine(&mine, executor);
}

/* Jobs are cancelled at every moment of their life, by tasks and by threads. */
static WEFT_ASYNC(client, weft_executor_t *, _Atomic(int) *);
static int client(weft_executor_t *executor, _Atomic(int) *ended) {
  int rc = weft_run_in_executor(executor, give_async(1));
  assert_true(rc == 1 || rc == WEFT_CANCELLED);
  atom_add(ended, 1, seq_cst);
  return rc;
}
RUNS(cancelled_at_random) {
  enum { N = 8 };
  mine_t mine;
  weft_executor_t *executor = open_mine(&mine, 3);
  _Atomic(int) ended = 0;
  int rounds = scaled(200), started = 0;
  for (int round = 0; round < rounds; round++) {
    weft_task_t *tasks[N];
    weft_future_t *futures[N];
    for (int i = 0; i < N; i++) {
      tasks[i] = weft_create_task(client_async(executor, &ended));
      assert_non_null(futures[i] = weft_executor_submit(executor, give_async(i)));
    }
    assert_int_equal(weft_yield(), 0);
    for (volatile int spin = rand() % 3000; spin > 0; spin--) {
    }
    for (int i = 0; i < N; i++) {
      if (rand() % 2) weft_task_cancel(tasks[i], NULL);
      if (rand() % 2) weft_future_cancel(futures[i], NULL);
    }
    for (int i = 0; i < N; i++) {
      int rc = weft_join(tasks[i]), value = -1;
      assert_true(rc == 1 || rc == WEFT_CANCELLED);
      rc = weft_await_future(futures[i], &value);
      assert_true(rc == WEFT_CANCELLED || (rc == 0 && value == i));
      weft_future_unref(futures[i]);
    }
    started += N;
  }
  assert_true(atom_load(&ended, seq_cst) <= started);
  close_mine(&mine, executor);
  return 0;
}

/* ---- threads, shutdown, memory ----------------------------------------------------------------------------------------- */

typedef struct outsider {
  weft_executor_t *executor;
  weft__thread_t thread;
  int ok, cancelled, refused;
} outsider_t;
static int use(void *argument) {
  outsider_t *self = argument;
  for (int i = 0; i < scaled(500); i++) {
    weft_future_t *future = weft_executor_submit(self->executor, give_async(i));
    if (future == NULL) {
      self->refused++;
      continue;
    }
    if (i % 3 == 0) weft_future_cancel(future, NULL);
    int rc = wait_for(future);
    self->ok += rc == i;
    self->cancelled += rc == WEFT_CANCELLED;
  }
  return 0;
}
static void every_job_ends_once(void **state) {
  (void)state;
  enum { CLIENTS = 4 };
  for (int round = 0; round < 6; round++) {
    mine_t mine;
    weft_executor_t *executor = open_mine(&mine, 2);
    outsider_t clients[CLIENTS];
    memset(clients, 0, sizeof clients);
    for (int i = 0; i < CLIENTS; i++) {
      clients[i].executor = executor;
      assert_int_equal(weft__thread_start(&clients[i].thread, use, &clients[i], NULL), 0);
    }
    if (round >= 2) nap(0.3 * round);
    if (round >= 2) assert_int_equal(weft_executor_shutdown(executor, round % 2 == 1, round >= 4), 0);
    for (int i = 0; i < CLIENTS; i++) {
      weft__thread_join(clients[i].thread);
      assert_int_equal(clients[i].ok + clients[i].cancelled + clients[i].refused, scaled(500));
      if (round < 2) assert_int_equal(clients[i].refused, 0);
    }
    close_mine(&mine, executor);
  }
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  assert_int_equal(weft_executor_close(NULL), 0);
  for (long n = 1;; n++) {
    mine_t mine;
    memset(&mine, 0, sizeof mine);
    weft_executor_t *executor = NULL;
    weft__alloc_fail_after(n);
    int rc = weft_executor_open_with(&(const weft_executor_methods_t){.submit = run_at_once}, &mine, &executor);
    weft_future_t *future = rc == 0 ? weft_executor_submit(executor, give_async(4)) : NULL;
    int result = future != NULL ? wait_for(future) : weft_error()->code;
    bool failed = weft__alloc_failed();
    weft__alloc_fail_after(-1);
    assert_true(result == 4 || result == -ENOMEM);
    assert_int_equal(weft_executor_close(executor), 0);
    if (!failed) return;
  }
}

static void bad_arguments(void **state) {
  (void)state;
  weft_executor_t *executor = (weft_executor_t *)state;
  assert_int_equal(weft_executor_open_with(NULL, NULL, &executor), -EINVAL);
  assert_null(executor);
  assert_int_equal(weft_executor_open_with(&(const weft_executor_methods_t){.close = stop}, NULL, &executor), -EINVAL);
  assert_int_equal(weft_executor_open_with(&methods, NULL, NULL), -EINVAL);
  assert_int_equal(weft_job_run(NULL), -EINVAL);
  assert_int_equal(weft_job_end(NULL, 0, NULL), -EINVAL);
  assert_false(weft_job_begin(NULL));
  assert_null(weft_job_call(NULL));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(run_everything_takes_it),
      cmocka_unit_test(run_a_job_is_outside_the_runtime),
      cmocka_unit_test(from_threads),
      cmocka_unit_test(run_answered_in_submit),
      cmocka_unit_test(run_not_on_a_worker),
      cmocka_unit_test(on_the_submitting_thread),
      cmocka_unit_test(run_refused),
      cmocka_unit_test(run_cancelled_tasks),
      cmocka_unit_test(not_told),
      cmocka_unit_test(dismissed),
      cmocka_unit_test(run_cancelled_at_random),
      cmocka_unit_test(every_job_ends_once),
      cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(bad_arguments),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
