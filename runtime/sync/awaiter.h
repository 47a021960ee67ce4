/* awaiter.h: one task that waits for one event, both in memory that may outlive the task's wait: the inside of wait,
 * shield, as_completed and task groups.
 *
 *   armed --release--> released      (once; sticky until the owner resets it)
 *
 * All fields are guarded by the caller's lock. The waiter:   lock; weft__awaiter_park(&a, &lock)   (unlocks);
 * the releaser:   lock; weft__awaiter_release(&a); unlock.   A releaser that comes first is not lost: park then answers at
 * once. Cancelling the waiter ends its wait and leaves the event alone. */
#ifndef WEFT_SYNC_AWAITER_H
#define WEFT_SYNC_AWAITER_H

#include "task/wait.h"

typedef struct weft__awaiter {
  weft__wait_t *wait; /* lies in the waiting task's frame */
  bool released;
} weft__awaiter_t;

static inline void weft__awaiter_init(weft__awaiter_t *awaiter) {
  awaiter->wait = NULL;
  awaiter->released = false;
}

/* Under `lock`, which it gives back. 0 when released, WEFT_CANCELLED when cancelled (record set). */
static inline int weft__awaiter_park(weft__awaiter_t *awaiter, weft__spin_t *lock) {
  if (awaiter->released) {
    weft__spin_unlock(lock);
    return 0;
  }
  weft__wait_t wait;
  weft__wait_init(&wait);
  awaiter->wait = &wait;
  int rc = weft__wait_park(&wait, lock);
  /* Also what lets the releaser finish with the lock before the memory around it may go. */
  weft__spin_lock(lock);
  awaiter->wait = NULL;
  weft__spin_unlock(lock);
  return rc;
}

/* Under the lock. */
static inline void weft__awaiter_release(weft__awaiter_t *awaiter) {
  awaiter->released = true;
  weft__wait_t *wait = awaiter->wait;
  awaiter->wait = NULL;
  if (wait != NULL) (void)weft__wait_wake(wait); /* if it was cancelled meanwhile it will find `released` */
}

#endif
