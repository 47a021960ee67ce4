/* test_process_chaos.c: a pool's processes are killed at random under load, a thousand times at full size. Every job ends
 * exactly once, with its own result or the named error, at most one of them per kill; afterwards descriptors, processes and
 * memory are where they were.
 * ctest: timeout=240 */
#include <signal.h>

#include "unit/exec/blocking.h"
#include "unit/exec/processes.h"

/* ---- functions of the processes ---------------------------------------------------------------------------------------- */

static WEFT_ASYNC(work, int, int);
static int work(int us, int status) {
  nap(us / 1000.0);
  return status;
}
WEFT_EXPORT(work);

/* So many numbers from n on; more than a socket holds, so that a kill can strike in the middle of them. */
enum { NUMBERS = 100 * 1000 };
static WEFT_ASYNC(count_up, int);
static int count_up(int n) {
  int *numbers = malloc(NUMBERS * sizeof *numbers);
  if (numbers == NULL) return -ENOMEM;
  for (int i = 0; i < NUMBERS; i++) numbers[i] = n + i;
  int rc = weft_job_result_sized(numbers, NUMBERS * sizeof *numbers);
  free(numbers);
  return rc;
}
WEFT_EXPORT(count_up);

/* ---- the killer -------------------------------------------------------------------------------------------------------- */

typedef struct killer {
  weft__thread_t thread;
  int zygote, goal, kills;
  unsigned seed;
  _Atomic(bool) over;
} killer_t;

/* A random child of the zygote that lives; 0: there is none now. */
static int pick(killer_t *killer) {
  char path[64], line[4096] = "";
  int pids[512], count = 0;
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", killer->zygote, killer->zygote);
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  bool read = fgets(line, sizeof line, file) != NULL;
  fclose(file);
  for (char *at = line, *end; read && count < 512; at = end) {
    long pid = strtol(at, &end, 10);
    if (end == at) break;
    pids[count++] = (int)pid;
  }
  return count > 0 ? pids[rand_r(&killer->seed) % count] : 0;
}

static bool is_dead(int pid) {
  char path[64], line[256] = "", state = 'X';
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = fopen(path, "r");
  if (file == NULL) return true;
  if (fgets(line, sizeof line, file) != NULL) sscanf(strrchr(line, ')') + 1, " %c", &state);
  fclose(file);
  return state == 'Z' || state == 'X';
}

static int kill_them(void *argument) {
  killer_t *killer = argument;
  while (killer->kills < killer->goal) {
    int pid = pick(killer);
    if (pid > 0 && !is_dead(pid) && kill(pid, SIGKILL) == 0) {
      killer->kills++;
      while (!is_dead(pid)) nap(0.05); /* so that it is not counted twice */
    }
    nap(rand_r(&killer->seed) % 3000 / 1000.0);
  }
  atom_store(&killer->over, true, seq_cst);
  return 0;
}

/* ---- the load ---------------------------------------------------------------------------------------------------------- */

typedef struct tally {
  weft_executor_t *pool;
  killer_t killer;
  _Atomic(int) submitted, ended, results, broken;
} tally_t;

static void note(tally_t *tally, int rc, bool right) {
  atom_add(&tally->ended, 1, seq_cst);
  if (rc == WEFT_BROKEN_POOL) {
    if (strstr(weft_error()->message, "signal 9") == NULL) fail_msg("%s", weft_error()->message);
    atom_add(&tally->broken, 1, seq_cst);
  } else {
    if (rc < 0) fail_msg("%d: %s", rc, weft_error()->message);
    assert_true(right);
    atom_add(&tally->results, 1, seq_cst);
  }
}

static WEFT_ASYNC(client, tally_t *, int);
static int client(tally_t *tally, int number) {
  int *numbers = malloc(NUMBERS * sizeof *numbers);
  assert_non_null(numbers);
  for (int i = 0; !atom_load(&tally->killer.over, seq_cst); i++) {
    int rc;
    bool right = true;
    atom_add(&tally->submitted, 1, seq_cst);
    if (i % 16 == number % 16) {
      rc = weft_run_for_result(tally->pool, count_up_async(i), numbers, NUMBERS * sizeof *numbers);
      for (int k = 0; rc == 0 && k < NUMBERS && right; k += 99) right = numbers[k] == i + k;
    } else {
      rc = weft_run_in_executor(tally->pool, work_async(i * 37 % 2000, i));
      right = rc == i;
    }
    note(tally, rc, right);
  }
  free(numbers);
  return 0;
}

static int count_end(weft_future_t *future, void *data) {
  (void)future;
  atom_add((_Atomic(int) *)data, 1, seq_cst);
  return 0;
}

/* Some of the load comes as futures, in bursts; each one's callback has to be called once. */
static WEFT_ASYNC(bursts, tally_t *);
static int bursts(tally_t *tally) {
  enum { AT_ONCE = 20 };
  while (!atom_load(&tally->killer.over, seq_cst)) {
    weft_future_t *futures[AT_ONCE];
    static _Atomic(int) ends[AT_ONCE];
    for (int i = 0; i < AT_ONCE; i++) {
      atom_store(&ends[i], 0, seq_cst);
      atom_add(&tally->submitted, 1, seq_cst);
      assert_non_null(futures[i] = weft_executor_submit(tally->pool, work_async(i * 50, i)));
      assert_int_equal(weft_future_add_done_callback(futures[i], count_end, &ends[i]), 0);
    }
    for (int i = 0; i < AT_ONCE; i++) {
      int value = -1, rc = weft_await_future(futures[i], &value);
      note(tally, rc, value == i);
      while (atom_load(&ends[i], seq_cst) == 0) assert_int_equal(weft_yield(), 0);
      assert_int_equal(atom_load(&ends[i], seq_cst), 1);
      weft_future_unref(futures[i]);
    }
  }
  return 0;
}

static WEFT_ASYNC(load, tally_t *);
static int load(tally_t *tally) {
  enum { CLIENTS = 12 };
  weft_task_t *tasks[CLIENTS + 1];
  assert_int_equal(weft__thread_start(&tally->killer.thread, kill_them, &tally->killer, NULL), 0);
  for (int i = 0; i < CLIENTS; i++) assert_non_null(tasks[i] = weft_create_task(client_async(tally, i)));
  assert_non_null(tasks[CLIENTS] = weft_create_task(bursts_async(tally)));
  for (int i = 0; i <= CLIENTS; i++) assert_int_equal(weft_join(tasks[i]), 0);
  weft__thread_join(tally->killer.thread);
  return 0;
}

static void one_chaos(unsigned workers, int kills) {
  tally_t tally;
  memset(&tally, 0, sizeof tally);
  const weft_process_pool_options_t options = {
      .max_workers = 4, .flags = WEFT_POOL_ISOLATE, .max_tasks_per_child = 100};
  assert_int_equal(weft_process_pool_open_with(&options, &tally.pool), 0);
  tally.killer.goal = kills;
  tally.killer.seed = 42 + workers;
  assert_true(find_processes("weft-zygote", &tally.killer.zygote) > 0);
  assert_true(tally.killer.zygote > 0);
  assert_int_equal(run_on(workers, load_async(&tally)), 0);
  assert_int_equal(weft_executor_close(tally.pool), 0);
  assert_int_equal(tally.killer.kills, kills);
  assert_int_equal(tally.ended, tally.submitted);
  assert_int_equal(tally.results + tally.broken, tally.submitted);
  assert_true(tally.results > 0);
  if (tally.broken > kills) fail_msg("%d jobs failed of %d kills", tally.broken, kills);
  if (kills >= 100) assert_true(tally.broken >= kills / 10); /* most processes have a job most of the time */
  assert_int_equal(count_processes("weft-process"), 0);
  print_message("%u workers: %d kills, %d jobs, %d of them hit\n", workers, kills, tally.submitted, tally.broken);
}

static void random_kills(void **state) {
  (void)state;
  one_chaos(1, 1); /* what is made once is there */
  assert_int_equal(weft_executor_shutdown(NULL, true, true), -EINVAL);
  int descriptors = count_descriptors(), zygotes = count_processes("weft-zygote");
  weft__alloc_counting(true);
  one_chaos(1, scaled(500));
  one_chaos(4, scaled(500));
  assert_int_equal(weft_executor_shutdown(NULL, true, true), -EINVAL);
  long left = weft__alloc_live_bytes();
  weft__alloc_counting(false);
  assert_int_equal(left, 0);
  assert_int_equal(count_descriptors(), descriptors);
  assert_true(count_processes("weft-zygote") <= zygotes); /* one that was refused at birth may wait for its burial */
}

/* ---- without isolation ------------------------------------------------------------------------------------------------- */

/* One kill is the end of all that is pending, whoever it hit. */
static void one_kill_each(void **state) {
  (void)state;
  enum { JOBS = 12 };
  int descriptors = count_descriptors(), rounds = scaled(60), broken_pools = 0;
  killer_t killer = {.seed = 7};
  assert_true(find_processes("weft-zygote", &killer.zygote) > 0);
  for (int round = 0; round < rounds; round++) {
    weft_executor_t *pool;
    weft_future_t *futures[JOBS];
    assert_int_equal(weft_process_pool_open(3, 0, &pool), 0);
    for (int i = 0; i < JOBS; i++)
      assert_non_null(futures[i] = weft_executor_submit(pool, work_async(i == 0 ? 1000000000 : 3000, i)));
    int pid = 0;
    while (pid == 0 || is_dead(pid)) pid = pick(&killer); /* not yet one of the pool's */
    kill(pid, SIGKILL);
    int broken = 0;
    for (int i = 0; i < JOBS; i++) {
      int value = -1, rc = weft_future_wait_blocking(futures[i], WEFT_FOREVER, &value);
      assert_true(rc == WEFT_BROKEN_POOL || (rc == 0 && value == i));
      broken += rc == WEFT_BROKEN_POOL;
      if (i == 0) assert_int_equal(rc, WEFT_BROKEN_POOL); /* it sleeps for ever */
      weft_future_unref(futures[i]);
    }
    assert_null(weft_executor_submit(pool, work_async(0, 0)));
    assert_int_equal(weft_error()->code, WEFT_BROKEN_POOL);
    assert_int_equal(weft_executor_close(pool), 0);
    assert_int_equal(count_processes("weft-process"), 0);
    broken_pools += broken > 0;
  }
  assert_int_equal(broken_pools, rounds);
  assert_int_equal(count_descriptors(), descriptors);
}

int main(void) {
  setpgid(0, 0); /* what is counted is ours */
  if (weft_process_pool_prepare() < 0) return 1;
  const struct CMUnitTest tests[] = {cmocka_unit_test(random_kills), cmocka_unit_test(one_kill_each)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
