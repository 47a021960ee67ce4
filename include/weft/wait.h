/* weft/wait.h: waiting for some of several futures; nothing is cancelled. */
#ifndef WEFT_WAIT_H
#define WEFT_WAIT_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

enum { WEFT_ALL_COMPLETED, WEFT_FIRST_COMPLETED, WEFT_FIRST_EXCEPTION };
/* [S] number done; NULL entries are skipped; done may be NULL */
WEFT_API WEFT_NODISCARD int weft_wait(weft_future_t *const futures[], size_t n, int return_when, double seconds,
                                      bool done[]);
WEFT_ASYNC_TWIN_5(weft_wait, weft_future_t *const *, size_t, int, double, bool *);
/* [S] likewise */
WEFT_API WEFT_NODISCARD int weft_wait_tasks(weft_task_t *const tasks[], size_t n, int return_when, double seconds,
                                            bool done[]);
WEFT_ASYNC_TWIN_5(weft_wait_tasks, weft_task_t *const *, size_t, int, double, bool *);
/* [S] cancelling the waiter leaves the future alone */
WEFT_API WEFT_NODISCARD int weft_shield(weft_future_t *future, void *value);
WEFT_ASYNC_TWIN_2(weft_shield, weft_future_t *, void *);

typedef struct weft_as_completed {
  uint64_t opaque_[6];
} weft_as_completed_t;
WEFT_API void weft_as_completed_init(weft_as_completed_t *it, weft_future_t *const futures[], size_t n,
                                     double seconds);
/* [S] 1: futures[index] is done, 0 end, WEFT_TIMEOUT */
WEFT_API WEFT_NODISCARD int weft_as_completed_next(weft_as_completed_t *it, size_t *index);
WEFT_ASYNC_TWIN_2(weft_as_completed_next, weft_as_completed_t *, size_t *);
WEFT_API void weft_as_completed_destroy(weft_as_completed_t *it);
#ifdef __cplusplus
}
#endif
#endif
