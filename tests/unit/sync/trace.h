/* trace.h: what the tests of this folder are written with: a transcript of marks, compared with what asyncio prints for
 * the same program, and runs of a main call with one worker on virtual time, or with several. */
#ifndef TESTS_UNIT_SYNC_TRACE_H
#define TESTS_UNIT_SYNC_TRACE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/spin.h"

static weft__spin_t trace_lock;
static char trace_text[1 << 16];
static size_t trace_size;

__attribute__((format(printf, 1, 2), unused)) static void mark(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  weft__spin_lock(&trace_lock);
  if (trace_size > 0) trace_text[trace_size++] = ' ';
  int n = vsnprintf(trace_text + trace_size, sizeof trace_text - trace_size - 1, format, arguments);
  trace_size += (size_t)n;
  if (trace_size > sizeof trace_text - 64) trace_size = sizeof trace_text - 64;
  weft__spin_unlock(&trace_lock);
  va_end(arguments);
}

/* The marks so far, which are then forgotten. */
__attribute__((unused)) static const char *trace(void) {
  static char taken[sizeof trace_text];
  weft__spin_lock(&trace_lock);
  memcpy(taken, trace_text, trace_size);
  taken[trace_size] = '\0';
  trace_size = 0;
  weft__spin_unlock(&trace_lock);
  return taken;
}
#define assert_trace(expected) assert_string_equal(trace(), expected)

/* Runs with asyncio's order and the virtual clock. */
__attribute__((unused)) static int run1(weft_call_t call) {
  trace_size = 0;
  return weft_run_with(&(weft_config_t){.workers = 1, .virtual_time = true}, call);
}

/* Runs with several workers on the real clock. */
__attribute__((unused)) static int run4(weft_call_t call) {
  trace_size = 0;
  return weft_run_with(&(weft_config_t){.workers = 4}, call);
}

/* Marks name0 name1 … once per pass through the ready queue: what others do can be counted in passes. */
static WEFT_ASYNC(ticker, const char *, int);
__attribute__((unused)) static int ticker(const char *name, int n) {
  int rc = 0;
  for (int i = 0; i < n && rc == 0; i++) {
    mark("%s%d", name, i);
    rc = weft_yield();
  }
  return rc;
}

/* Milliseconds; marks name, or name! if it was cancelled; then the status. */
static WEFT_ASYNC(sleeper, const char *, double, int);
__attribute__((unused)) static int sleeper(const char *name, double ms, int status) {
  int rc = ms < 0 ? 0 : weft_sleep(ms / 1000);
  if (name != NULL) mark(rc < 0 ? "%s!" : "%s", name);
  if (rc < 0) return rc;
  return status < 0 ? weft_fail(status, "%s", name != NULL ? name : "") : status;
}

/* The same, but takes its time to end when it is cancelled, and ends with `on_cancel` (0: passes the cancellation on). */
static WEFT_ASYNC(stubborn, const char *, double, double, int);
__attribute__((unused)) static int stubborn(const char *name, double ms, double cleanup_ms, int on_cancel) {
  int rc = weft_sleep(ms / 1000);
  if (rc == WEFT_CANCELLED) {
    mark("%s!", name);
    weft_ignore(weft_sleep(cleanup_ms / 1000));
    mark("%s.", name);
    return on_cancel == 0 ? rc : on_cancel < 0 ? weft_fail(on_cancel, "%s", name) : on_cancel;
  }
  mark("%s", name);
  return rc;
}

/* A number of rounds or tasks, by WEFT_TEST_SCALE. */
__attribute__((unused)) static int scaled(int n) {
  const char *scale = getenv("WEFT_TEST_SCALE");
  int scaled = scale != NULL ? (int)(n * atof(scale)) : n;
#ifdef __SANITIZE_THREAD__
  if (scaled > 1500) scaled = 1500; /* it takes so many fibers and no more */
#endif
  int least = n < 60 ? n : 60;
  return scaled > least ? scaled : least;
}

/* Milliseconds of loop time, rounded. */
__attribute__((unused)) static int ms_now(void) { return (int)(weft_loop_time(weft_get_running_loop()) * 1000 + 0.5); }

#endif
