/* in_place.c: running a child on its parent's stack: an awaited one that has not started, or one that starts eagerly. */
#include "base/clock.h"
#include "loop/reactor_core.h"
#include "sched/fibers.h"
#include "sched/fork.h"
#include "sched/steps.h"

/* ---- running a child in place ------------------------------------------------------------------------------------------ */

enum { IN_PLACE_MAX = 64, IN_PLACE_NS = 200 * 1000 };

/* One worker: whether timers or descriptors want their turn, which a pass through the loop would give them. */
static WEFT__NOINLINE bool turn_is_due(weft__worker_t *worker, int64_t next, bool waiting) {
  weft_loop_t *loop = worker->loop;
  if (loop->config.virtual_time) return waiting || next <= atom_load(&loop->virtual_now, relaxed);
  int64_t now = weft__clock_now();
  return next <= now || (waiting && now - worker->boundary_time > IN_PLACE_NS);
}

static bool others_want_a_turn(weft__worker_t *worker) {
  int64_t next = atom_load(&worker->timers.earliest, relaxed);
  bool waiting = weft__reactor_may_wait(worker->reactor) && weft__reactor_waiting(worker->reactor) > 0;
  if (weft__likely(next == INT64_MAX && !waiting)) return false;
  return turn_is_due(worker, next, waiting);
}

static inline bool others_are_ready(weft__worker_t *worker) {
  return weft__ready_count(worker) > 0 || others_want_a_turn(worker);
}

static void after_in_place(void *argument) {
  weft_task_t *parent = argument; /* its child is done: behind whatever is ready, as asyncio would queue it */
  weft__word_yield(&parent->future.word);
  weft__schedule_task(parent);
}

static bool take_newest(weft__worker_t *worker, weft__entry_t entry) {
  if (!worker->loop->alone) /* partner: the thieves' exchange */
    return atom_cas(&worker->newest, &entry, 0, acq_rel, relaxed);
  atom_store(&worker->newest, 0, relaxed);
  return true;
}

/* Rules 8-11, but for three things: the parent awaits the child, who may take the child, and a pending cancellation of the
 * parent, which is given to the child unstarted (weft__task_run_for). */
static inline bool may_run_in_place(weft__worker_t *worker, const weft_task_t *parent, const weft_task_t *child) {
  if (worker->loop->alone ? others_want_a_turn(worker) : parent->strand != NULL || child->strand != NULL) return false;
  if (parent->pinned != child->pinned || worker->in_place >= IN_PLACE_MAX || worker->sections > 0) return false;
  if (weft__fiber_room(worker->fiber) < weft__stack_wanted(child) + WEFT__TASK_STACK_MIN) return false;
  return parent->before_suspend == NULL; /* a level-triggered scope wants to be asked */
}

/* Where steps are timed: the parent's ends, the child's begins, and the other way round. */
static WEFT__COLD void begin_child(weft__worker_t *worker, weft_task_t *parent, weft_task_t *child) {
  weft_task_ref(child); /* to be named at its end */
  weft__step_ends(worker, parent);
  weft__step_begins(worker);
}
static WEFT__COLD void end_child(weft__worker_t *worker, weft_task_t *child) {
  weft__step_ends(worker, child);
  weft__step_begins(worker);
  weft_task_unref(child);
}

/* The entry is taken. The parent stays RUNNING, linked by waiting_on to what it awaits, so cancelling it finds the child,
 * and in no list. If the child suspends, the whole fiber does, and is the child's until it ends here. The worker that runs
 * us then. */
static inline weft__worker_t *run_in_place(weft__worker_t *worker, weft_task_t *parent, weft_task_t *child,
                                           weft_future_t *awaited) {
  worker->in_place++;
  weft__count_tick(worker);
  weft__deck_t *forks = weft__forks_pause(worker);
  worker->current = child;
  /* release: what it points to, for a canceller. Its place is ordered by the child's start: weft__task_run_for. */
  atom_store(&parent->waiting_on, awaited, release);
  bool timed = weft__steps_timed(worker);
  if (timed) begin_child(worker, parent, child);
  weft__task_run_for(child, parent, awaited);
  worker = weft__worker();
  if (timed) end_child(worker, child);
  worker->current = parent;
  if (weft__unlikely(worker->sections > 0)) weft__section_left_open(worker);
  weft__forks_go_on(worker, forks);
  /* asyncio would queue the parent now, behind whatever is ready, and begin a new pass. */
  if (worker->loop->alone) worker->pass_left = 0;
  return worker;
}

/* Only the newest entry of this worker's queue: it is unstarted, and with one worker it must be the only one. */
weft_task_t *weft__run_in_place(weft_task_t *child) {
  weft__worker_t *worker = weft__worker();
  if (worker == NULL) return NULL;
  weft__entry_t entry = (weft__entry_t)&child->item;
  if (atom_load(&worker->newest, relaxed) != entry) return NULL;
  weft_task_t *parent = worker->current;
  if (parent == NULL || weft__word_phase(atom_load(&child->future.word, relaxed)) != WEFT__NEW) return NULL;
  if (worker->loop->alone && weft__ring_size(&worker->ring) > 0) return NULL;
  if (!may_run_in_place(worker, parent, child)) return NULL;
  if (!take_newest(worker, entry)) return NULL; /* a thief has it: wait in the ordinary way */
  worker = run_in_place(worker, parent, child, &child->future);
  if (worker->loop->alone && others_are_ready(worker)) weft__park(after_in_place, parent);
  return parent;
}

/* One of several that the parent awaits: the oldest entry of this worker's queue, as the worker would take it next. */
bool weft__run_next_in_place(weft_task_t *child, weft_future_t *awaited) {
  weft__worker_t *worker = weft__worker();
  weft__entry_t entry = (weft__entry_t)&child->item;
  weft_task_t *parent = worker->current;
  bool in_ring = weft__ring_size(&worker->ring) > 0;
  if (in_ring ? weft__ring_oldest(&worker->ring) != entry : atom_load(&worker->newest, relaxed) != entry) return false;
  if (weft__word_phase(atom_load(&child->future.word, relaxed)) != WEFT__NEW) return false;
  if (!may_run_in_place(worker, parent, child)) return false;
  if (in_ring ? !weft__ring_take_this(&worker->ring, entry) : !take_newest(worker, entry)) return false;
  run_in_place(worker, parent, child, awaited);
  return true;
}

bool weft__nothing_else_ready(void) {
  weft__worker_t *worker = weft__worker();
  return !worker->loop->alone || !others_are_ready(worker);
}

/* ---- eager start ------------------------------------------------------------------------------------------------------- */

/* The creator's fiber stays where it is, in no queue, and is gone back to when the task suspends (weft__park) or ends
 * (weft__fiber_main): both see eager_return. So an eager task's first part never leaves this worker. */
void weft__run_eagerly(weft_task_t *task) {
  weft__worker_t *worker = weft__worker();
  weft__fiber_t *fiber = worker != NULL && worker->fiber != &worker->base ? weft__take_idle_fiber(worker) : NULL;
  if (fiber == NULL || worker->sections > 0 ||
      (!worker->loop->alone && task->pinned != 0 && task->pinned != worker->index + 1) ||
      (task->strand != NULL && weft__strand_moves(task->strand) && worker->strand != task->strand)) {
    if (fiber != NULL) weft__fiber_free(&worker->stacks, fiber);
    weft__schedule_new(task);
    return;
  }
  weft_task_t *creator = worker->current;
  weft_strand_t *strand = worker->strand;
  weft__fiber_t *outer = worker->eager_return;
  weft__fiber_t *self = worker->fiber;
  worker->strand = NULL;
  weft__deck_t *forks = weft__forks_pause(worker);
  worker->eager_return = self;
  worker->assigned = (weft__entry_t)&task->item;
  worker->fiber = fiber;
  weft__fiber_switch(self, fiber);
  worker->eager_return = outer;
  worker->strand = strand;
  worker->current = creator;
  weft__forks_go_on(worker, forks);
  weft__after_switch(worker);
}
