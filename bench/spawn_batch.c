/* spawn_batch: tasks are created a batch at a time and then joined (-- batch=1000). Floor: as many allocations of a task's
 * size, given back in the same order. */
#include <stdlib.h>

#include "harness.h"

static WEFT_ASYNC(mark, unsigned char *);
static int mark(unsigned char *cell) {
  *cell = 1;
  return 0;
}

static WEFT_ASYNC(spawner, bench_run_t *, long);
static int spawner(bench_run_t *run, long batch) {
  weft_task_t **tasks = calloc((size_t)batch, sizeof(weft_task_t *));
  unsigned char *cells = calloc((size_t)batch, 1);
  if (tasks == NULL || cells == NULL) return weft_fail(-12, "no memory for a batch of %ld", batch);
  int rc = 0;
  long done = 0;
  bench_start(run);
  while (rc == 0 && done < run->ops) {
    for (long i = 0; i < batch; i++) tasks[i] = weft_create_task(mark_async(&cells[i]));
    for (long i = 0; i < batch; i++) {
      int status = weft_join(tasks[i]);
      if (rc == 0) rc = status;
    }
    done += batch;
  }
  bench_stop(run);
  for (long i = 0; rc == 0 && i < batch; i++) BENCH_CHECK(cells[i] == 1);
  run->ops = done;
  free(cells);
  free(tasks);
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
  static const bench_runtime_t runtimes[] = {{"weft", run_weft, 0}, {"floor", run_floor, BENCH_SERIAL}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "spawn_batch", .ops = 2000000, .runtimes = runtimes});
}
