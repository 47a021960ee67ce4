/* skynet: a tree of ten children each down to 10^7 leaves, whose numbers are added up; ops = leaves. "weft": nine forks and a
 * call; "pauses": the same, where one leaf in 100 000 sleeps for no time; "serial": calls. */
#include "harness.h"

enum { DEPTH = 7 };

static uint64_t power_of_ten(int n) {
  uint64_t power = 1;
  while (n-- > 0) power *= 10;
  return power;
}

static WEFT_FORKS(uint64_t, sky, uint64_t, int);
static uint64_t sky(WEFT_HEAD, uint64_t base, int depth) {
  if (depth == 0) return base;
  uint64_t step = power_of_ten(depth - 1);
  for (uint64_t i = 0; i < 9; i++) WEFT_FORK(sky, base + i * step, depth - 1);
  uint64_t sum = WEFT_CALL(sky, base + 9 * step, depth - 1);
  for (int i = 0; i < 9; i++) sum += WEFT_JOIN(sky);
  return sum;
}

static WEFT_FORKS(uint64_t, pauses, uint64_t, int);
static uint64_t pauses(WEFT_HEAD, uint64_t base, int depth) {
  if (depth == 0) {
    if (base % 100000 == 0 && weft_sleep(0) < 0) WEFT_FORK_FAIL(WEFT_CANCELLED);
    return base;
  }
  uint64_t step = power_of_ten(depth - 1);
  for (uint64_t i = 0; i < 9; i++) WEFT_FORK(pauses, base + i * step, depth - 1);
  uint64_t sum = WEFT_CALL(pauses, base + 9 * step, depth - 1);
  for (int i = 0; i < 9; i++) sum += WEFT_JOIN(pauses);
  return sum;
}

__attribute__((noinline)) static uint64_t serial(uint64_t base, int depth) {
  if (depth == 0) return base;
  uint64_t step = power_of_ten(depth - 1), sum = 0;
  for (uint64_t i = 0; i < 10; i++) sum += serial(base + i * step, depth - 1);
  return sum;
}

static void check(bench_run_t *run, int rc, uint64_t sum) {
  run->ops = (long)power_of_ten(DEPTH);
  BENCH_CHECK(rc < 0 || sum == (uint64_t)run->ops * ((uint64_t)run->ops - 1) / 2);
}

static WEFT_ASYNC(root, bench_run_t *, bool);
static int root(bench_run_t *run, bool with_pauses) {
  uint64_t sum = 0;
  int rc = WEFT_FORK_RUN(&sum, sky, 0, DEPTH - 2);
  bench_start(run);
  if (rc == 0) rc = with_pauses ? WEFT_FORK_RUN(&sum, pauses, 0, DEPTH) : WEFT_FORK_RUN(&sum, sky, 0, DEPTH);
  bench_stop(run);
  check(run, rc, sum);
  return rc;
}
static int run_weft(bench_run_t *run) { return bench_weft(run, root_async(run, false)); }
static int run_pauses(bench_run_t *run) { return bench_weft(run, root_async(run, true)); }

static int run_serial(bench_run_t *run) {
  bench_start(run);
  uint64_t sum = serial(0, DEPTH);
  bench_stop(run);
  check(run, 0, sum);
  return 0;
}

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {
      {"weft", run_weft, 0, 1}, {"serial", run_serial, BENCH_SERIAL, 1}, {"pauses", run_pauses, 0, 1}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "skynet", .ops = 1, .runtimes = runtimes});
}
