/* lock: acquire and release of a free weft_lock ("weft"), of one that a thousand tasks share ("weft-shared"; -- tasks=), and
 * the same held across a yield ("weft-yield").
 * Floor: one locked instruction. */
#include <stdatomic.h>
#include <stdlib.h>

#include "harness.h"

static WEFT_ASYNC(alone, bench_run_t *);
static int alone(bench_run_t *run) {
  weft_lock_t lock;
  weft_lock_init(&lock);
  long count = 0;
  int rc = 0;
  bench_start(run);
  for (long i = 0; i < run->ops && rc == 0; i++) {
    rc = weft_lock_acquire(&lock);
    count++;
    if (rc == 0) rc = weft_lock_release(&lock);
  }
  bench_stop(run);
  return rc;
}

typedef struct shared {
  weft_lock_t lock;
  long count, per_task; /* count is guarded by lock */
  bool yield;           /* while it is held */
} shared_t;

static WEFT_ASYNC(counter, shared_t *);
static int counter(shared_t *shared) {
  int rc = 0;
  for (long i = 0; i < shared->per_task && rc == 0; i++) {
    rc = weft_lock_acquire(&shared->lock);
    if (rc < 0) break;
    shared->count++;
    if (shared->yield) rc = weft_yield();
    int released = weft_lock_release(&shared->lock);
    if (rc == 0) rc = released;
  }
  return rc;
}

static WEFT_ASYNC(crowd, bench_run_t *, long, bool);
static int crowd(bench_run_t *run, long n, bool yield) {
  weft_task_t **tasks = calloc((size_t)n, sizeof(weft_task_t *));
  if (tasks == NULL) return weft_fail(-12, "no memory for %ld tasks", n);
  shared_t shared = {.per_task = (run->ops + n - 1) / n, .yield = yield};
  weft_lock_init(&shared.lock);
  int rc = 0;
  bench_start(run);
  for (long i = 0; i < n; i++) tasks[i] = weft_create_task(counter_async(&shared));
  for (long i = 0; i < n; i++) {
    int status = weft_join(tasks[i]);
    if (rc == 0) rc = status;
  }
  bench_stop(run);
  run->ops = shared.per_task * n;
  BENCH_CHECK(rc < 0 || shared.count == run->ops);
  free(tasks);
  return rc;
}

static int run_weft(bench_run_t *run) { return bench_weft(run, alone_async(run)); }
static int run_crowd(bench_run_t *run, bool yield) {
  return bench_weft(run, crowd_async(run, bench_option(run, "tasks", 1000), yield));
}
static int run_shared(bench_run_t *run) { return run_crowd(run, false); }
static int run_yield(bench_run_t *run) { return run_crowd(run, true); }

static int run_floor(bench_run_t *run) {
  static atomic_long word;
  bench_start(run);
  for (long i = 0; i < run->ops; i++) atomic_fetch_add(&word, 1);
  bench_stop(run);
  return 0;
}

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {{"weft", run_weft, 0, 2},
                                             {"floor", run_floor, BENCH_SERIAL, 5},
                                             {"weft-shared", run_shared, 0, 1},
                                             {"weft-yield", run_yield, 0, 1},
                                             {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "lock", .ops = 10000000, .runtimes = runtimes});
}
