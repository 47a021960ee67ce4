/* event.c: Event. Setting wakes everybody who waits at that moment, whatever happens to the flag afterwards. */
#include <weft/locks.h>

#include "sync/waiters.h"

typedef struct event {
  weft__spin_t spin;
  _Atomic(bool) set; /* written under spin */
  weft__list_t waiters;
} event_t;

_Static_assert(sizeof(event_t) <= sizeof(weft_event_t), "weft_event_t is too small");

static event_t *event_of(const weft_event_t *event) { return (event_t *)(uintptr_t)event; }

void weft_event_init(weft_event_t *public) {
  event_t *event = event_of(public);
  weft__spin_init(&event->spin);
  atom_init(&event->set, false);
  weft__list_init(&event->waiters);
}

/* acquire, partner of the store in weft_event_set: what was written before it is visible to whoever sees the flag */
bool weft_event_is_set(const weft_event_t *event) { return atom_load(&event_of(event)->set, acquire); }

void weft_event_set(weft_event_t *public) {
  event_t *event = event_of(public);
  weft__spin_lock(&event->spin);
  if (!atom_load(&event->set, relaxed)) {
    atom_store(&event->set, true, release);
    weft__waiters_wake_all(&event->waiters);
  }
  weft__spin_unlock(&event->spin);
}

void weft_event_clear(weft_event_t *public) {
  event_t *event = event_of(public);
  weft__spin_lock(&event->spin);
  atom_store(&event->set, false, relaxed); /* relaxed: it announces nothing */
  weft__spin_unlock(&event->spin);
}

int weft_event_wait(weft_event_t *public) {
  int rc = weft__check_suspend("weft_event_wait");
  if (rc < 0) return rc;
  event_t *event = event_of(public);
  bool woken;
  weft__spin_lock(&event->spin);
  if (!atom_load(&event->set, relaxed)) rc = weft__waiters_wait(&event->waiters, &event->spin, &woken);
  weft__spin_unlock(&event->spin);
  return rc;
}
