/* test_base_events.c: a loop of one's own: running until something is done, for ever, stopping, closing. */
#include "transcript.h"

static WEFT_ASYNC(c157_c, weft_loop_t *);
static int c157_c(weft_loop_t *loop) {
  P("running %s", repr_bool(weft_loop_is_running(loop)));
  return 5;
}
static WEFT_ASYNC(c157_bad);
static int c157_bad(void) { return weft_fail(WEFT_VALUE, "bad"); }
static WEFT_ASYNC(c157_nested, weft_loop_t *);
static int c157_nested(weft_loop_t *loop) {
  int rc = weft_loop_run_until_complete(loop, c157_c_async(loop));
  if (rc == WEFT_RUNTIME) P("%s", E(weft_error()));
  return 0;
}
static int c157_nothing(void *data) {
  (void)data;
  return 0;
}
static bool c157_is_zero(weft_handle_t handle) { return handle.opaque_[0] == 0 && handle.opaque_[1] == 0; }
RAW_CASE(157, run_until_complete_semantics, CAUSAL, REAL) {
  weft_loop_t *loop;
  if (weft_loop_open(case_config(), &loop) < 0) return;
  double before = weft_loop_time(loop);
  int rc = weft_loop_run_until_complete(loop, c157_c_async(loop));
  P("%d %s", rc, repr_bool(weft_loop_is_running(loop)));
  rc = weft_loop_run_until_complete(loop, c157_bad_async());
  if (rc == WEFT_VALUE) P("%s", E(weft_error()));

  const char *fut = "fut", *result = NULL;
  weft_future_t *f = weft_loop_create_future(loop, sizeof fut);
  weft_future_set_result(f, &fut);
  rc = weft_loop_run_until_future(loop, f);
  if (rc == 0) weft_future_result(f, &result);
  P("%s", result);
  weft_future_unref(f);

  weft_ignore(weft_loop_run_until_complete(loop, c157_nested_async(loop)));
  if (weft_loop_time(loop) < before) P("time ran backwards");
  weft_loop_close(loop);
  weft_loop_close(loop);
  P("%s", repr_bool(weft_loop_is_closed(loop)));
  if (c157_is_zero(weft_call_soon(loop, c157_nothing, NULL))) P("%s", E(weft_error()));
  if (weft_loop_run_forever(loop) < 0) P("%s", E(weft_error()));
  if (c157_is_zero(weft_call_later(loop, 1, c157_nothing, NULL))) P("%s", E(weft_error()));
}

static char c158_text_a[] = "a", c158_text_c[] = "c", c158_text_d[] = "d";
static int c158_print(void *line) {
  P("%s", (const char *)line);
  return 0;
}
static int c158_b(void *loop) {
  P("b");
  weft_call_soon(loop, c158_print, c158_text_c);
  return 0;
}
static int c158_stop(void *loop) { return weft_loop_stop(loop); }
RAW_CASE(158, run_forever_and_stop, SINGLE, REAL) {
  weft_loop_t *loop;
  if (weft_loop_open(case_config(), &loop) < 0) return;
  weft_call_soon(loop, c158_print, c158_text_a);
  weft_call_soon(loop, c158_stop, loop);
  weft_call_soon(loop, c158_b, loop);
  if (weft_loop_run_forever(loop) == 0) P("stopped");
  weft_call_soon(loop, c158_stop, loop);
  if (weft_loop_run_forever(loop) == 0) P("stopped");
  weft_loop_stop(loop);
  weft_call_soon(loop, c158_print, c158_text_d);
  if (weft_loop_run_forever(loop) == 0) P("stopped");
  weft_loop_close(loop);
}

static int c160_handler(weft_loop_t *loop, const weft_error_context_t *context, void *data) {
  (void)loop, (void)data;
  P("handler: %s", context->message);
  return 0;
}
static WEFT_ASYNC(c160_t);
static int c160_t(void) {
  int rc = weft_sleep(10);
  if (rc < 0) P("%s", kind(rc));
  P("finally");
  return rc;
}
/* Closing reports the task, here before it is dropped: whether it is done is asked first. */
RAW_CASE(160, close_loop_with_pending_tasks, CAUSAL, REAL) {
  weft_loop_t *loop;
  if (weft_loop_open(case_config(), &loop) < 0) return;
  weft_loop_set_exception_handler(loop, c160_handler, NULL);
  weft_task_t *task = weft_loop_create_task(loop, c160_t_async());
  weft_ignore(weft_loop_run_until_complete(loop, S_async(10)));
  P("%s", repr_bool(weft_task_done(task)));
  weft_loop_close(loop);
  weft_detach(task);
  P("end");
}
