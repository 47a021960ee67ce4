/* weft/channels.h: oneshot, watch, broadcast: one item once; the latest value; every item to everybody. Not in asyncio.
 *
 * Embedded; must stay where they are until destroyed. Items of one size, plain bytes, copied in and out; the macros take
 * a pointer and add the size of what it points to. Sending never waits and may be done from any thread. What was written
 * before a send is visible after the receipt. Cancelling who waits loses nothing. */
#ifndef WEFT_CHANNELS_H
#define WEFT_CHANNELS_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_oneshot {
  uint64_t opaque_[10];
} weft_oneshot_t;
typedef struct weft_watch {
  uint64_t opaque_[8];
} weft_watch_t;
typedef struct weft_broadcast {
  uint64_t opaque_[8];
} weft_broadcast_t;

/* ---- oneshot: one item from a sender to a receiver, either of whom may go away ---- */

/* weft_oneshot_init [A]: 0; -EINVAL: item_size is 0 or too large; -ENOMEM. */
WEFT_API int weft_oneshot_init(weft_oneshot_t *o, size_t item_size);

/* weft_oneshot_destroy [A]: frees its memory; nobody may wait on it. All zero ({0}): nothing. */
WEFT_API void weft_oneshot_destroy(weft_oneshot_t *o);

/* weft_oneshot_send_sized [A]: sends a copy of item; 0. WEFT_INVALID_STATE: a second time; WEFT_QUEUE_SHUTDOWN: the
 * receiver is closed; -EINVAL: another size. */
WEFT_API int weft_oneshot_send_sized(weft_oneshot_t *o, const void *item, size_t size);

/* weft_oneshot_recv_sized [S]: waits for the item and moves it to item, which is filled; 0. WEFT_INVALID_STATE: it was
 * received before; WEFT_QUEUE_SHUTDOWN: the sender went without sending; -EINVAL: another size. */
WEFT_API WEFT_NODISCARD int weft_oneshot_recv_sized(weft_oneshot_t *o, void *item, size_t size);
WEFT_ASYNC_TWIN_3(weft_oneshot_recv_sized, weft_oneshot_t *, void *, size_t);

/* weft_oneshot_try_recv_sized [A]: the same without waiting; WEFT_QUEUE_EMPTY. */
WEFT_API int weft_oneshot_try_recv_sized(weft_oneshot_t *o, void *item, size_t size);

/* weft_oneshot_close_sender [A]: the sender goes; without an item the receiver learns it. */
WEFT_API void weft_oneshot_close_sender(weft_oneshot_t *o);

/* weft_oneshot_close_receiver [A]: the receiver goes; what was sent already can still be received. */
WEFT_API void weft_oneshot_close_receiver(weft_oneshot_t *o);

/* weft_oneshot_wait_closed [S]: for the sender: waits until the receiver is closed; 0. */
WEFT_API WEFT_NODISCARD int weft_oneshot_wait_closed(weft_oneshot_t *o);
WEFT_ASYNC_TWIN_1(weft_oneshot_wait_closed, weft_oneshot_t *);

#define weft_oneshot_send(o, item) weft_oneshot_send_sized((o), (item), sizeof *(item))
#define weft_oneshot_recv(o, item) weft_oneshot_recv_sized((o), (item), sizeof *(item))
#define weft_oneshot_recv_async(o, item) weft_oneshot_recv_sized_async((o), (item), sizeof *(item))
#define weft_oneshot_try_recv(o, item) weft_oneshot_try_recv_sized((o), (item), sizeof *(item))

/* ---- watch: a value that changes; who looks sees the latest, who waits learns that there is a newer one ---- */

/* weft_watch_init_sized [A]: with a first value, copied. 0; -EINVAL: size is 0 or too large; -ENOMEM. */
WEFT_API int weft_watch_init_sized(weft_watch_t *w, const void *value, size_t size);

/* weft_watch_destroy [A]: frees its memory; nobody may wait on it. All zero ({0}): nothing. */
WEFT_API void weft_watch_destroy(weft_watch_t *w);

/* weft_watch_send_sized [A]: replaces the value and wakes all who wait. 0; WEFT_QUEUE_SHUTDOWN: closed; -EINVAL. */
WEFT_API int weft_watch_send_sized(weft_watch_t *w, const void *value, size_t size);

/* weft_watch_get_sized [A]: fills value with the latest, also when closed. seen, NULL: not wanted, becomes its number.
 * 0; -EINVAL: another size. */
WEFT_API int weft_watch_get_sized(weft_watch_t *w, uint64_t *seen, void *value, size_t size);

/* weft_watch_next_sized [S]: waits until there is a value newer than number *seen, and fills value and seen; 0. A fresh
 * receiver's seen is 0: the present value is news to it. WEFT_QUEUE_SHUTDOWN: closed, and nothing new. */
WEFT_API WEFT_NODISCARD int weft_watch_next_sized(weft_watch_t *w, uint64_t *seen, void *value, size_t size);
WEFT_ASYNC_TWIN_4(weft_watch_next_sized, weft_watch_t *, uint64_t *, void *, size_t);

/* weft_watch_close [A]: there will be no newer value. */
WEFT_API void weft_watch_close(weft_watch_t *w);

#define weft_watch_init(w, value) weft_watch_init_sized((w), (value), sizeof *(value))
#define weft_watch_send(w, value) weft_watch_send_sized((w), (value), sizeof *(value))
#define weft_watch_get(w, seen, value) weft_watch_get_sized((w), (seen), (value), sizeof *(value))
#define weft_watch_next(w, seen, value) weft_watch_next_sized((w), (seen), (value), sizeof *(value))
#define weft_watch_next_async(w, seen, value) weft_watch_next_sized_async((w), (seen), (value), sizeof *(value))

/* ---- broadcast: every item to every receiver; the slow ones miss what is too old, and learn how much ---- */

/* weft_broadcast_init [A]: keeps the last `capacity` items. 0; -EINVAL: a size of 0 or too large; -ENOMEM. */
WEFT_API int weft_broadcast_init(weft_broadcast_t *b, size_t item_size, size_t capacity);

/* weft_broadcast_destroy [A]: frees its memory; nobody may wait on it. All zero ({0}): nothing. */
WEFT_API void weft_broadcast_destroy(weft_broadcast_t *b);

/* weft_broadcast_send_sized [A]: sends a copy of item, in place of the oldest one. 0; WEFT_QUEUE_SHUTDOWN: closed;
 * -EINVAL: another size. */
WEFT_API int weft_broadcast_send_sized(weft_broadcast_t *b, const void *item, size_t size);

/* weft_broadcast_subscribe [A]: a new receiver: a number, which recv moves on, and which sees what is sent from now on.
 * It holds nothing, and needs no end. */
WEFT_API uint64_t weft_broadcast_subscribe(weft_broadcast_t *b);

/* weft_broadcast_recv_sized [S]: waits for the receiver's next item, fills item and moves *receiver on; 0. n > 0: n items
 * were missed, nothing is filled, the next call goes on after them. WEFT_QUEUE_SHUTDOWN: closed, and nothing left. */
WEFT_API WEFT_NODISCARD int weft_broadcast_recv_sized(weft_broadcast_t *b, uint64_t *receiver, void *item, size_t size);
WEFT_ASYNC_TWIN_4(weft_broadcast_recv_sized, weft_broadcast_t *, uint64_t *, void *, size_t);

/* weft_broadcast_try_recv_sized [A]: the same without waiting; WEFT_QUEUE_EMPTY. */
WEFT_API int weft_broadcast_try_recv_sized(weft_broadcast_t *b, uint64_t *receiver, void *item, size_t size);

/* weft_broadcast_close [A]: nothing more will be sent. */
WEFT_API void weft_broadcast_close(weft_broadcast_t *b);

#define weft_broadcast_send(b, item) weft_broadcast_send_sized((b), (item), sizeof *(item))
#define weft_broadcast_recv(b, receiver, item) weft_broadcast_recv_sized((b), (receiver), (item), sizeof *(item))
#define weft_broadcast_recv_async(b, receiver, item)                                                                   \
  weft_broadcast_recv_sized_async((b), (receiver), (item), sizeof *(item))
#define weft_broadcast_try_recv(b, receiver, item)                                                                     \
  weft_broadcast_try_recv_sized((b), (receiver), (item), sizeof *(item))
#ifdef __cplusplus
}
#endif
#endif
