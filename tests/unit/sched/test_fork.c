/* Fork and join: values, loops of forks, forks that suspend, depth beyond a stack, lack of memory; trees in trees. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <weft.h>

#include "base/alloc.h"
#include "sched/fork.h"

static int scaled(int n) {
  const char *scale = getenv("WEFT_TEST_SCALE");
  int m = (int)(n * (scale != NULL ? atof(scale) : 1.0));
  return m > 2 ? m : 2;
}

static int run_on(unsigned workers, bool virtual_time, weft_call_t call) {
  weft_config_t config = {.workers = workers, .virtual_time = virtual_time};
  return weft_run_with(&config, call);
}

static void on_workers(weft_call_t call) {
  for (unsigned workers = 1; workers <= 4; workers *= 2) {
    int rc = run_on(workers, false, call);
    if (rc != 0) print_error("%u workers: %s: %s\n", workers, weft_error()->name, weft_error()->message);
    assert_int_equal(rc, 0);
  }
}

/* ---- values ---- */

static WEFT_FORKS(long, fib, long);
static long fib(WEFT_HEAD, long n) {
  if (n < 2) return n;
  WEFT_FORK(fib, n - 1);
  long y = WEFT_CALL(fib, n - 2);
  return y + WEFT_JOIN(fib);
}

typedef struct pair {
  double sum;
  char *where;
} pair_t;
static WEFT_FORKS(pair_t, six, char, short, int, long, double, char *);
static pair_t six(WEFT_HEAD, char a, short b, int c, long d, double e, char *f) {
  return (pair_t){a + b + c + (double)d + e, f};
}
static WEFT_FORKS(int, none);
static int none(WEFT_HEAD) { return 7; }
static WEFT_FORKS(char, mixed, int);
static char mixed(WEFT_HEAD, int rounds) {
  char here[1];
  for (int i = 0; i < rounds; i++) {
    WEFT_FORK(none);
    WEFT_FORK(six, 1, 2, 3, 4, 0.5, here);
    WEFT_FORK(none);
    if (WEFT_JOIN(none) != 7) return 'a';
    pair_t pair = WEFT_JOIN(six);
    if (pair.sum != 10.5 || pair.where != here) return 'b';
    if (WEFT_JOIN(none) + WEFT_CALL(none) != 14) return 'c';
  }
  return 'z';
}

static WEFT_ASYNC(values);
static int values(void) {
  long n = 0;
  assert_int_equal(WEFT_FORK_RUN(&n, fib, 22), 0);
  assert_int_equal(n, 17711);
  char c = 0;
  assert_int_equal(WEFT_FORK_RUN(&c, mixed, scaled(10000)), 0);
  assert_int_equal(c, 'z');
  int seven = 0;
  assert_int_equal(WEFT_FORK_RUN(&seven, none), 0);
  assert_int_equal(seven, 7);
  return WEFT_FORK_RUN((int *)NULL, none);
}
static void test_values(void **state) {
  (void)state;
  on_workers(values_async());
}

static void test_outside_of_tasks(void **state) {
  (void)state;
  int value = 3;
  assert_int_equal(WEFT_FORK_RUN(&value, none), -EPERM);
  assert_int_equal(value, 3);
}

/* ---- many forks, deep recursion ---- */

static WEFT_FORKS(long, itself, long);
static long itself(WEFT_HEAD, long n) { return n; }
static WEFT_FORKS(long, wide, long);
static long wide(WEFT_HEAD, long n) {
  for (long i = 0; i < n; i++) WEFT_FORK(itself, i);
  long wrong = 0;
  for (long i = n; i-- > 0;) wrong += WEFT_JOIN(itself) != i; /* every fork is joined, also when the tree ends early */
  return wrong == 0 ? n : -1;
}
static WEFT_FORKS(long, wide_twice, long);
static long wide_twice(WEFT_HEAD, long n) {
  WEFT_FORK(wide, n);
  WEFT_FORK(itself, 5);
  long a = WEFT_CALL(wide, n), b = WEFT_JOIN(itself);
  return a + b + WEFT_JOIN(wide);
}
static WEFT_ASYNC(wider);
static int wider(void) {
  long n = 0, forks = scaled(300000);
  assert_int_equal(WEFT_FORK_RUN(&n, wide, forks), 0);
  assert_int_equal(n, forks);
  assert_int_equal(WEFT_FORK_RUN(&n, wide_twice, forks), 0);
  assert_int_equal(n, 2 * forks + 5);
  return 0;
}
static void test_many_open_forks(void **state) {
  (void)state;
  on_workers(wider_async());
}

static WEFT_FORKS(long, deep_call, long);
static long deep_call(WEFT_HEAD, long n) {
  if (n == 0) return 0;
  WEFT_FORK(itself, 1);
  long y = WEFT_CALL(deep_call, n - 1);
  return y + WEFT_JOIN(itself);
}
static WEFT_FORKS(long, deep_join, long);
static long deep_join(WEFT_HEAD, long n) {
  if (n == 0) return 0;
  WEFT_FORK(deep_join, n - 1);
  return WEFT_JOIN(deep_join) + 1;
}
static WEFT_FORKS(long, deep_sleep, long);
static long deep_sleep(WEFT_HEAD, long n) {
  if (n == 0) return weft_sleep(0.001) == 0 ? 0 : -1000000;
  WEFT_FORK(itself, 1);
  long y = WEFT_CALL(deep_sleep, n - 1);
  return y + WEFT_JOIN(itself);
}
static WEFT_ASYNC(deeper);
static int deeper(void) {
  long n = 0, depth = scaled(200000);
  assert_int_equal(WEFT_FORK_RUN(&n, deep_call, depth), 0);
  assert_int_equal(n, depth);
  assert_int_equal(WEFT_FORK_RUN(&n, deep_join, depth), 0);
  assert_int_equal(n, depth);
  assert_int_equal(WEFT_FORK_RUN(&n, deep_sleep, depth / 10), 0);
  assert_int_equal(n, depth / 10);
  return 0;
}
static void test_no_stack_left(void **state) {
  (void)state;
  on_workers(deeper_async());
}

/* ---- memory ---- */

static WEFT_ASYNC(nothing);
static int nothing(void) { return 0; }
static WEFT_ASYNC(out_of_memory);
static int out_of_memory(void) {
  long n = 77;
  /* Once the first worker runs tasks the threads of the others have been started, for which memory is needed. */
  assert_int_equal(weft_join(weft_create_task_with(nothing_async(), &(weft_task_options_t){.worker = 1})), 0);
  weft__alloc_fail_from(1);
  int rc = WEFT_FORK_RUN(&n, itself, 1); /* no deck */
  weft__alloc_fail_after(-1);
  assert_int_equal(rc, -ENOMEM);
  assert_int_equal(WEFT_FORK_RUN(&n, itself, 78), 0);
  assert_int_equal(n, 78);
  weft__alloc_fail_from(1);
  rc = WEFT_FORK_RUN(&n, deep_call, 100000); /* no further stack */
  weft__alloc_fail_after(-1);
  assert_int_equal(rc, -ENOMEM);
  assert_int_equal(weft_error()->code, -ENOMEM);
  assert_int_equal(n, 78);
  return WEFT_FORK_RUN(&n, deep_call, 10000);
}
/* Where memory is watched it would take gigabytes, and minutes. */
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__ && !defined WEFT_VALGRIND
static WEFT_ASYNC(out_of_slots);
static int out_of_slots(void) {
  long n = 77;
  assert_int_equal(WEFT_FORK_RUN(&n, deep_call, 1200000), -ENOMEM);
  assert_non_null(strstr(weft_error()->message, "too many forks are open"));
  assert_int_equal(n, 77);
  assert_int_equal(WEFT_FORK_RUN(&n, deep_call, 100), 0);
  assert_int_equal(n, 100);
  return 0;
}
static void test_a_million_open_forks(void **state) {
  (void)state;
  assert_int_equal(run_on(1, false, out_of_slots_async()), 0);
}
#endif
static void test_memory_failure(void **state) {
  (void)state;
  on_workers(out_of_memory_async());
}

/* ---- suspending ---- */

static WEFT_FORKS(double, sleeps, double);
static double sleeps(WEFT_HEAD, double seconds) {
  return weft_sleep(seconds) == 0 ? weft_loop_time(weft_get_running_loop()) : -1;
}
static WEFT_FORKS(double, three_sleeps, double);
static double three_sleeps(WEFT_HEAD, double seconds) {
  double begin = weft_loop_time(weft_get_running_loop());
  WEFT_FORK(sleeps, seconds);
  WEFT_FORK(sleeps, seconds);
  double end = WEFT_CALL(sleeps, seconds);
  for (int i = 0; i < 2; i++) {
    double other = WEFT_JOIN(sleeps);
    if (other > end) end = other;
  }
  return end - begin;
}
static WEFT_ASYNC(sleeping);
static int sleeping(void) {
  double took = 0;
  assert_int_equal(WEFT_FORK_RUN(&took, three_sleeps, 10), 0);
  assert_true(took >= 10 && took < 11);
  return 0;
}
static void test_sleeps_run_beside_each_other(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers++) assert_int_equal(run_on(workers, true, sleeping_async()), 0);
}

static WEFT_FORKS(long, fib_yields, long);
static long fib_yields(WEFT_HEAD, long n) {
  if (n < 2) return n;
  WEFT_FORK(fib_yields, n - 1);
  if (n % 5 == 0 && weft_yield() < 0) return -1000000;
  long y = WEFT_CALL(fib_yields, n - 2);
  if (n % 7 == 0 && weft_sleep(0) < 0) return -1000000;
  return y + WEFT_JOIN(fib_yields);
}
static WEFT_ASYNC(yielding);
static int yielding(void) {
  for (int i = 0; i < 3; i++) {
    long n = 0;
    assert_int_equal(WEFT_FORK_RUN(&n, fib_yields, 17), 0);
    assert_int_equal(n, 1597);
  }
  return 0;
}
static WEFT_ASYNC(many_yielding);
static int many_yielding(void) {
  return weft_gather(yielding_async(), yielding_async(), yielding_async(), yielding_async());
}
static void test_suspensions_in_the_tree(void **state) {
  (void)state;
  on_workers(yielding_async());
  on_workers(many_yielding_async());
}

/* A task that a function of the tree awaits in place, with a tree of its own; and a tree in a tree. */
static WEFT_ASYNC(inner, long *);
static int inner(long *out) { return WEFT_FORK_RUN(out, fib, 12); }
static WEFT_FORKS(long, outer, int);
static long outer(WEFT_HEAD, int how) {
  WEFT_FORK(itself, 1);
  long n = 0;
  int rc = how == 0 ? weft_join(weft_create_task(inner_async(&n))) : inner(&n);
  long x = WEFT_JOIN(itself);
  return rc == 0 ? n + x : -1;
}
static WEFT_ASYNC(nesting);
static int nesting(void) {
  for (int i = 0; i < 100; i++) {
    long n = 0;
    assert_int_equal(WEFT_FORK_RUN(&n, outer, i % 2), 0);
    assert_int_equal(n, 145);
  }
  return 0;
}
static void test_trees_nest(void **state) {
  (void)state;
  on_workers(nesting_async());
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_values),
    cmocka_unit_test(test_outside_of_tasks),
    cmocka_unit_test(test_many_open_forks),
    cmocka_unit_test(test_no_stack_left),
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__ && !defined WEFT_VALGRIND
    cmocka_unit_test(test_a_million_open_forks),
#endif
    cmocka_unit_test(test_memory_failure),
    cmocka_unit_test(test_sleeps_run_beside_each_other),
    cmocka_unit_test(test_suspensions_in_the_tree),
    cmocka_unit_test(test_trees_nest),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
