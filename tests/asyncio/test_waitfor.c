/* test_waitfor.c: wait_for: in time, too late, at once, cancelled from outside, nested, against a result. */
#include "transcript.h"

static WEFT_ASYNC(c112_job, double, const char **);
static int c112_job(double ms, const char **value) {
  int rc = S(ms);
  if (rc == WEFT_CANCELLED) T("job cancelled");
  if (rc == 0) *value = "v";
  return rc;
}
static WEFT_ASYNC(c112_fail);
static int c112_fail(void) { return weft_fail(WEFT_VALUE, "f"); }
CASE(112, wait_for_basic, CAUSAL, VIRTUAL) {
  const char *v = NULL;
  outcome(weft_wait_for(c112_job_async(10, &v), 0.03), NULL, repr_str(v));
  outcome(weft_wait_for(c112_job_async(50, &v), 0.02), NULL, repr_str(v));
  outcome(weft_wait_for(c112_job_async(20, &v), WEFT_FOREVER), NULL, repr_str(v));
  outcome(weft_wait_for(c112_fail_async(), 1), NULL, NONE);
  return 0;
}

static WEFT_ASYNC(c113_job, int *);
static int c113_job(int *started) {
  ++*started;
  return S(10);
}
CASE(113, wait_for_timeout_zero_or_negative, CAUSAL, VIRTUAL) {
  const char *ready = "ready", *value = NULL;
  int started = 0;
  weft_future_t *f = weft_future_open(sizeof ready), *g = weft_future_open(0);
  weft_future_set_result(f, &ready);
  outcome(weft_wait_for_future(f, 0, &value), NULL, repr_str(value));
  outcome(weft_wait_for(c113_job_async(&started), 0), NULL, NONE);
  outcome(weft_wait_for(c113_job_async(&started), -1), NULL, NONE);
  P("started %d", started);
  weft_future_set_error(g, WEFT_VALUE, "g");
  outcome(weft_wait_for_future(g, 0, NULL), NULL, NONE);
  weft_future_unref(f);
  weft_future_unref(g);
  return 0;
}

static WEFT_ASYNC(c115_job);
static int c115_job(void) {
  int rc = S(100);
  TRY(S(10));
  T("job cleaned");
  return rc;
}
static WEFT_ASYNC(c115_wait);
static int c115_wait(void) { return weft_wait_for(c115_job_async(), 0.05); }
CASE(115, wait_for_cancelled_from_outside, CAUSAL, VIRTUAL) {
  weft_task_t *w = weft_create_task(c115_wait_async());
  TRY(S(10));
  weft_task_cancel(w, NULL);
  outcome(weft_join(w), "W", NONE);
  return 0;
}

static WEFT_ASYNC(c116_wait, weft_future_t *, const char **);
static int c116_wait(weft_future_t *f, const char **value) { return weft_wait_for_future(f, 1, value); }
CASE(116, wait_for_cancel_when_result_ready, SINGLE, VIRTUAL) {
  const char *r = "r", *value = NULL;
  weft_future_t *f = weft_future_open(sizeof r);
  weft_task_t *w = weft_create_task(c116_wait_async(f, &value));
  TRY(S(10));
  weft_future_set_result(f, &r);
  weft_task_cancel(w, NULL);
  outcome(weft_join(w), "W", repr_str(value));
  weft_future_unref(f);
  return 0;
}

static WEFT_ASYNC(c118_job);
static int c118_job(void) {
  int rc = S(100);
  if (rc == WEFT_CANCELLED) T("job cancelled");
  return rc;
}
static WEFT_ASYNC(c118_inner, double);
static int c118_inner(double seconds) {
  int rc = weft_wait_for(c118_job_async(), seconds);
  if (rc < 0) T("inner saw %s", kind(rc));
  return rc;
}
CASE(118, wait_for_finished_task_and_nested, CAUSAL, VIRTUAL) {
  outcome(weft_wait_for(c118_inner_async(0.05), 0.02), NULL, NONE);
  outcome(weft_wait_for(c118_inner_async(0.02), 0.05), NULL, NONE);
  return 0;
}
