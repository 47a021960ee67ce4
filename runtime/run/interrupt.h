/* interrupt.h: Ctrl-C during a run: the first SIGINT cancels the main task, as asyncio.run does. */
#ifndef WEFT_RUN_INTERRUPT_H
#define WEFT_RUN_INTERRUPT_H

#include <weft/events.h>

void weft__interrupt_begin(weft_loop_t *loop, weft_task_t *main_task);
void weft__interrupt_end(weft_loop_t *loop);

#endif
