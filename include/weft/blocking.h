/* weft/blocking.h: blocking calls inside a task, announced.
 *
 * A call that blocks costs the worker that runs it. On several workers that harms nobody for long: the others take over
 * what waits behind it, and when all are stuck spare workers stand in. Announcing it makes that immediate:
 *
 *   weft_blocking_enter();
 *   int rc = flock(fd, LOCK_EX);
 *   weft_blocking_exit();
 *
 * The task stays on its thread all the while, so thread-bound libraries may be called, which weft_to_thread (another
 * thread, a suspension, a bounded pool) does not allow. */
#ifndef WEFT_BLOCKING_H
#define WEFT_BLOCKING_H
#include <weft/types.h>
#ifdef __cplusplus
extern "C" {
#endif

/* weft_blocking_enter [A]: from here to the exit this task or callback may block. Its worker's queued tasks, descriptors
 * and timers are handed on to another worker, or to a spare one, at once. Sections nest; only the outermost counts.
 * Inside nothing may suspend: [S] calls answer -EPERM, and a task that ends inside aborts with its name. What belongs to
 * this worker alone waits: tasks pinned to it, and the other tasks of the caller's strand. With one worker, under virtual
 * time and on foreign threads it only counts. 0. */
WEFT_API int weft_blocking_enter(void);

/* weft_blocking_exit [A]: the end of the innermost section; the task goes on on its thread. WEFT_RUNTIME: none is open. On
 * foreign threads 0. */
WEFT_API int weft_blocking_exit(void);
#ifdef __cplusplus
}
#endif
#endif
