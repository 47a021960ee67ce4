/* weft/futures.h: futures: a value, an error or a cancellation that arrives once and that many may await.
 *
 * A future ends exactly once; of several set_result, set_error and cancel from any threads one wins. What was written
 * before it is visible to whoever saw it done. An error that nobody read is reported when the last reference goes. */
#ifndef WEFT_FUTURES_H
#define WEFT_FUTURES_H
#include <weft/call.h>
#include <weft/error.h>
#ifdef __cplusplus
extern "C" {
#endif

/* A done callback. It must not suspend; future is borrowed. < 0 goes to the exception handler. */
typedef int (*weft_done_fn)(weft_future_t *future, void *data);

/* ---- life ---- */

/* weft_future_open, loop.create_future: a pending future of the running loop, for a value of up to 32 bytes, which is
 * copied. Owned, ended by weft_future_unref. NULL: -ENOMEM, -EINVAL (too large) or WEFT_RUNTIME (no running loop). */
WEFT_API WEFT_NODISCARD weft_future_t *weft_future_open(size_t value_size);

/* weft_future_ref [A]: one more owner; the same pointer. */
WEFT_API weft_future_t *weft_future_ref(weft_future_t *future);

/* weft_future_unref [A]: one owner less. Nobody may still wait on it when the last goes. NULL: nothing. */
WEFT_API void weft_future_unref(weft_future_t *future);

/* ---- ending it ---- */

/* weft_future_set_result_sized [A], Future.set_result: ends it with a copy of value. 0; WEFT_INVALID_STATE: it is done
 * already; -EINVAL: not the size it was opened with; WEFT_RUNTIME: it is a task's. Usually through the macro below. */
WEFT_API int weft_future_set_result_sized(weft_future_t *future, const void *value, size_t size);
/* weft_future_set_result(future, &value): the size is the value's. */
#define weft_future_set_result(future, value) weft_future_set_result_sized((future), (value), sizeof *(value))

/* weft_future_set_done [A], set_result(None): ends it without a value; a sized one's value is then all zero. Errors as
 * above. */
WEFT_API int weft_future_set_done(weft_future_t *future);

/* weft_future_set_error [A], Future.set_exception: ends it with an error: code < 0, the text as in weft_fail. 0;
 * errors as above; -EINVAL: code is none. */
WEFT_API int weft_future_set_error(weft_future_t *future, int code, const char *format, ...) WEFT_PRINTF(3, 4);

/* weft_future_cancel [A], Future.cancel: ends it as cancelled; message is copied, NULL: none. A task's future: as
 * weft_task_cancel. false: it was done already. */
WEFT_API bool weft_future_cancel(weft_future_t *future, const char *message);

/* ---- reading ---- */

/* weft_future_done [A], Future.done: also true when cancelled. */
WEFT_API bool weft_future_done(const weft_future_t *future);

/* weft_future_cancelled [A], Future.cancelled. */
WEFT_API bool weft_future_cancelled(const weft_future_t *future);

/* The functions that fill a value take a pointer to what the future holds. Their names are macros that pass its size to
 * the functions ending in _sized, which answer -EINVAL, at once, if that is not the size the future was opened with
 * (a future without a value fills nothing). An array is passed by its address; NULL and pointers to void and to
 * characters are not checked. */

/* weft_future_result [A], Future.result: value (NULL: not wanted) is filled with the future's bytes; 0. Failed or
 * cancelled: that code, with its record, each time; a task's future: its status. WEFT_INVALID_STATE while pending. */
WEFT_API int weft_future_result(weft_future_t *future, void *value);
/* weft_future_result_sized [A]: through the macro. */
WEFT_API int weft_future_result_sized(weft_future_t *future, void *value, size_t size);
#define weft_future_result(future, value) weft_future_result_sized((future), (value), WEFT_SIZEOF_(value))

/* weft_future_error [A], Future.exception: its record, borrowed as long as the future; NULL when it ended well.
 * Pending: a record of WEFT_INVALID_STATE, the caller's; cancelled: one of WEFT_CANCELLED. Counts as read. */
WEFT_API const weft_error_t *weft_future_error(weft_future_t *future);

/* weft_await_future [S], await future: waits until it is done, then as weft_future_result. Any number of waiters. The
 * future is borrowed, NULL answers -ENOMEM. Cancelling the waiter cancels the future, for all (weft_shield prevents
 * it). WEFT_RUNTIME: a future of another loop. */
WEFT_API WEFT_NODISCARD int weft_await_future(weft_future_t *future, void *value);
WEFT_ASYNC_TWIN_2(weft_await_future, weft_future_t *, void *);
/* weft_await_future_sized [S]: through the macro. */
WEFT_API WEFT_NODISCARD int weft_await_future_sized(weft_future_t *future, void *value, size_t size);
WEFT_ASYNC_TWIN_3(weft_await_future_sized, weft_future_t *, void *, size_t);
#define weft_await_future(future, value) weft_await_future_sized((future), (value), WEFT_SIZEOF_(value))
#define weft_await_future_async(future, value) weft_await_future_sized_async((future), (value), WEFT_SIZEOF_(value))

/* weft_future_wait_blocking, concurrent.futures' result(timeout): blocks this thread until it is done, then as
 * weft_future_result. Foreign threads only: -EPERM on a worker. WEFT_TIMEOUT: not done after so many seconds. */
WEFT_API WEFT_NODISCARD int weft_future_wait_blocking(weft_future_t *future, double seconds, void *value);
/* weft_future_wait_blocking_sized: through the macro. */
WEFT_API WEFT_NODISCARD int weft_future_wait_blocking_sized(weft_future_t *future, double seconds, void *value,
                                                            size_t size);
#define weft_future_wait_blocking(future, seconds, value)                                                              \
  weft_future_wait_blocking_sized((future), (seconds), (value), WEFT_SIZEOF_(value))

/* ---- done callbacks ---- */

/* weft_future_add_done_callback [A], add_done_callback: fn(future, data) among the loop's callbacks once it is done,
 * never inline, in order of adding; the same one twice runs twice. data is kept until fn has run or was removed.
 * -ENOMEM. */
WEFT_API int weft_future_add_done_callback(weft_future_t *future, weft_done_fn fn, void *data);

/* weft_future_remove_done_callback [A], remove_done_callback: takes every equal (fn, data) back; answers how many will
 * not run. 0: there were none, or they have run, are running or will run. */
WEFT_API int weft_future_remove_done_callback(weft_future_t *future, weft_done_fn fn, void *data);

/* weft_future_remove_done_callback_sync [S]: likewise, and returns only when none of them is running or will run, so
 * that data may go. Called in such a callback it does not wait for that one. */
WEFT_API int weft_future_remove_done_callback_sync(weft_future_t *future, weft_done_fn fn, void *data);
#ifdef __cplusplus
}
#endif
#endif
