/* switch.h: several fibers inside one task (generators). */
#ifndef WEFT_SCHED_SWITCH_H
#define WEFT_SCHED_SWITCH_H

#include "fiber/fiber.h"

/* The fiber that runs on this worker now. */
weft__fiber_t *weft__running_fiber(void);
/* Goes on with another fiber of the same task, on this worker; returns when somebody switches back. */
void weft__switch_fiber(weft__fiber_t *to);
/* A fiber from this worker's cache; entry must never return: it ends with a last weft__switch_fiber to somebody who then
 * frees it. NULL without memory. */
weft__fiber_t *weft__loop_fiber_new(size_t stack_size, void (*entry)(void *), void *argument);
void weft__loop_fiber_free(weft__fiber_t *fiber);

#endif
