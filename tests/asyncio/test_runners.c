/* test_runners.c: asyncio.run: tasks left over, errors that end a run, Ctrl-C; Runner: several runs. */
#include "transcript.h"

#include <signal.h>
#include <unistd.h>

static weft_task_t *c095_keep[2];
static WEFT_ASYNC(c095_t1);
static int c095_t1(void) {
  weft_future_t *never = weft_future_open(0);
  int rc = weft_await_future(never, NULL);
  weft_future_unref(never);
  if (rc != WEFT_CANCELLED) return rc;
  TRY(S(10));
  T("t1 cancelled");
  return rc;
}
static WEFT_ASYNC(c095_t2);
static int c095_t2(void) {
  int rc = S(1000);
  if (rc == WEFT_CANCELLED) T("t2 swallowed");
  TRY(S(20));
  T("t2 end");
  return 0;
}
static WEFT_ASYNC(c095_main);
static int c095_main(void) {
  c095_keep[0] = weft_create_task(c095_t1_async());
  c095_keep[1] = weft_create_task(c095_t2_async());
  TRY(S(10));
  T("main done");
  return 5;
}
RAW_CASE(095, cancel_blocked_forever_then_main_ends, CAUSAL, VIRTUAL) {
  P("%d", run(c095_main_async()));
  P("%s %s", repr_bool(weft_task_cancelled(c095_keep[0])), repr_bool(weft_task_cancelled(c095_keep[1])));
  weft_detach(c095_keep[0]);
  weft_detach(c095_keep[1]);
}

static WEFT_ASYNC(c098_bad);
static int c098_bad(void) {
  TRY(S(10));
  return weft_fail(WEFT_EXIT, "3");
}
static WEFT_ASYNC(c098_main);
static int c098_main(void) {
  weft_task_t *t = weft_create_task(c098_bad_async());
  int rc = S(50);
  if (rc == 0) P("not reached");
  if (rc == WEFT_CANCELLED) P("main cancelled by the runner's clean-up");
  weft_task_error(t);
  weft_detach(t);
  return rc;
}
RAW_CASE(098, task_base_exception, CAUSAL, VIRTUAL) {
  int rc = run(c098_main_async());
  if (rc == WEFT_EXIT) P("SystemExit %s", weft_error()->message);
}

/* Ctrl-C cancels the main task; the run's result is WEFT_INTERRUPT only if main gave in. */
static int c251_interrupt(void *data) {
  (void)data;
  return kill(getpid(), SIGINT);
}
static WEFT_ASYNC(c251_main);
static int c251_main(void) {
  weft_call_later(weft_get_running_loop(), 0.02, c251_interrupt, NULL);
  int rc = S(1000);
  if (rc == WEFT_CANCELLED) P("main cancelled");
  TRY(S(10));
  P("cleanup");
  return rc;
}
static WEFT_ASYNC(c251_main2);
static int c251_main2(void) {
  weft_call_later(weft_get_running_loop(), 0.02, c251_interrupt, NULL);
  if (S(1000) != WEFT_CANCELLED) return 0;
  P("swallowed");
  return 7;
}
RAW_CASE(251, sigint_cancels_main, CAUSAL, REAL) {
  int rc = run(c251_main_async());
  if (rc == WEFT_INTERRUPT) P("%s", kind(rc));
  P("%d", run(c251_main2_async()));
}

/* Several runs share one loop and one context; what one run left behind goes on in the next. */
static char c257_set_in_a[] = "set in a";
static weft_contextvar_t c257_var = WEFT_CONTEXTVAR("v", NULL);
static WEFT_ASYNC(c257_background);
static int c257_background(void) {
  TRY(S(20));
  P("background 1");
  return 0;
}
static WEFT_ASYNC(c257_a, weft_loop_t **);
static int c257_a(weft_loop_t **loop) {
  TRY(weft_contextvar_set(&c257_var, c257_set_in_a));
  weft_detach(weft_create_task(c257_background_async()));
  *loop = weft_get_running_loop();
  return 0;
}
static WEFT_ASYNC(c257_b, const char **, weft_loop_t **);
static int c257_b(const char **value, weft_loop_t **loop) {
  TRY(S(40));
  *value = weft_contextvar_get(&c257_var);
  *loop = weft_get_running_loop();
  return 0;
}
RAW_CASE(257, runner_reuse, CAUSAL, REAL) {
  weft_runner_t *r;
  weft_loop_t *loop = NULL, *loop2 = NULL;
  const char *value = NULL;
  if (weft_runner_open(case_config(), &r) < 0) return;
  weft_ignore(weft_runner_run(r, c257_a_async(&loop)));
  weft_ignore(weft_runner_run(r, c257_b_async(&value, &loop2)));
  P("%s %s", value != NULL ? value : NONE, repr_bool(loop == loop2 && loop2 == weft_runner_get_loop(r)));
  weft_runner_close(r);
  if (weft_runner_run(r, c257_a_async(&loop)) == WEFT_RUNTIME) P("%s", E(weft_error()));
}
