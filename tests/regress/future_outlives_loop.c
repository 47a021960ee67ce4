/* A future outlives the loop in which a task waited for it, or the task outlives the future: neither touches the other's
 * memory afterwards. */
#include <errno.h>
#include <stdio.h>
#include <weft.h>

static weft_future_t *future;

static WEFT_ASYNC(awaits);
static int awaits(void) { return weft_await_future(future, NULL); }

static WEFT_ASYNC(program);
static int program(void) {
  for (int i = 0; i < 3; i++) {
    weft_task_t *task = weft_create_task(awaits_async());
    if (task == NULL) return -ENOMEM;
    weft_detach(task);
  }
  return weft_sleep(0.01);
}

static int quiet(weft_loop_t *loop, const weft_error_context_t *context, void *data) {
  (void)loop, (void)context;
  ++*(int *)data;
  return 0;
}

static int check(unsigned workers, bool outlives) {
  weft_config_t config = {.workers = workers};
  weft_loop_t *loop;
  int reports = 0;
  if (weft_loop_open(&config, &loop) < 0) return 1;
  weft_loop_set_exception_handler(loop, quiet, &reports);
  future = weft_loop_create_future(loop, 0);
  int rc = weft_loop_run_until_complete(loop, program_async());
  if (!outlives) weft_future_unref(future);
  weft_loop_close(loop);
  bool good = rc == 0 && reports == 3;
  if (outlives) {
    good &= weft_future_set_done(future) == 0;
    weft_future_unref(future);
  }
  if (!good) printf("%u workers, outlives %d: status %d, %d reports\n", workers, outlives, rc, reports);
  return !good;
}

int main(void) {
  int bad = 0;
  for (int outlives = 0; outlives <= 1; outlives++) bad += check(1, outlives) + check(4, outlives);
  return bad != 0;
}
