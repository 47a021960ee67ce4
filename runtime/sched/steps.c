/* steps.c: see steps.h. A worker's step is its own thread's business; longest is read by others. */
#include "sched/steps.h"

#include "base/clock.h"
#include "loop/uv.h"
#include "sched/clock.h"

WEFT__COLD void weft__step_begins(weft__worker_t *worker) { worker->step_began = weft__loop_now(worker->loop); }

WEFT__COLD void weft__step_ends(weft__worker_t *worker, weft_task_t *task) {
  int64_t began = worker->step_began;
  if (began == 0) return; /* it began before anybody asked */
  worker->step_began = 0;
  weft_loop_t *loop = worker->loop;
  int64_t took = weft__loop_now(loop) - began;
  if (took > atom_load(&worker->stats.longest, relaxed)) atom_store(&worker->stats.longest, took, relaxed);
  if (loop->config.debug && took >= loop->slow_callback_ns) weft__report_slow_step(loop, task, took);
}

WEFT__COLD void weft__step_suspends(weft__worker_t *worker, weft_task_t *task) {
  if (worker->loop->config.debug && weft__uv_held_here())
    weft__panic("task %s suspends with the libuv loop locked: weft_loop_uv_unlock comes first",
                weft_task_get_name(task));
  weft__step_ends(worker, task);
}

WEFT__COLD weft__worker_t *weft__step_run(weft__worker_t *worker, weft_task_t *task) {
  weft_task_ref(task);
  weft__step_begins(worker);
  weft__task_run(task);
  worker = weft__worker();
  weft__step_ends(worker, task);
  weft_task_unref(task);
  return worker;
}

void weft__steps_set(weft_loop_t *loop) {
  bool timed = loop->config.debug || atom_load(&loop->steps_timed, relaxed);
  unsigned slots = atom_load(&loop->slots, acquire);
  for (unsigned i = 0; i < slots; i++) atom_store(&weft__worker_at(loop, i)->timed, timed, relaxed);
}
