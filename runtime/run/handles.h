/* handles.h: opening and closing a loop's callback slots; the exception handler's full form. */
#ifndef WEFT_RUN_HANDLES_H
#define WEFT_RUN_HANDLES_H

#include <weft/events.h>

int weft__handles_open(weft_loop_t *loop);
/* Not running: what was scheduled is dropped. */
void weft__handles_close(weft_loop_t *loop);

#endif
