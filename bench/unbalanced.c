/* unbalanced: a tree whose shape is drawn: a node has no child or eight, so that subtrees differ a thousandfold (as the
 * binomial trees of the Unbalanced Tree Search benchmark); ops = nodes. "serial": calls. */
#include "harness.h"

enum { ROOTS = 20000, CHILDREN = 8 };

static uint64_t mix(uint64_t x) { /* splitmix64's finaliser */
  x ^= x >> 30;
  x *= UINT64_C(0xbf58476d1ce4e5b9);
  x ^= x >> 27;
  x *= UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}
static uint64_t child(uint64_t node, unsigned i) { return mix(node + (i + 1) * UINT64_C(0x9e3779b97f4a7c15)); }
/* Just under one child each in the mean: 0.1246 times 8. */
static bool has_children(uint64_t node) { return node < (uint64_t)(0.1246 * 18446744073709551616.0); }

static WEFT_FORKS(long, count, uint64_t);
static long count(WEFT_HEAD, uint64_t node) {
  if (!has_children(node)) return 1;
  for (unsigned i = 1; i < CHILDREN; i++) WEFT_FORK(count, child(node, i));
  long sum = 1 + WEFT_CALL(count, child(node, 0));
  for (unsigned i = 1; i < CHILDREN; i++) sum += WEFT_JOIN(count);
  return sum;
}
static WEFT_FORKS(long, roots, unsigned);
static long roots(WEFT_HEAD, unsigned n) {
  for (unsigned i = 0; i < n; i++) WEFT_FORK(count, child(1, i));
  long sum = 0;
  for (unsigned i = 0; i < n; i++) sum += WEFT_JOIN(count);
  return sum;
}

__attribute__((noinline)) static long serial(uint64_t node) {
  if (!has_children(node)) return 1;
  long sum = 1;
  for (unsigned i = 0; i < CHILDREN; i++) sum += serial(child(node, i));
  return sum;
}
static long serial_roots(void) {
  long sum = 0;
  for (unsigned i = 0; i < ROOTS; i++) sum += serial(child(1, i));
  return sum;
}

static WEFT_ASYNC(root, bench_run_t *);
static int root(bench_run_t *run) {
  bench_start(run);
  int rc = WEFT_FORK_RUN(&run->ops, roots, ROOTS);
  bench_stop(run);
  return rc;
}
static int run_weft(bench_run_t *run) {
  int rc = bench_weft(run, root_async(run));
  BENCH_CHECK(rc < 0 || run->ops == serial_roots());
  return rc;
}

static int run_serial(bench_run_t *run) {
  bench_start(run);
  run->ops = serial_roots();
  bench_stop(run);
  return 0;
}

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {{"weft", run_weft, 0, 1}, {"serial", run_serial, BENCH_SERIAL, 1}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "unbalanced", .ops = 1, .runtimes = runtimes});
}
