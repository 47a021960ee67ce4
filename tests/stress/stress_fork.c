/* stress_fork.c: drawn trees of forks and tasks: functions that fork, call, sleep, yield, create and join tasks that fork in
 * turn, compute for a while; trees that are cancelled at drawn moments. Every leaf runs exactly once, the sums are those of
 * the same tree computed serially; a cancelled tree ends, and leaves nothing behind. ctest: timeout=300
 *
 * usage: stress_fork [SEED [ROUNDS [WORKERS]]]    without arguments: 1, 2, 4 and 8 workers, rounds times WEFT_TEST_SCALE */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft.h>

#include "base/alloc.h"
#include "base/clock.h"

static _Atomic(long) leaves, suspensions, taken, cancelled;
static weft_task_t *root_task;

static uint64_t mix(uint64_t x) { /* splitmix64's finaliser */
  x ^= x >> 30;
  x *= UINT64_C(0xbf58476d1ce4e5b9);
  x ^= x >> 27;
  x *= UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}

static void fail(const char *what, uint64_t seed) {
  fprintf(stderr, "stress_fork: %s, seed %llu\n", what, (unsigned long long)seed);
  abort();
}

/* ---- one tree ---- */

typedef struct value {
  uint64_t sum;
  int rc;
} value_t;

enum { DEPTH = 6, SLAB_BYTES = 2 * 1024 * 1024 };

static unsigned children(uint64_t draw) { return (unsigned)(draw >> 20) % 7; }
static bool is_leaf(uint64_t draw, int depth) { return depth == 0 || (draw >> 8) % 16 == 0; }
static uint64_t child_seed(uint64_t seed, unsigned i) { return mix(seed * 31 + i); }

static uint64_t serial(uint64_t seed, int depth, long *count) {
  uint64_t draw = mix(seed + (uint64_t)depth);
  if (is_leaf(draw, depth)) {
    ++*count;
    return seed | 1;
  }
  uint64_t sum = 0;
  for (unsigned i = 0; i <= children(draw); i++) sum += serial(child_seed(seed, i), depth - 1, count);
  return sum;
}

static void burn(int64_t ns) {
  for (int64_t end = weft__clock_now() + ns; weft__clock_now() < end;) {
  }
}

static int maybe_suspend(uint64_t draw) {
  switch (draw % 64) {
  case 0: atomic_fetch_add(&suspensions, 1); return weft_yield();
  case 1: atomic_fetch_add(&suspensions, 1); return weft_sleep(0.00001 * (double)(draw >> 56));
  default: return 0;
  }
}

static WEFT_FORKS(value_t, tree, uint64_t, int);

static WEFT_ASYNC(as_task, uint64_t, int, value_t *);
static int as_task(uint64_t seed, int depth, value_t *out) {
  int rc = WEFT_FORK_RUN(out, tree, seed, depth);
  return rc < 0 ? rc : out->rc;
}

static value_t by_task(uint64_t seed, int depth) {
  value_t value = {0, 0};
  value.rc = weft_join(weft_create_task(as_task_async(seed, depth, &value)));
  return value;
}

static value_t tree(WEFT_HEAD, uint64_t seed, int depth) {
  uint64_t draw = mix(seed + (uint64_t)depth);
  value_t value = {0, 0};
  if (weft_current_task() != root_task) atomic_fetch_add_explicit(&taken, 1, memory_order_relaxed);
  int rc = maybe_suspend(draw >> 40);
  if (rc < 0) {
    WEFT_FORK_FAIL(rc);
    return (value_t){0, rc};
  }
  if (is_leaf(draw, depth)) {
    atomic_fetch_add(&leaves, 1);
    if (draw >> 50 < 8) burn(20000 + (int64_t)(draw % 40000));
    return (value_t){seed | 1, 0};
  }
  unsigned n = children(draw), as_tasks = (draw >> 30) % 32 == 0;
  for (unsigned i = 0; i < n; i++) WEFT_FORK(tree, child_seed(seed, i), depth - 1);
  value = as_tasks ? by_task(child_seed(seed, n), depth - 1) : WEFT_CALL(tree, child_seed(seed, n), depth - 1);
  rc = maybe_suspend(draw >> 34);
  if (value.rc == 0) value.rc = rc;
  if (value.rc < 0) WEFT_FORK_FAIL(value.rc);
  for (unsigned i = 0; i < n; i++) {
    value_t child = WEFT_JOIN(tree);
    value.sum += child.sum;
    if (value.rc == 0) value.rc = child.rc;
  }
  return value;
}

static WEFT_FORKS(long, fib, long);
static long fib(WEFT_HEAD, long n) {
  if (n < 2) {
    atomic_fetch_add_explicit(&leaves, 1, memory_order_relaxed);
    return n;
  }
  WEFT_FORK(fib, n - 1);
  long y = WEFT_CALL(fib, n - 2);
  return y + WEFT_JOIN(fib);
}

/* ---- rounds ---- */

static void one_fib(uint64_t seed) {
  long n = 0;
  atomic_store(&leaves, 0);
  if (WEFT_FORK_RUN(&n, fib, 21) != 0 || n != 10946 || atomic_load(&leaves) != 17711) fail("fib", seed);
}

static void one_tree(uint64_t seed) {
  long count = 0;
  uint64_t sum = serial(seed, DEPTH, &count);
  value_t value;
  atomic_store(&leaves, 0);
  if (WEFT_FORK_RUN(&value, tree, seed, DEPTH) != 0 || value.rc != 0) fail("a tree that failed", seed);
  if (value.sum != sum) fail("a wrong sum", seed);
  if (atomic_load(&leaves) != count) fail("a leaf that did not run once", seed);
}

static void one_cancelled(uint64_t seed) {
  long count = 0;
  (void)serial(seed, DEPTH, &count);
  value_t value = {0, 0};
  atomic_store(&leaves, 0);
  weft_task_t *task = weft_create_task(as_task_async(seed, DEPTH, &value));
  weft_ignore(weft_sleep(0.000001 * (double)(mix(seed) % 500)));
  weft_task_cancel(task, "drawn");
  int status = 0;
  if (weft_join_status(task, &status) != 0) fail("the joiner was cancelled", seed);
  if (status != 0 && status != WEFT_CANCELLED) fail("a status of its own", seed);
  long ran = atomic_load(&leaves);
  if (status == WEFT_CANCELLED) atomic_fetch_add(&cancelled, 1);
  if (ran > count || (status == 0 && ran != count)) fail("a leaf too many or too few", seed);
  weft_ignore(weft_yield());
  if (atomic_load(&leaves) != ran) fail("a tree that ran on after its end", seed);
}

static WEFT_ASYNC(rounds, uint64_t, int);
static int rounds(uint64_t seed, int n) {
  root_task = weft_current_task();
  for (int i = 0; i < n; i++, seed = mix(seed + 1)) {
    one_fib(seed);
    one_tree(seed);
    one_cancelled(seed);
  }
  return 0;
}

static int run(unsigned workers, uint64_t seed, int n) {
  atomic_store(&taken, 0);
  atomic_store(&suspensions, 0);
  atomic_store(&cancelled, 0);
  weft__alloc_counting(true);
  int rc = weft_run_with(&(const weft_config_t){.workers = workers}, rounds_async(seed, n));
  long left = weft__alloc_live_bytes();
  weft__alloc_counting(false);
  printf("%u workers, %d rounds: %ld functions in other tasks, %ld suspensions, %ld trees cancelled\n", workers, n,
         atomic_load(&taken), atomic_load(&suspensions), atomic_load(&cancelled));
  /* Two workers that run out of memory for tasks at once add a slab each, and one that was never used is kept. */
  if (left % SLAB_BYTES != 0) fail("memory was lost", seed);
  return rc;
}

int main(int argc, char *argv[]) {
  const char *scale = getenv("WEFT_TEST_SCALE");
  int n = (int)(150 * (scale != NULL ? atof(scale) : 1));
  uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
  if (argc > 2) n = atoi(argv[2]);
  if (n < 5) n = 5;
  alarm(280);
  if (argc > 3) return run((unsigned)atoi(argv[3]), seed, n) != 0;
  for (unsigned workers = 1; workers <= 8; workers *= 2)
    if (run(workers, seed, n) != 0) return 1;
  return 0;
}
