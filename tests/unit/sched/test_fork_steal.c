/* Forks that other workers take, from owners that answer and from those that do not; the early end of a tree by
 * cancellation and failure; a turn for tasks that are ready. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <weft.h>

#include "base/membarrier.h"
#include "sched/fork.h"

static int run_on(unsigned workers, bool virtual_time, weft_call_t call) {
  weft_config_t config = {.workers = workers, .virtual_time = virtual_time};
  return weft_run_with(&config, call);
}

static void on_workers(weft_call_t call) {
  for (unsigned workers = 1; workers <= 4; workers *= 2) assert_int_equal(run_on(workers, false, call), 0);
}

static bool too_late(time_t begin) { return time(NULL) > begin + 20; }

/* ---- what is forked ---- */

static WEFT_FORKS(long, fib, long);
static long fib(WEFT_HEAD, long n) {
  if (n < 2) return n;
  WEFT_FORK(fib, n - 1);
  long y = WEFT_CALL(fib, n - 2);
  return y + WEFT_JOIN(fib);
}

static WEFT_FORKS(int, none);
static int none(WEFT_HEAD) { return 7; }

/* ---- taken by another worker ---- */

static weft_contextvar_t colour = WEFT_CONTEXTVAR("colour", NULL);
static atomic_int arrived;
static weft_task_t *thief;
static void *thief_colour;
static bool thief_has_strand;

static WEFT_FORKS(int, arrives, int);
static int arrives(WEFT_HEAD, int wait) {
  thief = weft_current_task();
  thief_colour = weft_contextvar_get(&colour);
  weft_ignore(weft_contextvar_set(&colour, (void *)"thief's"));
  atomic_store(&arrived, 1);
  time_t begin = time(NULL);
  while (wait && atomic_load(&arrived) != 2 && !too_late(begin)) {
  }
  return 40;
}
/* Its owner does not join before somebody has taken it: it has to be revoked. */
static WEFT_FORKS(int, insists, int);
static int insists(WEFT_HEAD, int wait) {
  weft_ignore(weft_contextvar_set(&colour, (void *)"later"));
  time_t begin = time(NULL);
  WEFT_FORK(arrives, wait);
  while (atomic_load(&arrived) == 0 && !too_late(begin)) {
  }
  int here = atomic_load(&arrived) != 0;
  atomic_store(&arrived, 2);
  return here + WEFT_JOIN(arrives);
}
static WEFT_ASYNC(insisting, int);
static int insisting(int wait) {
  atomic_store(&arrived, 0);
  weft_ignore(weft_contextvar_set(&colour, (void *)"tree's"));
  int value = 0;
  assert_int_equal(WEFT_FORK_RUN(&value, insists, wait), 0);
  assert_int_equal(value, 41);
  assert_ptr_not_equal(thief, weft_current_task());
  assert_string_equal(thief_colour, "tree's");
  assert_string_equal(weft_contextvar_get(&colour), "later");
  return 0;
}
static void test_owner_that_does_not_answer(void **state) {
  (void)state;
  if (!weft__membarrier_available() && !WEFT_FORK_FENCED_) fail_msg("no membarrier here");
  for (unsigned workers = 2; workers <= 4; workers *= 2)
    for (int wait = 0; wait < 2; wait++) assert_int_equal(run_on(workers, false, insisting_async(wait)), 0);
}

/* Without membarrier forks are taken from owners that join now and then. */
static WEFT_FORKS(int, joins_on, int);
static int joins_on(WEFT_HEAD, int wait) {
  time_t begin = time(NULL);
  WEFT_FORK(arrives, wait);
  WEFT_FORK(none);
  while (atomic_load(&arrived) == 0 && !too_late(begin)) {
    WEFT_FORK(none);
    (void)WEFT_JOIN(none);
  }
  int here = atomic_load(&arrived) != 0;
  atomic_store(&arrived, 2);
  return here + WEFT_JOIN(none) - 7 + WEFT_JOIN(arrives);
}
static WEFT_ASYNC(joining_on);
static int joining_on(void) {
  atomic_store(&arrived, 0);
  int value = 0;
  assert_int_equal(WEFT_FORK_RUN(&value, joins_on, 1), 0);
  assert_int_equal(value, 41);
  return 0;
}
static void test_without_membarrier(void **state) {
  (void)state;
  weft__membarrier_allow(false);
  assert_int_equal(run_on(2, false, joining_on_async()), 0);
  weft__membarrier_allow(true);
}

static WEFT_FORKS(int, tells_strand, int);
static int tells_strand(WEFT_HEAD, int unused) {
  (void)unused;
  thief_has_strand = weft_current_task()->strand != NULL;
  atomic_store(&arrived, 1);
  return 1;
}
static WEFT_FORKS(int, from_strand, int);
static int from_strand(WEFT_HEAD, int unused) {
  time_t begin = time(NULL);
  WEFT_FORK(tells_strand, unused);
  while (atomic_load(&arrived) == 0 && !too_late(begin)) {
  }
  return WEFT_JOIN(tells_strand);
}
static WEFT_ASYNC(in_strand);
static int in_strand(void) {
  int value = 0;
  assert_non_null(weft_current_task()->strand);
  atomic_store(&arrived, 0);
  assert_int_equal(WEFT_FORK_RUN(&value, from_strand, 0), 0);
  assert_false(thief_has_strand);
  return 0;
}
static void test_forks_leave_the_strand(void **state) {
  (void)state;
  weft_config_t config = {.workers = 2, .serial = true};
  assert_int_equal(weft_run_with(&config, in_strand_async()), 0);
}

/* ---- the early end ---- */

static atomic_int begun;
static WEFT_FORKS(long, endless, int);
static long endless(WEFT_HEAD, int depth) {
  atomic_fetch_add(&begun, 1);
  time_t begin = time(NULL);
  long sum = 0;
  while (WEFT_FORK_STATUS() == 0 && !too_late(begin)) {
    WEFT_FORK(fib, 5);
    if (depth > 0) sum += WEFT_CALL(endless, depth - 1);
    sum += WEFT_JOIN(fib);
  }
  return sum;
}
static WEFT_ASYNC(runs_endlessly, int);
static int runs_endlessly(int depth) {
  long n = 5;
  int rc = WEFT_FORK_RUN(&n, endless, depth);
  assert_int_equal(n, 5);
  return rc;
}
static WEFT_ASYNC(cancels_endless);
static int cancels_endless(void) {
  atomic_store(&begun, 0);
  weft_task_t *task = weft_create_task(runs_endlessly_async(3));
  while (atomic_load(&begun) < 4) weft_ignore(weft_sleep(0.001));
  assert_true(weft_task_cancel(task, "enough"));
  int status = 0;
  assert_int_equal(weft_join_status(task, &status), 0);
  assert_int_equal(status, WEFT_CANCELLED);
  return 0;
}
static void test_cancelled_while_it_computes(void **state) {
  (void)state;
  for (int i = 0; i < 5; i++)
    for (unsigned workers = 2; workers <= 4; workers *= 2)
      assert_int_equal(run_on(workers, false, cancels_endless_async()), 0);
}

static WEFT_FORKS(int, forks_sleeper, int);
static int forks_sleeper(WEFT_HEAD, int n) {
  if (n == 0) return weft_sleep(1e6);
  WEFT_FORK(forks_sleeper, n - 1);
  WEFT_FORK(forks_sleeper, n - 1);
  int rc = n % 2 ? weft_sleep(1) : 0;
  if (rc < 0) WEFT_FORK_FAIL(rc);
  rc = WEFT_JOIN(forks_sleeper);
  if (rc < 0) WEFT_FORK_FAIL(rc);
  rc = WEFT_JOIN(forks_sleeper);
  if (rc < 0) WEFT_FORK_FAIL(rc);
  return rc;
}
static WEFT_ASYNC(cancelled_sleepers);
static int cancelled_sleepers(void) {
  int value = 1;
  int rc = WEFT_FORK_RUN(&value, forks_sleeper, 4);
  assert_int_equal(value, 1);
  return rc;
}
static WEFT_ASYNC(cancels_after, double);
static int cancels_after(double seconds) {
  double begin = weft_loop_time(weft_get_running_loop());
  weft_task_t *task = weft_create_task(cancelled_sleepers_async());
  weft_ignore(weft_sleep(seconds));
  assert_true(weft_task_cancel(task, NULL));
  int status = 0;
  assert_int_equal(weft_join_status(task, &status), 0);
  assert_int_equal(status, WEFT_CANCELLED);
  assert_true(weft_loop_time(weft_get_running_loop()) - begin < 100);
  return 0;
}
static void test_cancelled_while_it_sleeps(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers++) {
    assert_int_equal(run_on(workers, true, cancels_after_async(0)), 0);
    assert_int_equal(run_on(workers, true, cancels_after_async(0.5)), 0);
    assert_int_equal(run_on(workers, true, cancels_after_async(1.5)), 0);
    assert_int_equal(run_on(workers, true, cancels_after_async(2.5)), 0);
  }
}

/* What is caught does not end the tree. */
static WEFT_FORKS(int, catches, int);
static int catches(WEFT_HEAD, int n) {
  int rc = weft_sleep(10);
  return rc == WEFT_CANCELLED ? n : -1;
}
static WEFT_ASYNC(tree_that_catches, int *);
static int tree_that_catches(int *value) { return WEFT_FORK_RUN(value, catches, 6); }
static WEFT_ASYNC(cancels_catcher);
static int cancels_catcher(void) {
  int value = 0;
  weft_task_t *task = weft_create_task(tree_that_catches_async(&value));
  weft_ignore(weft_sleep(1));
  assert_true(weft_task_cancel(task, NULL));
  assert_int_equal(weft_join(task), 0);
  assert_int_equal(value, 6);
  return 0;
}
static void test_cancellation_may_be_caught(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 2; workers++)
    assert_int_equal(run_on(workers, true, cancels_catcher_async()), 0);
}

static atomic_int ran;
static WEFT_FORKS(int, counts, int);
static int counts(WEFT_HEAD, int n) {
  atomic_fetch_add(&ran, 1);
  return n;
}
static WEFT_FORKS(int, fails, int);
static int fails(WEFT_HEAD, int n) {
  for (int i = 0; i < n; i++) WEFT_FORK(counts, 9);
  if (WEFT_FORK_STATUS() != 0) return -1;
  WEFT_FORK_FAIL(weft_fail(-EIO, "broken at %d", n));
  WEFT_FORK_FAIL(-EPIPE);
  if (WEFT_FORK_STATUS() != -EIO) return -1;
  int sum = 0;
  for (int i = 0; i < n; i++) sum += WEFT_JOIN(counts);
  return sum;
}
static WEFT_ASYNC(failing);
static int failing(void) {
  int value = 3;
  atomic_store(&ran, 0);
  assert_int_equal(WEFT_FORK_RUN(&value, fails, 50), -EIO);
  assert_int_equal(weft_error()->code, -EIO);
  assert_string_equal(weft_error()->message, "broken at 50");
  assert_int_equal(value, 3);
  assert_true(atomic_load(&ran) < 50);
  return 0;
}
static void test_failing(void **state) {
  (void)state;
  on_workers(failing_async());
}

/* ---- a turn for others ---- */

static WEFT_ASYNC(sets, atomic_int *);
static int sets(atomic_int *flag) {
  atomic_store(flag, 1);
  return 0;
}
static WEFT_FORKS(int, until_set, atomic_int *);
static int until_set(WEFT_HEAD, atomic_int *flag) {
  time_t begin = time(NULL);
  while (atomic_load(flag) == 0 && !too_late(begin)) {
    WEFT_FORK(none);
    weft__forks_ask_turn(weft__worker());
    (void)WEFT_JOIN(none);
  }
  return atomic_load(flag);
}
static WEFT_ASYNC(gives_a_turn);
static int gives_a_turn(void) {
  atomic_int flag = 0;
  int value = 0;
  weft_task_t *task = weft_create_task(sets_async(&flag));
  assert_int_equal(WEFT_FORK_RUN(&value, until_set, &flag), 0);
  assert_int_equal(value, 1);
  return weft_join(task);
}
static void test_ready_tasks_get_a_turn(void **state) {
  (void)state;
  assert_int_equal(run_on(1, false, gives_a_turn_async()), 0);
}

/* A tree keeps a worker busy to which another task is pinned: whoever has nothing to do asks for a turn. */
static WEFT_FORKS(int, until_seen, atomic_int *);
static int until_seen(WEFT_HEAD, atomic_int *flag) {
  time_t begin = time(NULL);
  while (atomic_load(flag) == 0 && !too_late(begin)) {
    WEFT_FORK(none);
    (void)WEFT_JOIN(none);
  }
  return atomic_load(flag);
}
static WEFT_ASYNC(beside_a_pinned_task, atomic_int *);
static int beside_a_pinned_task(atomic_int *flag) {
  int value = 0;
  weft_task_t *task = weft_create_task_with(sets_async(flag), &(weft_task_options_t){.worker = 2});
  assert_int_equal(WEFT_FORK_RUN(&value, until_seen, flag), 0);
  assert_int_equal(value, 1);
  return weft_join(task);
}
static WEFT_ASYNC(begins_beside);
static int begins_beside(void) {
  atomic_int flag = 0;
  return weft_join(weft_create_task_with(beside_a_pinned_task_async(&flag), &(weft_task_options_t){.worker = 2}));
}
static void test_pinned_tasks_get_a_turn(void **state) {
  (void)state;
  assert_int_equal(run_on(2, false, begins_beside_async()), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_owner_that_does_not_answer),
      cmocka_unit_test(test_without_membarrier),
      cmocka_unit_test(test_forks_leave_the_strand),
      cmocka_unit_test(test_cancelled_while_it_computes),
      cmocka_unit_test(test_cancelled_while_it_sleeps),
      cmocka_unit_test(test_cancellation_may_be_caught),
      cmocka_unit_test(test_failing),
      cmocka_unit_test(test_ready_tasks_get_a_turn),
      cmocka_unit_test(test_pinned_tasks_get_a_turn),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
