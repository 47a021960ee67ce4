/* Virtual time, at one worker and at several: it passes only when nothing can run and nobody outside is waited for. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <weft.h>

#define RETURN_UNLESS(condition)                                                                                       \
  do {                                                                                                                 \
    if (!(condition)) return (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), -EILSEQ);                \
  } while (0)

static void at_several(weft_call_t call) {
  for (unsigned workers = 1; workers <= 4; workers++) {
    weft_config_t config = {.workers = workers, .virtual_time = true};
    assert_int_equal(weft_run_with(&config, call), 0);
  }
}
static double now(void) { return weft_loop_time(weft_get_running_loop()); }

/* ---- threads ----------------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(takes_real_time);
static int takes_real_time(void) { return usleep(20000); }
static WEFT_ASYNC(waits_for_a_thread);
static int waits_for_a_thread(void) {
  double begun = now();
  weft_task_t *sleeper = weft_create_task(weft_sleep_async(1000));
  RETURN_UNLESS(weft_to_thread(takes_real_time_async()) == 0);
  RETURN_UNLESS(now() < begun + 1 && !weft_task_done(sleeper));
  RETURN_UNLESS(weft_wait_for(takes_real_time_async(), 1000) == 0);
  RETURN_UNLESS(weft_join(sleeper) == 0 && now() >= begun + 1000);
  return 0;
}
static void it_waits_for_threads(void **state) {
  (void)state;
  at_several(waits_for_a_thread_async());
}

/* ---- busy tasks -------------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(computes, double *);
static int computes(double *after) {
  struct timespec begun, t;
  clock_gettime(CLOCK_MONOTONIC, &begun);
  do /* the others find nothing to do meanwhile */
    clock_gettime(CLOCK_MONOTONIC, &t);
  while ((t.tv_sec - begun.tv_sec) * 1000000000L + t.tv_nsec - begun.tv_nsec < 10000000L);
  *after = now();
  return 0;
}
static WEFT_ASYNC(sleeps_beside_computing);
static int sleeps_beside_computing(void) {
  double begun = now(), after = 0;
  weft_task_t *sleeper = weft_create_task(weft_sleep_async(100));
  RETURN_UNLESS(weft_yield() == 0); /* it sleeps now */
  weft_task_t *busy = weft_create_task(computes_async(&after));
  RETURN_UNLESS(weft_join(busy) == 0 && after < begun + 1);
  RETURN_UNLESS(weft_join(sleeper) == 0 && now() >= begun + 100);
  return 0;
}
static void it_stands_still_while_anything_runs(void **state) {
  (void)state;
  at_several(sleeps_beside_computing_async());
}

/* ---- order ------------------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(sleeps, double, double *);
static int sleeps(double seconds, double *when) {
  int rc = weft_sleep(seconds);
  *when = now();
  return rc;
}
static WEFT_ASYNC(many_sleep);
static int many_sleep(void) {
  enum { N = 40 };
  weft_task_t *tasks[N];
  double begun = now(), woken[N];
  for (int i = 0; i < N; i++) tasks[i] = weft_create_task(sleeps_async((i * 7 % N + 1) * 3600.0, &woken[i]));
  for (int i = 0; i < N; i++) RETURN_UNLESS(weft_join(tasks[i]) == 0);
  for (int i = 0; i < N; i++) { /* each at its time, and not at the next one's */
    double due = begun + (i * 7 % N + 1) * 3600.0;
    RETURN_UNLESS(woken[i] >= due && woken[i] < due + 1);
  }
  return 0;
}
static void each_wakes_at_its_time(void **state) {
  (void)state;
  at_several(many_sleep_async());
}

static WEFT_ASYNC(advances);
static int advances(void) {
  weft_loop_t *loop = weft_get_running_loop();
  double begun = now();
  RETURN_UNLESS(weft_loop_advance(loop, 5) == 0 && now() >= begun + 5 && now() < begun + 6);
  RETURN_UNLESS(weft_loop_advance(loop, -1) == -EINVAL);
  return 0;
}
static WEFT_ASYNC(cannot_advance);
static int cannot_advance(void) { return weft_loop_advance(weft_get_running_loop(), 1) < 0 ? 0 : -EILSEQ; }
static void it_can_be_moved_on(void **state) {
  (void)state;
  at_several(advances_async());
  assert_int_equal(weft_run(cannot_advance_async()), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_waits_for_threads),
      cmocka_unit_test(it_stands_still_while_anything_runs),
      cmocka_unit_test(each_wakes_at_its_time),
      cmocka_unit_test(it_can_be_moved_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
