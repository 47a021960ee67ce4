/* test_tasks_gather.c: gather: order of results, errors and cancellations of children, cancelling the gather. */
#include "transcript.h"

#include <stdatomic.h>

static WEFT_ASYNC(c101_once);
static int c101_once(void) {
  P("once");
  return 1;
}
CASE(101, gather_order_and_empty, CAUSAL, VIRTUAL) {
  const char *values[3];
  int statuses[2];
  TRY(weft_gather(S_text_async(30, "a", &values[0]), S_text_async(10, "b", &values[1]),
                  S_text_async(20, "c", &values[2])));
  T("%s", repr_strs(values, 3));
  TRY(weft_gather_n(NULL, 0, NULL, 0));
  T("[]");
  weft_task_t *once = weft_create_task(c101_once_async());
  weft_future_t *twice[] = {weft_task_future(once), weft_task_future(once)};
  TRY(weft_gather_futures(twice, 2, statuses, 0));
  T("%s", repr_ints(statuses, 2));
  weft_detach(once);
  return 0;
}

static int c103_cancel(void *task) {
  weft_task_cancel(task, NULL);
  return 0;
}
static WEFT_ASYNC(c103_fail, double);
static int c103_fail(double ms) {
  TRY(S(ms));
  return weft_fail(WEFT_VALUE, "f");
}
CASE(103, gather_return_exceptions_with_cancelled_child, CAUSAL, VIRTUAL) {
  const char *ok = NULL, *o_value = NULL, *reprs[3];
  int statuses[3];
  weft_loop_t *loop = weft_get_running_loop();
  weft_task_t *c = weft_create_task(S_async(100));
  weft_call_later(loop, 0.01, c103_cancel, c);
  weft_task_t *tasks[] = {weft_create_task(S_text_async(20, "ok", &ok)), c, weft_create_task(c103_fail_async(20))};
  TRY(weft_gather_tasks(tasks, 3, statuses, WEFT_RETURN_EXCEPTIONS));
  for (int i = 0; i < 3; i++) {
    reprs[i] = repr_str(statuses[i] < 0 ? kind(statuses[i]) : ok);
    weft_detach(tasks[i]);
  }
  T("%s", repr_items(reprs, 3));

  c = weft_create_task(S_async(100));
  weft_task_t *o = weft_create_task(S_text_async(30, "o", &o_value));
  weft_call_later(loop, 0.01, c103_cancel, c);
  outcome(weft_gather_tasks((weft_task_t *[]){o, c}, 2, NULL, 0), NULL, NONE);
  P("%d", weft_task_cancelling(weft_current_task()));
  outcome(weft_join(o), NULL, repr_str(o_value));
  weft_detach(c);
  return 0;
}

static WEFT_ASYNC(c104_child, int);
static int c104_child(int i) {
  int rc = S(100);
  if (rc != WEFT_CANCELLED) return rc;
  if (i == 2) TRY(S(10));
  T("child %d", i);
  return rc;
}
static WEFT_ASYNC(c104_gather, unsigned);
static int c104_gather(unsigned flags) {
  weft_task_t *children[3];
  for (int i = 0; i < 3; i++) children[i] = weft_create_task(c104_child_async(i + 1));
  int rc = weft_gather_tasks(children, 3, NULL, flags);
  for (int i = 0; i < 3; i++) weft_detach(children[i]);
  return rc;
}
CASE(104, gather_outer_cancel, FIFO, VIRTUAL) {
  const unsigned flags[] = {0, WEFT_RETURN_EXCEPTIONS};
  for (int i = 0; i < 2; i++) {
    weft_task_t *g = weft_create_task(c104_gather_async(flags[i]));
    TRY(S(10));
    weft_task_cancel(g, NULL);
    outcome(weft_join(g), "G", NONE);
  }
  return 0;
}

static WEFT_ASYNC(c106_v);
static int c106_v(void) { return 1; }
CASE(106, gather_cancel_after_done, CAUSAL, VIRTUAL) {
  weft_call_t calls[] = {c106_v_async(), c106_v_async()};
  weft_task_t *g = weft_create_task(weft_gather_n_async(calls, 2, NULL, 0));
  TRY(weft_await(g));
  P("%s", repr_bool(weft_task_cancel(g, NULL)));
  weft_detach(g);
  calls[0] = S_async(50), calls[1] = S_async(60);
  g = weft_create_task(weft_gather_n_async(calls, 2, NULL, 0));
  TRY(S(10));
  P("%s", repr_bool(weft_task_cancel(g, NULL)));
  outcome(weft_join(g), NULL, NONE);
  return 0;
}

static WEFT_ASYNC(c149_sleeper, atomic_int *);
static int c149_sleeper(atomic_int *cancelled) {
  int rc = S(100);
  if (rc == WEFT_CANCELLED) atomic_fetch_add(cancelled, 1);
  return rc;
}
static WEFT_ASYNC(c149_gather, atomic_int *);
static int c149_gather(atomic_int *cancelled) {
  weft_call_t inner[] = {c149_sleeper_async(cancelled), c149_sleeper_async(cancelled)};
  return weft_gather(weft_gather_n_async(inner, 2, NULL, 0), c149_sleeper_async(cancelled));
}
CASE(149, gather_of_gather_cancel, CAUSAL, VIRTUAL) {
  atomic_int cancelled = 0;
  weft_task_t *g = weft_create_task(c149_gather_async(&cancelled));
  TRY(S(10));
  weft_task_cancel(g, NULL);
  outcome(weft_join(g), NULL, NONE);
  P("%d", atomic_load(&cancelled));
  return 0;
}
