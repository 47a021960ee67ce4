/* matmul: the product of two 1024 x 1024 matrices of integers, by quarters down to 32 x 32, eight products to a level in two
 * rounds of four; ops = multiplications. "serial": calls. -- n=2048 for another size, a power of two. */
#include <stdlib.h>

#include "harness.h"

enum { N = 1024, LEAF = 32 };

typedef struct quarter {
  const int *a, *b;
  int *c;
  long n, stride;
} quarter_t;

static quarter_t quarter(const quarter_t *whole, int ai, int aj, int bj) { /* a(i, j) times b(j, k) into c(i, k) */
  long k = whole->n / 2, s = whole->stride;
  return (quarter_t){whole->a + ai * k * s + aj * k, whole->b + aj * k * s + bj * k, whole->c + ai * k * s + bj * k, k,
                     s};
}

__attribute__((noinline)) static void leaf(const quarter_t *q) {
  long s = q->stride;
  for (long i = 0; i < LEAF; i++)
    for (long k = 0; k < LEAF; k++) {
      int factor = q->a[i * s + k];
      for (long j = 0; j < LEAF; j++) q->c[i * s + j] += factor * q->b[k * s + j];
    }
}

static WEFT_FORKS(int, multiply, quarter_t);
static int multiply(WEFT_HEAD, quarter_t q) {
  if (q.n == LEAF) {
    leaf(&q);
    return 0;
  }
  for (int round = 0; round < 2; round++) {
    WEFT_FORK(multiply, quarter(&q, 0, round, 0));
    WEFT_FORK(multiply, quarter(&q, 0, round, 1));
    WEFT_FORK(multiply, quarter(&q, 1, round, 0));
    (void)WEFT_CALL(multiply, quarter(&q, 1, round, 1));
    for (int i = 0; i < 3; i++) (void)WEFT_JOIN(multiply);
  }
  return 0;
}

static void serial(quarter_t q) {
  if (q.n == LEAF) {
    leaf(&q);
    return;
  }
  for (int round = 0; round < 2; round++)
    for (int i = 0; i < 4; i++) serial(quarter(&q, i / 2, round, i % 2));
}

static int *matrix(long n, int value) {
  int *m = aligned_alloc(64, (size_t)(n * n) * sizeof *m);
  BENCH_CHECK(m != NULL);
  for (long i = 0; i < n * n; i++) m[i] = value;
  return m;
}

static WEFT_ASYNC(root, bench_run_t *, quarter_t *);
static int root(bench_run_t *run, quarter_t *q) {
  bench_start(run);
  int rc = WEFT_FORK_RUN((int *)NULL, multiply, *q);
  bench_stop(run);
  return rc;
}

static int measure(bench_run_t *run, bool with_forks) {
  long n = bench_option(run, "n", N);
  quarter_t q = {matrix(n, 1), matrix(n, 1), matrix(n, 0), n, n};
  int rc = 0;
  run->ops = n * n * n;
  if (with_forks) {
    rc = bench_weft(run, root_async(run, &q));
  } else {
    bench_start(run);
    serial(q);
    bench_stop(run);
  }
  for (long i = 0; i < n * n && rc == 0; i++) BENCH_CHECK(q.c[i] == (int)n);
  free((void *)q.a);
  free((void *)q.b);
  free(q.c);
  return rc;
}
static int run_weft(bench_run_t *run) { return measure(run, true); }
static int run_serial(bench_run_t *run) { return measure(run, false); }

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {{"weft", run_weft, 0, 1}, {"serial", run_serial, BENCH_SERIAL, 1}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "matmul", .ops = 1, .runtimes = runtimes});
}
