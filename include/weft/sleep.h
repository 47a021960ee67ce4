/* weft/sleep.h: giving up the processor for a time, or once. */
#ifndef WEFT_SLEEP_H
#define WEFT_SLEEP_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

/* weft_sleep [S], asyncio.sleep: suspends this task for so long; <= 0 yields exactly once, WEFT_FOREVER lasts until it
 * is cancelled. 0; -EINVAL for NaN. */
WEFT_API WEFT_NODISCARD int weft_sleep(double seconds);
WEFT_ASYNC_TWIN_1(weft_sleep, double);

/* weft_yield [S], asyncio.sleep(0): lets what else is ready run first; 0. */
WEFT_API WEFT_NODISCARD int weft_yield(void);
WEFT_ASYNC_TWIN_0(weft_yield);
#ifdef __cplusplus
}
#endif
#endif
