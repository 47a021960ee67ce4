/* fibers.h: on which stack a worker's thread stands, and how it gets to another. For worker.c and in_place.c. */
#ifndef WEFT_SCHED_FIBERS_H
#define WEFT_SCHED_FIBERS_H

#include "sched/loop.h"

/* The worker loop, as every fiber runs it: worker.c. */
void weft__fiber_main(void *argument);

/* What every side of a switch does first: runs what the other side left, releases the strand that it leaves. */
void weft__after_switch(weft__worker_t *worker);
/* Goes on with `to`; returns when somebody switches back, on another thread perhaps: the answer is the worker that runs us
 * now, its after_switch done. */
weft__worker_t *weft__switch_to(weft__worker_t *worker, weft__fiber_t *to);
/* The running fiber has nothing to do: rests, or ends if there are enough or it is a large one, and goes on with `to`. */
weft__worker_t *weft__rest_and_switch(weft__worker_t *worker, weft__fiber_t *to);
/* A resting fiber, or a fresh one; NULL without memory. */
weft__fiber_t *weft__take_idle_fiber(weft__worker_t *worker);

static inline void weft__count_tick(weft__worker_t *worker) {
  atom_store(&worker->stats.ticks, atom_load(&worker->stats.ticks, relaxed) + 1, relaxed);
}

static inline size_t weft__stack_wanted(const weft_task_t *task) {
  size_t size = weft__task_stack_size(task);
  return size != 0 ? size : task->future.loop->config.stack_size;
}

#endif
