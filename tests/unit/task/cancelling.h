/* cancelling.h: what the test of cancellation is written with. */
#ifndef TESTS_UNIT_TASK_CANCELLING_H
#define TESTS_UNIT_TASK_CANCELLING_H

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weft.h>

#include <cmocka.h>

#include "task/schedule.h"

static int scaled(int n) {
  const char *scale = getenv("WEFT_TEST_SCALE");
  int m = (int)(n * (scale != NULL ? atof(scale) : 1.0));
  return m > 4 ? m : 4;
}

static void on_1_and_4(weft_call_t call) {
  for (unsigned workers = 1; workers <= 4; workers += 3) {
    weft_config_t config = {.workers = workers};
    int rc = weft_run_with(&config, call);
    if (rc != 0) print_error("%u workers: %s: %s\n", workers, weft_error()->name, weft_error()->message);
    assert_int_equal(rc, 0);
  }
}

static bool alone(void) { return weft__loop_workers(weft_get_running_loop()) == 1; }

/* Inside tasks a broken expectation ends the run with its text: cmocka's own assertions may not leave a fiber. */
#define EXPECT(condition)                                                                                              \
  do {                                                                                                                 \
    if (!(condition)) return weft_fail(WEFT_RUNTIME, "line %d: %s", __LINE__, #condition);                             \
  } while (0)

static bool said(const char *message) { return strcmp(weft_error()->message, message) == 0; }

/* Blocks its thread, as a computation would, until the flag is up. */
static int spin_until(atomic_int *flag) {
  time_t end = time(NULL) + 60;
  while (!atomic_load(flag)) {
    if (time(NULL) > end) return -ETIMEDOUT;
    sched_yield();
  }
  return 0;
}

#endif
