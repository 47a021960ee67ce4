/* clock.h: the loop's time, real or virtual, and the timers that belong to the worker that runs now. */
#ifndef WEFT_SCHED_CLOCK_H
#define WEFT_SCHED_CLOCK_H

#include <weft/types.h>

#include "loop/timers.h"

/* Nanoseconds on the loop's clock. Under virtual time every reading moves it on by 100 ns, so that deadlines stay
 * strictly ordered as on a real clock. */
int64_t weft__loop_now(weft_loop_t *loop);
/* Where this worker arms timers. On a foreign thread and under virtual time or `serial`: the first worker's. */
weft__timers_t *weft__timers_of(weft_loop_t *loop);
/* The same for the current loop; only on a worker. */
weft__timers_t *weft__current_timers(void);

/* Adds to the timers of this place and wakes whoever sleeps by them if need be. */
void weft__arm_timer(weft_loop_t *loop, weft__timer_t *timer, int64_t deadline, weft__timer_fn fire);
/* After an add to `timers` that answered true (a new earliest one): wakes the worker that sleeps by them. Not under their
 * lock. */
void weft__timers_armed(weft_loop_t *loop, weft__timers_t *timers);

#endif
