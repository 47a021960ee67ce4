/* locks.h: the inside of weft_lock_t, for the condition, whose waiters are guarded by its lock's spin lock. */
#ifndef WEFT_SYNC_LOCKS_H
#define WEFT_SYNC_LOCKS_H

#include <weft/locks.h>

#include "sync/waiters.h"

typedef struct weft__lock {
  weft__spin_t spin;
  _Atomic(bool) locked; /* written under spin; read without it by those who ask for a hint */
  bool handed;          /* a waiter was woken to take it and has not run yet: nobody else may */
  weft__list_t waiters;
} weft__lock_t;

_Static_assert(sizeof(weft__lock_t) <= sizeof(weft_lock_t), "weft_lock_t is too small");

static inline weft__lock_t *weft__lock_of(const weft_lock_t *lock) { return (weft__lock_t *)(uintptr_t)lock; }

void weft__lock_init(weft__lock_t *lock);
/* In a task. 0 or WEFT_CANCELLED. */
int weft__lock_acquire(weft__lock_t *lock);
/* Under spin, of a locked one. */
void weft__lock_release_held(weft__lock_t *lock);

#endif
