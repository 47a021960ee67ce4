/* visitors.h: threads outside that will touch a loop: a pool's thread that owes it a result. A loop is not freed before they
 * have left, and its virtual clock stands still meanwhile.
 *
 * A visitor is announced by somebody who knows that the loop lives (a task of it, or another visitor) and leaves by itself.
 * leave: wakes the clock's keeper, then counts itself out by a read-modify-write, its last access to the loop: release, so
 * that all it did comes before the end of weft__visitors_drain, whose load acquires it. Whoever waits there sleeps on a
 * condition of the process, not of the loop. Of the leaver's decrement and its look at `waiting`, and the waiter's
 * increment of `waiting` and its look at the count, all four sequentially consistent, one look sees the other's change. */
#ifndef WEFT_EXEC_VISITORS_H
#define WEFT_EXEC_VISITORS_H

#include <weft/types.h>

/* loop may be NULL: nothing. */
void weft__visitor_enter(weft_loop_t *loop);
void weft__visitor_leave(weft_loop_t *loop);
/* Blocks this thread until nobody is left. The loop does not run. */
void weft__visitors_drain(weft_loop_t *loop);

#endif
