/* test_timeouts.c: a time limit around a block: in time, too late, at once, nested, with other cancellations. */
#include "transcript.h"

#include <time.h>

CASE(136, timeout_expires_and_expired_flag, CAUSAL, VIRTUAL) {
  weft_timeout_t scope;
  weft_timeout_enter(&scope, 0.02);
  int rc = S(50);
  if (rc == WEFT_CANCELLED) T("inside Cancelled %s", repr_bool(weft_timeout_expired(&scope)));
  rc = weft_timeout_exit(&scope, rc);
  if (rc == WEFT_TIMEOUT)
    T("Timeout %s %d", repr_bool(weft_timeout_expired(&scope)), weft_task_cancelling(weft_current_task()));

  weft_timeout_enter(&scope, 0.05);
  TRY(weft_timeout_exit(&scope, S(10)));
  T("%s", repr_bool(weft_timeout_expired(&scope)));

  weft_timeout_enter(&scope, WEFT_FOREVER);
  TRY(weft_timeout_exit(&scope, S(10)));
  T("%s %s", repr_bool(weft_timeout_expired(&scope)), NONE);
  return 0;
}

CASE(137, timeout_zero_and_past, SINGLE, VIRTUAL) {
  weft_timeout_t scope;
  for (int i = 0; i < 3; i++) {
    if (i < 2)
      weft_timeout_enter(&scope, -i);
    else
      weft_timeout_at_enter(&scope, weft_loop_time(weft_get_running_loop()) - 5);
    P("body");
    int rc = S(10);
    if (rc == 0) P("no");
    if (weft_timeout_exit(&scope, rc) == WEFT_TIMEOUT) T("Timeout");
  }
  weft_timeout_enter(&scope, 0);
  TRY(weft_timeout_exit(&scope, 0));
  T("%s", repr_bool(weft_timeout_expired(&scope)));
  TRY(S(10));
  T("end");
  return 0;
}

CASE(139, timeout_nested_inner_first, CAUSAL, VIRTUAL) {
  weft_timeout_t outer, inner;
  weft_timeout_enter(&outer, 0.05);
  weft_timeout_enter(&inner, 0.02);
  int rc = weft_timeout_exit(&inner, S(100));
  if (rc == WEFT_TIMEOUT) {
    T("inner %s", repr_bool(weft_timeout_expired(&inner)));
    rc = S(10);
  }
  TRY(weft_timeout_exit(&outer, rc));
  T("%s %s", repr_bool(weft_timeout_expired(&outer)), repr_bool(weft_timeout_expired(&inner)));
  return 0;
}

CASE(140, timeout_nested_outer_first, CAUSAL, VIRTUAL) {
  weft_timeout_t outer, inner;
  weft_timeout_enter(&outer, 0.02);
  weft_timeout_enter(&inner, 0.05);
  int rc = weft_timeout_exit(&inner, S(100));
  if (rc < 0) T("between %s", kind(rc));
  rc = weft_timeout_exit(&outer, rc);
  if (rc == WEFT_TIMEOUT)
    T("outer %s %s", repr_bool(weft_timeout_expired(&outer)), repr_bool(weft_timeout_expired(&inner)));
  return 0;
}

static WEFT_ASYNC(c142_body);
static int c142_body(void) {
  weft_timeout_t scope;
  weft_timeout_enter(&scope, 0.02);
  int rc = S(100), cleanup = S(20);
  rc = weft_timeout_exit(&scope, cleanup < 0 ? cleanup : rc);
  if (rc < 0)
    T("%s %s %d", kind(rc), repr_bool(weft_timeout_expired(&scope)), weft_task_cancelling(weft_current_task()));
  return rc;
}
CASE(142, timeout_and_outer_cancel_together, CAUSAL, VIRTUAL) {
  weft_task_t *t = weft_create_task(c142_body_async());
  TRY(S(30));
  weft_task_cancel(t, NULL);
  outcome(weft_join(t), "t", NONE);
  return 0;
}

CASE(143, timeout_body_raises_other, CAUSAL, VIRTUAL) {
  weft_timeout_t scope;
  weft_timeout_enter(&scope, 0.01);
  int rc = S(100);
  if (rc == WEFT_CANCELLED) rc = weft_fail(WEFT_VALUE, "v");
  rc = weft_timeout_exit(&scope, rc);
  if (rc == WEFT_VALUE) T("%s %s", E(weft_error()), repr_bool(weft_timeout_expired(&scope)));

  weft_timeout_enter(&scope, 0.01);
  rc = S(100);
  if (rc == WEFT_CANCELLED) T("swallowed");
  TRY(weft_timeout_exit(&scope, S(10)));
  T("end %s %d", repr_bool(weft_timeout_expired(&scope)), weft_task_cancelling(weft_current_task()));
  return 0;
}

static WEFT_ASYNC(c145_child, int);
static int c145_child(int n) {
  int rc = S(1000);
  if (rc != WEFT_CANCELLED) return rc;
  TRY(S(10 * n));
  T("child %d", n);
  return rc;
}
CASE(145, timeout_around_taskgroup, CAUSAL, VIRTUAL) {
  weft_timeout_t scope;
  weft_taskgroup_t group;
  weft_timeout_enter(&scope, 0.02);
  weft_taskgroup_enter(&group);
  weft_taskgroup_create_task(&group, c145_child_async(1));
  weft_taskgroup_create_task(&group, c145_child_async(2));
  int rc = weft_taskgroup_exit(&group, 0);
  rc = weft_timeout_exit(&scope, rc);
  if (rc == WEFT_TIMEOUT) T("Timeout");
  return 0;
}

/* A callback that holds the loop until both timers are due. */
static int c146_block(void *loop) {
  if (case_config()->virtual_time) return weft_loop_advance(loop, 0.035);
  return nanosleep(&(struct timespec){0, 35000000}, NULL);
}
CASE(146, timeout_races_with_completion, SINGLE, VIRTUAL) {
  weft_timeout_t scope;
  const char *slept = NULL;
  weft_call_later(weft_get_running_loop(), 0.005, c146_block, weft_get_running_loop());
  weft_timeout_enter(&scope, 0.02);
  int rc = S_text(10, "slept", &slept);
  if (rc == 0) T("%s", slept);
  rc = weft_timeout_exit(&scope, rc);
  if (rc == WEFT_TIMEOUT) T("Timeout %s", repr_bool(weft_timeout_expired(&scope)));
  return 0;
}

CASE(148, timeout_in_loop_of_retries, CAUSAL, VIRTUAL) {
  for (int ms = 50; ms > 0; ms -= 20) {
    weft_timeout_t scope;
    weft_timeout_enter(&scope, 0.02);
    int rc = weft_timeout_exit(&scope, S(ms));
    if (rc == 0) T("ok");
    if (rc == WEFT_TIMEOUT) T("Timeout %d", weft_task_cancelling(weft_current_task()));
  }
  return 0;
}
