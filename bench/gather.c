/* gather: ten children that are ready at once, gathered; an operation is one child. Floors: an allocation of a task's size
 * given back at once; the ten calls by themselves. */
#include <stdlib.h>

#include "harness.h"

enum { CHILDREN = 10 };

static WEFT_ASYNC(square, long *, long);
__attribute__((noinline)) static int square(long *cell, long i) {
  *cell = i * i;
  return 0;
}

static WEFT_ASYNC(gatherer, bench_run_t *);
static int gatherer(bench_run_t *run) {
  long cells[CHILDREN] = {0};
  weft_call_t calls[CHILDREN];
  long rounds = (run->ops + CHILDREN - 1) / CHILDREN;
  int rc = 0;
  bench_start(run);
  for (long r = 0; r < rounds && rc == 0; r++) {
    for (long i = 0; i < CHILDREN; i++) calls[i] = square_async(&cells[i], r + i);
    rc = weft_gather_n(calls, CHILDREN, NULL, 0);
  }
  bench_stop(run);
  for (long i = 0; rc == 0 && i < CHILDREN; i++) BENCH_CHECK(cells[i] == (rounds - 1 + i) * (rounds - 1 + i));
  run->ops = rounds * CHILDREN;
  return rc;
}

static int run_weft(bench_run_t *run) { return bench_weft(run, gatherer_async(run)); }

static int run_floor(bench_run_t *run) {
  bench_start(run);
  for (long i = 0; i < run->ops; i++) {
    void *memory = malloc(256);
    bench_keep(memory);
    free(memory);
  }
  bench_stop(run);
  return 0;
}

static int run_call(bench_run_t *run) {
  long cell = 0;
  bench_start(run);
  for (long i = 0; i < run->ops; i++) {
    weft_ignore(square(&cell, i));
    bench_keep(&cell);
  }
  bench_stop(run);
  return 0;
}

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {
      {"weft", run_weft, 0, 1}, {"floor", run_floor, BENCH_SERIAL, 10}, {"call", run_call, BENCH_SERIAL, 40}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "gather", .ops = 2000000, .runtimes = runtimes});
}
