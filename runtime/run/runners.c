/* runners.c: running a coroutine on a loop until it is done, asyncio.run with its clean-up, and closing a loop.
 *
 * The clean-up of weft_run, in asyncio's order: every unfinished task is cancelled and awaited (again and again until none
 * is left, since a task may make others while it is being cancelled); errors that they end with are reported; generators
 * that were left open are closed; the thread pool ends its jobs; the loop is closed. */
#include <errno.h>
#include <string.h>
#include <weft/runners.h>

#include "base/alloc.h"
#include "run/cleanup.h"
#include "run/handles.h"
#include "run/interrupt.h"
#include "run/runners.h"
#include "run/watchers.h"
#include "sched/loop.h"

/* ---- run until done ---------------------------------------------------------------------------------------------------- */

/* In memory of its own: if the loop is stopped by somebody else first, the watch may stay queued for a later run. */
typedef struct until_done {
  weft__watch_t watch;
  weft_loop_t *loop;
  _Atomic(bool) abandoned;
  _Atomic(int) refs;
} until_done_t;

static void drop_until(until_done_t *until) {
  if (atom_sub(&until->refs, 1, acq_rel) == 1) weft__free(until, sizeof *until); /* acq_rel: both sides are through */
}

static void stop_when_done(weft__watch_t *watch) {
  until_done_t *until = weft__container_of(watch, until_done_t, watch);
  if (!atom_load(&until->abandoned, acquire)) weft__loop_stop_soon(until->loop);
  drop_until(until);
}

static int take_base_error(weft_loop_t *loop) {
  weft__spin_lock(&loop->base_error_lock);
  weft__record_t *record = loop->base_error;
  loop->base_error = NULL;
  weft__spin_unlock(&loop->base_error_lock);
  if (record == NULL) return 0;
  int code = record->error.code;
  weft__set_error(record);
  return code;
}

/* Runs the loop until the future is done. 0, or what ended the run instead. */
static int run_until(weft_loop_t *loop, weft_future_t *future) {
  until_done_t *until = weft__alloc(sizeof *until);
  if (until == NULL) return weft_fail(-ENOMEM, "no memory to run a loop");
  until->loop = loop;
  atom_init(&until->abandoned, false);
  atom_init(&until->refs, 2);
  weft__future_watch(future, &until->watch, stop_when_done, weft__callback_strand(loop));
  int rc = weft__loop_run(loop);
  atom_store(&until->abandoned, true, release);
  if (weft__future_unwatch(future, &until->watch)) drop_until(until);
  drop_until(until);
  int base = take_base_error(loop);
  if (base < 0) return base;
  if (rc < 0) return rc;
  if (!weft__future_done(future)) return weft_fail(WEFT_RUNTIME, "Event loop stopped before Future completed.");
  return 0;
}

static int check_idle(weft_loop_t *loop, const char *what) {
  if (loop == NULL) return weft_fail(-EINVAL, "%s: no loop", what);
  if (weft__current_loop() == loop || weft_loop_is_running(loop))
    return weft_fail(WEFT_RUNTIME, "This event loop is already running");
  if (weft__current_loop() != NULL)
    return weft_fail(WEFT_RUNTIME, "Cannot run the event loop while another loop is running");
  if (weft_loop_is_closed(loop)) return weft_fail(WEFT_RUNTIME, "Event loop is closed");
  return 0;
}

int weft_loop_run_until_future(weft_loop_t *loop, weft_future_t *future) {
  int rc = check_idle(loop, "weft_loop_run_until_future");
  if (rc < 0) return rc;
  if (future == NULL) return weft_fail(-EINVAL, "weft_loop_run_until_future: no future");
  rc = run_until(loop, future);
  return rc < 0 ? rc : weft__future_outcome(future, NULL);
}

int weft__run_task(weft_loop_t *loop, weft_task_t *task) {
  weft__interrupt_begin(loop, task);
  int rc = run_until(loop, &task->future);
  bool interrupted = weft__interrupt_end(loop);
  if (rc == 0)
    rc = weft__future_outcome(&task->future, NULL);
  else
    weft__word_set(&task->future.word, WEFT__W_RETRIEVED); /* its error is the run's */
  /* asyncio's: the request that SIGINT made is taken back; if there was no other, it was Ctrl-C that ended the task. */
  if (rc == WEFT_CANCELLED && interrupted && weft_task_uncancel(task) == 0) rc = weft_fail(WEFT_INTERRUPT, NULL);
  weft_future_unref(&task->future);
  return rc;
}

int weft_loop_run_until_complete(weft_loop_t *loop, weft_call_t call) {
  int rc = check_idle(loop, "weft_loop_run_until_complete");
  if (rc < 0) return rc;
  weft_task_t *task = weft_loop_create_task(loop, call);
  return task != NULL ? weft__run_task(loop, task) : weft_error()->code;
}

int weft_loop_run_forever(weft_loop_t *loop) {
  int rc = check_idle(loop, "weft_loop_run_forever");
  if (rc < 0) return rc;
  rc = weft__loop_run(loop);
  int base = take_base_error(loop);
  return base < 0 ? base : rc;
}

/* ---- closing ----------------------------------------------------------------------------------------------------------- */

int weft_loop_open(const weft_config_t *config, weft_loop_t **out) {
  static const weft_config_t defaults;
  if (out == NULL) return weft_fail(-EINVAL, "weft_loop_open: no place for the loop");
  *out = NULL;
  weft_loop_t *loop;
  int rc = weft__loop_open(config != NULL ? config : &defaults, &loop);
  if (rc < 0) return rc;
  rc = weft__handles_open(loop);
  if (rc < 0) {
    weft__loop_empty(loop);
    weft__loop_free(loop);
    return weft_fail(rc, "no memory for a loop");
  }
  *out = loop;
  return 0;
}

/* The last few closed loops keep their memory, so that is_closed, and whatever is called on one by mistake, has a true
 * answer instead of a dangling pointer. */
enum { HUSKS = 16 };
static struct {
  weft__spin_t lock;
  weft_loop_t *loops[HUSKS];
  unsigned next;
} husks;

static void keep_husk(weft_loop_t *loop) {
  weft__spin_lock(&husks.lock);
  weft_loop_t *oldest = husks.loops[husks.next];
  husks.loops[husks.next] = loop;
  husks.next = (husks.next + 1) % HUSKS;
  weft__spin_unlock(&husks.lock);
  if (oldest != NULL) weft__loop_free(oldest);
}

static void empty(weft_loop_t *loop) {
  weft__cleanup_pool(loop);
  weft__handles_disarm(loop);
  weft__watchers_close(loop);
  weft__loop_empty(loop);
  weft__handles_close(loop);
}

int weft_loop_close(weft_loop_t *loop) {
  if (loop == NULL) return weft_fail(-EINVAL, "weft_loop_close: no loop");
  if (weft_loop_is_running(loop)) return weft_fail(WEFT_RUNTIME, "Cannot close a running event loop");
  if (weft_loop_is_closed(loop)) return 0;
  empty(loop);
  keep_husk(loop);
  return 0;
}

/* ---- asyncio.run ------------------------------------------------------------------------------------------------------- */

int weft_run(weft_call_t main_call) { return weft_run_with(NULL, main_call); }

int weft_run_with(const weft_config_t *config, weft_call_t main_call) {
  if (weft__current_loop() != NULL)
    return weft_fail(WEFT_RUNTIME, "asyncio.run() cannot be called from a running event loop");
  weft_loop_t *loop;
  int rc = weft_loop_open(config, &loop);
  if (rc < 0) return rc;
  rc = weft_loop_run_until_complete(loop, main_call);
  weft__record_t *record = rc < 0 ? weft__record_for(rc) : NULL;
  weft__cleanup_run(loop);
  empty(loop);
  weft__loop_free(loop);
  if (record != NULL) weft__set_error(record);
  return rc;
}
