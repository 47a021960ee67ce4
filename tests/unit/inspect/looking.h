/* looking.h: what the tests of inspect/ are written with. */
#ifndef TESTS_UNIT_INSPECT_LOOKING_H
#define TESTS_UNIT_INSPECT_LOOKING_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weft.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/base.h"
#include "base/threads.h"

/* Inside tasks a broken expectation ends the run with its text: cmocka's own assertions may not leave a fiber. */
#define EXPECT(condition)                                                                                              \
  do {                                                                                                                 \
    if (!(condition)) return weft_fail(WEFT_USER, "line %d: %s", __LINE__, #condition);                                \
  } while (0)

static inline int scaled(int n) {
  const char *scale = getenv("WEFT_TEST_SCALE");
  int m = (int)(n * (scale != NULL ? atof(scale) : 1.0));
  return m > 4 ? m : 4;
}

static inline void run_on(unsigned workers, weft_call_t call) {
  weft_config_t config = {.workers = workers};
  int rc = weft_run_with(&config, call);
  if (rc != 0) print_error("%u workers: %s: %s\n", workers, weft_error()->name, weft_error()->message);
  assert_int_equal(rc, 0);
}
static inline void on_1_and_4(weft_call_t call) {
  run_on(1, call);
  run_on(4, call);
}

/* Until the task waits for something: on several workers it gets there when it gets there. */
static inline int until_frame(weft_task_t *task, const char *newest) {
  weft_frame_t frames[64];
  for (int i = 0; i < 6000; i++) {
    int count = weft_task_get_stack(task, frames, 64);
    if (count < 0) return count;
    if (count > 0 && count <= 64 && strcmp(frames[count - 1].function, newest) == 0) return count;
    int rc = weft_sleep(0.0005);
    if (rc < 0) return rc;
  }
  weft_task_print_stack(task, 0, stderr);
  return weft_fail(WEFT_USER, "%s: never seen in %s", weft_task_get_name(task), newest);
}

/* Its index among the frames, or -1. */
static inline int frame_of(const weft_frame_t *frames, int count, const char *function) {
  for (int i = 0; i < count; i++)
    if (strcmp(frames[i].function, function) == 0) return i;
  return -1;
}

#endif
