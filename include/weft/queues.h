/* weft/queues.h: queues of copied items between tasks. */
#ifndef WEFT_QUEUES_H
#define WEFT_QUEUES_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_queue {
  uint64_t opaque_[12];
} weft_queue_t;
/* < 0: a goes out before b; as qsort's */
typedef int (*weft_compare_fn)(const void *a, const void *b);

WEFT_API int weft_queue_init(weft_queue_t *q, size_t item_size, size_t maxsize);
/* LifoQueue */
WEFT_API int weft_lifo_init(weft_queue_t *q, size_t item_size, size_t maxsize);
/* PriorityQueue */
WEFT_API int weft_priority_init(weft_queue_t *q, size_t item_size, size_t maxsize, weft_compare_fn compare);
WEFT_API void weft_queue_destroy(weft_queue_t *q);
/* [S] */
WEFT_API WEFT_NODISCARD int weft_queue_put_sized(weft_queue_t *q, const void *item, size_t size);
WEFT_ASYNC_TWIN_3(weft_queue_put_sized, weft_queue_t *, const void *, size_t);
/* [S] */
WEFT_API WEFT_NODISCARD int weft_queue_get_sized(weft_queue_t *q, void *item, size_t size);
WEFT_ASYNC_TWIN_3(weft_queue_get_sized, weft_queue_t *, void *, size_t);
#define weft_queue_put(q, item) weft_queue_put_sized((q), (item), sizeof *(item))
#define weft_queue_get(q, item) weft_queue_get_sized((q), (item), sizeof *(item))
#define weft_queue_put_async(q, item) weft_queue_put_sized_async((q), (item), sizeof *(item))
#define weft_queue_get_async(q, item) weft_queue_get_sized_async((q), (item), sizeof *(item))
WEFT_API int weft_queue_put_nowait_sized(weft_queue_t *q, const void *item, size_t size);
WEFT_API int weft_queue_get_nowait_sized(weft_queue_t *q, void *item, size_t size);
/* a constant: weft_queue_put_nowait(&q, &(const int){4}) */
#define weft_queue_put_nowait(q, item) weft_queue_put_nowait_sized((q), (item), sizeof *(item))
#define weft_queue_get_nowait(q, item) weft_queue_get_nowait_sized((q), (item), sizeof *(item))
WEFT_API size_t weft_queue_qsize(const weft_queue_t *q);
WEFT_API int weft_queue_task_done(weft_queue_t *q);
/* [S] */
WEFT_API WEFT_NODISCARD int weft_queue_join(weft_queue_t *q);
WEFT_ASYNC_TWIN_1(weft_queue_join, weft_queue_t *);
WEFT_API void weft_queue_shutdown(weft_queue_t *q, bool immediate);
#ifdef __cplusplus
}
#endif
#endif
