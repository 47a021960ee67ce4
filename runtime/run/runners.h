/* runners.h: running a loop for one task. */
#ifndef WEFT_RUN_RUNNERS_H
#define WEFT_RUN_RUNNERS_H

#include <weft/events.h>

/* Runs the loop, which does not run and is not closed, until the task, made for it, is done; its status. Ctrl-C is the
 * task's. Consumes the caller's reference. */
int weft__run_task(weft_loop_t *loop, weft_task_t *task);

#endif
