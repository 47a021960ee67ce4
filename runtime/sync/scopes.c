/* scopes.c: Trio's cancel scopes, level-triggered, on top of tasks whose own cancellation is edge-triggered.
 *
 * A task's scopes form a chain from the innermost outwards. A scope is *in force* for the task if it is cancelled and no
 * shield stands between it and the innermost one. While one is in force every suspension is a request to cancel:
 *   - when it is cancelled, the task may be suspended: it is asked once, by whoever cancels;
 *   - before each suspension the task looks along its chain (weft__before_suspend) and asks itself.
 * Such requests carry the scope as their tag and are not counted in cancelling(). What was asked for and not delivered is
 * withdrawn when the scope is left.
 * Only `cancelled` is shared between threads: set once with release before the task is asked, read with acquire by the
 * task. Asking decides under the task's LOCK whether a shield is in between; if one is, nothing is lost, because the task
 * will look again after it. The chain itself is the task's own.
 * A shield also keeps asyncio's requests away (weft__task_shield): they are delivered after it. */
#include <weft/scopes.h>

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "sched/clock.h"
#include "sched/deadline.h"
#include "task/task.h"

enum { NOT_ENTERED, INSIDE, LEFT, FAILED };

typedef struct scope {
  weft_task_t *task;
  struct scope *parent;
  weft__deadline_t *deadline;
  int cancelling;   /* the task's requests at entry */
  unsigned shields; /* the task's, our own included */
  int failure;      /* FAILED: why */
  unsigned char state;
  bool shield, caught;
  _Atomic(bool) cancelled;
} scope_t;

_Static_assert(sizeof(scope_t) <= sizeof(weft_scope_t), "weft_scope_t is too small");

static scope_t *inside(weft_scope_t *scope) { return (scope_t *)(void *)scope; }
static const scope_t *inside_const(const weft_scope_t *scope) { return (const scope_t *)(const void *)scope; }

/* acquire: partner of the release in cancel_scope, so that what its caller did before is visible */
static bool is_cancelled(const scope_t *scope) { return atom_load(&scope->cancelled, acquire); }

/* The scope that is in force, or NULL. By the task. */
static scope_t *in_force(scope_t *scope) {
  for (; scope != NULL; scope = scope->shield ? NULL : scope->parent)
    if (is_cancelled(scope)) return scope;
  return NULL;
}

static void ask(scope_t *scope) { (void)weft__task_request_cancel_as(scope->task, NULL, false, scope, scope->shields); }

static void ask_before_suspend(weft_task_t *task) {
  scope_t *scope = in_force(task->scope);
  if (scope != NULL) ask(scope);
}

static void cancel_scope(void *data) {
  scope_t *scope = data;
  if (!atom_xchg(&scope->cancelled, true, acq_rel)) ask(scope); /* release: partner of is_cancelled */
}

/* ---- deadlines --------------------------------------------------------------------------------------------------------- */

/* 0 or -ENOMEM. A time that is past cancels at once. */
static int arm(scope_t *scope, int64_t when) {
  weft_loop_t *loop = scope->task->future.loop;
  if (when == WEFT__TIME_NEVER) return 0;
  if (when <= weft__loop_now(loop)) {
    cancel_scope(scope);
    return 0;
  }
  scope->deadline = weft__deadline_open(loop, when, scope->task->strand, cancel_scope, scope);
  return scope->deadline != NULL ? 0 : -ENOMEM;
}

static void disarm(scope_t *scope) {
  weft__deadline_t *deadline = scope->deadline;
  scope->deadline = NULL;
  weft__deadline_close(deadline);
}

/* ---- public ------------------------------------------------------------------------------------------------------------ */

static void enter(scope_t *scope, int64_t when, bool shield) {
  weft_task_t *task = weft__current_task();
  memset(scope, 0, sizeof *scope);
  if (task == NULL) {
    scope->state = FAILED;
    scope->failure = WEFT_RUNTIME;
    return;
  }
  if (shield) {
    for (scope_t *outer = task->scope; outer != NULL; outer = outer->parent) weft__task_withdraw(task, outer);
    weft__task_shield(task);
  }
  scope->task = task;
  scope->parent = task->scope;
  scope->shield = shield;
  scope->shields = task->shields;
  scope->cancelling = weft__task_cancelling_at_entry(task);
  scope->state = INSIDE;
  task->scope = scope;
  task->before_suspend = ask_before_suspend;
  scope->failure = arm(scope, when);
  if (scope->failure < 0) cancel_scope(scope); /* no limit could be set: the body ends soon, and exit says why */
}

void weft_scope_enter(weft_scope_t *scope, double deadline, bool shield) {
  int64_t when = WEFT__TIME_NEVER;
  int rc = weft__seconds_to_ns(deadline, &when);
  enter(inside(scope), when, shield);
  if (rc == 0 || inside(scope)->state != INSIDE) return;
  inside(scope)->failure = rc;
  cancel_scope(inside(scope));
}

void weft_scope_enter_after(weft_scope_t *scope, double seconds, bool shield) {
  int64_t delay = WEFT__TIME_NEVER;
  weft_loop_t *loop = weft__current_loop();
  int rc = weft__seconds_to_ns(seconds, &delay);
  bool never = rc < 0 || delay == WEFT__TIME_NEVER || loop == NULL;
  enter(inside(scope), never ? WEFT__TIME_NEVER : weft__time_add(weft__loop_now(loop), delay), shield);
  if (rc == 0 || inside(scope)->state != INSIDE) return;
  inside(scope)->failure = rc;
  cancel_scope(inside(scope));
}

static int refuse(const scope_t *scope) {
  if (scope->state == FAILED) return weft_fail(WEFT_RUNTIME, "a cancel scope should be used inside a task");
  return weft_fail(WEFT_RUNTIME,
                   scope->state == LEFT ? "the cancel scope has been left" : "the cancel scope has not been entered");
}

int weft_scope_reschedule_at(weft_scope_t *public_scope, double when) {
  scope_t *scope = inside(public_scope);
  int64_t at;
  if (scope->state != INSIDE) return refuse(scope);
  if (weft__current_task() != scope->task)
    return weft_fail(WEFT_RUNTIME, "the cancel scope was entered by another task");
  if (weft__seconds_to_ns(when, &at) < 0) return weft_fail(-EINVAL, "the deadline of a cancel scope is not a number");
  weft__deadline_t *old = scope->deadline;
  scope->deadline = NULL;
  int rc = arm(scope, at);
  if (rc < 0) {
    scope->deadline = old;
    return weft_fail(rc, "no memory for the timer of a cancel scope");
  }
  weft__deadline_close(old);
  return 0;
}

void weft_scope_cancel(weft_scope_t *scope) {
  if (inside(scope)->state == INSIDE) cancel_scope(inside(scope));
}

bool weft_scope_cancel_called(const weft_scope_t *scope) { return is_cancelled(inside_const(scope)); }
bool weft_scope_cancelled_caught(const weft_scope_t *scope) { return inside_const(scope)->caught; }

static int failed(int failure) {
  return weft_fail(failure, failure == -ENOMEM ? "no memory for the timer of a cancel scope"
                                               : "the deadline of a cancel scope is not a number");
}

int weft_scope_exit(weft_scope_t *public_scope, int body) {
  scope_t *scope = inside(public_scope);
  weft_task_t *task = weft__current_task();
  if (scope->state != INSIDE) return refuse(scope);
  if (task != scope->task) return weft_fail(WEFT_RUNTIME, "the cancel scope was entered by another task");
  if (task->scope != scope) return weft_fail(WEFT_RUNTIME, "the cancel scope is not the innermost one");
  disarm(scope); /* from here on nobody asks in our name: weft_scope_cancel is for those who know that we are inside */
  /* Somebody else's request, or an outer scope's, reaches further than ours: it passes. */
  bool others = weft__task_requests(task) > scope->cancelling || (!scope->shield && in_force(scope->parent) != NULL);
  task->scope = scope->parent;
  if (scope->parent == NULL) task->before_suspend = NULL;
  weft__task_withdraw(task, scope);
  if (scope->shield) weft__task_unshield(task);
  scope->state = LEFT;
  scope->caught = body == WEFT_CANCELLED && is_cancelled(scope) && !others;
  if (scope->failure < 0 && (scope->caught || body >= 0)) return failed(scope->failure);
  return scope->caught ? 0 : body;
}
