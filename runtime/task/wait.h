/* wait.h: how a task waits in a list that is guarded by a spin lock: locks, queues, readiness, timers.
 *
 *   waiter:   lock; condition false; link wait; weft__wait_park(&wait, &lock)     (unlocks once the context is saved)
 *   waker:    lock; condition := true; take a wait off the list; weft__wait_wake(wait); unlock
 *
 * The task becomes visible in the list only together with the unlock, so a waker always finds it parked (WAITING) or
 * already claimed by cancel(). wake and cancel race by one compare-and-swap on the task's word; exactly one wins and
 * queues the task. The node lies in the waiter's frame: it lives while it is linked, because a waiter that was cancelled
 * takes the list's lock to unlink itself before it returns, and one that was woken was unlinked by the waker.
 * A waiter that was woken (woken is true) and is cancelled before it runs again still gets WEFT_CANCELLED: whatever it was
 * handed must be passed on by the caller. */
#ifndef WEFT_TASK_WAIT_H
#define WEFT_TASK_WAIT_H

#include <weft/types.h>

#include "base/spin.h"
#include "task/future.h"

typedef struct weft__wait {
  weft__node_t node; /* node.link is the caller's list's */
  weft_task_t *task;
  bool woken; /* written by the waker under the list's lock */
} weft__wait_t;

/* For the current task, which must be allowed to suspend (weft__check_suspend). */
void weft__wait_init(weft__wait_t *wait);
/* Parks the current task; `lock`, held by the caller, is released on the other side of the switch. 0 when woken,
 * WEFT_CANCELLED (record set) when cancelled: then the caller unlinks under the lock if it is still linked. A pending
 * cancellation is delivered here, after one pass through the ready queue, as asyncio does. */
int weft__wait_park(weft__wait_t *wait, weft__spin_t *lock);
/* Under the list's lock, after unlinking: true if the waiter was claimed (it is queued and will return), false if it had
 * been cancelled: try the next one. Touches nothing of the waiter afterwards. */
bool weft__wait_wake(weft__wait_t *wait);
/* The same for an expired timer: with one worker it takes asyncio's hop (the timer's handle runs, then the task). */
bool weft__wait_wake_by_timer(weft__wait_t *wait);

/* Under the future's LOCK: takes the wait of a task in weft__future_wait off the future's list. False: it is not there. */
bool weft__future_drop_wait(weft_future_t *future, const weft_task_t *task);
/* By whoever owns a future that nobody else has any more: no task that waits for it, for ever, points to it. */
void weft__future_forget_waits(weft_future_t *future);

#endif
