/* ready.c: see ready.h for the states and the argument. */
#include "loop/ready.h"

#include <errno.h>
#include <unistd.h>

#include "loop/reactor_core.h"

static void release_reactor(weft__reactor_t *reactor) {
  /* acq_rel: the last one frees what the others wrote */
  if (atom_sub(&reactor->references, 1, acq_rel) == 1) {
    weft__ready_table_destroy(&reactor->table);
    weft__reactor_free(reactor);
  }
}

void weft__reactor_core_init(weft__reactor_t *reactor) {
  atom_init(&reactor->references, 1);
  atom_init(&reactor->registered, 0);
  atom_init(&reactor->waiting, 0);
  atom_init(&reactor->closed, false);
  atom_init(&reactor->has_uv, false);
  weft__ready_table_init(&reactor->table);
}

void weft__reactor_core_close(weft__reactor_t *reactor) {
  atom_store(&reactor->closed, true, release);
  uint32_t size = weft__ready_table_size(&reactor->table);
  for (uint32_t i = 0; i < size; i++) {
    weft__ready_t *ready = weft__ready_table_at(&reactor->table, i);
    atom_or(&ready->users, WEFT__READY_DEAD, acq_rel);
    /* Who still waits belongs to a loop that is gone, its memory perhaps too: forgotten, not unlinked. */
    weft__list_init(&ready->readers);
    weft__list_init(&ready->writers);
  }
  atom_store(&reactor->waiting, 0, relaxed);
  release_reactor(reactor);
}

static int open_object(weft__reactor_t *reactor, int fd, bool owned, weft__ready_t **out) {
  weft__ready_t *ready = weft__ready_table_take(&reactor->table);
  if (ready == NULL) return -ENOMEM;
  /* Under the lock, which a poller takes before it looks: the event may come before the registration has returned. */
  weft__spin_lock(&ready->lock);
  ready->owned = owned;
  ready->fd = fd;
  ready->reactor = reactor;
  uint64_t data = weft__event_data(ready->generation, ready->index);
  atom_store(&ready->word, WEFT__READY_IN | WEFT__READY_OUT, relaxed);
  atom_store(&ready->users, 0, release);
  weft__spin_unlock(&ready->lock);
  int rc = weft__reactor_register(reactor, ready, data);
  if (rc < 0) {
    atom_store(&ready->users, WEFT__READY_CLOSING, relaxed);
    ready->fd = -1;
    weft__ready_table_give(&reactor->table, ready);
    return rc;
  }
  atom_add(&reactor->references, 1, relaxed); /* relaxed: the caller holds one */
  atom_add(&reactor->registered, 1, relaxed); /* relaxed: a statistic */
  *out = ready;
  return 0;
}

int weft__ready_open(weft__reactor_t *reactor, int fd, weft__ready_t **out) {
  return open_object(reactor, fd, true, out);
}
int weft__ready_open_borrowed(weft__reactor_t *reactor, int fd, weft__ready_t **out) {
  return open_object(reactor, fd, false, out);
}

/* The last user is out and no further one can come. */
static void finish(weft__ready_t *ready) {
  weft__reactor_t *reactor = ready->reactor;
  WEFT__ASSERT(weft__list_empty(&ready->readers) && weft__list_empty(&ready->writers));
  if (ready->owned) close(ready->fd); /* EINTR or not, it is closed on Linux */
  weft__spin_lock(&ready->lock);
  ready->generation++; /* what is still on its way to this object finds nobody */
  ready->fd = -1;
  weft__spin_unlock(&ready->lock);
  atom_sub(&reactor->registered, 1, relaxed);
  weft__ready_table_give(&reactor->table, ready);
  release_reactor(reactor);
}

static void wake_all(weft__ready_t *ready, weft__list_t *waiters) {
  weft__link_t *link;
  while ((link = weft__list_pop_front(waiters)) != NULL) {
    atom_sub(&ready->reactor->waiting, 1, relaxed); /* relaxed: a hint; links are guarded by the lock */
    weft__ready_waiter_t *waiter = weft__container_of(link, weft__ready_waiter_t, link);
    waiter->wake(waiter);
  }
}

bool weft__ready_stranded(const weft__ready_t *ready) { return atom_load(&ready->reactor->closed, acquire); }

void weft__ready_shut(weft__ready_t *ready) {
  atom_or(&ready->users, WEFT__READY_DEAD, acq_rel); /* before the lock: who links later sees it under the lock */
  weft__spin_lock(&ready->lock);
  wake_all(ready, &ready->readers);
  wake_all(ready, &ready->writers);
  weft__spin_unlock(&ready->lock);
}

void weft__ready_close(weft__ready_t *ready) {
  /* A duplicate of the descriptor elsewhere would keep the registration alive: it goes first, by name. */
  if (!atom_load(&ready->reactor->closed, acquire)) weft__reactor_unregister(ready->reactor, ready);
  /* One step sets the bit and makes us a user, so that nobody finishes while we still touch the object. acq_rel: whoever
   * finishes has seen what every user did. Waiters that link later see the bit under the lock. */
  uint32_t users = atom_add(&ready->users, WEFT__READY_CLOSING + 1, acq_rel);
  WEFT__ASSERT(!(users & WEFT__READY_CLOSING));
  weft__spin_lock(&ready->lock);
  wake_all(ready, &ready->readers);
  wake_all(ready, &ready->writers);
  weft__spin_unlock(&ready->lock);
  weft__ready_end(ready);
}

void weft__ready_end(weft__ready_t *ready) {
  /* acq_rel: see close */
  uint32_t users = atom_sub(&ready->users, 1, acq_rel);
  WEFT__DEBUG_ASSERT((users & ~WEFT__READY_CLOSED) != 0);
  if ((users & WEFT__READY_CLOSING) && (users & ~WEFT__READY_CLOSED) == 1) finish(ready);
}

bool weft__ready_clear(weft__ready_t *ready, uint64_t seen, uint64_t bit) {
  uint64_t word = seen;
  do {
    if (word >> WEFT__READY_SEQ_SHIFT != seen >> WEFT__READY_SEQ_SHIFT) return false;
    /* acquire on failure: what we go on with is an event's word. Another direction may have cleared its bit: the same
     * sequence, so ours may go as well. */
  } while (!atom_cas_weak(&ready->word, &word, word & ~bit, acq_rel, acquire));
  weft__reactor_rearm(ready->reactor, ready);
  return true;
}

bool weft__ready_wait_locked(weft__ready_t *ready, uint64_t bit, weft__ready_waiter_t *waiter) {
  /* relaxed: bits are set under this lock */
  if ((atom_load(&ready->word, relaxed) & bit) || weft__ready_closing(ready)) return false;
  weft__list_push_back(bit == WEFT__READY_IN ? &ready->readers : &ready->writers, &waiter->link);
  atom_add(&ready->reactor->waiting, 1, relaxed);
  return true;
}

bool weft__ready_unwait(weft__ready_t *ready, weft__ready_waiter_t *waiter) {
  weft__spin_lock(&ready->lock);
  bool linked = weft__link_linked(&waiter->link);
  if (linked) {
    weft__list_unlink(&waiter->link);
    atom_sub(&ready->reactor->waiting, 1, relaxed);
  }
  weft__spin_unlock(&ready->lock);
  return linked;
}

bool weft__ready_deliver(weft__reactor_t *reactor, uint64_t data, uint64_t bits) {
  weft__ready_t *ready = weft__ready_table_at(&reactor->table, (uint32_t)data);
  weft__spin_lock(&ready->lock);
  bool same = ready->generation == (uint32_t)(data >> 32);
  if (same) {
    /* release: partner of load's acquire. Clears run beside this without the lock, so it has to be one step. */
    uint64_t word = atom_load(&ready->word, relaxed);
    while (!atom_cas_weak(&ready->word, &word, (word | bits) + WEFT__READY_SEQ_ONE, release, relaxed)) {
    }
    if (bits & WEFT__READY_IN) wake_all(ready, &ready->readers);
    if (bits & WEFT__READY_OUT) wake_all(ready, &ready->writers);
  }
  weft__spin_unlock(&ready->lock);
  return same;
}
