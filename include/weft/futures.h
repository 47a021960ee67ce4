/* weft/futures.h: futures: a value, an error or a cancellation that many may await. */
#ifndef WEFT_FUTURES_H
#define WEFT_FUTURES_H
#include <weft/call.h>
#include <weft/error.h>
#ifdef __cplusplus
extern "C" {
#endif

/* < 0 goes to the exception handler */
typedef int (*weft_done_fn)(weft_future_t *future, void *data);

/* owned; values of up to 32 bytes are copied */
WEFT_API WEFT_NODISCARD weft_future_t *weft_future_open(size_t value_size);
/* [A] */
WEFT_API weft_future_t *weft_future_ref(weft_future_t *future);
/* [A] */
WEFT_API void weft_future_unref(weft_future_t *future);
/* [A] exactly one winner; else WEFT_INVALID_STATE */
WEFT_API int weft_future_set_result_sized(weft_future_t *future, const void *value, size_t size);
#define weft_future_set_result(future, value) weft_future_set_result_sized((future), (value), sizeof *(value))
/* [A] a result without a value */
WEFT_API int weft_future_set_done(weft_future_t *future);
/* [A] */
WEFT_API int weft_future_set_error(weft_future_t *future, int code, const char *format, ...) WEFT_PRINTF(3, 4);
/* [A] */
WEFT_API bool weft_future_cancel(weft_future_t *future, const char *message);
WEFT_API bool weft_future_done(const weft_future_t *future);
WEFT_API bool weft_future_cancelled(const weft_future_t *future);
/* fills value */
WEFT_API int weft_future_result(weft_future_t *future, void *value);
/* [S] any number of waiters */
WEFT_API WEFT_NODISCARD int weft_await_future(weft_future_t *future, void *value);
WEFT_ASYNC_TWIN_2(weft_await_future, weft_future_t *, void *);
/* [A] scheduled, never inline */
WEFT_API int weft_future_add_done_callback(weft_future_t *future, weft_done_fn fn, void *data);
/* how many will not run */
WEFT_API int weft_future_remove_done_callback(weft_future_t *future, weft_done_fn fn, void *data);
/* [S] likewise, and waits for one that is running or scheduled */
WEFT_API int weft_future_remove_done_callback_sync(weft_future_t *future, weft_done_fn fn, void *data);
/* foreign threads only: concurrent.futures' result(timeout) */
WEFT_API int weft_future_wait_blocking(weft_future_t *future, double seconds, void *value);
#ifdef __cplusplus
}
#endif
#endif
