/* weft/timeouts.h: time limits: for one call, for one future, and for a block of code. */
#ifndef WEFT_TIMEOUTS_H
#define WEFT_TIMEOUTS_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

/* weft_wait_for [S], wait_for(coro): runs the call in this task; after so many seconds it is cancelled and WEFT_TIMEOUT
 * answered, but only when it has ended (a call that goes on regardless is waited for, and its status answered). <= 0:
 * WEFT_TIMEOUT without starting it. Otherwise the call's status. -EINVAL: NaN; WEFT_TYPE: no call. */
WEFT_API WEFT_NODISCARD int weft_wait_for(weft_call_t call, double seconds);

/* weft_wait_for_future [S], wait_for(future): likewise for a future, borrowed: value (NULL: not wanted) is filled;
 * after the time the future is cancelled. <= 0: the result of a future that is done, else WEFT_TIMEOUT. */
WEFT_API WEFT_NODISCARD int weft_wait_for_future(weft_future_t *future, double seconds, void *value);
WEFT_ASYNC_TWIN_3(weft_wait_for_future, weft_future_t *, double, void *);
/* weft_wait_for_future_sized [S]: through the macro. */
WEFT_API WEFT_NODISCARD int weft_wait_for_future_sized(weft_future_t *future, double seconds, void *value, size_t size);
WEFT_ASYNC_TWIN_4(weft_wait_for_future_sized, weft_future_t *, double, void *, size_t);
#define weft_wait_for_future(future, seconds, value)                                                                   \
  weft_wait_for_future_sized((future), (seconds), (value), WEFT_SIZEOF_(value))
#define weft_wait_for_future_async(future, seconds, value)                                                             \
  weft_wait_for_future_sized_async((future), (seconds), (value), WEFT_SIZEOF_(value))

/* A limit on a block of this task:
 *     weft_timeout_enter(&limit, 1.5);
 *     rc = body();
 *     rc = weft_timeout_exit(&limit, rc);
 * Embedded. All zero ({0}) is "not entered": every use of it is an error. Limits nest strictly. */
typedef struct weft_timeout {
  uint64_t opaque_[8];
} weft_timeout_t;

/* weft_timeout_enter, asyncio.timeout: at the deadline this task is cancelled; <= 0: at its next suspension. scope is
 * kept until exit. What goes wrong here (NaN, no task, no memory) is answered by exit. */
WEFT_API void weft_timeout_enter(weft_timeout_t *scope, double seconds);

/* weft_timeout_at_enter, asyncio.timeout_at: likewise, until a loop time. */
WEFT_API void weft_timeout_at_enter(weft_timeout_t *scope, double when);

/* weft_timeout_reschedule, Timeout.reschedule: the limit is now so many seconds from now; WEFT_FOREVER lifts it. Inside
 * the block, by its task. WEFT_RUNTIME: not entered, or the time was over; -EINVAL: NaN. */
WEFT_API int weft_timeout_reschedule(weft_timeout_t *scope, double seconds);

/* weft_timeout_reschedule_at, Timeout.reschedule: likewise, until a loop time. */
WEFT_API int weft_timeout_reschedule_at(weft_timeout_t *scope, double when);

/* weft_timeout_when, Timeout.when: the loop time of the limit, also after exit; WEFT_FOREVER: there is none; NaN: not
 * entered, or without a valid limit. One that was entered or rescheduled with seconds <= 0 has the time of that call. */
WEFT_API double weft_timeout_when(const weft_timeout_t *scope);

/* weft_timeout_expired, Timeout.expired: whether the time was over before the block's end; also after exit. */
WEFT_API bool weft_timeout_expired(const weft_timeout_t *scope);

/* weft_timeout_exit, Timeout.__aexit__: ends the block. body is its status, and the answer, except: the WEFT_CANCELLED
 * that this scope caused, with no other request open, becomes WEFT_TIMEOUT. Afterwards the timer cannot strike any
 * more. WEFT_RUNTIME: not entered, or by another task. */
WEFT_API WEFT_NODISCARD int weft_timeout_exit(weft_timeout_t *scope, int body);
#ifdef __cplusplus
}
#endif
#endif
