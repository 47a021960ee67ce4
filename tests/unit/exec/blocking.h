/* blocking.h: what the tests of this folder are written with: jobs that block until they are let go, and runs. */
#ifndef TESTS_UNIT_EXEC_BLOCKING_H
#define TESTS_UNIT_EXEC_BLOCKING_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weft.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/atomics.h"
#include "base/clock.h"
#include "base/threads.h"

/* A failed assertion ends the program: cmocka's jump out of a task would leave its run standing. */
__attribute__((constructor, unused)) static void fail_at_once(void) { setenv("CMOCKA_TEST_ABORT", "1", 0); }

/* Sleeps as a thread. */
__attribute__((unused)) static void nap(double ms) {
  struct timespec time = {(time_t)(ms / 1000), (long)(ms * 1e6) % 1000000000};
  nanosleep(&time, NULL);
}

/* A door that jobs wait at, and how many are inside. */
typedef struct door {
  _Atomic(int) open, arrived, passed;
} door_t;

__attribute__((unused)) static void door_open(door_t *door) { atom_store(&door->open, 1, seq_cst); }

/* A job: counts itself, waits until the door is open. */
static WEFT_ASYNC(pass, door_t *, int);
__attribute__((unused)) static int pass(door_t *door, int status) {
  atom_add(&door->arrived, 1, seq_cst);
  while (!atom_load(&door->open, seq_cst)) nap(0.1);
  atom_add(&door->passed, 1, seq_cst);
  return status < 0 ? weft_fail(status, "door") : status;
}

/* As a task: until n jobs stand at the door. */
__attribute__((unused)) static void await_arrived(door_t *door, int n) {
  while (atom_load(&door->arrived, seq_cst) < n) weft_ignore(weft_sleep(0.0005));
}
__attribute__((unused)) static void await_arrived_blocking(door_t *door, int n) {
  while (atom_load(&door->arrived, seq_cst) < n) nap(0.2);
}

/* As a task: awaits a future, and says before that it has begun: a cancellation from then on reaches the future. */
static WEFT_ASYNC(awaiting, weft_future_t *, _Atomic(int) *);
__attribute__((unused)) static int awaiting(weft_future_t *future, _Atomic(int) *begun) {
  atom_add(begun, 1, seq_cst);
  return weft_await_future(future, NULL);
}
__attribute__((unused)) static void await_begun(_Atomic(int) *begun, int n) {
  while (atom_load(begun, seq_cst) < n) weft_ignore(weft_sleep(0.0005));
}

static WEFT_ASYNC(give, int);
__attribute__((unused)) static int give(int status) {
  return status < 0 ? weft_fail(status, "given %d", status) : status;
}

/* Tasks that call blocking functions. */
static WEFT_ASYNC(passing_thread, door_t *, int);
__attribute__((unused)) static int passing_thread(door_t *door, int status) {
  return weft_to_thread(pass_async(door, status));
}
static WEFT_ASYNC(passing_executor, weft_executor_t *, door_t *, int);
__attribute__((unused)) static int passing_executor(weft_executor_t *executor, door_t *door, int status) {
  return weft_run_in_executor(executor, pass_async(door, status));
}

__attribute__((unused)) static int run_on(unsigned workers, weft_call_t call) {
  return weft_run_with(&(const weft_config_t){.workers = workers}, call);
}
/* A test body as a coroutine, on one worker and on four. */
#define RUNS(body)                                                                                                     \
  static WEFT_ASYNC(body);                                                                                             \
  static void run_##body(void **state) {                                                                               \
    (void)state;                                                                                                       \
    assert_int_equal(run_on(1, body##_async()), 0);                                                                    \
    assert_int_equal(run_on(4, body##_async()), 0);                                                                    \
  }                                                                                                                    \
  static int body(void)

__attribute__((unused)) static int scaled(int n) {
  const char *scale = getenv("WEFT_TEST_SCALE");
  int scaled = scale != NULL ? (int)(n * atof(scale)) : n;
#ifdef __SANITIZE_THREAD__
  if (scaled > 1500) scaled = 1500; /* it takes so many fibers and no more */
#endif
  return scaled > 1 ? scaled : 1;
}

#endif
