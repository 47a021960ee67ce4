/* locks.c: Lock.
 *
 *   unlocked --acquire, nobody waits--> locked --release, nobody waits--> unlocked
 *   locked --release, somebody waits--> handed (unlocked, but for one waiter alone) --it runs--> locked
 *                                       handed --it was cancelled--> handed to the next one, or unlocked
 * As asyncio's, release wakes the first waiter only if that was not cancelled; one that was wakes the next when it runs
 * and finds the lock neither locked nor handed. Until then newcomers queue behind whoever waits: nobody overtakes.
 * unlock before the next lock: both are steps under the spin lock, in that order. */
#include "sync/locks.h"

static void wake_first(weft__lock_t *lock) {
  weft__link_t *first = weft__list_first(&lock->waiters);
  if (first == NULL || !weft__waiter_live(first)) return;
  lock->handed = weft__waiter_wake(first);
}

void weft__lock_init(weft__lock_t *lock) {
  weft__spin_init(&lock->spin);
  atom_init(&lock->locked, false);
  lock->handed = false;
  weft__list_init(&lock->waiters);
}

int weft__lock_acquire(weft__lock_t *lock) {
  int rc = 0;
  bool woken = false;
  weft__spin_lock(&lock->spin);
  /* relaxed: only written under the spin lock, which orders it */
  if (atom_load(&lock->locked, relaxed) || lock->handed || weft__waiters_any_live(&lock->waiters))
    rc = weft__waiters_wait(&lock->waiters, &lock->spin, &woken);
  if (woken) lock->handed = false;
  if (rc == 0)
    atom_store(&lock->locked, true, relaxed);
  else if (!atom_load(&lock->locked, relaxed) && !lock->handed)
    wake_first(lock);
  weft__spin_unlock(&lock->spin);
  return rc;
}

void weft__lock_release_held(weft__lock_t *lock) {
  atom_store(&lock->locked, false, relaxed);
  wake_first(lock);
}

void weft_lock_init(weft_lock_t *lock) { weft__lock_init(weft__lock_of(lock)); }

bool weft_lock_locked(const weft_lock_t *lock) { return atom_load(&weft__lock_of(lock)->locked, relaxed); }

int weft_lock_acquire(weft_lock_t *lock) {
  int rc = weft__check_suspend("weft_lock_acquire");
  return rc < 0 ? rc : weft__lock_acquire(weft__lock_of(lock));
}

int weft_lock_release(weft_lock_t *public) {
  weft__lock_t *lock = weft__lock_of(public);
  weft__spin_lock(&lock->spin);
  bool locked = atom_load(&lock->locked, relaxed);
  if (locked) weft__lock_release_held(lock);
  weft__spin_unlock(&lock->spin);
  return locked ? 0 : weft_fail(WEFT_RUNTIME, "Lock is not acquired.");
}
