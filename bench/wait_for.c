/* wait_for: a call that is ready at once, with a limit of ten seconds that never strikes. Floors: creating and joining a
 * task around the same call ("floor", a weft run too); the call by itself. */
#include "harness.h"

static WEFT_ASYNC(add, long *, long);
__attribute__((noinline)) static int add(long *sum, long i) {
  *sum += i;
  return 0;
}

static WEFT_ASYNC(waiter, bench_run_t *);
static int waiter(bench_run_t *run) {
  long sum = 0;
  int rc = 0;
  bench_start(run);
  for (long i = 0; i < run->ops && rc == 0; i++) rc = weft_wait_for(add_async(&sum, i), 10.0);
  bench_stop(run);
  BENCH_CHECK(rc < 0 || sum == run->ops * (run->ops - 1) / 2);
  return rc;
}

static WEFT_ASYNC(joiner, bench_run_t *);
static int joiner(bench_run_t *run) {
  long sum = 0;
  int rc = 0;
  bench_start(run);
  for (long i = 0; i < run->ops && rc == 0; i++) rc = weft_join(weft_create_task(add_async(&sum, i)));
  bench_stop(run);
  BENCH_CHECK(rc < 0 || sum == run->ops * (run->ops - 1) / 2);
  return rc;
}

static int run_weft(bench_run_t *run) { return bench_weft(run, waiter_async(run)); }
static int run_floor(bench_run_t *run) { return bench_weft(run, joiner_async(run)); }

static int run_call(bench_run_t *run) {
  long sum = 0;
  bench_start(run);
  for (long i = 0; i < run->ops; i++) {
    weft_ignore(add(&sum, i));
    bench_keep(&sum);
  }
  bench_stop(run);
  return 0;
}

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {
      {"weft", run_weft, 0, 1}, {"floor", run_floor, 0, 1}, {"call", run_call, BENCH_SERIAL, 80}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "wait_for", .ops = 1000000, .runtimes = runtimes});
}
