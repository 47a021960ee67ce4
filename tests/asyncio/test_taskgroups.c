/* test_taskgroups.c: task groups: all end before the block does; the first failure cancels the rest; all errors are kept. */
#include "transcript.h"

#include <stdatomic.h>

static WEFT_ASYNC(c127_v, double, const char *);
static int c127_v(double ms, const char *name) {
  TRY(S(ms));
  T("%s", name);
  return 0;
}
static WEFT_ASYNC(c127_b, weft_taskgroup_t *);
static int c127_b(weft_taskgroup_t *group) {
  TRY(c127_v(20, "b"));
  weft_taskgroup_create_task(group, c127_v_async(10, "c"));
  return 0;
}
CASE(127, taskgroup_success, CAUSAL, VIRTUAL) {
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  weft_taskgroup_create_task(&group, c127_v_async(10, "a"));
  weft_taskgroup_create_task(&group, c127_b_async(&group));
  T("body end");
  int rc = weft_taskgroup_exit(&group, 0);
  T("group end");
  return rc;
}

static WEFT_ASYNC(c128_ok);
static int c128_ok(void) {
  int rc = S(5000);
  if (rc != WEFT_CANCELLED) return rc;
  TRY(S(10));
  T("ok cancelled");
  return rc;
}
static WEFT_ASYNC(c128_bad);
static int c128_bad(void) {
  TRY(S(10));
  return weft_fail(WEFT_VALUE, "bad");
}
static WEFT_ASYNC(c128_late);
static int c128_late(void) {
  int rc = S(5000);
  return rc == WEFT_CANCELLED ? weft_fail(KEY_ERROR, "'late'") : rc;
}
static int c128_body(void) {
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  weft_taskgroup_create_task(&group, c128_ok_async());
  weft_taskgroup_create_task(&group, c128_bad_async());
  weft_taskgroup_create_task(&group, c128_late_async());
  int rc = S(1000);
  if (rc == WEFT_CANCELLED) T("body cancelled");
  return weft_taskgroup_exit(&group, rc);
}
CASE(128, taskgroup_first_failure_cancels_siblings, CAUSAL, VIRTUAL) {
  int rc = c128_body();
  if (rc == WEFT_GROUP) T("%s", E(weft_error()));
  P("%d", weft_task_cancelling(weft_current_task()));
  return 0;
}

struct c130_log {
  const char *lines[2];
  atomic_int n;
};
static WEFT_ASYNC(c130_child, struct c130_log *, bool, int);
static int c130_child(struct c130_log *log, bool convert, int n) {
  int rc = S(1000);
  if (rc != WEFT_CANCELLED) return rc;
  log->lines[atomic_fetch_add(&log->n, 1)] = text("child %d cancelled", n);
  return convert ? weft_fail(WEFT_VALUE, "conv") : rc;
}
static WEFT_ASYNC(c130_group, struct c130_log *, bool);
static int c130_group(struct c130_log *log, bool convert) {
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  weft_taskgroup_create_task(&group, c130_child_async(log, false, 1));
  weft_taskgroup_create_task(&group, c130_child_async(log, convert, 2));
  return weft_taskgroup_exit(&group, 0);
}
CASE(130, taskgroup_outer_cancel, CAUSAL, VIRTUAL) {
  for (int convert = 0; convert < 2; convert++) {
    struct c130_log log = {{NULL}, 0};
    weft_task_t *g = weft_create_task(c130_group_async(&log, convert));
    TRY(S(10));
    weft_task_cancel(g, NULL);
    outcome(weft_await(g), "G", NONE);
    size_t n = (size_t)atomic_load(&log.n);
    sort_strs(log.lines, n);
    P("%s %d %s", repr_bool(weft_task_cancelled(g)), weft_task_cancelling(g), repr_strs(log.lines, n));
    weft_detach(g);
  }
  return 0;
}

static WEFT_ASYNC(c131_cancels_itself);
static int c131_cancels_itself(void) {
  TRY(S(10));
  return weft_fail(WEFT_CANCELLED, NULL);
}
CASE(131, taskgroup_child_cancelled_alone, CAUSAL, VIRTUAL) {
  const char *b = NULL;
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  weft_task_t *a = weft_task_ref(weft_taskgroup_create_task(&group, S_async(1000)));
  weft_taskgroup_create_task(&group, c131_cancels_itself_async());
  weft_taskgroup_create_task(&group, S_text_async(30, "b", &b));
  int rc = S(10);
  weft_task_cancel(a, NULL);
  rc = weft_taskgroup_exit(&group, rc);
  T("%s %s", repr_bool(weft_task_cancelled(a)), b);
  weft_task_unref(a);
  return rc;
}

static WEFT_ASYNC(c133_sleeper, const char *);
static int c133_sleeper(const char *name) {
  int rc = S(1000);
  if (rc == WEFT_CANCELLED) T("%s cancelled", name);
  return rc;
}
static WEFT_ASYNC(c133_bad);
static int c133_bad(void) {
  TRY(S(10));
  return weft_fail(WEFT_VALUE, "B");
}
CASE(133, taskgroup_nested, CAUSAL, VIRTUAL) {
  weft_taskgroup_t outer, inner;
  weft_taskgroup_enter(&outer);
  weft_taskgroup_create_task(&outer, c133_sleeper_async("A"));
  weft_taskgroup_enter(&inner);
  weft_taskgroup_create_task(&inner, c133_bad_async());
  weft_taskgroup_create_task(&inner, c133_sleeper_async("C"));
  int rc = weft_taskgroup_exit(&inner, 0);
  rc = weft_taskgroup_exit(&outer, rc);
  if (rc == WEFT_GROUP) T("%s", E(weft_error()));
  return 0;
}

static WEFT_ASYNC(c134_bad);
static int c134_bad(void) {
  TRY(S(10));
  return weft_fail(WEFT_VALUE, "bad");
}
static WEFT_ASYNC(c134_slow);
static int c134_slow(void) {
  int rc = S(1000);
  TRY(S(20));
  return rc;
}
static WEFT_ASYNC(c134_group);
static int c134_group(void) {
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  weft_taskgroup_create_task(&group, c134_bad_async());
  weft_taskgroup_create_task(&group, c134_slow_async());
  int rc = weft_taskgroup_exit(&group, 0);
  if (!weft_error_is(weft_error(), WEFT_VALUE)) return rc;
  T("group caught %d", weft_task_cancelling(weft_current_task()));
  return S(10);
}
CASE(134, taskgroup_failure_and_outer_cancel_together, CAUSAL, VIRTUAL) {
  weft_task_t *g = weft_create_task(c134_group_async());
  TRY(S(20));
  weft_task_cancel(g, NULL);
  outcome(weft_join(g), "G", repr_str("after"));
  return 0;
}
