/* test_thread_pool.c: a pool's threads: how many there are when, lanes, retiring, jobs from many threads at once, every job
 * ended exactly once whatever happens. */
#include "exec/thread_pool.h"
#include "sched/blocking.h"
#include "unit/exec/blocking.h"

static weft_executor_t *open_lanes(unsigned names, unsigned users) {
  const unsigned lanes[WEFT__LANES] = {[WEFT__LANE_NAMES] = names, [WEFT__LANE_USER] = users};
  weft_executor_t *pool;
  assert_int_equal(weft__thread_pool_open(lanes, &(const weft_thread_pool_options_t){0}, &pool), 0);
  return pool;
}
static void close_pool(weft_executor_t *pool) { assert_int_equal(weft_executor_close(pool), 0); }

static int wait_for(weft_future_t *future) {
  int value = 0, rc = weft_future_wait_blocking(future, WEFT_FOREVER, &value);
  weft_future_unref(future);
  return rc < 0 ? rc : value;
}

/* A job in a lane of our choice. */
typedef struct lane_job {
  weft__job_t job;
  weft_call_t call;
  _Atomic(int) done; /* 1 + status, or the error */
} lane_job_t;
static void note_end(weft__job_t *job, int status, weft__record_t *record) {
  weft__record_unref(record);
  atom_store(&weft__container_of(job, lane_job_t, job)->done, status < 0 ? status : status + 1, seq_cst);
}
static void submit_to(weft_executor_t *pool, enum weft__lane lane, lane_job_t *job, weft_call_t call) {
  job->call = call;
  atom_init(&job->done, 0);
  weft__job_init(&job->job, &job->call, note_end);
  job->job.lane = lane;
  assert_int_equal(weft__job_submit(&job->job, pool, false), 0);
}
static int ended(lane_job_t *job) {
  while (atom_load(&job->done, seq_cst) == 0) nap(0.1);
  return atom_load(&job->done, seq_cst);
}

/* ---- number of threads ------------------------------------------------------------------------------------------------- */

static void no_thread_without_a_job(void **state) {
  (void)state;
  weft_executor_t *pool = open_lanes(0, 3);
  assert_int_equal(weft__thread_pool_threads(pool), 0);
  assert_int_equal(wait_for(weft_executor_submit(pool, give_async(5))), 5);
  assert_int_equal(weft__thread_pool_threads(pool), 1);
  assert_int_equal(wait_for(weft_executor_submit(pool, give_async(6))), 6);
  assert_true(weft__thread_pool_threads(pool) <= 2); /* the same one again, at most watched by another */
  close_pool(pool);
}

static void never_more_than_asked_for(void **state) {
  (void)state;
  enum { N = 12, MAX = 3 };
  weft_executor_t *pool = open_lanes(0, MAX);
  door_t door = {0};
  weft_future_t *futures[N];
  for (int i = 0; i < N; i++) futures[i] = weft_executor_submit(pool, pass_async(&door, i));
  await_arrived_blocking(&door, MAX);
  nap(10);
  assert_int_equal(atom_load(&door.arrived, seq_cst), MAX);
  assert_int_equal(weft__thread_pool_threads(pool), MAX);
  door_open(&door);
  for (int i = 0; i < N; i++) assert_int_equal(wait_for(futures[i]), i);
  close_pool(pool);
}

/* Thirty jobs that only end together: the pool grows as long as nobody gets on. */
static void grows_to_its_limit(void **state) {
  (void)state;
  enum { N = 30 };
  weft_executor_t *pool = open_lanes(0, N);
  door_t door = {0};
  weft_future_t *futures[N];
  for (int i = 0; i < N; i++) futures[i] = weft_executor_submit(pool, pass_async(&door, i));
  await_arrived_blocking(&door, N);
  door_open(&door);
  for (int i = 0; i < N; i++) assert_int_equal(wait_for(futures[i]), i);
  /* and does so again with threads that are there */
  door = (door_t){0};
  for (int i = 0; i < N; i++) futures[i] = weft_executor_submit(pool, pass_async(&door, i));
  await_arrived_blocking(&door, N);
  door_open(&door);
  for (int i = 0; i < N; i++) assert_int_equal(wait_for(futures[i]), i);
  close_pool(pool);
}

/* Jobs that wait for later ones. */
static void a_job_may_wait_for_a_later_one(void **state) {
  (void)state;
  weft_executor_t *pool = open_lanes(0, 4);
  for (int i = 0; i < scaled(50); i++) {
    door_t door = {0};
    weft_future_t *waits = weft_executor_submit(pool, pass_async(&door, 1));
    if (i % 2) await_arrived_blocking(&door, 1);
    weft_future_t *later = weft_executor_submit(pool, give_async(2));
    assert_int_equal(wait_for(later), 2);
    door_open(&door);
    assert_int_equal(wait_for(waits), 1);
  }
  close_pool(pool);
}

static void idle_threads_retire(void **state) {
  (void)state;
  weft_executor_t *pool = open_lanes(0, 4);
  weft__thread_pool_set_keep_alive(pool, 2000000);
  for (int round = 0; round < 3; round++) {
    door_t door = {0};
    weft_future_t *futures[4];
    for (int i = 0; i < 4; i++) futures[i] = weft_executor_submit(pool, pass_async(&door, i));
    await_arrived_blocking(&door, 4);
    door_open(&door);
    for (int i = 0; i < 4; i++) assert_int_equal(wait_for(futures[i]), i);
    while (weft__thread_pool_threads(pool) > 0) nap(1);
  }
  close_pool(pool);
}

/* A thread on its way to bed meets a new job. */
static void retiring_loses_no_job(void **state) {
  (void)state;
  weft_executor_t *pool = open_lanes(0, 2);
  weft__thread_pool_set_keep_alive(pool, 50000);
  for (int i = 0; i < scaled(2000); i++) {
    assert_int_equal(wait_for(weft_executor_submit(pool, give_async(i))), i);
    for (volatile int spin = rand() % 60000; spin > 0; spin--) {
    }
  }
  close_pool(pool);
}

/* ---- lanes ------------------------------------------------------------------------------------------------------------- */

static void lanes_are_kept_free(void **state) {
  (void)state;
  weft_executor_t *pool = open_lanes(1, 2);
  door_t users = {0}, names = {0};
  lane_job_t slow[4], name[2];
  for (int i = 0; i < 4; i++) submit_to(pool, WEFT__LANE_USER, &slow[i], pass_async(&users, i));
  await_arrived_blocking(&users, 2);
  submit_to(pool, WEFT__LANE_NAMES, &name[0], pass_async(&names, 10));
  submit_to(pool, WEFT__LANE_NAMES, &name[1], pass_async(&names, 11));
  await_arrived_blocking(&names, 1); /* although every user's thread is taken */
  nap(5);
  assert_int_equal(atom_load(&users.arrived, seq_cst), 2); /* and users do not take what is the names' */
  assert_int_equal(atom_load(&names.arrived, seq_cst), 1);
  door_open(&names);
  assert_int_equal(ended(&name[0]), 11);
  assert_int_equal(ended(&name[1]), 12);
  nap(5);
  assert_int_equal(atom_load(&users.arrived, seq_cst), 2);
  door_open(&users);
  for (int i = 0; i < 4; i++) assert_int_equal(ended(&slow[i]), i + 1);
  close_pool(pool);
}

static door_t hostage;
static int hold_the_pool(void) { return weft_to_thread(pass_async(&hostage, 0)); }
static WEFT_ASYNC(hold_the_pool);
static int names_get_through(void) {
  enum { N = 40 }; /* more than the default pool takes */
  weft_task_t *tasks[N];
  for (int i = 0; i < N; i++) tasks[i] = weft_create_task(hold_the_pool_async());
  await_arrived(&hostage, (int)weft__thread_pool_default_size());
  assert_int_equal(weft__to_lane(WEFT__LANE_NAMES, give_async(3), NULL), 3);
  assert_int_equal(weft__to_lane(WEFT__LANE_FILES, give_async(4), NULL), 4);
  assert_int_equal(atom_load(&hostage.passed, seq_cst), 0);
  door_open(&hostage);
  for (int i = 0; i < N; i++) assert_int_equal(weft_join(tasks[i]), 0);
  return 0;
}
static WEFT_ASYNC(names_get_through);
static void users_never_starve_names(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers += 3) {
    hostage = (door_t){0};
    assert_int_equal(run_on(workers, names_get_through_async()), 0);
  }
}

/* ---- withdrawing ------------------------------------------------------------------------------------------------------- */

static void withdrawn_or_finished(void **state) {
  (void)state;
  weft_executor_t *pool = open_lanes(0, 2);
  int withdrawn = 0;
  for (int i = 0; i < scaled(3000); i++) {
    lane_job_t job;
    submit_to(pool, WEFT__LANE_USER, &job, give_async(1));
    for (volatile int spin = rand() % 3000; spin > 0; spin--) {
    }
    if (weft__job_withdraw(&job.job)) {
      withdrawn++;
      assert_false(weft__job_withdraw(&job.job));
      assert_int_equal(atom_load(&job.done, seq_cst), 0);
    } else {
      assert_int_equal(ended(&job), 2);
      assert_false(weft__job_withdraw(&job.job));
    }
  }
  close_pool(pool);
  assert_true(withdrawn >= 0);
}

/* ---- many threads ------------------------------------------------------------------------------------------------------ */

typedef struct client {
  weft_executor_t *pool;
  weft__thread_t thread;
  int jobs, ok, cancelled, refused;
} client_t;

static _Atomic(int) executed;
static int execute(int i) {
  atom_add(&executed, 1, seq_cst);
  return i;
}
static WEFT_ASYNC(execute, int);

static int client_main(void *argument) {
  client_t *client = argument;
  for (int i = 0; i < client->jobs; i++) {
    weft_future_t *future = weft_executor_submit(client->pool, execute_async(i));
    if (future == NULL) {
      client->refused++;
      continue;
    }
    if (i % 3 == 0) weft_future_cancel(future, NULL);
    int rc = wait_for(future);
    if (rc == i)
      client->ok++;
    else if (rc == WEFT_CANCELLED)
      client->cancelled++;
  }
  return 0;
}

static void every_job_ends_once(void **state) {
  (void)state;
  enum { CLIENTS = 4 };
  for (int round = 0; round < 4; round++) {
    weft_executor_t *pool = open_lanes(0, 3);
    client_t clients[CLIENTS];
    memset(clients, 0, sizeof clients);
    atom_store(&executed, 0, seq_cst);
    for (int i = 0; i < CLIENTS; i++) {
      clients[i].pool = pool;
      clients[i].jobs = scaled(1000);
      assert_int_equal(weft__thread_start(&clients[i].thread, client_main, &clients[i], NULL), 0);
    }
    if (round >= 2) {
      nap(2);
      assert_int_equal(weft_executor_shutdown(pool, round == 3, round == 3), 0);
    }
    int ok = 0;
    for (int i = 0; i < CLIENTS; i++) {
      weft__thread_join(clients[i].thread);
      assert_int_equal(clients[i].ok + clients[i].cancelled + clients[i].refused, clients[i].jobs);
      if (round < 2) assert_int_equal(clients[i].refused, 0);
      ok += clients[i].ok;
    }
    close_pool(pool);
    assert_int_equal(ok, atom_load(&executed, seq_cst));
  }
}

static void nothing_is_left(void **state) {
  (void)state;
  assert_int_equal(wait_for(NULL), -EINVAL); /* what the thread keeps for its errors is there */
  weft__alloc_counting(true);
  for (int i = 0; i < 5; i++) {
    weft_executor_t *pool = open_lanes(0, 3);
    weft_future_t *futures[20];
    for (int k = 0; k < 20; k++) futures[k] = weft_executor_submit(pool, give_async(k));
    weft_future_cancel(futures[19], "x");
    for (int k = 0; k < 20; k++) weft_ignore(wait_for(futures[k]));
    close_pool(pool);
  }
  assert_int_equal(wait_for(NULL), -EINVAL);
  long left = weft__alloc_live_bytes();
  weft__alloc_counting(false);
  assert_int_equal(left, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_thread_without_a_job), cmocka_unit_test(never_more_than_asked_for),
      cmocka_unit_test(grows_to_its_limit),      cmocka_unit_test(a_job_may_wait_for_a_later_one),
      cmocka_unit_test(idle_threads_retire),     cmocka_unit_test(retiring_loses_no_job),
      cmocka_unit_test(lanes_are_kept_free),     cmocka_unit_test(users_never_starve_names),
      cmocka_unit_test(withdrawn_or_finished),   cmocka_unit_test(every_job_ends_once),
      cmocka_unit_test(nothing_is_left),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
