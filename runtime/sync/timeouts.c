/* timeouts.c: scopes of the current task with a time limit: asyncio.timeout.
 *
 *   CREATED --enter--> ENTERED --exit--> EXITED
 *                        \--time is up--> EXPIRING --exit--> EXPIRED
 *
 * When time is up a piece of internal work, perhaps on another worker than the task's, sets EXPIRING and asks the task to
 * cancel, with the scope's address as the tag of the request. Leaving closes the deadline first, and that is synchronous:
 * afterwards the work is over or will never run, so nothing of the scope is cancelled once it was left. A request that came
 * too late to be delivered inside is then withdrawn by its tag; requests of others stay. Whether the body's WEFT_CANCELLED
 * is the scope's own is decided as in asyncio: if no more requests are left than there were at entry. */
#include "sync/timeouts.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "sched/clock.h"

enum { CREATED, ENTERED, EXPIRING, EXPIRED, EXITED, NO_TASK };

static const char *const state_names[] = {"created", "active", "expiring", "expired", "finished", "unusable"};

static weft__timeout_t *inside(weft_timeout_t *scope) { return (weft__timeout_t *)(void *)scope; }

static void time_is_up(void *data) {
  weft__timeout_t *scope = data;
  /* release: whoever is cancelled and then asks finds it expired; leaving is ordered by the deadline's close */
  atom_store(&scope->state, EXPIRING, release);
  (void)weft__task_request_cancel_as(scope->task, NULL, true, scope, scope->shields);
}

static weft__deadline_t *open_deadline(weft__timeout_t *scope, int64_t when, bool soon) {
  weft_loop_t *loop = scope->task->future.loop;
  weft_strand_t *strand = scope->task->strand;
  return soon ? weft__deadline_open_soon(loop, strand, time_is_up, scope)
              : weft__deadline_open(loop, when, strand, time_is_up, scope);
}

int weft__timeout_open(weft__timeout_t *scope, int64_t when, bool soon) {
  weft_task_t *task = weft__current_task();
  scope->task = task;
  scope->deadline = NULL;
  scope->failure = 0;
  scope->when = when;
  scope->shields = task->shields;
  scope->cancelling = weft__task_cancelling_at_entry(task);
  atom_init(&scope->state, ENTERED);
  if (!soon && when == WEFT__TIME_NEVER) return 0;
  scope->deadline = open_deadline(scope, when, soon);
  return scope->deadline != NULL ? 0 : -ENOMEM;
}

/* ---- leaving ----------------------------------------------------------------------------------------------------------- */

/* An error that was raised while the scope's cancellation was handled was raised because of the time-out. NULL: nothing
 * to change, or no memory. */
static weft__record_t *with_timeout_as_context(const weft_error_t *error) {
  if (error->count > 0 || error->context != WEFT_CANCELLED) return NULL;
  return weft__record_make(error->code, WEFT_TIMEOUT, "%s", error->message);
}

static weft__record_t *group_with_timeout_as_context(weft__record_t *group) {
  const weft_error_t *error = &group->error;
  weft__record_t **parts = weft__alloc(error->count * sizeof *parts);
  if (parts == NULL) return NULL;
  bool changed = false;
  for (size_t i = 0; i < error->count; i++) {
    parts[i] = with_timeout_as_context(error->parts[i]);
    if (parts[i] != NULL)
      changed = true;
    else
      parts[i] = weft__record_ref((weft__record_t *)(void *)error->parts[i]);
  }
  weft__record_t *record = NULL;
  if (changed)
    record = weft__record_new_group(error->code, error->message, parts, error->count);
  else
    for (size_t i = 0; i < error->count; i++) weft__record_unref(parts[i]);
  weft__free(parts, error->count * sizeof *parts);
  return record;
}

static void mark_timeout_as_context(int body) {
  weft__record_t *last = weft__last_record();
  if (last == NULL || last->error.code != body) return;
  weft__record_t *record =
      last->error.count > 0 ? group_with_timeout_as_context(last) : with_timeout_as_context(&last->error);
  if (record != NULL && record->error.code == body)
    weft__set_error(record);
  else
    weft__record_unref(record);
}

static int expired_exit(weft__timeout_t *scope, int body) {
  atom_store(&scope->state, EXPIRED, relaxed); /* the deadline is closed: nobody else looks any more */
  if (weft__task_uncancel_as(scope->task, scope) > scope->cancelling) return body;
  if (body == WEFT_CANCELLED) {
    weft__set_error(weft__record_make(WEFT_TIMEOUT, WEFT_CANCELLED, NULL));
    return WEFT_TIMEOUT;
  }
  if (body < 0) mark_timeout_as_context(body);
  return body;
}

int weft__timeout_close(weft__timeout_t *scope, int body) {
  weft__deadline_t *deadline = scope->deadline;
  scope->deadline = NULL;
  weft__deadline_close(deadline);
  if (atom_load(&scope->state, relaxed) == EXPIRING) return expired_exit(scope, body);
  atom_store(&scope->state, EXITED, relaxed);
  return body;
}

/* ---- public ------------------------------------------------------------------------------------------------------------ */

/* No limit could be set: the body is cancelled at its first suspension, and leaving says why. */
static void fail_enter(weft__timeout_t *scope, int code) {
  scope->failure = code;
  time_is_up(scope);
}

static weft__timeout_t *prepare(weft_timeout_t *public_scope) {
  weft__timeout_t *scope = inside(public_scope);
  memset(public_scope, 0, sizeof *public_scope);
  if (weft__current_task() != NULL) return scope;
  atom_init(&scope->state, NO_TASK);
  return NULL;
}

static int64_t from_now(int64_t delay) { /* delay may be negative */
  return delay == WEFT__TIME_NEVER ? delay : weft__time_add(weft__loop_now(weft__current_loop()), delay);
}

void weft_timeout_enter(weft_timeout_t *public_scope, double seconds) {
  weft__timeout_t *scope = prepare(public_scope);
  if (scope == NULL) return;
  int64_t delay = WEFT__TIME_NEVER;
  int rc = weft__seconds_to_ns(seconds, &delay);
  int opened = weft__timeout_open(scope, from_now(delay), delay <= 0);
  if (rc < 0 || opened < 0) fail_enter(scope, rc < 0 ? rc : opened);
}

void weft_timeout_at_enter(weft_timeout_t *public_scope, double when) {
  weft__timeout_t *scope = prepare(public_scope);
  if (scope == NULL) return;
  int64_t at = WEFT__TIME_NEVER;
  int rc = weft__seconds_to_ns(when, &at);
  bool soon = at != WEFT__TIME_NEVER && at <= weft__loop_now(weft__current_loop());
  int opened = weft__timeout_open(scope, at, soon);
  if (rc < 0 || opened < 0) fail_enter(scope, rc < 0 ? rc : opened);
}

static int refuse(int state) {
  if (state == CREATED) return weft_fail(WEFT_RUNTIME, "Timeout has not been entered");
  if (state == NO_TASK) return weft_fail(WEFT_RUNTIME, "Timeout should be used inside a task");
  return weft_fail(WEFT_RUNTIME, "Cannot change state of %s Timeout", state_names[state]);
}

static int reschedule(weft__timeout_t *scope, int64_t when, bool soon) { /* soon: at once, whatever when says */
  int state = atom_load(&scope->state, acquire);
  if (state != ENTERED) return refuse(state);
  weft__deadline_t *deadline = NULL, *old = scope->deadline;
  if (soon || when != WEFT__TIME_NEVER) {
    deadline = open_deadline(scope, when, soon);
    if (deadline == NULL) return weft_fail(-ENOMEM, "Timeout: no memory for a timer");
  }
  if (weft__deadline_close(old)) {
    scope->deadline = deadline;
    scope->when = when;
    return 0;
  }
  /* The old one has struck meanwhile, on another thread. If the new one has too, one of the two requests goes. */
  scope->deadline = NULL;
  if (!weft__deadline_close(deadline)) (void)weft_task_uncancel(scope->task);
  return refuse(EXPIRING);
}

int weft_timeout_reschedule(weft_timeout_t *scope, double seconds) {
  int64_t delay;
  if (scope == NULL || weft__seconds_to_ns(seconds, &delay) < 0)
    return weft_fail(-EINVAL,
                     scope == NULL ? "weft_timeout_reschedule: no scope" : "Timeout: the limit is not a number");
  int state = atom_load(&inside(scope)->state, acquire);
  if (state != ENTERED) return refuse(state);
  return reschedule(inside(scope), from_now(delay), delay <= 0);
}

int weft_timeout_reschedule_at(weft_timeout_t *scope, double when) {
  int64_t at;
  if (scope == NULL || weft__seconds_to_ns(when, &at) < 0)
    return weft_fail(-EINVAL,
                     scope == NULL ? "weft_timeout_reschedule_at: no scope" : "Timeout: the limit is not a number");
  int state = atom_load(&inside(scope)->state, acquire);
  if (state != ENTERED) return refuse(state);
  bool soon = at != WEFT__TIME_NEVER && at <= weft__loop_now(inside(scope)->task->future.loop);
  return reschedule(inside(scope), at, soon);
}

double weft_timeout_when(const weft_timeout_t *scope) {
  const weft__timeout_t *timeout = (const weft__timeout_t *)(const void *)scope;
  int state = atom_load(&timeout->state, relaxed); /* relaxed: when is the scope's task's own */
  if (state == CREATED || state == NO_TASK || timeout->failure != 0) return NAN;
  return timeout->when == WEFT__TIME_NEVER ? WEFT_FOREVER : weft__ns_to_seconds(timeout->when);
}

bool weft_timeout_expired(const weft_timeout_t *scope) {
  const weft__timeout_t *timeout = (const weft__timeout_t *)(const void *)scope;
  int state = atom_load(&timeout->state, acquire); /* partner: the store when time is up */
  return state == EXPIRING || state == EXPIRED;
}

int weft_timeout_exit(weft_timeout_t *public_scope, int body) {
  weft__timeout_t *scope = inside(public_scope);
  int state = atom_load(&scope->state, acquire);
  if (state != ENTERED && state != EXPIRING) return refuse(state);
  if (weft__current_task() != scope->task) return weft_fail(WEFT_RUNTIME, "Timeout was entered by another task");
  int rc = weft__timeout_close(scope, body);
  if (weft__likely(scope->failure == 0) || (rc < 0 && rc != WEFT_TIMEOUT)) return rc;
  if (scope->failure == -ENOMEM) return weft_fail(-ENOMEM, "Timeout: no memory for a timer");
  return weft_fail(scope->failure, "Timeout: the limit is not a number");
}
