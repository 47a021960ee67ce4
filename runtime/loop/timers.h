/* timers.h: one worker's timers: exact nanoseconds, fired in order of (deadline, sequence), cancelled from anywhere.
 *
 * Nodes are the caller's memory, often on a task's stack; nothing here allocates. All links are guarded by the timers'
 * one spin lock. A node is
 *   idle     zero or after weft__timer_init: home is NULL
 *   pending  in the heap or the wheel of home
 *   past     it fired or was removed; home still names where it last was; it may be added again
 * idle, past -> pending: add.  pending -> past: expire (then fire is called), or remove (then it is not).
 * Expiry unlinks and calls fire under the lock, and never touches the node once fire was called: fire may hand the node's
 * frame to another thread. weft__timer_remove takes the same lock, so when it has returned, fire is over or will never be
 * called. home is written by add alone: whoever removes must be ordered after the add (the same task, or a lock).
 * Inside are two structures. What is due before `limit` lies in a pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986),
 * whose root is the earliest of all; what comes later in the slots of a wheel (Varghese, Lauck 1987) of three levels: 256
 * slots of 2^20 ns, 256 of 2^28, 256 of 2^36 (4.9 hours in all), and one list for what is beyond. When the heap is empty
 * the next slot that is not becomes the heap. So adding and removing are O(1) but for what is due within about a
 * millisecond, the order is exact, and so is the earliest deadline. With a million timers the heap alone took a third of
 * the time of creating, sleeping and ending a million tasks, for its misses of the cache. */
#ifndef WEFT_LOOP_TIMERS_H
#define WEFT_LOOP_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomics.h"
#include "base/spin.h"

typedef struct weft__timer weft__timer_t;
typedef struct weft__timers weft__timers_t;
/* Called under the lock: only claims and queues; adds and removes no timer here. */
typedef void (*weft__timer_fn)(weft__timer_t *timer);

struct weft__timer {
  int64_t deadline; /* read it only while you know the node: after add, before it can fire again */
  uint64_t seq;
  weft__timer_t *child; /* first, the one that was linked last */
  weft__timer_t *next;  /* sibling */
  weft__timer_t *prev;  /* sibling, or the parent of a first child */
  weft__timers_t *home;
  bool pending;
  uint16_t slot; /* where in the wheel; WEFT__TIMER_IN_HEAP: in the heap */
  weft__timer_fn fire;
};

enum {
  WEFT__WHEEL_LEVELS = 3,
  WEFT__WHEEL_SLOTS = 256,
  WEFT__TIMER_FAR = WEFT__WHEEL_LEVELS * WEFT__WHEEL_SLOTS, /* the list beyond the wheel */
  WEFT__TIMER_IN_HEAP
};

struct weft__timers {
  weft__spin_t lock;
  weft__timer_t *root; /* the earliest; NULL only if there are none at all */
  int64_t limit;       /* ticks of 2^20 ns: what is due before lies in the heap */
  int64_t far_from;    /* no tick of the far list lies before */
  uint64_t occupied[WEFT__WHEEL_LEVELS][WEFT__WHEEL_SLOTS / 64];
  weft__timer_t *slots[WEFT__TIMER_FAR + 1]; /* linked by next and prev */
  uint64_t seq;                              /* of the next one: FIFO among equal deadlines */
  size_t count;
  _Atomic(int64_t) earliest; /* the root's deadline, INT64_MAX without one; written under the lock */
};

void weft__timers_init(weft__timers_t *timers);
/* No timer may be pending any more. */
void weft__timers_destroy(weft__timers_t *timers);

static inline void weft__timer_init(weft__timer_t *timer) {
  timer->home = NULL;
  timer->pending = false;
}

/* The node must not be pending. True: it is the earliest now, so a worker that sleeps until the old one must be rung.
 * _locked: the caller holds timers->lock. */
bool weft__timers_add_locked(weft__timers_t *timers, weft__timer_t *timer, int64_t deadline, weft__timer_fn fire);
bool weft__timers_add(weft__timers_t *timers, weft__timer_t *timer, int64_t deadline, weft__timer_fn fire);
/* True: it was pending and will not fire. False: it fired or was never added; its fire function is not running any more. */
bool weft__timers_remove(weft__timer_t *timer);
/* The earliest deadline, INT64_MAX without timers. Takes no lock: exact for whoever added last, else a hint. */
int64_t weft__timers_next(const weft__timers_t *timers);
/* Fires what is due (deadline <= now), in order, holding the lock throughout; how many. */
size_t weft__timers_expire(weft__timers_t *timers, int64_t now);

#endif
