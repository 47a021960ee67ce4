/* sleep_many: tasks that each sleep 1 to 1000 ms, all alive at once. An operation is one task: created, asleep, woken, joined.
 * "weft-virtual" is the same under the virtual clock: what it costs without the waiting. Floor: one thread that sleeps until
 * each of the thousand deadlines in turn and finds there a list of what is due. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "harness.h"

enum { LONGEST_MS = 1000 };

static WEFT_ASYNC(sleeper, long);
static int sleeper(long ms) { return weft_sleep((double)ms / 1000.0); }

static WEFT_ASYNC(night, bench_run_t *);
static int night(bench_run_t *run) {
  weft_task_t **tasks = calloc((size_t)run->ops, sizeof(weft_task_t *));
  if (tasks == NULL) return weft_fail(-ENOMEM, "no memory for %ld tasks", run->ops);
  uint64_t state = 42;
  int rc = 0;
  bench_start(run);
  for (long i = 0; i < run->ops; i++)
    tasks[i] = weft_create_task(sleeper_async(1 + (long)(bench_random(&state) % LONGEST_MS)));
  for (long i = 0; i < run->ops; i++) {
    int status = weft_join(tasks[i]);
    if (rc == 0) rc = status;
  }
  bench_stop(run);
  free(tasks);
  return rc;
}

static int run_weft(bench_run_t *run) { return bench_weft(run, night_async(run)); }
static int run_virtual(bench_run_t *run) {
  return weft_run_with(&(const weft_config_t){.workers = run->workers, .virtual_time = true}, night_async(run));
}

typedef struct entry {
  struct entry *next;
} entry_t;

static int run_floor(bench_run_t *run) {
  static entry_t *due[LONGEST_MS + 1];
  uint64_t state = 42;
  long woken = 0;
  bench_start(run);
  for (long i = 0; i < run->ops; i++) {
    entry_t **slot = &due[1 + bench_random(&state) % LONGEST_MS], *entry = malloc(256);
    if (entry == NULL) return -ENOMEM;
    entry->next = *slot;
    *slot = entry;
  }
  for (int ms = 1; ms <= LONGEST_MS; ms++) {
    uint64_t when = run->start_ns + (uint64_t)ms * 1000000u;
    struct timespec deadline = {.tv_sec = (time_t)(when / 1000000000u), .tv_nsec = (long)(when % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL) == EINTR) continue;
    for (entry_t *entry = due[ms], *next; entry != NULL; entry = next, woken++) {
      next = entry->next;
      free(entry);
    }
  }
  bench_stop(run);
  BENCH_CHECK(woken == run->ops);
  return 0;
}

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {
      {"weft", run_weft, 0, 1}, {"floor", run_floor, BENCH_SERIAL, 1}, {"weft-virtual", run_virtual, 0, 1}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "sleep_many", .ops = 100000, .runtimes = runtimes});
}
