/* condition.c: Condition.
 *
 * Its waiters are guarded by the spin lock of its Lock, so giving the Lock up and beginning to wait is one step: whoever
 * acquires the Lock next finds the waiter in the list.
 * A waiter holds the Lock again when it returns, also when it was cancelled: requests that come while it re-acquires are
 * remembered and the last one is what the wait answers. As in asyncio (3.13) a wait that ends with a cancellation notifies
 * one other: its own notification may have been swallowed. The others know spurious wake-ups. */
#include "sync/locks.h"
#include "task/task.h"

typedef struct condition {
  weft__lock_t *lock;
  weft__list_t waiters; /* under lock->spin */
  weft__lock_t own;
} condition_t;

_Static_assert(sizeof(condition_t) <= sizeof(weft_condition_t), "weft_condition_t is too small");

static condition_t *condition_of(const weft_condition_t *c) { return (condition_t *)(uintptr_t)c; }

void weft_condition_init(weft_condition_t *public, weft_lock_t *lock) {
  condition_t *c = condition_of(public);
  weft__lock_init(&c->own);
  weft__list_init(&c->waiters);
  c->lock = lock != NULL ? weft__lock_of(lock) : &c->own;
}

int weft_condition_acquire(weft_condition_t *c) {
  int rc = weft__check_suspend("weft_condition_acquire");
  return rc < 0 ? rc : weft__lock_acquire(condition_of(c)->lock);
}

int weft_condition_release(weft_condition_t *c) { return weft_lock_release((weft_lock_t *)condition_of(c)->lock); }

bool weft_condition_locked(const weft_condition_t *c) { return atom_load(&condition_of(c)->lock->locked, relaxed); }

int weft_condition_wait(weft_condition_t *public) {
  int rc = weft__check_suspend("weft_condition_wait");
  if (rc < 0) return rc;
  condition_t *c = condition_of(public);
  weft__lock_t *lock = c->lock;
  weft__spin_lock(&lock->spin);
  if (!atom_load(&lock->locked, relaxed)) {
    weft__spin_unlock(&lock->spin);
    return weft_fail(WEFT_RUNTIME, "cannot wait on un-acquired lock");
  }
  weft__lock_release_held(lock);
  bool woken;
  rc = weft__waiters_wait(&c->waiters, &lock->spin, &woken);
  weft__spin_unlock(&lock->spin);
  weft_task_t *task = weft__current_task();
  weft__hush_t hushed = weft__hush(task);
  for (int again; (again = weft__lock_acquire(lock)) < 0;) rc = again;
  weft__unhush(task, hushed);
  if (rc < 0) {
    weft__spin_lock(&lock->spin);
    (void)weft__waiters_wake_next(&c->waiters);
    weft__spin_unlock(&lock->spin);
  }
  return rc;
}

int weft_condition_wait_for(weft_condition_t *c, weft_predicate_fn predicate, void *data) {
  int rc = weft__check_suspend("weft_condition_wait_for");
  while (rc == 0 && !predicate(data)) rc = weft_condition_wait(c);
  return rc;
}

int weft_condition_notify(weft_condition_t *public, size_t n) {
  condition_t *c = condition_of(public);
  weft__lock_t *lock = c->lock;
  weft__spin_lock(&lock->spin);
  bool locked = atom_load(&lock->locked, relaxed);
  while (locked && n > 0 && weft__waiters_wake_next(&c->waiters)) n--;
  weft__spin_unlock(&lock->spin);
  return locked ? 0 : weft_fail(WEFT_RUNTIME, "cannot notify on un-acquired lock");
}

int weft_condition_notify_all(weft_condition_t *c) { return weft_condition_notify(c, SIZE_MAX); }
