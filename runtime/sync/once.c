/* once.c: Once.
 *
 *   NEW --run--> RUNNING (owner) --the call succeeded--> DONE, for ever
 *                        \--it failed--> NEW, and the longest waiter is chosen to try
 *   chosen: nobody else begins until that one has run; if it was cancelled it chooses the next one.
 * DONE is stored with release, after the call; whoever reads it with acquire sees what the call did. */
#include <weft/once.h>
#include <weft/tasks.h>

#include "sync/waiters.h"

enum state { NEW, RUNNING, DONE };

typedef struct once {
  weft__spin_t spin;
  _Atomic(unsigned char) state; /* written under spin */
  bool chosen;
  weft_task_t *owner; /* who runs the call; only compared */
  weft__list_t waiters;
} once_t;

_Static_assert(sizeof(once_t) <= sizeof(weft_once_t), "weft_once_t is too small");

static once_t *once_of(const weft_once_t *once) { return (once_t *)(uintptr_t)once; }

static void choose_next(once_t *once) { once->chosen = weft__waiters_wake_next(&once->waiters); }

/* Until it is done (0), or it is this task's turn (1). Under the spin lock. */
static int wait_turn(once_t *once) {
  int rc = 0;
  bool woken = false;
  while (rc == 0 && atom_load(&once->state, relaxed) != DONE) {
    if (atom_load(&once->state, relaxed) == NEW && (woken || !once->chosen)) {
      once->chosen = false;
      return 1;
    }
    rc = weft__waiters_wait(&once->waiters, &once->spin, &woken);
    if (rc < 0 && woken && atom_load(&once->state, relaxed) == NEW) choose_next(once);
  }
  return rc;
}

static int run(once_t *once, weft_call_t call) {
  atom_store(&once->state, RUNNING, relaxed);
  once->owner = weft__current_task();
  weft__spin_unlock(&once->spin);
  int rc = weft_await_call(call);
  weft__spin_lock(&once->spin);
  once->owner = NULL;
  atom_store(&once->state, rc < 0 ? NEW : DONE, release);
  if (rc < 0)
    choose_next(once);
  else
    weft__waiters_wake_all(&once->waiters);
  return rc < 0 ? rc : 0;
}

void weft_once_init(weft_once_t *public) {
  once_t *once = once_of(public);
  weft__spin_init(&once->spin);
  atom_init(&once->state, NEW);
  once->chosen = false;
  once->owner = NULL;
  weft__list_init(&once->waiters);
}

bool weft_once_done(const weft_once_t *once) { return atom_load(&once_of(once)->state, acquire) == DONE; }

int weft_once_run(weft_once_t *public, weft_call_t call) {
  weft_task_t *task = weft__suspending_task();
  if (weft__unlikely(task == NULL)) return weft__check_suspend("weft_once_run");
  once_t *once = once_of(public);
  if (weft_once_done(public)) return 0;
  weft__spin_lock(&once->spin);
  bool inside = once->owner == task;
  int rc = inside ? 0 : wait_turn(once);
  if (rc == 1) rc = run(once, call);
  weft__spin_unlock(&once->spin);
  return inside ? weft_fail(WEFT_RUNTIME, "weft_once_run: called by the call that it runs") : rc;
}
