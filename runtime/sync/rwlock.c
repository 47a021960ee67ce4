/* rwlock.c: RWLock.
 *
 *   free: no readers, no writer      shared: readers > 0      exclusive: a writer
 * Who cannot have it at once, or comes while somebody waits, queues. Whenever it may be had, it is given to the first
 * waiter, and if that is a reader also to the readers right behind it: the giver counts them in before it wakes them, so
 * nobody can come in between. One that was given it and is cancelled before it runs gives it back. A waiter that was
 * cancelled before it was given anything may have held up those behind it, and so looks again who can go on.
 * Release before the next acquire: both are steps under the spin lock. */
#include <weft/rwlock.h>

#include "sync/waiters.h"

typedef struct rwlock {
  weft__spin_t spin;
  bool writer;
  unsigned readers;
  weft__list_t waiters; /* waiting_t */
} rwlock_t;

typedef struct waiting {
  weft__wait_t wait;
  bool write;
} waiting_t;

_Static_assert(sizeof(rwlock_t) <= sizeof(weft_rwlock_t), "weft_rwlock_t is too small");

static rwlock_t *rwlock_of(const weft_rwlock_t *rw) { return (rwlock_t *)(uintptr_t)rw; }

static bool take(rwlock_t *rw, bool write) {
  if (rw->writer || (write && rw->readers > 0)) return false;
  if (write)
    rw->writer = true;
  else
    rw->readers++;
  return true;
}

static void give_back(rwlock_t *rw, bool write) {
  if (write)
    rw->writer = false;
  else
    rw->readers--;
}

static void let_in(rwlock_t *rw) {
  for (weft__link_t *link; (link = weft__list_first(&rw->waiters)) != NULL;) {
    bool write = weft__container_of(weft__wait_of_link(link), waiting_t, wait)->write;
    if (!take(rw, write)) return;
    if (!weft__waiter_wake(link)) give_back(rw, write);
  }
}

static int acquire(weft_rwlock_t *public, bool write, const char *what) {
  int rc = weft__check_suspend(what);
  if (rc < 0) return rc;
  rwlock_t *rw = rwlock_of(public);
  weft__spin_lock(&rw->spin);
  if (weft__waiters_any_live(&rw->waiters) || !take(rw, write)) {
    waiting_t waiting = {.write = write};
    rc = weft__waiters_park(&rw->waiters, &waiting.wait, false, &rw->spin);
    if (rc < 0 && waiting.wait.woken) give_back(rw, write);
    if (rc < 0) let_in(rw);
  }
  weft__spin_unlock(&rw->spin);
  return rc;
}

static int release(weft_rwlock_t *public, bool write, bool downgrade) {
  rwlock_t *rw = rwlock_of(public);
  weft__spin_lock(&rw->spin);
  bool held = write ? rw->writer : rw->readers > 0;
  if (held) {
    give_back(rw, write);
    if (downgrade) rw->readers++;
    let_in(rw);
  }
  weft__spin_unlock(&rw->spin);
  return held ? 0 : weft_fail(WEFT_RUNTIME, "RWLock is not acquired for %s.", write ? "writing" : "reading");
}

void weft_rwlock_init(weft_rwlock_t *public) {
  rwlock_t *rw = rwlock_of(public);
  weft__spin_init(&rw->spin);
  rw->writer = false;
  rw->readers = 0;
  weft__list_init(&rw->waiters);
}

int weft_rwlock_acquire_read(weft_rwlock_t *rw) { return acquire(rw, false, "weft_rwlock_acquire_read"); }

int weft_rwlock_acquire_write(weft_rwlock_t *rw) { return acquire(rw, true, "weft_rwlock_acquire_write"); }

int weft_rwlock_release_read(weft_rwlock_t *rw) { return release(rw, false, false); }

int weft_rwlock_release_write(weft_rwlock_t *rw) { return release(rw, true, false); }

int weft_rwlock_downgrade(weft_rwlock_t *rw) { return release(rw, true, true); }

unsigned weft_rwlock_readers(const weft_rwlock_t *public) {
  rwlock_t *rw = rwlock_of(public);
  weft__spin_lock(&rw->spin);
  unsigned readers = rw->readers;
  weft__spin_unlock(&rw->spin);
  return readers;
}

bool weft_rwlock_locked(const weft_rwlock_t *public) {
  rwlock_t *rw = rwlock_of(public);
  weft__spin_lock(&rw->spin);
  bool writer = rw->writer;
  weft__spin_unlock(&rw->spin);
  return writer;
}
