/* weft/locks.h: Lock, Event, Condition, Semaphore, Barrier: embedded, thread-safe among tasks, FIFO. */
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
  uint64_t opaque_[4];
} weft_condition_t;
typedef struct weft_semaphore {
  uint64_t opaque_[4];
} weft_semaphore_t;
typedef struct weft_barrier {
  uint64_t opaque_[5];
} weft_barrier_t;

WEFT_API void weft_lock_init(weft_lock_t *lock);
/* a hint */
WEFT_API bool weft_lock_locked(const weft_lock_t *lock);
/* [S] FIFO */
WEFT_API WEFT_NODISCARD int weft_lock_acquire(weft_lock_t *lock);
WEFT_ASYNC_TWIN_1(weft_lock_acquire, weft_lock_t *);
WEFT_API int weft_lock_release(weft_lock_t *lock);

WEFT_API void weft_event_init(weft_event_t *event);
/* a hint */
WEFT_API bool weft_event_is_set(const weft_event_t *event);
/* [A] */
WEFT_API void weft_event_set(weft_event_t *event);
/* [A] */
WEFT_API void weft_event_clear(weft_event_t *event);
/* [S] */
WEFT_API WEFT_NODISCARD int weft_event_wait(weft_event_t *event);
WEFT_ASYNC_TWIN_1(weft_event_wait, weft_event_t *);

typedef bool (*weft_predicate_fn)(void *data);
/* NULL: a lock of its own */
WEFT_API void weft_condition_init(weft_condition_t *c, weft_lock_t *lock);
/* [S] its lock's acquire */
WEFT_API WEFT_NODISCARD int weft_condition_acquire(weft_condition_t *c);
WEFT_ASYNC_TWIN_1(weft_condition_acquire, weft_condition_t *);
/* its lock's release */
WEFT_API int weft_condition_release(weft_condition_t *c);
/* a hint */
WEFT_API bool weft_condition_locked(const weft_condition_t *c);
/* [S] re-acquires also when cancelled */
WEFT_API WEFT_NODISCARD int weft_condition_wait(weft_condition_t *c);
WEFT_ASYNC_TWIN_1(weft_condition_wait, weft_condition_t *);
/* [S] waits until predicate(data) */
WEFT_API WEFT_NODISCARD int weft_condition_wait_for(weft_condition_t *c, weft_predicate_fn predicate, void *data);
WEFT_ASYNC_TWIN_3(weft_condition_wait_for, weft_condition_t *, weft_predicate_fn, void *);
WEFT_API int weft_condition_notify(weft_condition_t *c, size_t n);
WEFT_API int weft_condition_notify_all(weft_condition_t *c);

WEFT_API int weft_semaphore_init(weft_semaphore_t *s, long permits);
WEFT_API int weft_bounded_semaphore_init(weft_semaphore_t *s, long permits);
/* a hint */
WEFT_API bool weft_semaphore_locked(const weft_semaphore_t *s);
/* [S] */
WEFT_API WEFT_NODISCARD int weft_semaphore_acquire(weft_semaphore_t *s);
WEFT_ASYNC_TWIN_1(weft_semaphore_acquire, weft_semaphore_t *);
WEFT_API int weft_semaphore_release(weft_semaphore_t *s);

WEFT_API int weft_barrier_init(weft_barrier_t *b, unsigned parties);
WEFT_API unsigned weft_barrier_n_waiting(const weft_barrier_t *b);
WEFT_API unsigned weft_barrier_parties(const weft_barrier_t *b);
WEFT_API bool weft_barrier_broken(const weft_barrier_t *b);
/* [S] index >= 0 */
WEFT_API WEFT_NODISCARD int weft_barrier_wait(weft_barrier_t *b);
WEFT_ASYNC_TWIN_1(weft_barrier_wait, weft_barrier_t *);
WEFT_API int weft_barrier_abort(weft_barrier_t *b);
WEFT_API int weft_barrier_reset(weft_barrier_t *b);
#ifdef __cplusplus
}
#endif
#endif
