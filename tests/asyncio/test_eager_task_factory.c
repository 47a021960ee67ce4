/* test_eager_task_factory.c: tasks that run inside create_task up to their first suspension. */
#include "transcript.h"

static weft_task_t *c100_factory(weft_loop_t *loop, weft_call_t call, const weft_task_options_t *options) {
  weft_task_options_t eager = options != NULL ? *options : (weft_task_options_t){0};
  (void)loop;
  eager.eager = true;
  return weft_create_task_with(call, &eager);
}
static bool c100_in_all_tasks(const weft_task_t *task) {
  weft_task_t *tasks[16];
  int n = weft_all_tasks(weft_get_running_loop(), tasks, 16);
  bool found = false;
  for (int i = 0; i < n && i < 16; i++) {
    found = found || tasks[i] == task;
    weft_task_unref(tasks[i]);
  }
  return found;
}
static WEFT_ASYNC(c100_bad);
static int c100_bad(void) { return weft_fail(WEFT_VALUE, "eager"); }
static WEFT_ASYNC(c100_sleeper);
static int c100_sleeper(void) {
  P("me in all_tasks %s", repr_bool(c100_in_all_tasks(weft_current_task())));
  return S(50);
}
CASE(100, eager_task_cancel_and_error, SINGLE, VIRTUAL) {
  weft_loop_set_task_factory(weft_get_running_loop(), c100_factory);
  weft_task_t *t = weft_create_task(c100_bad_async());
  P("%s", repr_bool(weft_task_done(t)));
  outcome(weft_join(t), NULL, NONE);
  t = weft_create_task(c100_sleeper_async());
  P("%s", repr_bool(c100_in_all_tasks(t)));
  weft_task_cancel(t, NULL);
  outcome(weft_join(t), NULL, NONE);
  return 0;
}
