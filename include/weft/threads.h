/* weft/threads.h: blocking calls on threads of their own. */
#ifndef WEFT_THREADS_H
#define WEFT_THREADS_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

/* [S] cancelled: waits for a running job, then WEFT_CANCELLED */
WEFT_API WEFT_NODISCARD int weft_to_thread(weft_call_t call);
/* [S] cancelled: returns at once; the job owns its arguments */
WEFT_API WEFT_NODISCARD int weft_to_thread_owned(weft_call_t call, void (*drop)(void *args));
#ifdef __cplusplus
}
#endif
#endif
