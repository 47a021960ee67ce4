/* wait_for.c: one call or one future, with a time limit. As asyncio's since 3.12 a call runs in the caller's own task, in a
 * timeout scope, so that it costs no task. */
#include <errno.h>
#include <weft/sleep.h>

#include "base/clock.h"
#include "sched/clock.h"
#include "sync/shield.h"
#include "sync/timeouts.h"

/* asyncio makes a task of the call and cancels it before its first step. The body never runs; what is left are the passes
 * through the ready queue: the task's step, its done callback, our step. With several workers a task might be started by
 * another one meanwhile, so none is made. */
static int expired_already(void) {
  weft_loop_t *loop = weft__current_loop();
  int passes = weft__loop_counts_hops(loop) ? 3 : 1;
  (void)weft__next_task_number(loop);
  for (int i = 0; i < passes; i++) {
    int rc = weft_yield();
    if (rc < 0) return rc;
  }
  weft__set_error(weft__record_make(WEFT_TIMEOUT, WEFT_CANCELLED, NULL));
  return WEFT_TIMEOUT;
}

static int no_limit(int rc) {
  return weft_fail(rc,
                   rc == -ENOMEM ? "weft_wait_for: no memory for a timer" : "weft_wait_for: the limit is not a number");
}

static int open_limit(weft__timeout_t *scope, int64_t limit) {
  int rc = weft__timeout_open(scope, weft__time_add(weft__loop_now(weft__current_loop()), limit), false);
  return rc < 0 ? no_limit(rc) : 0;
}

int weft_wait_for(weft_call_t call, double seconds) {
  int rc = weft__check_suspend("weft_wait_for");
  if (rc < 0) return rc;
  if (call.entry == NULL) return weft_fail(WEFT_TYPE, "weft_wait_for: a call without a function");
  int64_t limit;
  if ((rc = weft__seconds_to_ns(seconds, &limit)) < 0) return no_limit(rc);
  if (limit <= 0) return expired_already();
  if (limit == WEFT__TIME_NEVER) return call.entry(call.args.bytes);
  weft__timeout_t scope;
  if ((rc = open_limit(&scope, limit)) < 0) return rc;
  return weft__timeout_close(&scope, call.entry(call.args.bytes));
}

static int cancel_and_wait(weft_future_t *future, void *value) {
  int rc = weft__wait_shielded(future, true, "weft_wait_for_future");
  if (rc < 0) return rc;
  rc = weft__future_outcome(future, value);
  if (rc != WEFT_CANCELLED || !weft_future_cancelled(future)) return rc;
  weft__set_error(weft__record_make(WEFT_TIMEOUT, WEFT_CANCELLED, NULL));
  return WEFT_TIMEOUT;
}

int weft_wait_for_future_sized(weft_future_t *future, double seconds, void *value, size_t size) {
  int rc = weft__future_check_size(future, value, size, "weft_wait_for_future");
  return rc < 0 ? rc : (weft_wait_for_future)(future, seconds, value);
}

int(weft_wait_for_future)(weft_future_t *future, double seconds, void *value) {
  if (future == NULL)
    return weft_fail(-ENOMEM, "weft_wait_for_future: no future (NULL: memory ran out when it was made?)");
  int rc = weft__check_suspend("weft_wait_for_future");
  if (rc < 0) return rc;
  int64_t limit;
  if ((rc = weft__seconds_to_ns(seconds, &limit)) < 0) return no_limit(rc);
  if (limit <= 0 && !weft__future_done(future)) return cancel_and_wait(future, value);
  if (limit <= 0 || limit == WEFT__TIME_NEVER || weft__future_done(future)) return (weft_await_future)(future, value);
  weft__timeout_t scope;
  if ((rc = open_limit(&scope, limit)) < 0) return rc;
  return weft__timeout_close(&scope, (weft_await_future)(future, value));
}
