/* weft/shield.h: waiting for something without taking it along when the waiter is cancelled. */
#ifndef WEFT_SHIELD_H
#define WEFT_SHIELD_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

/* weft_shield [S], asyncio.shield: weft_await_future, but cancelling the waiter leaves the future alone and answers
 * WEFT_CANCELLED at once; an error of the future after that is reported. A cancelled future answers WEFT_CANCELLED too.
 * The future is borrowed, NULL answers -ENOMEM; value (NULL: not wanted) is filled. */
WEFT_API WEFT_NODISCARD int weft_shield(weft_future_t *future, void *value);
WEFT_ASYNC_TWIN_2(weft_shield, weft_future_t *, void *);
/* weft_shield_sized [S]: through the macro. */
WEFT_API WEFT_NODISCARD int weft_shield_sized(weft_future_t *future, void *value, size_t size);
WEFT_ASYNC_TWIN_3(weft_shield_sized, weft_future_t *, void *, size_t);
#define weft_shield(future, value) weft_shield_sized((future), (value), WEFT_SIZEOF_(value))
#define weft_shield_async(future, value) weft_shield_sized_async((future), (value), WEFT_SIZEOF_(value))
#ifdef __cplusplus
}
#endif
#endif
