/* deadline.h: "call fn at that time", for time limits: asyncio's call_at for the runtime's own use.
 *
 * When its time has come fn(data) runs as a piece of internal work: one hop through the ready queue (of `strand`, if there
 * is one) after the timer fired, outside of any task; it must not suspend. Closing is synchronous: afterwards fn is neither
 * running nor will it run, so what data points to may go. */
#ifndef WEFT_SCHED_DEADLINE_H
#define WEFT_SCHED_DEADLINE_H

#include <weft/types.h>

typedef struct weft__deadline weft__deadline_t;

/* On a worker of `loop`. strand may be NULL; a reference is taken. NULL without memory. */
weft__deadline_t *weft__deadline_open(weft_loop_t *loop, int64_t when_ns, weft_strand_t *strand, void (*fn)(void *data),
                                      void *data);
/* fn is queued at once, as asyncio's call_soon does; else like open. */
weft__deadline_t *weft__deadline_open_soon(weft_loop_t *loop, weft_strand_t *strand, void (*fn)(void *data),
                                           void *data);
/* Exactly once per deadline; not from fn. True: fn never ran. NULL answers true. */
bool weft__deadline_close(weft__deadline_t *deadline);

#endif
