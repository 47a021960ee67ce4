/* spawn_join: a task is created and joined, one by one. Floors: an allocation of a task's size given back at once; a call
 * that is not inlined. */
#include <stdlib.h>

#include "harness.h"

static WEFT_ASYNC(add, long *, long);
__attribute__((noinline)) static int add(long *sum, long i) {
  *sum += i;
  return 0;
}

static WEFT_ASYNC(spawner, bench_run_t *);
static int spawner(bench_run_t *run) {
  long sum = 0;
  int rc = 0;
  bench_start(run);
  for (long i = 0; i < run->ops && rc == 0; i++) rc = weft_join(weft_create_task(add_async(&sum, i)));
  bench_stop(run);
  BENCH_CHECK(rc < 0 || sum == run->ops * (run->ops - 1) / 2);
  return rc;
}

static int run_weft(bench_run_t *run) { return bench_weft(run, spawner_async(run)); }

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
  long sum = 0;
  bench_start(run);
  for (long i = 0; i < run->ops; i++) {
    weft_ignore(add(&sum, i));
    bench_keep(&sum);
  }
  bench_stop(run);
  BENCH_CHECK(sum == run->ops * (run->ops - 1) / 2);
  return 0;
}

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {
      {"weft", run_weft, 0, 1}, {"floor", run_floor, BENCH_SERIAL, 10}, {"call", run_call, BENCH_SERIAL, 40}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "spawn_join", .ops = 2000000, .runtimes = runtimes});
}
