/* cleanup.h: what asyncio.run does after main has ended. */
#ifndef WEFT_RUN_CLEANUP_H
#define WEFT_RUN_CLEANUP_H

#include <weft/events.h>

/* Cancels and awaits what is left, reports its errors, closes generators. The loop does not run now, and is not closed. */
void weft__cleanup_run(weft_loop_t *loop);
/* Ends the default thread pool: running jobs are waited for. */
void weft__cleanup_pool(weft_loop_t *loop);

#endif
