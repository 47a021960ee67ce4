/* Two classes: a flood of background tasks keeps an ordinary one waiting for one step at most, and is not starved itself.
 * ctest: timeout=60 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <weft.h>

#include "base/threads.h"

enum { FLOOD = 50 };

static const weft_task_options_t background = {.priority = WEFT_PRIORITY_BACKGROUND};

static int run_on(unsigned workers, weft_call_t call) {
  weft_config_t config = {.workers = workers};
  return weft_run_with(&config, call);
}

/* ---- a flood ---- */

struct flood {
  atomic_long steps;
  atomic_bool over;
};
static WEFT_ASYNC(floods, struct flood *);
static int floods(struct flood *flood) {
  while (!atomic_load(&flood->over)) {
    atomic_fetch_add(&flood->steps, 1);
    for (volatile int i = 0; i < 2000; i++) {
    }
    int rc = weft_yield();
    if (rc < 0) return rc;
  }
  return 0;
}
/* How many background steps begin between two steps of an ordinary task: each worker may be in one, and begin none. */
static WEFT_ASYNC(measures, struct flood *, long *);
static int measures(struct flood *flood, long *most) {
  *most = 0;
  for (int i = 0; i < 100; i++) {
    long before = atomic_load(&flood->steps);
    int rc = weft_yield();
    if (rc < 0) return rc;
    long between = atomic_load(&flood->steps) - before;
    if (between > *most) *most = between;
  }
  return 0;
}
static WEFT_ASYNC(flooded, long *, bool);
static int flooded(long *most, bool low) {
  struct flood flood = {.over = false};
  weft_task_t *tasks[FLOOD];
  for (int i = 0; i < FLOOD; i++) tasks[i] = weft_create_task_with(floods_async(&flood), low ? &background : NULL);
  weft_task_t *task = weft_create_task(measures_async(&flood, most));
  int rc = weft_join(task);
  atomic_store(&flood.over, true);
  for (int i = 0; i < FLOOD; i++) {
    int joined = weft_join(tasks[i]);
    if (rc == 0) rc = joined;
  }
  return rc;
}
static void a_flood_delays_others_by_one_step(void **state) {
  (void)state;
  long most;
  assert_int_equal(run_on(1, flooded_async(&most, true)), 0);
  assert_in_range(most, 0, 1);
  assert_int_equal(run_on(1, flooded_async(&most, false)), 0);
  assert_in_range(most, FLOOD, FLOOD); /* the test can tell: the same flood in the ordinary class */
}

/* The same on several workers, where the ordinary task is woken by its worker itself, between two background steps. */
static void a_flood_on_several_workers_lets_others_pass(void **state) {
  (void)state;
  long most;
  for (unsigned workers = 2; workers <= 4; workers++) assert_int_equal(run_on(workers, flooded_async(&most, true)), 0);
}

/* ---- timers and foreign threads against a flood ---- */

static WEFT_ASYNC(sleeps, struct flood *);
static int sleeps(struct flood *flood) {
  int rc = 0;
  for (int i = 0; i < 20 && rc == 0; i++) rc = weft_sleep(0.001);
  atomic_store(&flood->over, true);
  return rc;
}
static WEFT_ASYNC(flooded_sleeper);
static int flooded_sleeper(void) {
  struct flood flood = {.over = false};
  weft_task_t *tasks[FLOOD];
  for (int i = 0; i < FLOOD; i++) tasks[i] = weft_create_task_with(floods_async(&flood), &background);
  int rc = weft_join(weft_create_task(sleeps_async(&flood)));
  atomic_store(&flood.over, true);
  for (int i = 0; i < FLOOD; i++) {
    int joined = weft_join(tasks[i]);
    if (rc == 0) rc = joined;
  }
  return rc;
}
static void timers_fire_during_a_flood(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 3; workers++) assert_int_equal(run_on(workers, flooded_sleeper_async()), 0);
}

/* ---- no starvation ---- */

static WEFT_ASYNC(counts_down, atomic_int *);
static int counts_down(atomic_int *left) {
  for (int i = 0; i < 10; i++) {
    int rc = weft_yield();
    if (rc < 0) return rc;
  }
  atomic_fetch_sub(left, 1);
  return 0;
}
static WEFT_ASYNC(keeps_busy, atomic_int *);
static int keeps_busy(atomic_int *left) { /* always ready, until the background tasks are done */
  time_t end = time(NULL) + 20;
  while (atomic_load(left) > 0) {
    int rc = weft_yield();
    if (rc < 0) return rc;
    if (time(NULL) > end) return -ETIMEDOUT;
  }
  return 0;
}
static WEFT_ASYNC(busy);
static int busy(void) {
  atomic_int left = FLOOD;
  weft_task_t *low[FLOOD], *high[8];
  for (int i = 0; i < FLOOD; i++) low[i] = weft_create_task_with(counts_down_async(&left), &background);
  for (int i = 0; i < 8; i++) high[i] = weft_create_task(keeps_busy_async(&left));
  int rc = 0;
  for (int i = 0; i < 8; i++) {
    int joined = weft_join(high[i]);
    if (rc == 0) rc = joined;
  }
  for (int i = 0; i < FLOOD; i++) {
    int joined = weft_join(low[i]);
    if (rc == 0) rc = joined;
  }
  return rc;
}
static void background_tasks_are_not_starved(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers++) assert_int_equal(run_on(workers, busy_async()), 0);
}

/* ---- alone; woken from outside; cancelled; refused ---- */

static WEFT_ASYNC(waits, weft_future_t *);
static int waits(weft_future_t *future) { return weft_await_future(future, NULL); }
static int ends_it_late(void *argument) {
  usleep(20000); /* by now everybody sleeps */
  return weft_future_set_done(argument);
}
static WEFT_ASYNC(woken_from_outside);
static int woken_from_outside(void) {
  weft_future_t *future = weft_future_open(0);
  weft_task_t *task = weft_create_task_with(waits_async(future), &background);
  weft__thread_t thread;
  int rc = weft__thread_start(&thread, ends_it_late, future, "outside");
  int joined = weft_join(task);
  if (rc == 0) weft__thread_join(thread);
  weft_future_unref(future);
  return rc < 0 ? rc : joined;
}
static WEFT_ASYNC(cancelled_unstarted);
static int cancelled_unstarted(void) {
  weft_task_t *task = weft_create_task_with(weft_sleep_async(10), &background);
  weft_task_cancel(task, NULL);
  int status = 0, rc = weft_join_status(task, &status);
  weft_ignore(rc);
  return status == WEFT_CANCELLED ? 0 : -EILSEQ;
}
static void background_tasks_are_woken_and_cancelled(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 3; workers++) {
    assert_int_equal(run_on(workers, woken_from_outside_async()), 0);
    assert_int_equal(run_on(workers, cancelled_unstarted_async()), 0);
  }
}

static WEFT_ASYNC(refused);
static int refused(void) {
  weft_strand_t *strand = weft_strand_open();
  const weft_task_options_t bad[] = {{.priority = 2},
                                     {.priority = -1},
                                     {.priority = WEFT_PRIORITY_BACKGROUND, .worker = 1},
                                     {.priority = WEFT_PRIORITY_BACKGROUND, .strand = strand}};
  int rc = 0;
  for (size_t i = 0; i < 4; i++)
    if (weft_create_task_with(weft_yield_async(), &bad[i]) != NULL || weft_error()->code != -EINVAL) rc = -1 - (int)i;
  weft_strand_unref(strand);
  return rc;
}
static void what_makes_no_sense_is_refused(void **state) {
  (void)state;
  assert_int_equal(run_on(2, refused_async()), 0);
}

/* Left over when the loop is closed: reported and released as any other task. */
static WEFT_ASYNC(never_runs);
static int never_runs(void) { return 0; }
static void what_is_left_is_released(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 2; workers++) {
    weft_config_t config = {.workers = workers};
    weft_loop_t *loop;
    assert_int_equal(weft_loop_open(&config, &loop), 0);
    weft_task_t *task = weft_loop_create_task(loop, never_runs_async());
    weft_detach(task);
    assert_int_equal(weft_loop_run_until_complete(loop, cancelled_unstarted_async()), 0);
    assert_int_equal(weft_loop_close(loop), 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_flood_delays_others_by_one_step),
      cmocka_unit_test(a_flood_on_several_workers_lets_others_pass),
      cmocka_unit_test(timers_fire_during_a_flood),
      cmocka_unit_test(background_tasks_are_not_starved),
      cmocka_unit_test(background_tasks_are_woken_and_cancelled),
      cmocka_unit_test(what_makes_no_sense_is_refused),
      cmocka_unit_test(what_is_left_is_released),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
