/* ready.h: the readiness of one descriptor.
 *
 * Operations try the system call first and wait for an event only where it says EAGAIN:
 *
 *   if (!weft__ready_begin(r)) return closed;
 *   for (;;) {
 *     seen = weft__ready_load(r);
 *     if (seen & WEFT__READY_IN) {
 *       n = read(weft__ready_fd(r), ...);
 *       if (n >= 0) { if (short and weft__ready_may_clear(seen)) weft__ready_clear(r, seen, WEFT__READY_IN); break; }
 *       if (errno != EAGAIN) break;
 *       if (!weft__ready_clear(r, seen, WEFT__READY_IN)) continue;       an event came meanwhile
 *     }
 *     weft__spin_lock(&r->lock);
 *     if (!weft__ready_wait_locked(r, WEFT__READY_IN, &waiter)) unlock and continue;
 *     park, releasing r->lock; if cancelled: weft__ready_unwait(r, &waiter)
 *   }
 *   weft__ready_end(r);
 *
 * The word: IN and OUT say "try it"; RDHUP, HUP and ERR are what epoll reported once and stay; above them counts a
 * sequence that every event raises.
 *   event (poller, under lock): bits |= what came (RDHUP implies IN; HUP and ERR imply both), sequence + 1, then the
 *                               direction's waiters are unlinked and woken, under the same lock
 *   clear (without lock):       a bit goes only by compare-and-swap against a word of the sequence that was loaded before
 *                               the system call: an event that came in between is never lost
 *   wait (under lock):          links only while the bit is clear, so an event comes either before, and is seen, or finds
 *                               the waiter
 * A short read proves nothing once RDHUP, HUP or ERR was seen: data and FIN arrive as one event, and no edge follows. It
 * proves nothing at all on pipes, ttys and datagrams.
 *
 * Life: users counts operations in progress and has a CLOSING bit. begin adds one by compare-and-swap, never once CLOSING
 * is set. close takes the descriptor out of the epoll, sets CLOSING and wakes every waiter; whoever brings the count to
 * zero closes the descriptor and frees the object. So no system call meets a descriptor that was reused. The memory never
 * changes its type, and events name an object by index and generation: one that was fetched before the close and is
 * delivered after the reuse is recognised under the object's lock. The caller sees to it that nobody calls begin with a
 * pointer after the object is gone (who holds a stream holds its object). DEAD is set by
 * shut, and when the reactor is closed first: begin fails, and close is all that is left. */
#ifndef WEFT_LOOP_READY_H
#define WEFT_LOOP_READY_H

#include "base/atomics.h"
#include "base/base.h"
#include "base/list.h"
#include "base/spin.h"
#include "loop/reactor.h"

#define WEFT__READY_IN UINT64_C(1)
#define WEFT__READY_OUT UINT64_C(2)
#define WEFT__READY_RDHUP UINT64_C(4)
#define WEFT__READY_HUP UINT64_C(8)
#define WEFT__READY_ERR UINT64_C(16)
#define WEFT__READY_SEQ_SHIFT 8
#define WEFT__READY_SEQ_ONE (UINT64_C(1) << WEFT__READY_SEQ_SHIFT)

#define WEFT__READY_CLOSING (UINT32_C(1) << 31)
#define WEFT__READY_DEAD (UINT32_C(1) << 30)
#define WEFT__READY_CLOSED (WEFT__READY_CLOSING | WEFT__READY_DEAD)

typedef struct weft__ready_waiter weft__ready_waiter_t;
struct weft__ready_waiter {
  weft__link_t link;
  /* Called under the object's lock, unlinked, once: claims and queues; the waiter is not touched afterwards. */
  void (*wake)(weft__ready_waiter_t *waiter);
};

typedef struct weft__ready {
  /* What every operation and every event touches lies in one cache line. */
  WEFT__CACHE_ALIGNED _Atomic(uint64_t) word;
  _Atomic(uint32_t) users;
  weft__spin_t lock; /* guards the lists, and the generation against delivery */
  int fd;
  uint32_t generation; /* under lock */
  weft__list_t readers, writers;
  weft__reactor_t *reactor;
  uint32_t index;                /* never changes */
  bool owned;                    /* the descriptor is closed with the object */
  struct weft__ready *free_next; /* under the table's lock */
  /* reactor_uv.c's: the handle, under its loop's lock; whether it is on the list of wishes, and the next one there. */
  void *watch;
  _Atomic(bool) wished;
  struct weft__ready *wish_next;
} weft__ready_t;
_Static_assert(offsetof(weft__ready_t, index) <= WEFT__CACHE_LINE,
               "the hot part of a readiness object is one cache line");

/* fd is non-blocking. On success the object owns it; it is "ready" for both, so that the first operation tries. */
int weft__ready_open(weft__reactor_t *reactor, int fd, weft__ready_t **out);
/* The same for a descriptor that stays the caller's, who closes it after the object. */
int weft__ready_open_borrowed(weft__reactor_t *reactor, int fd, weft__ready_t **out);
/* Its reactor was closed first: whoever waited was forgotten, and close is all that is left. */
bool weft__ready_stranded(const weft__ready_t *ready);
/* Ends every wait and refuses new ones: weft__ready_closing is true from now on. The descriptor stays open until close. */
void weft__ready_shut(weft__ready_t *ready);
/* Once per object. Operations in progress are woken and find weft__ready_closing true. */
void weft__ready_close(weft__ready_t *ready);

static inline int weft__ready_fd(const weft__ready_t *ready) { return ready->fd; }

/* False: it is being closed; there is nothing to end. */
static inline bool weft__ready_begin(weft__ready_t *ready) {
  uint32_t users = atom_load(&ready->users, relaxed);
  do {
    if (users & WEFT__READY_CLOSED) return false;
    /* acquire: partner of the releases of end, for nothing but the next line of users; failing reads nothing else */
  } while (!atom_cas_weak(&ready->users, &users, users + 1, acquire, relaxed));
  return true;
}
/* The object may be gone afterwards. */
void weft__ready_end(weft__ready_t *ready);
static inline bool weft__ready_closing(const weft__ready_t *ready) {
  return (atom_load(&ready->users, acquire) & WEFT__READY_CLOSED) != 0;
}

static inline uint64_t weft__ready_load(const weft__ready_t *ready) { return atom_load(&ready->word, acquire); }
/* After a short read or write on a stream socket: may the bit go? */
static inline bool weft__ready_may_clear(uint64_t seen) {
  return (seen & (WEFT__READY_RDHUP | WEFT__READY_HUP | WEFT__READY_ERR)) == 0;
}
/* Takes `bit` (IN or OUT) away unless an event came after `seen` was loaded. False: one came; try again. */
bool weft__ready_clear(weft__ready_t *ready, uint64_t seen, uint64_t bit);

/* Under lock: links the waiter for `bit`, or answers false: ready, or closing. */
bool weft__ready_wait_locked(weft__ready_t *ready, uint64_t bit, weft__ready_waiter_t *waiter);
/* A waiter that gives up (cancelled): unlinks it if it was not woken. False: it was. */
bool weft__ready_unwait(weft__ready_t *ready, weft__ready_waiter_t *waiter);

#endif
