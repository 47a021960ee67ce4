/* waiters.h: the one way in which tasks wait in locks, events, queues and channels: a spin lock, and a list of waits in
 * order of arrival.
 *
 *   waiter:  lock; condition false; rc = weft__waiters_wait(&list, &lock, &woken); settle; unlock
 *   waker:   lock; condition := true; weft__waiters_wake_next(&list) or _all; unlock
 *
 * After weft__waiters_wait the lock is held again and the wait is in no list, however it ended. Three outcomes:
 *   rc 0, woken            the usual one
 *   rc cancelled, !woken   it was never chosen
 *   rc cancelled, woken    it was chosen and then cancelled before it ran: what it was handed must be passed on
 * Taking the lock once more on the way out also means that a waker is done with the
 * object when the waiter returns, which therefore may end the object's life.
 * A cancelled waiter stays in the list until it runs; weft__waiter_live tells it from one that still waits. */
#ifndef WEFT_SYNC_WAITERS_H
#define WEFT_SYNC_WAITERS_H

#include "sync/selection.h"
#include "task/task.h"
#include "task/wait.h"

static inline weft__wait_t *weft__wait_of_link(weft__link_t *link) {
  return weft__container_of(link, weft__wait_t, node.link);
}

/* Under the lock, for a wait in the list: false once it was cancelled. */
static inline bool weft__waiter_live(weft__link_t *link) {
  if (weft__unlikely(weft__wait_of_link(link)->node.kind == WEFT__NODE_SELECT))
    return weft__select_node_live(weft__wait_of_link(link));
  return weft__word_phase(atom_load(&weft__wait_of_link(link)->task->future.word, acquire)) == WEFT__WAITING;
}

static inline bool weft__waiters_any_live(const weft__list_t *list) {
  for (weft__link_t *link = list->head.next; link != &list->head; link = link->next)
    if (weft__waiter_live(link)) return true;
  return false;
}

/* Under the lock. True: chosen, its frame may be gone. False: cancelled, it will come for the lock by itself. */
static inline bool weft__waiter_wake(weft__link_t *link) {
  weft__wait_t *wait = weft__wait_of_link(link);
  weft__list_unlink(link);
  if (weft__unlikely(wait->node.kind == WEFT__NODE_SELECT)) return weft__select_node_claim(wait);
  if (weft__wait_wake(wait)) return true;
  wait->woken = false; /* it cannot leave its frame before we give the lock back */
  return false;
}

/* The longest waiting one that was not cancelled; false if there is none. */
static inline bool weft__waiters_wake_next(weft__list_t *list) {
  for (weft__link_t *link; (link = weft__list_first(list)) != NULL;)
    if (weft__waiter_wake(link)) return true;
  return false;
}

static inline void weft__waiters_wake_all(weft__list_t *list) {
  while (weft__waiters_wake_next(list)) {
  }
}

/* The same with a wait that is part of something larger; it is initialised here. At the end of the list, or at its front
 * for one that was chosen in vain and keeps its place. */
static inline int weft__waiters_park(weft__list_t *list, weft__wait_t *wait, bool front, weft__spin_t *lock) {
  weft__wait_init(wait);
  if (front)
    weft__list_push_front(list, &wait->node.link);
  else
    weft__list_push_back(list, &wait->node.link);
  int rc = weft__wait_park(wait, lock);
  weft__spin_lock(lock);
  weft__list_unlink(&wait->node.link);
  WEFT__DEBUG_ASSERT(rc != 0 || wait->woken);
  return rc;
}

static inline int weft__waiters_wait_at(weft__list_t *list, bool front, weft__spin_t *lock, bool *woken) {
  weft__wait_t wait;
  int rc = weft__waiters_park(list, &wait, front, lock);
  *woken = wait.woken;
  return rc;
}

static inline int weft__waiters_wait(weft__list_t *list, weft__spin_t *lock, bool *woken) {
  return weft__waiters_wait_at(list, false, lock, woken);
}

#endif
