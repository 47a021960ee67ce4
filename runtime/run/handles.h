/* handles.h: opening and closing a loop's callback slots; the exception handler's full form. */
#ifndef WEFT_RUN_HANDLES_H
#define WEFT_RUN_HANDLES_H

#include <weft/events.h>

int weft__handles_open(weft_loop_t *loop);
/* The loop is being closed. First its timers, while there are workers; last, when no queue holds a slot, the memory. */
void weft__handles_disarm(weft_loop_t *loop);
void weft__handles_close(weft_loop_t *loop);

#endif
