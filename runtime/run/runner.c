/* runner.c: asyncio.Runner: several runs on one loop and in one context; what is left over lives on between them.
 *
 * The loop is opened by the first run. The last few closed runners keep their memory, as loops do, so that a run or a close
 * that comes too late has an answer. */
#include <weft/runners.h>

#include <errno.h>

#include "base/alloc.h"
#include "base/spin.h"
#include "run/cleanup.h"
#include "run/runners.h"
#include "sched/loop.h"
#include "task/task.h"

struct weft_runner {
  weft_config_t config;
  weft_loop_t *loop;           /* NULL: not yet, or closed */
  weft_contextvars_t *context; /* NULL likewise */
  bool closed;
};

enum { HUSKS = 16 };
static struct {
  weft__spin_t lock;
  weft_runner_t *runners[HUSKS];
  unsigned next;
} husks;

int weft_runner_open(const weft_config_t *config, weft_runner_t **out) {
  if (out == NULL) return weft_fail(-EINVAL, "weft_runner_open: no place for the runner");
  *out = weft__alloc_zero(sizeof **out);
  if (*out == NULL) return weft_fail(-ENOMEM, "weft_runner_open: no memory");
  if (config != NULL) (*out)->config = *config;
  return 0;
}

/* 0 once there are a loop and a context. */
static int prepare(weft_runner_t *runner) {
  if (runner->closed) return weft_fail(WEFT_RUNTIME, "Runner is closed");
  if (runner->loop == NULL) {
    int rc = weft_loop_open(&runner->config, &runner->loop);
    if (rc < 0) return rc;
  }
  if (runner->context == NULL) runner->context = weft_contextvars_copy();
  return runner->context != NULL ? 0 : -ENOMEM;
}

weft_loop_t *weft_runner_get_loop(weft_runner_t *runner) {
  if (runner == NULL) {
    weft_ignore(weft_fail(-EINVAL, "weft_runner_get_loop: no runner"));
    return NULL;
  }
  return prepare(runner) == 0 ? runner->loop : NULL;
}

static weft_task_t *make_task(weft_runner_t *runner, weft_call_t call) {
  const weft_task_options_t options = {.context = runner->context};
  weft_task_factory_fn factory = weft__loop_task_factory(runner->loop);
  if (factory == NULL) return weft__create_task_plain(runner->loop, call, &options);
  weft__in_factory(true);
  weft_task_t *task = factory(runner->loop, call, &options);
  weft__in_factory(false);
  return task;
}

int weft_runner_run(weft_runner_t *runner, weft_call_t call) {
  if (runner == NULL) return weft_fail(-EINVAL, "weft_runner_run: no runner");
  if (call.entry == NULL) return weft_fail(WEFT_TYPE, "a coroutine was expected, got a call without a function");
  if (weft__current_loop() != NULL)
    return weft_fail(WEFT_RUNTIME, "Runner.run() cannot be called from a running event loop");
  int rc = prepare(runner);
  if (rc < 0) return rc;
  if (weft_loop_is_closed(runner->loop)) return weft_fail(WEFT_RUNTIME, "Event loop is closed");
  if (weft_loop_is_running(runner->loop)) return weft_fail(WEFT_RUNTIME, "This event loop is already running");
  weft_task_t *task = make_task(runner, call);
  return task != NULL ? weft__run_task(runner->loop, task) : weft_error()->code;
}

static void keep_husk(weft_runner_t *runner) {
  weft__spin_lock(&husks.lock);
  weft_runner_t *oldest = husks.runners[husks.next];
  husks.runners[husks.next] = runner;
  husks.next = (husks.next + 1) % HUSKS;
  weft__spin_unlock(&husks.lock);
  if (oldest != NULL) weft__free(oldest, sizeof *oldest);
}

int weft_runner_close(weft_runner_t *runner) {
  if (runner == NULL || runner->closed) return 0;
  weft_loop_t *loop = runner->loop;
  if (loop != NULL && !weft_loop_is_closed(loop)) {
    if (weft__current_loop() != NULL || weft_loop_is_running(loop))
      return weft_fail(WEFT_RUNTIME, "Cannot close a running event loop");
    weft__cleanup_run(loop);
    int rc = weft_loop_close(loop);
    if (rc < 0) return rc;
  }
  runner->closed = true;
  runner->loop = NULL;
  weft_contextvars_unref(runner->context);
  runner->context = NULL;
  keep_husk(runner);
  return 0;
}
