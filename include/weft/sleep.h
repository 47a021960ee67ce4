/* weft/sleep.h: giving up the processor for a time, or once. */
#ifndef WEFT_SLEEP_H
#define WEFT_SLEEP_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

/* [S] <= 0 yields once */
WEFT_API WEFT_NODISCARD int weft_sleep(double seconds);
WEFT_ASYNC_TWIN_1(weft_sleep, double);
/* [S] */
WEFT_API WEFT_NODISCARD int weft_yield(void);
WEFT_ASYNC_TWIN_0(weft_yield);
#ifdef __cplusplus
}
#endif
#endif
