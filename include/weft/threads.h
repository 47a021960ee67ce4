/* weft/threads.h: blocking calls on threads beside the workers. The functions called there are outside the runtime: [S]
 * functions answer -EPERM. */
#ifndef WEFT_THREADS_H
#define WEFT_THREADS_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

/* weft_to_thread [S], asyncio.to_thread: runs the call on the default pool, in a copy of this task's context; its
 * status. Cancelled before it started: it never runs. Cancelled later: waits for its end, then WEFT_CANCELLED, so its
 * arguments may point into this frame; a time limit around it does not bound it either. WEFT_RUNTIME: the pool is shut
 * down. */
WEFT_API WEFT_NODISCARD int weft_to_thread(weft_call_t call);

/* weft_to_thread_owned [S]: likewise, but cancelled it returns at once while the job runs on and its result is
 * dropped. The job owns its arguments: drop(args) (NULL: nothing to do) is called exactly once, when it has ended or
 * will never run, also on failure. */
WEFT_API WEFT_NODISCARD int weft_to_thread_owned(weft_call_t call, void (*drop)(void *args));

/* weft_job_cancelled: for the function of a job on any pool of threads: whether somebody has cancelled it since it
 * started, so that it may give up early. false outside of jobs. */
WEFT_API bool weft_job_cancelled(void);
#ifdef __cplusplus
}
#endif
#endif
