/* blocking.c: blocking sections that a task announces without leaving its worker.
 *
 * worker->sections counts how deep; with the outermost enter the worker is `blocked` for the others: they take its queue,
 * events and timers over without waiting for it to stand still (idle.c), and a spare makes up for it where tasks wait and
 * nobody sleeps (here, and in monitor.c). Nothing is taken from the worker by force: it goes on to own its queue, and when
 * the section ends it simply finds what is left. So exit has nothing to wait for, and the task stays on its thread. */
#include "sched/blocking.h"

#include <weft/blocking.h>

#include "sched/loop.h"

static void hand_on(weft__worker_t *worker) {
  weft_loop_t *loop = worker->loop;
  if (weft__stealable_count(worker) == 0) return; /* the lookout, or the monitor, looks after descriptors and timers */
  if (atom_load(&loop->idle_count, relaxed) > 0)
    weft__wake_one(loop);
  else if (weft__spares_active(loop) < atom_load(&loop->blocked, relaxed))
    weft__spare_activate(loop);
}

int weft_blocking_enter(void) {
  weft__worker_t *worker = weft__worker();
  if (worker == NULL || worker->sections++ > 0) return 0;
  worker->section_of = worker->current != NULL ? worker->current->call_name : "a callback";
  weft_loop_t *loop = worker->loop;
  if (loop->alone || loop->config.virtual_time) return 0;
  /* relaxed: who looks after us takes what is queued by the queues' own orders */
  atom_add(&loop->blocked, 1, relaxed);
  atom_store(&worker->blocked, true, relaxed);
  hand_on(worker);
  return 0;
}

int weft_blocking_exit(void) {
  weft__worker_t *worker = weft__worker();
  if (worker == NULL) return 0;
  if (worker->sections == 0) return weft_fail(WEFT_RUNTIME, "weft_blocking_exit: no blocking section is open");
  if (--worker->sections > 0 || !atom_load(&worker->blocked, relaxed)) return 0;
  atom_store(&worker->blocked, false, relaxed);
  atom_sub(&worker->loop->blocked, 1, relaxed);
  return 0;
}

void weft__section_left_open(weft__worker_t *worker) {
  weft__panic(
      "%s left a blocking section open: each weft_blocking_enter wants its weft_blocking_exit, before anything that "
      "suspends",
      worker->section_of);
}
