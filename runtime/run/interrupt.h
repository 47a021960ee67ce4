/* interrupt.h: Ctrl-C during a run of the process's main thread, as asyncio.run does it: the first SIGINT cancels the main
 * task, a further one ends the run at once with WEFT_INTERRUPT. Only where SIGINT would end the process: somebody else's
 * handler, and a SIGINT that is ignored, stay as they are. */
#ifndef WEFT_RUN_INTERRUPT_H
#define WEFT_RUN_INTERRUPT_H

#include <weft/events.h>

/* Around a run of `loop` until `main_task` is done; the loop does not run. On any other thread: nothing. */
void weft__interrupt_begin(weft_loop_t *loop, weft_task_t *main_task);
/* True: there was a SIGINT in between. */
bool weft__interrupt_end(weft_loop_t *loop);

#endif
