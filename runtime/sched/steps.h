/* steps.h: how long tasks keep their worker: the time from where one begins or goes on to where it suspends or ends.
 *
 * Nobody reads a clock for it unless it was asked for (debug mode, weft_loop_measure_steps): then every worker's `timed` is
 * set, which each step looks at, and each step costs two readings. */
#ifndef WEFT_SCHED_STEPS_H
#define WEFT_SCHED_STEPS_H

#include "sched/loop.h"

/* A run in place is a step of the child's; its parent's ends before it and another begins after it. */
static inline bool weft__steps_timed(const weft__worker_t *worker) {
  return weft__unlikely(atom_load(&worker->timed, relaxed));
}
void weft__step_begins(weft__worker_t *worker);
void weft__step_ends(weft__worker_t *worker, weft_task_t *task);
/* The same where the task is about to suspend: in debug mode it must not hold what its thread has to give back. */
void weft__step_suspends(weft__worker_t *worker, weft_task_t *task);
/* weft__task_run as a step: the worker that runs us then. */
weft__worker_t *weft__step_run(weft__worker_t *worker, weft_task_t *task);

/* Tells every worker whether steps are timed. */
void weft__steps_set(weft_loop_t *loop);
/* In debug mode, of a step that took as long as slow_callback_duration: implemented in run/debug.c. */
void weft__report_slow_step(weft_loop_t *loop, weft_task_t *task, int64_t took);

#endif
