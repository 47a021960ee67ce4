/* watchers.h: closing a loop's descriptor callbacks. */
#ifndef WEFT_RUN_WATCHERS_H
#define WEFT_RUN_WATCHERS_H

#include <weft/events.h>

/* The loop is being closed: nothing runs any more. Before its libuv loops go, which then free the memory. */
void weft__watchers_close(weft_loop_t *loop);

#endif
