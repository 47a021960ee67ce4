/* generators.h: what the run's clean-up needs of generators. */
#ifndef WEFT_SYNC_GENERATORS_H
#define WEFT_SYNC_GENERATORS_H

#include <weft/generators.h>

/* Closes what generators were left open, all at once, waits for their bodies, reports their errors, and frees them. In a
 * task, when no other one is left. */
void weft__generators_shutdown(weft_loop_t *loop);

#endif
