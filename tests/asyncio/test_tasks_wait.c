/* test_tasks_wait.c: wait in its three modes and with a time limit, as_completed, shield. */
#include "transcript.h"

/* ---- wait ---- */

CASE(107, wait_all_and_first_completed, CAUSAL, VIRTUAL) {
  const char *names[3] = {NULL}, *ended[3];
  weft_task_t *tasks[] = {weft_create_task(S_text_async(10, "a", &names[0])),
                          weft_create_task(S_text_async(20, "b", &names[1])),
                          weft_create_task(S_text_async(30, "c", &names[2]))};
  const int modes[] = {WEFT_FIRST_COMPLETED, WEFT_ALL_COMPLETED};
  for (int m = 0; m < 2; m++) {
    bool done[3];
    int n = weft_wait_tasks(tasks, 3, modes[m], WEFT_FOREVER, done);
    size_t k = 0;
    for (int i = 0; i < 3; i++)
      if (done[i]) ended[k++] = names[i];
    sort_strs(ended, k);
    const char *cancelled = "";
    if (m == 0)
      cancelled = text(" %s", LIST(repr_bool(weft_task_cancelled(tasks[0])), repr_bool(weft_task_cancelled(tasks[1])),
                                   repr_bool(weft_task_cancelled(tasks[2]))));
    T("%s %d%s", repr_strs(ended, k), 3 - n, cancelled);
  }
  for (int i = 0; i < 3; i++) weft_detach(tasks[i]);
  return 0;
}

static WEFT_ASYNC(c109_fail);
static int c109_fail(void) { return weft_fail(WEFT_VALUE, "x"); }
CASE(109, wait_already_failed_and_first_exception, SINGLE, VIRTUAL) {
  weft_task_t *tasks[2] = {weft_create_task(c109_fail_async())};
  TRY(weft_sleep(0));
  TRY(weft_sleep(0));
  tasks[1] = weft_create_task(S_async(50));
  const int modes[] = {WEFT_FIRST_EXCEPTION, WEFT_FIRST_COMPLETED};
  for (int m = 0; m < 2; m++) {
    int n = weft_wait_tasks(tasks, 2, modes[m], WEFT_FOREVER, NULL);
    T("%d %d", n, 2 - n);
  }
  weft_task_cancel(tasks[1], NULL);
  weft_task_error(tasks[0]);
  for (int i = 0; i < 2; i++) weft_detach(tasks[i]);
  return 0;
}

CASE(110, wait_timeout_does_not_cancel, CAUSAL, VIRTUAL) {
  const char *a_value, *b_value = NULL;
  weft_task_t *tasks[] = {weft_create_task(S_text_async(20, "a", &a_value)),
                          weft_create_task(S_text_async(60, "b", &b_value))};
  int n = weft_wait_tasks(tasks, 2, WEFT_ALL_COMPLETED, 0.04, NULL);
  T("%d %d %s", n, 2 - n, repr_bool(weft_task_cancelled(tasks[1])));
  TRY(weft_await(tasks[1]));
  T("%s", b_value);
  weft_task_t *c = weft_create_task(S_async(20));
  n = weft_wait_tasks(&c, 1, WEFT_ALL_COMPLETED, 0, NULL);
  T("%d %d", n, 1 - n);
  weft_detach(tasks[0]);
  weft_detach(tasks[1]);
  weft_detach(c);
  return 0;
}

/* ---- as_completed ---- */

CASE(124, as_completed_timeout, CAUSAL, VIRTUAL) {
  const char *names[3] = {NULL};
  weft_task_t *tasks[] = {weft_create_task(S_text_async(10, "a", &names[0])),
                          weft_create_task(S_text_async(50, "b", &names[1])),
                          weft_create_task(S_text_async(60, "c", &names[2]))};
  weft_future_t *futures[3];
  for (int i = 0; i < 3; i++) futures[i] = weft_task_future(tasks[i]);
  weft_as_completed_t it;
  weft_as_completed_init(&it, futures, 3, 0.03);
  for (int i = 0; i < 3; i++) {
    size_t at = 0;
    outcome(weft_as_completed_next(&it, &at), NULL, repr_str(names[at]));
  }
  weft_as_completed_destroy(&it);
  const char *cancelled[3];
  for (int i = 0; i < 3; i++) cancelled[i] = repr_bool(weft_task_cancelled(tasks[i]));
  P("%s", repr_items(cancelled, 3));
  weft_detach(tasks[0]);
  for (int i = 1; i < 3; i++) {
    TRY(weft_join(tasks[i]));
    T("%s", names[i]);
  }
  return 0;
}

CASE(125, as_completed_duplicates_and_empty, CAUSAL, VIRTUAL) {
  weft_as_completed_t it;
  size_t at;
  int n = 0;
  weft_as_completed_init(&it, NULL, 0, WEFT_FOREVER);
  while (weft_as_completed_next(&it, &at) > 0) n++;
  weft_as_completed_destroy(&it);
  P("%s", n == 0 ? "[]" : "not empty");

  weft_task_t *t = weft_create_task(S_async(0));
  weft_as_completed_init(&it, (weft_future_t *[]){weft_task_future(t), weft_task_future(t)}, 2, WEFT_FOREVER);
  while (weft_as_completed_next(&it, &at) > 0) n++;
  weft_as_completed_destroy(&it);
  weft_detach(t);
  P("%d", n);

  const char *names[2] = {NULL};
  weft_task_t *tasks[] = {weft_create_task(S_text_async(20, "x", &names[0])),
                          weft_create_task(S_text_async(10, "y", &names[1]))};
  weft_future_t *futures[] = {weft_task_future(tasks[0]), weft_task_future(tasks[1])};
  weft_as_completed_init(&it, futures, 2, WEFT_FOREVER);
  TRY(S(30));
  while (weft_as_completed_next(&it, &at) > 0) T("%s", names[at]);
  weft_as_completed_destroy(&it);
  weft_detach(tasks[0]);
  weft_detach(tasks[1]);
  return 0;
}

/* ---- shield ---- */

static WEFT_ASYNC(c119_inner);
static int c119_inner(void) {
  TRY(S(30));
  T("inner done");
  return 1;
}
static WEFT_ASYNC(c119_outer, weft_task_t *);
static int c119_outer(weft_task_t *inner) { return weft_shield(weft_task_future(inner), NULL); }
CASE(119, shield_outer_cancelled_inner_survives, CAUSAL, VIRTUAL) {
  weft_task_t *i = weft_create_task(c119_inner_async());
  weft_task_t *o = weft_create_task(c119_outer_async(i));
  TRY(S(10));
  weft_task_cancel(o, NULL);
  outcome(weft_join(o), "O", NONE);
  outcome(weft_await(i), "I", repr_int(weft_task_result(i)));
  weft_detach(i);
  return 0;
}

static int c121_handler(weft_loop_t *loop, const weft_error_context_t *context, void *data) {
  (void)loop, (void)data;
  P("handler: %s %s", context->message, E(context->error));
  return 0;
}
static WEFT_ASYNC(c121_inner);
static int c121_inner(void) {
  TRY(S(30));
  return weft_fail(WEFT_VALUE, "late");
}
static WEFT_ASYNC(c121_outer);
static int c121_outer(void) {
  weft_task_t *inner = weft_create_task(c121_inner_async());
  int rc = weft_shield(weft_task_future(inner), NULL);
  weft_detach(inner);
  return rc;
}
CASE(121, shield_inner_error_after_outer_cancel, CAUSAL, VIRTUAL) {
  weft_loop_set_exception_handler(weft_get_running_loop(), c121_handler, NULL);
  weft_task_t *o = weft_create_task(c121_outer_async());
  TRY(S(10));
  weft_task_cancel(o, NULL);
  outcome(weft_join(o), "O", NONE);
  TRY(S(30));
  T("end");
  return 0;
}

static WEFT_ASYNC(c122_wait, weft_task_t *);
static int c122_wait(weft_task_t *inner) { return weft_wait_for(weft_shield_async(weft_task_future(inner), NULL), 1); }
CASE(122, shield_inside_wait_for, CAUSAL, VIRTUAL) {
  const char *value = NULL, *value2 = NULL;
  weft_task_t *i = weft_create_task(S_text_async(50, "I", &value));
  outcome(weft_wait_for(weft_shield_async(weft_task_future(i), NULL), 0.02), NULL, NONE);
  P("%s", repr_bool(weft_task_cancelled(i)));
  outcome(weft_join(i), "I", repr_str(value));
  weft_task_t *i2 = weft_create_task(S_text_async(50, "I2", &value2));
  weft_task_t *w = weft_create_task(c122_wait_async(i2));
  TRY(S(10));
  weft_task_cancel(w, NULL);
  outcome(weft_join(w), "W", NONE);
  outcome(weft_join(i2), "I2", repr_str(value2));
  return 0;
}
