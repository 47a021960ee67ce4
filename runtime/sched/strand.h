/* strand.h: a serial group of tasks and callbacks on a loop of several workers.
 *
 * States, under the strand's lock: idle (nothing queued, nothing runs), queued (its item is in some ready queue), running
 * (a worker runs one member's step). push: idle -> queued, else only appends. A worker that takes the strand's item:
 * queued -> running, pops the first member and runs its step. When the step is over (the member finished, or its context
 * is saved after a suspension): running -> queued if members wait, else idle.
 * One item per strand, taken by one worker at a time: so steps never overlap, and the queue's lock orders each step before
 * the next one (release by the worker that ended the step, acquire by the one that pops the next).
 * With one worker every task runs alone anyway: members go straight to the worker's queue. */
#ifndef WEFT_SCHED_STRAND_H
#define WEFT_SCHED_STRAND_H

#include "base/list.h"
#include "base/spin.h"
#include "sched/loop.h"

struct weft_strand {
  weft__item_t item;
  _Atomic(unsigned) refs;
  weft_loop_t *loop;
  weft__spin_t lock;
  weft__list_t members; /* items; under lock */
  size_t count;
  size_t pass_left; /* callbacks: entries of the running pass; the runner's */
  bool running;     /* a member's step runs; under lock */
  bool stop;        /* callbacks: the loop is to stop at the end of a pass; under lock */
  bool stop_next;   /* ... of the next one, because none was running when it was asked */
  bool callbacks;   /* the loop's callbacks run in it: it knows passes */
  bool active;      /* queued or running */
  bool serial;      /* the loop's main strand: it runs asyncio's passes, timers between them */
};

#endif
