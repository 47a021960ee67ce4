/* weft/rwlock.h: RWLock: many readers or one writer, in order of arrival. Not in asyncio.
 *
 * Embedded, safe among tasks on all workers; needs no destroying; must stay where it is while anyone uses it. Fair: who
 * comes later never overtakes, so a waiting writer holds up the readers behind it. Not re-entrant. */
#ifndef WEFT_RWLOCK_H
#define WEFT_RWLOCK_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_rwlock {
  uint64_t opaque_[4];
} weft_rwlock_t;

/* weft_rwlock_init [A]: unlocked. */
WEFT_API void weft_rwlock_init(weft_rwlock_t *rw);

/* weft_rwlock_acquire_read [S]: waits for its turn and takes it together with other readers; 0. */
WEFT_API WEFT_NODISCARD int weft_rwlock_acquire_read(weft_rwlock_t *rw);
WEFT_ASYNC_TWIN_1(weft_rwlock_acquire_read, weft_rwlock_t *);

/* weft_rwlock_acquire_write [S]: waits for its turn and takes it alone; 0. */
WEFT_API WEFT_NODISCARD int weft_rwlock_acquire_write(weft_rwlock_t *rw);
WEFT_ASYNC_TWIN_1(weft_rwlock_acquire_write, weft_rwlock_t *);

/* weft_rwlock_release_read: gives one reader's share back. 0; WEFT_RUNTIME: no reader holds it. */
WEFT_API int weft_rwlock_release_read(weft_rwlock_t *rw);

/* weft_rwlock_release_write: gives it back. 0; WEFT_RUNTIME: no writer holds it. */
WEFT_API int weft_rwlock_release_write(weft_rwlock_t *rw);

/* weft_rwlock_downgrade: the writer becomes a reader, without a moment in between; readers who wait next join it. 0;
 * WEFT_RUNTIME: no writer holds it. */
WEFT_API int weft_rwlock_downgrade(weft_rwlock_t *rw);

/* weft_rwlock_readers [A]: how many readers hold it; a hint. */
WEFT_API unsigned weft_rwlock_readers(const weft_rwlock_t *rw);

/* weft_rwlock_locked [A]: whether a writer holds it; a hint. */
WEFT_API bool weft_rwlock_locked(const weft_rwlock_t *rw);
#ifdef __cplusplus
}
#endif
#endif
