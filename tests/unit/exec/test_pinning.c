/* test_pinning.c: pools whose threads have a name and processors of their own; neither goes over to what their jobs start. */
#include <sched.h>
#include <sys/prctl.h>

#include "unit/exec/blocking.h"

static cpu_set_t all; /* that this program may use */

/* The n-th of them, from the end where n is negative. */
static unsigned usable(int n) {
  unsigned cpu = 0;
  for (int left = n < 0 ? CPU_COUNT(&all) + n : n;; cpu++) {
    if (CPU_ISSET(cpu, &all) && left-- == 0) return cpu;
  }
}

/* 1 + the processor, if it is the only one that this thread may use; else 0. */
static WEFT_ASYNC(where);
static int where(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) < 0 || CPU_COUNT(&set) != 1) return 0;
  return sched_getcpu() + 1;
}
WEFT_EXPORT(where);

/* Whether this thread may use what the program may. */
static WEFT_ASYNC(everywhere);
static int everywhere(void) {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 && CPU_EQUAL(&set, &all);
}
WEFT_EXPORT(everywhere);

static WEFT_ASYNC(is_named, const char *);
static int is_named(const char *name) {
  char mine[16] = "";
  prctl(PR_GET_NAME, mine);
  return strcmp(mine, name) == 0;
}

static weft_executor_t *open_on(unsigned cpu, unsigned threads) {
  weft_executor_t *pool;
  const weft_thread_pool_options_t options = {
      .max_threads = threads, .name = "pinned-with-a-long-name", .cpus = &cpu, .cpu_count = 1};
  assert_int_equal(weft_thread_pool_open_with(&options, &pool), 0);
  return pool;
}

RUNS(threads_stay_where_they_belong) {
  int numbers[] = {0, -1};
  for (int k = 0; k < 2; k++) {
    unsigned cpu = usable(numbers[k]);
    weft_executor_t *pool = open_on(cpu, 3);
    enum { N = 20 };
    weft_call_t calls[N];
    int statuses[N];
    for (int i = 0; i < N; i++) calls[i] = where_async();
    assert_int_equal(weft_executor_map(pool, calls, N, statuses), 0);
    for (int i = 0; i < N; i++) assert_int_equal(statuses[i], (int)cpu + 1);
    assert_int_equal(weft_run_in_executor(pool, is_named_async("pinned-with-a-l")), 1);
    assert_int_equal(weft_executor_close(pool), 0);
  }
  assert_int_equal(weft_to_thread(everywhere_async()), 1);
  return 0;
}

/* Several threads on several processors. */
RUNS(more_than_one) {
  unsigned cpus[] = {usable(0), usable(-1)};
  weft_executor_t *pool;
  const weft_thread_pool_options_t options = {.max_threads = 2, .cpus = cpus, .cpu_count = 2};
  assert_int_equal(weft_thread_pool_open_with(&options, &pool), 0);
  int rc = weft_run_in_executor(pool, where_async());
  assert_int_equal(rc, cpus[0] == cpus[1] ? (int)cpus[0] + 1 : 0);
  return weft_executor_close(pool);
}

/* A job of a pinned pool opens others: theirs run where the program may. */
static int ask(weft_executor_t *pool, weft_call_t call) {
  weft_future_t *future = weft_executor_submit(pool, call);
  int value = 0, rc = weft_future_wait_blocking(future, WEFT_FOREVER, &value);
  weft_future_unref(future);
  return rc < 0 ? rc : value;
}
static WEFT_ASYNC(opens_others);
static int opens_others(void) {
  weft_executor_t *threads, *processes;
  assert_true(where() > 0);
  assert_int_equal(weft_thread_pool_open(1, NULL, &threads), 0);
  assert_int_equal(ask(threads, everywhere_async()), 1);
  assert_int_equal(weft_executor_close(threads), 0);
  assert_true(where() > 0); /* as before */
#ifndef __SANITIZE_THREAD__ /* it does not follow a fork of a process that has threads */
  assert_int_equal(weft_process_pool_open(1, 0, &processes), 0);
  assert_int_equal(ask(processes, everywhere_async()), 1);
  assert_int_equal(weft_executor_close(processes), 0);
#else
  (void)processes;
#endif
  return where();
}
RUNS(nobody_inherits_it) {
  weft_executor_t *pool = open_on(usable(-1), 1);
  assert_int_equal(weft_run_in_executor(pool, opens_others_async()), (int)usable(-1) + 1);
  return weft_executor_close(pool);
}

static void impossible_ones(void **state) {
  (void)state;
  weft_executor_t *pool;
  unsigned cpu = 1023;
  assert_int_equal(weft_thread_pool_open_with(
                       &(const weft_thread_pool_options_t){.cpus = &(const unsigned){1024}, .cpu_count = 1}, &pool),
                   -EINVAL);
  assert_int_equal(weft_thread_pool_open_with(&(const weft_thread_pool_options_t){.cpus = &cpu}, &pool), -EINVAL);
  if (CPU_ISSET(cpu, &all)) return; /* a machine that has that one too */
  pool = open_on(cpu, 1);
  assert_int_equal(ask(pool, where_async()), WEFT_BROKEN_POOL);
  assert_null(weft_executor_submit(pool, where_async()));
  assert_int_equal(weft_error()->code, WEFT_BROKEN_POOL);
  assert_non_null(strstr(weft_error()->message, "none of its processors"));
  assert_int_equal(weft_executor_close(pool), 0);
}

int main(void) {
  if (sched_getaffinity(0, sizeof all, &all) < 0) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(run_threads_stay_where_they_belong),
      cmocka_unit_test(run_more_than_one),
      cmocka_unit_test(run_nobody_inherits_it),
      cmocka_unit_test(impossible_ones),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
