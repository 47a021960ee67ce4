/* spawn_batch: tasks are created a batch at a time and then joined (-- batch=1000). Floor: as many allocations of a task's
 * size, given back in the same order. */
#include <stdlib.h>

#include "harness.h"

typedef struct entry {
  weft_task_t *task;
  bool ran;
} entry_t;

static WEFT_ASYNC(mark, entry_t *);
static int mark(entry_t *entry) {
  entry->ran = true;
  return 0;
}

static WEFT_ASYNC(spawner, bench_run_t *, long);
static int spawner(bench_run_t *run, long batch) {
  entry_t *entries = calloc((size_t)batch, sizeof *entries);
  if (entries == NULL) return weft_fail(-12, "no memory for a batch of %ld", batch);
  int rc = 0;
  long done = 0;
  bench_start(run);
  while (rc == 0 && done < run->ops) {
    for (long i = 0; i < batch; i++) entries[i].task = weft_create_task(mark_async(&entries[i]));
    for (long i = 0; i < batch; i++) {
      int status = weft_join(entries[i].task);
      if (rc == 0) rc = status;
    }
    done += batch;
  }
  bench_stop(run);
  for (long i = 0; rc == 0 && i < batch; i++) BENCH_CHECK(entries[i].ran);
  run->ops = done;
  free(entries);
  return rc;
}

static int run_weft(bench_run_t *run) { return bench_weft(run, spawner_async(run, bench_option(run, "batch", 1000))); }

static int run_floor(bench_run_t *run) {
  long batch = bench_option(run, "batch", 1000), done = 0;
  void **blocks = calloc((size_t)batch, sizeof *blocks);
  BENCH_CHECK(blocks != NULL);
  bench_start(run);
  while (done < run->ops) {
    for (long i = 0; i < batch; i++) {
      blocks[i] = malloc(256);
      bench_keep(blocks[i]);
    }
    for (long i = 0; i < batch; i++) free(blocks[i]);
    done += batch;
  }
  bench_stop(run);
  run->ops = done;
  free(blocks);
  return 0;
}

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {{"weft", run_weft, 0, 1}, {"floor", run_floor, BENCH_SERIAL, 4}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "spawn_batch", .ops = 2000000, .runtimes = runtimes});
}
