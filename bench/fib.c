/* fib: fork and join at its finest: fib(36) by the textbook's recursion, ops = calls' forks. "weft": forks; "serial": the same
 * function without them. */
#include "harness.h"

enum { N = 36 };

static long size_of(const bench_run_t *run) { return bench_option(run, "n", N); }

static WEFT_FORKS(long, fib, long);
static long fib(WEFT_HEAD, long n) {
  if (n < 2) return n;
  WEFT_FORK(fib, n - 1);
  long y = WEFT_CALL(fib, n - 2);
  return y + WEFT_JOIN(fib);
}

__attribute__((noinline)) static long serial(long n) { return n < 2 ? n : serial(n - 1) + serial(n - 2); }

/* Forks, and the value, by the loop. */
static long expected(long n, long *forks) {
  long a = 0, b = 1, fork_a = 0, fork_b = 0;
  for (long i = 0; i < n; i++) {
    long next = a + b, fork_next = fork_a + fork_b + 1;
    a = b, b = next;
    fork_a = fork_b, fork_b = fork_next;
  }
  *forks = fork_a;
  return a;
}

static WEFT_ASYNC(root, bench_run_t *);
static int root(bench_run_t *run) {
  long value = 0, wanted = expected(size_of(run), &run->ops);
  int rc = WEFT_FORK_RUN(&value, fib, 25);
  bench_start(run);
  if (rc == 0) rc = WEFT_FORK_RUN(&value, fib, size_of(run));
  bench_stop(run);
  BENCH_CHECK(rc < 0 || value == wanted);
  return rc;
}

static int run_weft(bench_run_t *run) { return bench_weft(run, root_async(run)); }

static int run_serial(bench_run_t *run) {
  long wanted = expected(size_of(run), &run->ops);
  bench_start(run);
  long value = serial(size_of(run));
  bench_stop(run);
  BENCH_CHECK(value == wanted);
  return 0;
}

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {{"weft", run_weft, 0, 1}, {"serial", run_serial, BENCH_SERIAL, 1}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "fib", .ops = 1, .runtimes = runtimes});
}
