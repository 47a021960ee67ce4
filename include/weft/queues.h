/* weft/queues.h: Queue, LifoQueue, PriorityQueue: items of one size, copied in and out, between tasks on all workers.
 *
 * Waiting putters and getters are served in FIFO order; cancelling one loses nothing: a put that answers WEFT_CANCELLED
 * has put nothing, a get has taken nothing. The macros take a pointer and add the size of what it points to. */
#ifndef WEFT_QUEUES_H
#define WEFT_QUEUES_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

/* Embedded; must stay where it is until destroyed. */
typedef struct weft_queue {
  uint64_t opaque_[20];
} weft_queue_t;

/* The order of a priority queue: < 0: a comes out before b; as qsort's. Must not suspend nor touch the queue. */
typedef int (*weft_compare_fn)(const void *a, const void *b);

/* weft_queue_init, asyncio.Queue: first in, first out. item_size in bytes, all items alike; maxsize 0: no limit.
 * 0; -EINVAL: item_size is 0 or too large; -ENOMEM. */
WEFT_API int weft_queue_init(weft_queue_t *q, size_t item_size, size_t maxsize);

/* weft_lifo_init, asyncio.LifoQueue: last in, first out; otherwise likewise. */
WEFT_API int weft_lifo_init(weft_queue_t *q, size_t item_size, size_t maxsize);

/* weft_priority_init, asyncio.PriorityQueue: the smallest by compare first, equal ones in no order; otherwise
 * likewise. */
WEFT_API int weft_priority_init(weft_queue_t *q, size_t item_size, size_t maxsize, weft_compare_fn compare);

/* What becomes of an item that nobody will get. Called outside of any lock; must not suspend. */
typedef void (*weft_drop_fn)(void *item);

/* weft_queue_set_drop: right after init: called with each item that is left when the queue is destroyed or shut down
 * immediately. NULL: none. */
WEFT_API void weft_queue_set_drop(weft_queue_t *q, weft_drop_fn drop);

/* weft_queue_destroy: frees its memory; items left are dropped. Nobody may wait on it. All zero ({0}): nothing. */
WEFT_API void weft_queue_destroy(weft_queue_t *q);

/* weft_queue_put_sized [S], Queue.put: waits for room and puts a copy of item; 0. WEFT_QUEUE_SHUTDOWN; -EINVAL: another
 * size than the queue's; -ENOMEM. item is borrowed until it returns, by the twin until its call has ended. */
WEFT_API WEFT_NODISCARD int weft_queue_put_sized(weft_queue_t *q, const void *item, size_t size);
WEFT_ASYNC_TWIN_3(weft_queue_put_sized, weft_queue_t *, const void *, size_t);

/* weft_queue_get_sized [S], Queue.get: waits for an item and moves it to item, which is filled; 0. WEFT_QUEUE_SHUTDOWN:
 * shut down and drained; -EINVAL: another size than the queue's. */
WEFT_API WEFT_NODISCARD int weft_queue_get_sized(weft_queue_t *q, void *item, size_t size);
WEFT_ASYNC_TWIN_3(weft_queue_get_sized, weft_queue_t *, void *, size_t);

/* weft_queue_put_nowait_sized, Queue.put_nowait: the same without waiting; WEFT_QUEUE_FULL. */
WEFT_API int weft_queue_put_nowait_sized(weft_queue_t *q, const void *item, size_t size);

/* weft_queue_get_nowait_sized, Queue.get_nowait: the same without waiting; WEFT_QUEUE_EMPTY. */
WEFT_API int weft_queue_get_nowait_sized(weft_queue_t *q, void *item, size_t size);

/* The usual spellings: weft_queue_put(&q, &item), weft_queue_get(&q, &item), and so on. A constant, in C:
 * weft_queue_put_nowait(&q, &(const int){4}). */
#define weft_queue_put(q, item) weft_queue_put_sized((q), (item), sizeof *(item))
#define weft_queue_get(q, item) weft_queue_get_sized((q), (item), sizeof *(item))
#define weft_queue_put_async(q, item) weft_queue_put_sized_async((q), (item), sizeof *(item))
#define weft_queue_get_async(q, item) weft_queue_get_sized_async((q), (item), sizeof *(item))
#define weft_queue_put_nowait(q, item) weft_queue_put_nowait_sized((q), (item), sizeof *(item))
#define weft_queue_get_nowait(q, item) weft_queue_get_nowait_sized((q), (item), sizeof *(item))

/* weft_queue_qsize [A], Queue.qsize: how many items there are; a hint: only the nowait functions are tests. */
WEFT_API size_t weft_queue_qsize(const weft_queue_t *q);

/* weft_queue_empty [A], Queue.empty: a hint likewise. */
WEFT_API bool weft_queue_empty(const weft_queue_t *q);

/* weft_queue_full [A], Queue.full: a hint likewise. */
WEFT_API bool weft_queue_full(const weft_queue_t *q);

/* weft_queue_maxsize [A], Queue.maxsize. */
WEFT_API size_t weft_queue_maxsize(const weft_queue_t *q);

/* weft_queue_task_done, Queue.task_done: one item that was got is dealt with. 0; WEFT_VALUE: more often than puts. */
WEFT_API int weft_queue_task_done(weft_queue_t *q);

/* weft_queue_join [S], Queue.join: waits until every item that was put has had its task_done; 0. */
WEFT_API WEFT_NODISCARD int weft_queue_join(weft_queue_t *q);
WEFT_ASYNC_TWIN_1(weft_queue_join, weft_queue_t *);

/* weft_queue_shutdown, Queue.shutdown: waiting and later puts answer WEFT_QUEUE_SHUTDOWN; gets drain what is there and
 * then answer it too. immediate: the items are dropped at once, each counted as done. */
WEFT_API void weft_queue_shutdown(weft_queue_t *q, bool immediate);
#ifdef __cplusplus
}
#endif
#endif
