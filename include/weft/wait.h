/* weft/wait.h: waiting for some of several futures. Nothing is ever cancelled here, and no error of theirs is
 * answered. */
#ifndef WEFT_WAIT_H
#define WEFT_WAIT_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

/* When weft_wait returns. WEFT_FIRST_EXCEPTION: a cancellation is no exception; without one it waits for all. */
enum weft_return_when { WEFT_ALL_COMPLETED, WEFT_FIRST_COMPLETED, WEFT_FIRST_EXCEPTION };

/* weft_wait [S], asyncio.wait: waits as return_when says, for so many seconds at most; answers how many are done,
 * which may be 0 after the time. done[i] (NULL: not wanted) is filled: whether futures[i] is. The futures are
 * borrowed; NULL entries are skipped. WEFT_VALUE: no future at all, or no such mode; -EINVAL: NaN. */
WEFT_API WEFT_NODISCARD int weft_wait(weft_future_t *const futures[], size_t n, int return_when, double seconds,
                                      bool done[]);
WEFT_ASYNC_TWIN_5(weft_wait, weft_future_t *const *, size_t, int, double, bool *);

/* weft_wait_tasks [S], asyncio.wait over tasks: likewise; the tasks are borrowed. */
WEFT_API WEFT_NODISCARD int weft_wait_tasks(weft_task_t *const tasks[], size_t n, int return_when, double seconds,
                                            bool done[]);
WEFT_ASYNC_TWIN_5(weft_wait_tasks, weft_task_t *const *, size_t, int, double, bool *);

/* An iteration over futures in the order in which they end. Embedded; init and destroy in the same task. */
typedef struct weft_as_completed {
  uint64_t opaque_[6];
} weft_as_completed_t;

/* weft_as_completed_init, as_completed: starts one; seconds limit the whole of it. futures are borrowed until destroy;
 * a future that stands there twice comes once. What goes wrong here (no memory, NaN) is answered by the first next. */
WEFT_API void weft_as_completed_init(weft_as_completed_t *it, weft_future_t *const futures[], size_t n, double seconds);

/* weft_as_completed_next [S], its __anext__: 1: futures[*index] is the next that is done (index is filled); 0: there
 * are no more; WEFT_TIMEOUT: the time is over, the rest runs on. */
WEFT_API WEFT_NODISCARD int weft_as_completed_next(weft_as_completed_t *it, size_t *index);
WEFT_ASYNC_TWIN_2(weft_as_completed_next, weft_as_completed_t *, size_t *);

/* weft_as_completed_destroy: ends it, at any time. All zero: nothing. */
WEFT_API void weft_as_completed_destroy(weft_as_completed_t *it);
#ifdef __cplusplus
}
#endif
#endif
