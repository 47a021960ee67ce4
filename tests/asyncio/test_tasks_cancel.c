/* test_tasks_cancel.c: cancelling tasks: at every moment, swallowed, replaced, twice, by itself, counted. */
#include "transcript.h"

static WEFT_ASYNC(c079_body);
static int c079_body(void) {
  P("body");
  int rc = S(10);
  P("finally");
  return rc;
}
CASE(079, cancel_before_first_step, SINGLE, VIRTUAL) {
  weft_task_t *t = weft_create_task(c079_body_async());
  bool requested = weft_task_cancel(t, NULL);
  P("%s %s", repr_bool(requested), repr_bool(weft_task_done(t)));
  outcome(weft_await(t), "task", NONE);
  bool cancelled = weft_task_cancelled(t);
  P("%s %s", repr_bool(cancelled), repr_bool(weft_task_cancel(t, NULL)));
  weft_detach(t);
  return 0;
}

static int c080_points(void) {
  P("a");
  TRY(S(20));
  P("b");
  TRY(S(20));
  P("c");
  weft_future_t *never = weft_future_open(0);
  int rc = weft_await_future(never, NULL);
  weft_future_unref(never);
  return rc;
}
static WEFT_ASYNC(c080_body);
static int c080_body(void) {
  int rc = c080_points();
  T("f");
  return rc;
}
CASE(080, cancel_at_every_await_point, CAUSAL, VIRTUAL) {
  for (int d = 10; d <= 50; d += 20) {
    weft_task_t *t = weft_create_task(c080_body_async());
    TRY(S(d));
    weft_task_cancel(t, NULL);
    outcome(weft_join(t), text("cancel after %d", d), NONE);
  }
  return 0;
}

static WEFT_ASYNC(c082_body, const char **);
static int c082_body(const char **result) {
  int rc = S(100);
  if (rc == WEFT_CANCELLED) T("swallowed");
  TRY(S(20));
  *result = "done anyway";
  return 0;
}
/* Tagged causal by asyncio; here FIFO: cancel() makes the task ready on any worker before main prints what it answered, and
 * nothing orders main's print before the task's. The lines at 30 come after both: time stands still until main waits. */
CASE(082, cancel_is_swallowed, FIFO, VIRTUAL) {
  const char *result = NULL;
  weft_task_t *t = weft_create_task(c082_body_async(&result));
  TRY(S(10));
  P("%s", repr_bool(weft_task_cancel(t, NULL)));
  outcome(weft_await(t), "task", repr_str(result));
  P("%s %d", repr_bool(weft_task_cancelled(t)), weft_task_cancelling(t));
  weft_detach(t);
  return 0;
}

static WEFT_ASYNC(c083_raise);
static int c083_raise(void) {
  int rc = S(100);
  return rc == WEFT_CANCELLED ? weft_fail(WEFT_VALUE, "instead") : rc;
}
static WEFT_ASYNC(c083_return);
static int c083_return(void) {
  weft_ignore(S(100));
  return 3;
}
CASE(083, cancel_replaced_by_error, CAUSAL, VIRTUAL) {
  weft_call_t bodies[] = {c083_raise_async(), c083_return_async()};
  for (int i = 0; i < 2; i++) {
    weft_task_t *t = weft_create_task(bodies[i]);
    TRY(S(10));
    weft_task_cancel(t, NULL);
    outcome(weft_await(t), "task", repr_int(weft_task_result(t)));
    P("%s", repr_bool(weft_task_cancelled(t)));
    if (weft_task_error(t) != NULL) P("%s", kind(weft_task_error(t)->context));
    weft_detach(t);
  }
  return 0;
}

static WEFT_ASYNC(c085_body);
static int c085_body(void) {
  int rc = S(100);
  if (rc != WEFT_CANCELLED) return rc;
  T("first");
  int second = S(50);
  if (second == WEFT_CANCELLED) T("second");
  return second;
}
CASE(085, cancel_twice_separately, CAUSAL, VIRTUAL) {
  weft_task_t *t = weft_create_task(c085_body_async());
  TRY(S(10));
  weft_task_cancel(t, NULL);
  TRY(S(10));
  weft_task_cancel(t, NULL);
  outcome(weft_await(t), NULL, NONE);
  P("%d", weft_task_cancelling(t));
  weft_detach(t);
  return 0;
}

static int c086_nosusp(void) {
  P("no suspension");
  return 0;
}
static WEFT_ASYNC(c086_body);
static int c086_body(void) {
  P("%s", repr_bool(weft_task_cancel(weft_current_task(), NULL)));
  P("still running");
  TRY(c086_nosusp());
  int rc = S(10);
  if (rc == WEFT_CANCELLED) T("cancelled here");
  return rc;
}
CASE(086, cancel_self, CAUSAL, VIRTUAL) {
  outcome(weft_join(weft_create_task(c086_body_async())), NULL, NONE);
  return 0;
}

static WEFT_ASYNC(c088_body);
static int c088_body(void) {
  int rc = S(100);
  if (rc == WEFT_CANCELLED) P("body (%s,)", repr_str(weft_error()->message));
  return rc;
}
CASE(088, cancel_message, SINGLE, VIRTUAL) {
  weft_task_t *t = weft_create_task(c088_body_async());
  TRY(S(10));
  weft_task_cancel(t, "stop it");
  outcome(weft_join(t), "awaiter", NONE);
  t = weft_create_task(c088_body_async());
  TRY(S(10));
  weft_task_cancel(t, "a");
  weft_task_cancel(t, "b");
  outcome(weft_join(t), "awaiter", NONE);
  return 0;
}

static WEFT_ASYNC(c089_body);
static int c089_body(void) {
  weft_task_t *t = weft_current_task();
  int count = weft_task_cancelling(t);
  P("%d %d", count, weft_task_uncancel(t));
  int rc = S(100);
  if (rc == WEFT_CANCELLED) {
    int left[4] = {weft_task_cancelling(t)};
    for (int i = 1; i < 4; i++) left[i] = weft_task_uncancel(t);
    P("%d %d %d %d", left[0], left[1], left[2], left[3]);
  }
  return S(10);
}
CASE(089, cancel_uncancel_counts, SINGLE, VIRTUAL) {
  weft_task_t *t = weft_create_task(c089_body_async());
  TRY(S(10));
  for (int i = 0; i < 3; i++) weft_task_cancel(t, NULL);
  outcome(weft_await(t), NULL, repr_str("ok"));
  P("%s %d", repr_bool(weft_task_cancelled(t)), weft_task_cancelling(t));
  weft_detach(t);
  return 0;
}

static WEFT_ASYNC(c091_level, const char *, weft_task_t *);
static int c091_level(const char *name, weft_task_t *next) {
  int rc = next != NULL ? weft_await(next) : S(100);
  if (rc == WEFT_CANCELLED) T("%s", name);
  return rc;
}
CASE(091, cancel_chain_of_awaited_tasks, CAUSAL, VIRTUAL) {
  weft_task_t *c = weft_create_task(c091_level_async("C", NULL));
  weft_task_t *b = weft_create_task(c091_level_async("B", c));
  weft_task_t *a = weft_create_task(c091_level_async("A", b));
  TRY(S(10));
  weft_task_cancel(a, NULL);
  outcome(weft_join(a), "A", NONE);
  P("%s %s", repr_bool(weft_task_cancelled(b)), repr_bool(weft_task_cancelled(c)));
  weft_detach(b);
  weft_detach(c);
  return 0;
}

static WEFT_ASYNC(c092_b, const char **);
static int c092_b(const char **value) {
  int rc = S(100);
  if (rc != WEFT_CANCELLED) return rc;
  TRY(S(10));
  *value = "B value";
  return 0;
}
static WEFT_ASYNC(c092_a, weft_task_t *);
static int c092_a(weft_task_t *b) { return weft_await(b); }
CASE(092, cancel_child_swallows_parent_survives, CAUSAL, VIRTUAL) {
  const char *value = NULL;
  weft_task_t *b = weft_create_task(c092_b_async(&value));
  weft_task_t *a = weft_create_task(c092_a_async(b));
  TRY(S(10));
  P("%s", repr_bool(weft_task_cancel(a, NULL)));
  outcome(weft_await(a), "A", repr_str(value));
  P("%d", weft_task_cancelling(a));
  weft_detach(a);
  weft_detach(b);
  return 0;
}

static WEFT_ASYNC(c094_body);
static int c094_body(void) {
  int rc = S(100);
  T("cleanup start");
  TRY(S(20));
  T("cleanup end");
  return rc;
}
CASE(094, cancel_during_finally_await, CAUSAL, VIRTUAL) {
  weft_task_t *t = weft_create_task(c094_body_async());
  TRY(S(10));
  weft_task_cancel(t, NULL);
  outcome(weft_join(t), NULL, NONE);
  return 0;
}
