/* weft/timeouts.h: time limits. */
#ifndef WEFT_TIMEOUTS_H
#define WEFT_TIMEOUTS_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

/* [S] returns only when the call has ended */
WEFT_API WEFT_NODISCARD int weft_wait_for(weft_call_t call, double seconds);
/* [S] */
WEFT_API WEFT_NODISCARD int weft_wait_for_future(weft_future_t *future, double seconds, void *value);
WEFT_ASYNC_TWIN_3(weft_wait_for_future, weft_future_t *, double, void *);

typedef struct weft_timeout {
  uint64_t opaque_[8];
} weft_timeout_t;
/* a scope or group set to {0} is "not entered": defined, every use an error */
WEFT_API void weft_timeout_enter(weft_timeout_t *scope, double seconds);
/* loop time */
WEFT_API void weft_timeout_at_enter(weft_timeout_t *scope, double when);
/* from now; reschedule_at takes loop time */
WEFT_API int weft_timeout_reschedule(weft_timeout_t *scope, double seconds);
WEFT_API int weft_timeout_reschedule_at(weft_timeout_t *scope, double when);
WEFT_API bool weft_timeout_expired(const weft_timeout_t *scope);
/* body's status in; WEFT_TIMEOUT if it was this scope's */
WEFT_API WEFT_NODISCARD int weft_timeout_exit(weft_timeout_t *scope, int body);
#ifdef __cplusplus
}
#endif
#endif
