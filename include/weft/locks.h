/* weft/locks.h: Lock, Event, Condition, Semaphore, Barrier: embedded, safe among tasks on all workers, FIFO.
 *
 * Initialised in the caller's memory, they hold nothing and need no destroying; they must stay where they are while
 * anyone uses them. A waiter that is cancelled passes on what it was just handed: no wake-up and no permit is lost. */
#ifndef WEFT_LOCKS_H
#define WEFT_LOCKS_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_lock {
  uint64_t opaque_[3];
} weft_lock_t;
typedef struct weft_event {
  uint64_t opaque_[3];
} weft_event_t;
typedef struct weft_condition {
  uint64_t opaque_[6];
} weft_condition_t;
typedef struct weft_semaphore {
  uint64_t opaque_[5];
} weft_semaphore_t;
typedef struct weft_barrier {
  uint64_t opaque_[5];
} weft_barrier_t;

/* ---- Lock: mutual exclusion across suspensions; not re-entrant ---- */

/* weft_lock_init [A], asyncio.Lock: unlocked. */
WEFT_API void weft_lock_init(weft_lock_t *lock);

/* weft_lock_locked [A], Lock.locked: a hint; it may have changed already. */
WEFT_API bool weft_lock_locked(const weft_lock_t *lock);

/* weft_lock_acquire [S], Lock.acquire: waits for its turn and takes it; 0. At once, without suspending, when it is
 * free. */
WEFT_API WEFT_NODISCARD int weft_lock_acquire(weft_lock_t *lock);
WEFT_ASYNC_TWIN_1(weft_lock_acquire, weft_lock_t *);

/* weft_lock_release, Lock.release: gives it to the longest waiter, by whichever task. 0; WEFT_RUNTIME: it is not
 * locked. */
WEFT_API int weft_lock_release(weft_lock_t *lock);

/* ---- Event: a flag that tasks wait for ---- */

/* weft_event_init [A], asyncio.Event: clear. */
WEFT_API void weft_event_init(weft_event_t *event);

/* weft_event_is_set [A], Event.is_set. */
WEFT_API bool weft_event_is_set(const weft_event_t *event);

/* weft_event_set [A], Event.set: releases all who wait now, even if it is cleared right after. */
WEFT_API void weft_event_set(weft_event_t *event);

/* weft_event_clear [A], Event.clear. */
WEFT_API void weft_event_clear(weft_event_t *event);

/* weft_event_wait [S], Event.wait: until it is set; 0; at once when it is. */
WEFT_API WEFT_NODISCARD int weft_event_wait(weft_event_t *event);
WEFT_ASYNC_TWIN_1(weft_event_wait, weft_event_t *);

/* ---- Condition: a lock, and waiting for a change of what it guards ---- */

/* What weft_condition_wait_for asks. Called with the lock held; must not suspend. */
typedef bool (*weft_predicate_fn)(void *data);

/* weft_condition_init [A], asyncio.Condition: on that lock, kept as long as the condition; NULL: a lock of its own. */
WEFT_API void weft_condition_init(weft_condition_t *c, weft_lock_t *lock);

/* weft_condition_acquire [S], Condition.acquire: its lock's. */
WEFT_API WEFT_NODISCARD int weft_condition_acquire(weft_condition_t *c);
WEFT_ASYNC_TWIN_1(weft_condition_acquire, weft_condition_t *);

/* weft_condition_release, Condition.release: its lock's. */
WEFT_API int weft_condition_release(weft_condition_t *c);

/* weft_condition_locked [A], Condition.locked: its lock's; a hint. */
WEFT_API bool weft_condition_locked(const weft_condition_t *c);

/* weft_condition_wait [S], Condition.wait: releases the lock, waits to be notified, and holds the lock again when it
 * returns, also with WEFT_CANCELLED. 0; WEFT_RUNTIME: the lock is not held. */
WEFT_API WEFT_NODISCARD int weft_condition_wait(weft_condition_t *c);
WEFT_ASYNC_TWIN_1(weft_condition_wait, weft_condition_t *);

/* weft_condition_wait_for [S], Condition.wait_for: waits again until predicate(data) holds; 0. data is kept until
 * then. */
WEFT_API WEFT_NODISCARD int weft_condition_wait_for(weft_condition_t *c, weft_predicate_fn predicate, void *data);
WEFT_ASYNC_TWIN_3(weft_condition_wait_for, weft_condition_t *, weft_predicate_fn, void *);

/* weft_condition_notify, Condition.notify: wakes up to n of those who wait, the longest first. WEFT_RUNTIME: the lock
 * is not held. */
WEFT_API int weft_condition_notify(weft_condition_t *c, size_t n);

/* weft_condition_notify_all, Condition.notify_all: wakes all who wait now. WEFT_RUNTIME: the lock is not held. */
WEFT_API int weft_condition_notify_all(weft_condition_t *c);

/* ---- Semaphore: a number of permits ---- */

/* weft_semaphore_init [A], asyncio.Semaphore: 0; WEFT_VALUE: permits < 0. */
WEFT_API int weft_semaphore_init(weft_semaphore_t *s, long permits);

/* weft_bounded_semaphore_init [A], asyncio.BoundedSemaphore: likewise; releasing beyond permits is then an error. */
WEFT_API int weft_bounded_semaphore_init(weft_semaphore_t *s, long permits);

/* weft_semaphore_locked [A], Semaphore.locked: whether acquire would wait now; a hint. */
WEFT_API bool weft_semaphore_locked(const weft_semaphore_t *s);

/* weft_semaphore_acquire [S], Semaphore.acquire: takes a permit in its turn, nobody overtakes; 0; at once when it
 * can. */
WEFT_API WEFT_NODISCARD int weft_semaphore_acquire(weft_semaphore_t *s);
WEFT_ASYNC_TWIN_1(weft_semaphore_acquire, weft_semaphore_t *);

/* weft_semaphore_release, Semaphore.release: gives a permit back, to the longest waiter if there is one. 0; WEFT_VALUE:
 * bounded, and none was taken. */
WEFT_API int weft_semaphore_release(weft_semaphore_t *s);

/* ---- Barrier: a meeting point of a fixed number of tasks, reusable ---- */

/* weft_barrier_init [A], asyncio.Barrier: 0; WEFT_VALUE: parties is 0. */
WEFT_API int weft_barrier_init(weft_barrier_t *b, unsigned parties);

/* weft_barrier_n_waiting [A], Barrier.n_waiting: a hint. */
WEFT_API unsigned weft_barrier_n_waiting(const weft_barrier_t *b);

/* weft_barrier_parties [A], Barrier.parties. */
WEFT_API unsigned weft_barrier_parties(const weft_barrier_t *b);

/* weft_barrier_broken [A], Barrier.broken: a hint. */
WEFT_API bool weft_barrier_broken(const weft_barrier_t *b);

/* weft_barrier_wait [S], Barrier.wait: until all parties are there; answers this one's index, distinct, from 0 to
 * parties - 1. WEFT_BROKEN_BARRIER: aborted or reset. A waiter that is cancelled while it fills just leaves. */
WEFT_API WEFT_NODISCARD int weft_barrier_wait(weft_barrier_t *b);
WEFT_ASYNC_TWIN_1(weft_barrier_wait, weft_barrier_t *);

/* weft_barrier_abort, Barrier.abort: breaks it for those who wait and those who come, until reset. 0. */
WEFT_API int weft_barrier_abort(weft_barrier_t *b);

/* weft_barrier_reset, Barrier.reset: empty and whole again; those who wait get WEFT_BROKEN_BARRIER. 0. */
WEFT_API int weft_barrier_reset(weft_barrier_t *b);
#ifdef __cplusplus
}
#endif
#endif
