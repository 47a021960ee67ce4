/* parked: tasks that each wait for one event, all alive at once. An operation is one task: created and run until it waits.
 * bytes_per_op: resident memory and page tables for each. Floor: the first touch of as many pages, which a suspended task
 * cannot do without. On kernels without MADV_GUARD_INSTALL (6.13) about 32 000 stacks are the limit: lower --ops there. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "harness.h"

/* Resident memory and page tables of this process, in bytes. */
static long memory_bytes(void) {
  char line[128];
  long kb = 0;
  FILE *file = fopen("/proc/self/status", "re");
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, "VmRSS:", 6) == 0 || strncmp(line, "VmPTE:", 6) == 0) kb += strtol(line + 6, NULL, 10);
  if (file != NULL) fclose(file);
  return kb * 1024;
}

typedef struct crowd {
  weft_event_t gate;
  atomic_long waiting;
} crowd_t;

static WEFT_ASYNC(waiter, crowd_t *);
static int waiter(crowd_t *crowd) {
  atomic_fetch_add_explicit(&crowd->waiting, 1, memory_order_relaxed);
  return weft_event_wait(&crowd->gate);
}

static WEFT_ASYNC(park_all, bench_run_t *);
static int park_all(bench_run_t *run) {
  weft_task_t **tasks = calloc((size_t)run->ops, sizeof(weft_task_t *));
  if (tasks == NULL) return weft_fail(-12, "no memory for %ld tasks", run->ops);
  memset(tasks, 0xFF, (size_t)run->ops * sizeof(weft_task_t *)); /* touched before, so not counted */
  crowd_t crowd = {.waiting = 0};
  weft_event_init(&crowd.gate);
  int rc = 0;
  long before = memory_bytes();
  bench_start(run);
  for (long i = 0; i < run->ops; i++) tasks[i] = weft_create_task(waiter_async(&crowd));
  while (rc == 0 && atomic_load(&crowd.waiting) < run->ops) rc = weft_yield();
  bench_stop(run);
  run->bytes_per_op = (double)(memory_bytes() - before) / (double)run->ops;
  weft_event_set(&crowd.gate);
  for (long i = 0; i < run->ops; i++) {
    int status = weft_join(tasks[i]);
    if (rc == 0) rc = status;
  }
  free(tasks);
  return rc;
}

static int run_weft(bench_run_t *run) { return bench_weft(run, park_all_async(run)); }

static int run_floor(bench_run_t *run) {
  enum { PAGE = 4096 };
  size_t bytes = (size_t)run->ops * PAGE;
  long before = memory_bytes();
  char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return -12;
  madvise(memory, bytes, MADV_NOHUGEPAGE);
  bench_start(run);
  for (size_t at = 0; at < bytes; at += PAGE) memory[at] = 1;
  bench_stop(run);
  run->bytes_per_op = (double)(memory_bytes() - before) / (double)run->ops;
  munmap(memory, bytes);
  return 0;
}

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {{"weft", run_weft, 0, 1}, {"floor", run_floor, BENCH_SERIAL, 1}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "parked", .ops = 100000, .runtimes = runtimes});
}
