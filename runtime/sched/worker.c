/* worker.c: the loop that every fiber runs, and the switches between fibers.
 *
 * A worker's thread stands on one of three kinds of stack:
 *   base      the thread's own: polls, parks, expires timers; runs no task
 *   resting   a fiber inside fiber_main, waiting in idle_fibers to be given an entry
 *   a task's  a fiber on which a task is suspended or runs
 * A new task is called by fiber_main on the fiber it stands on. If it suspends, that fiber is the task's until the task
 * ends; the worker goes on with the next ready entry: directly on a suspended task's fiber, else on a resting or fresh one
 * (the entry is passed in `assigned`), else, at the end of a pass, on base.
 *
 * Every switch leaves `after` for the other side: whoever is switched to runs it first. Only then is the left context
 * complete in memory, so `after` is where a suspended task is published. A fiber pushes itself on idle_fibers before it
 * switches away, which is safe because only its own thread takes from there, after the switch.
 *
 * Passes (asyncio's _run_once): at a boundary, on base: injected items, descriptors, due timers; then exactly the entries
 * that are ready at that moment; what they make ready belongs to the next pass. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "sched/loop.h"
#include "sched/strand.h"
#include "sched/switch.h"

static __thread weft__worker_t *this_worker;

WEFT__NOINLINE weft__worker_t *weft__worker(void) {
  weft__worker_t *worker = this_worker;
  __asm__ volatile("" : "+r"(worker)); /* the value is fresh, and stays a value */
  return worker;
}

WEFT__NOINLINE void weft__worker_set(weft__worker_t *worker) {
  this_worker = worker;
  __asm__ volatile("" ::: "memory");
}

weft_task_t *weft__current_task(void) {
  weft__worker_t *worker = weft__worker();
  return worker != NULL ? worker->current : NULL;
}

weft_loop_t *weft__current_loop(void) {
  weft__worker_t *worker = weft__worker();
  return worker != NULL ? worker->loop : NULL;
}

static __thread bool in_factory;
void weft__in_factory(bool in) { in_factory = in; } /* a factory is no place to suspend: same thread before and after */
bool weft__in_factory_now(void) { return in_factory; }

int weft__check_suspend(const char *what) {
  if (weft__likely(weft__current_task() != NULL)) return 0;
  if (weft__worker() != NULL)
    return weft_fail(-EPERM, "%s may suspend: it cannot be called in a callback, make a task of it", what);
  return weft_fail(-EPERM, "%s may suspend: it can only be called in a task", what);
}

/* ---- switching --------------------------------------------------------------------------------------------------------- */

static void after_switch(weft__worker_t *worker) {
  void (*after)(void *) = worker->after;
  if (after != NULL) {
    worker->after = NULL;
    after(worker->after_argument);
  }
  weft_strand_t *leaving = worker->leaving;
  if (weft__unlikely(leaving != NULL)) {
    worker->leaving = NULL;
    weft__strand_release(leaving);
  }
}

/* Returns on another thread perhaps; the worker that runs us now has done its after_switch. */
static weft__worker_t *switch_to(weft__worker_t *worker, weft__fiber_t *to) {
  weft__fiber_t *from = worker->fiber;
  worker->fiber = to;
  weft__fiber_switch(from, to);
  worker = weft__worker();
  after_switch(worker);
  return worker;
}

enum { IDLE_FIBERS_MAX = 64 };

static void fiber_main(void *argument);

static weft__fiber_t *take_idle(weft__worker_t *worker) {
  weft__fiber_t *fiber = worker->idle_fibers;
  if (fiber != NULL) {
    worker->idle_fibers = fiber->next;
    worker->idle_fiber_count--;
    return fiber;
  }
  return weft__fiber_new(&worker->stacks, WEFT__FIBER_DEFAULT_USABLE, fiber_main, NULL);
}

static void free_fiber_after(void *fiber) { weft__fiber_free(&weft__worker()->stacks, fiber); }

/* The running fiber has nothing to do: rests, or ends if there are enough or it is a large one, and goes on with `to`. */
static weft__worker_t *rest_and_switch(weft__worker_t *worker, weft__fiber_t *to) {
  weft__fiber_t *self = worker->fiber;
  if (self == &worker->base) return switch_to(worker, to);
  if (self->size > WEFT__FIBER_DEFAULT_USABLE * 3 / 2 || worker->idle_fiber_count >= IDLE_FIBERS_MAX) {
    worker->after = free_fiber_after;
    worker->after_argument = self;
    worker->fiber = to;
    weft__fiber_switch_final(self, to);
  }
  self->next = worker->idle_fibers;
  worker->idle_fibers = self;
  worker->idle_fiber_count++;
  return switch_to(worker, to);
}

/* ---- running entries --------------------------------------------------------------------------------------------------- */

static void count_tick(weft__worker_t *worker) {
  atom_store(&worker->stats.ticks, atom_load(&worker->stats.ticks, relaxed) + 1, relaxed);
}

static weft__entry_t next_entry(weft__worker_t *worker) {
  if (worker->pass_left == 0) return 0;
  worker->pass_left--;
  weft__entry_t entry = weft__take(worker);
  if (entry == 0) worker->pass_left = 0;
  return entry;
}

static void end_step(weft__worker_t *worker) {
  weft_strand_t *strand = worker->strand;
  if (weft__unlikely(strand != NULL)) {
    worker->strand = NULL;
    weft__strand_release(strand);
  }
}

/* The hop of an expired sleep is over: the task goes to the tail, unless a cancellation has queued it already. */
static void end_hop(weft_task_t *task, bool in_strand) {
  if (weft__word_end_hop(&task->future.word))
    weft__schedule_task(task);
  else if (!in_strand)
    weft_future_unref(&task->future);
}

static void fail_start(weft_task_t *task) {
  weft_ignore(weft_fail(-ENOMEM, "no memory for the stack of task %s: %s", weft_task_get_name(task), weft__stacks_error()));
}

static size_t stack_wanted(const weft_task_t *task) {
  return task->stack_size != 0 ? task->stack_size : task->future.loop->config.stack_size;
}

/* Runs an entry on the fiber that the caller stands on. May return on another worker. */
static void run_entry(weft__worker_t *worker, weft__entry_t entry) {
  weft__item_t *item = (weft__item_t *)(entry & ~WEFT__ENTRY_HOP);
  count_tick(worker);
  bool in_strand = false;
  if (item->run != NULL && weft__strand_runs_item(item)) {
    weft_strand_t *strand = weft__container_of(item, weft_strand_t, item);
    entry = weft__strand_next(strand);
    worker->strand = strand;
    if (entry == 0) {
      end_step(worker);
      return;
    }
    in_strand = true;
    item = (weft__item_t *)(entry & ~WEFT__ENTRY_HOP);
  }
  if (item->run != NULL) {
    item->run(item);
    end_step(weft__worker());
    return;
  }
  weft_task_t *task = weft__task_of_item(item);
  if (weft__unlikely(in_strand && task->strand != worker->strand)) { /* it waited for callbacks only: see futures.c */
    weft__schedule_task(task);
    end_step(worker);
    return;
  }
  if (entry & WEFT__ENTRY_HOP) {
    end_hop(task, in_strand);
    end_step(worker);
    return;
  }
  weft__fiber_t *fiber = task->fiber;
  if (fiber != NULL) {
    rest_and_switch(worker, fiber);
    return;
  }
  bool on_base = worker->fiber == &worker->base;
  if (weft__unlikely(on_base || weft__fiber_room(worker->fiber) < stack_wanted(task))) {
    fiber = weft__fiber_new(&worker->stacks, stack_wanted(task), fiber_main, NULL);
    if (fiber != NULL) {
      worker->assigned = entry;
      rest_and_switch(worker, fiber);
      return;
    }
    worker->current = task;
    fail_start(task);
    weft__task_fail_start(task, -ENOMEM);
  } else {
    worker->current = task;
    weft__task_run(task);
  }
  worker = weft__worker();
  worker->current = NULL;
  end_step(worker);
}

static void fiber_main(void *argument) {
  (void)argument;
  after_switch(weft__worker());
  for (;;) {
    weft__worker_t *worker = weft__worker();
    weft__entry_t entry = worker->assigned;
    worker->assigned = 0;
    if (entry == 0) entry = worker->eager_return != NULL ? 0 : next_entry(worker);
    if (entry != 0)
      run_entry(worker, entry);
    else if (worker->eager_return != NULL)
      rest_and_switch(worker, worker->eager_return);
    else
      rest_and_switch(worker, &worker->base);
  }
}

/* ---- suspending -------------------------------------------------------------------------------------------------------- */

static bool is_suspended_task(weft__entry_t entry) {
  if (entry & WEFT__ENTRY_HOP) return false;
  weft__item_t *item = (weft__item_t *)entry;
  return item->run == NULL && weft__task_of_item(item)->fiber != NULL;
}

void weft__park(void (*after)(void *argument), void *argument) {
  weft__worker_t *worker = weft__worker();
  weft_task_t *task = worker->current;
  task->fiber = worker->fiber;
  worker->current = NULL;
  worker->leaving = worker->strand;
  worker->strand = NULL;
  worker->after = after;
  worker->after_argument = argument;
  weft__fiber_t *eager_return = worker->eager_return;
  weft__entry_t entry = eager_return != NULL ? 0 : next_entry(worker);
  weft__fiber_t *to = eager_return != NULL ? eager_return : &worker->base;
  if (entry != 0 && is_suspended_task(entry)) {
    count_tick(worker);
    to = weft__task_of_item((weft__item_t *)entry)->fiber;
  } else if (entry != 0) {
    weft__fiber_t *idle = take_idle(worker);
    worker->assigned = entry; /* without memory for a fiber, base takes care of it */
    if (idle != NULL) to = idle;
  }
  worker = switch_to(worker, to);
  worker->current = task;
  task->fiber = NULL;
  if (weft__unlikely(task->strand != NULL) && weft__strand_moves(task->strand) && worker->strand == NULL)
    weft__panic("task %s of a strand runs outside of it", weft_task_get_name(task));
}

static void after_yield(void *argument) {
  weft_task_t *task = argument;
  weft__word_yield(&task->future.word); /* READY at once, MUST_CANCEL stays for the resume; the claim to queue it is ours */
  weft__schedule_task(task);
}

int weft__yield(void) {
  int rc = weft__check_suspend("weft_yield");
  if (rc < 0) return rc;
  weft_task_t *task = weft__current_task();
  task->waiting_on = NULL;
  weft__park(after_yield, task);
  return weft__word_resume(&task->future.word) ? weft__task_deliver_cancel(task) : 0;
}

void weft__requeue(void) {
  weft_task_t *task = weft__current_task();
  weft__park(after_yield, task);
  weft__word_stop_waiting(&task->future.word); /* READY -> RUNNING; what was asked meanwhile stays pending */
}

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
  bool waiting = weft__reactor_waiting(worker->reactor) > 0;
  if (weft__likely(next == INT64_MAX && !waiting)) return false;
  return turn_is_due(worker, next, waiting);
}

static void after_in_place(void *argument) {
  weft_task_t *parent = argument; /* WAITING, on a child that is done */
  if (weft__word_wake(&parent->future.word, WEFT__READY)) weft__schedule_task(parent);
}

/* RUNNING -> WAITING unless a cancellation is pending, which the child would then have to be given unstarted. */
static bool begin_wait(weft__word_t *word) {
  for (;;) {
    uint64_t value = weft__word_unlocked(word);
    if (value & WEFT__W_MUST_CANCEL) return false;
    if (atom_cas_weak(word, &value, weft__word_with_phase(value, WEFT__WAITING), acq_rel, relaxed)) return true;
  }
}

static bool take_newest(weft__worker_t *worker, weft__entry_t entry) {
  if (!worker->loop->alone) /* partner: the thieves' exchange */
    return atom_cas(&worker->newest, &entry, 0, acq_rel, relaxed);
  atom_store(&worker->newest, 0, relaxed);
  return true;
}

/* Rules 8-11. Only the newest entry of this worker's queue: it is unstarted, and with one worker it must be the only one.
 * The parent is WAITING meanwhile, linked to the child but in no list, so cancelling it finds the child, and nobody but us
 * wakes it. If the child suspends, the whole fiber does, and is the child's until it ends here. */
bool weft__run_in_place(weft_task_t *parent, weft_task_t *child) {
  weft__worker_t *worker = weft__worker();
  weft_loop_t *loop = worker->loop;
  weft__entry_t entry = (weft__entry_t)&child->item;
  if (atom_load(&worker->newest, relaxed) != entry) return false;
  if (weft__word_phase(atom_load(&child->future.word, relaxed)) != WEFT__NEW) return false;
  if (loop->alone ? weft__ring_size(&worker->ring) > 0 || others_want_a_turn(worker)
                  : parent->strand != NULL || child->strand != NULL)
    return false;
  if (parent->pinned != child->pinned || worker->in_place >= IN_PLACE_MAX) return false;
  if (weft__fiber_room(worker->fiber) < stack_wanted(child) + WEFT__TASK_STACK_MIN) return false;
  if (!begin_wait(&parent->future.word)) return false;
  if (!take_newest(worker, entry)) { /* a thief has it: wait in the ordinary way */
    weft__word_stop_waiting(&parent->future.word);
    return false;
  }
  worker->in_place++;
  count_tick(worker);
  worker->current = child;
  weft__task_run(child);
  worker = weft__worker();
  worker->current = parent;
  if (!loop->alone) return true;
  /* asyncio would queue the parent now, behind whatever is ready, and begin a new pass. */
  worker->pass_left = 0;
  if (weft__ready_count(worker) > 0 || others_want_a_turn(worker)) weft__park(after_in_place, parent);
  return true;
}

/* ---- eager start ------------------------------------------------------------------------------------------------------- */

/* The creator's fiber stays where it is, in no queue, and is gone back to when the task suspends (weft__park) or ends
 * (fiber_main): both see eager_return. So an eager task's first part never leaves this worker. */
void weft__run_eagerly(weft_task_t *task) {
  weft__worker_t *worker = weft__worker();
  weft__fiber_t *fiber = worker != NULL && worker->fiber != &worker->base ? take_idle(worker) : NULL;
  if (fiber == NULL || (task->strand != NULL && weft__strand_moves(task->strand) && worker->strand != task->strand)) {
    if (fiber != NULL) weft__fiber_free(&worker->stacks, fiber);
    weft__schedule_new(task);
    return;
  }
  weft_task_t *creator = worker->current;
  weft_strand_t *strand = worker->strand;
  weft__fiber_t *outer = worker->eager_return;
  weft__fiber_t *self = worker->fiber;
  worker->strand = NULL;
  worker->eager_return = self;
  worker->assigned = (weft__entry_t)&task->item;
  worker->fiber = fiber;
  weft__fiber_switch(self, fiber);
  worker->eager_return = outer;
  worker->strand = strand;
  worker->current = creator;
  after_switch(worker);
}

/* ---- fibers inside a task ---------------------------------------------------------------------------------------------- */

weft__fiber_t *weft__running_fiber(void) { return weft__worker()->fiber; }

void weft__switch_fiber(weft__fiber_t *to) {
  weft__worker_t *worker = weft__worker();
  weft__fiber_t *from = worker->fiber;
  worker->fiber = to;
  weft__fiber_switch(from, to);
}

weft__fiber_t *weft__loop_fiber_new(size_t stack_size, void (*entry)(void *), void *argument) {
  return weft__fiber_new(&weft__worker()->stacks, stack_size, entry, argument);
}

void weft__loop_fiber_free(weft__fiber_t *fiber) { weft__fiber_free(&weft__worker()->stacks, fiber); }

/* ---- the worker on its own stack --------------------------------------------------------------------------------------- */

void weft__run_timers(weft__worker_t *worker) {
  weft_loop_t *loop = worker->loop;
  if (loop->main_strand != NULL) {
    weft__strand_run_timers(loop->main_strand);
    return;
  }
  weft__timers_t *timers = weft__timers_of(loop);
  int64_t next = weft__timers_next(timers);
  if (next == INT64_MAX) return;
  /* On several workers only a pass that runs something moves a virtual clock: how often idle ones look is chance. */
  bool look = loop->config.virtual_time && !loop->alone && weft__ready_count(worker) == 0;
  int64_t now = look ? atom_load(&loop->virtual_now, relaxed) : weft__loop_now(loop);
  if (next <= now) weft__timers_expire(timers, now);
}

/* Everything that can become ready by itself is given a chance. One worker: sleeps here if nothing is ready. */
static void boundary_alone(weft__worker_t *worker) {
  weft_loop_t *loop = worker->loop;
  weft__take_injected(worker);
  if (weft__ready_count(worker) > 0 || atom_load(&loop->stopping, relaxed)) {
    if (weft__reactor_waiting(worker->reactor) > 0) weft__reactor_poll(worker->reactor, 0);
  } else {
    weft__sleep_alone(worker);
    weft__take_injected(worker);
  }
  weft__run_timers(worker);
  if (!loop->config.virtual_time && weft__reactor_waiting(worker->reactor) > 0) worker->boundary_time = weft__clock_now();
}

static void boundary_shared(weft__worker_t *worker) {
  uint64_t ticks = atom_load(&worker->stats.ticks, relaxed);
  weft__take_injected(worker);
  if (weft__ready_count(worker) == 0 || ticks - worker->polled_at >= 61) {
    worker->polled_at = ticks;
    if (weft__reactor_interest(worker->reactor) > 0) weft__reactor_poll(worker->reactor, 0);
  }
  weft__run_timers(worker);
  if (weft__ready_count(worker) == 0) weft__idle(worker);
  if (worker->searching && weft__ready_count(worker) > 0) weft__found_work(worker);
}

static void run_pass(weft__worker_t *worker) {
  weft__entry_t entry = worker->assigned != 0 ? worker->assigned : next_entry(worker);
  worker->assigned = 0;
  if (entry == 0) return;
  if (is_suspended_task(entry)) {
    count_tick(worker);
    switch_to(worker, weft__task_of_item((weft__item_t *)entry)->fiber);
    return;
  }
  weft__fiber_t *fiber = take_idle(worker);
  if (fiber == NULL) { /* callbacks can do without a fiber; a new task ends with -ENOMEM */
    run_entry(worker, entry);
    return;
  }
  worker->assigned = entry;
  switch_to(worker, fiber);
}

void weft__worker_run(weft__worker_t *worker) {
  weft_loop_t *loop = worker->loop;
  worker->fiber = &worker->base;
  for (;;) {
    if (loop->alone)
      boundary_alone(worker);
    else
      boundary_shared(worker);
    worker->in_place = 0;
    size_t ready = weft__ready_count(worker);
    worker->pass_left = loop->alone || ready < 256 ? ready : 256;
    while (worker->pass_left > 0 || worker->assigned != 0) run_pass(worker);
    if (atom_load(&loop->stopping, acquire)) return;
  }
}

/* ---- memory for tasks -------------------------------------------------------------------------------------------------- */

/* Where mistakes are looked for every task has memory of its own, so that a stale handle is seen. */
#if defined WEFT_DEBUG_CHECKS || defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
static bool may_keep(const weft__worker_t *worker) {
  (void)worker;
  return false;
}
#else
enum { FREE_TASKS_MAX = 512 };
static bool may_keep(const weft__worker_t *worker) {
  return worker != NULL && worker->free_task_count < FREE_TASKS_MAX;
}
#endif

weft_task_t *weft__task_memory_take(void) {
  weft__worker_t *worker = weft__worker();
  if (worker == NULL || worker->free_tasks == NULL) return weft__alloc(sizeof(weft_task_t));
  weft_task_t *task = worker->free_tasks;
  worker->free_tasks = (weft_task_t *)(void *)task->waiting_on;
  worker->free_task_count--;
  return task;
}

void weft__task_memory_give(weft_task_t *task) {
  weft__worker_t *worker = weft__worker();
  if (!may_keep(worker)) {
    weft__free(task, sizeof *task);
    return;
  }
  task->waiting_on = (weft_future_t *)(void *)worker->free_tasks;
  worker->free_tasks = task;
  worker->free_task_count++;
}

/* ---- opening and closing ----------------------------------------------------------------------------------------------- */

int weft__worker_open(weft__worker_t *worker, weft_loop_t *loop, unsigned index) {
  worker->loop = loop;
  worker->index = index;
  worker->random = UINT64_C(0x9E3779B97F4A7C15) * (index + 1);
  weft__timers_init(&worker->timers);
  weft__stack_cache_init(&worker->stacks);
  weft__spin_init(&worker->pinned_lock);
  weft__list_init(&worker->pinned);
  int rc = weft__ring_init(&worker->ring, 256);
  if (rc == 0) rc = weft__reactor_open(&worker->reactor);
  if (rc < 0) weft__ring_destroy(&worker->ring);
  return rc;
}

void weft__worker_rest(weft__worker_t *worker) {
  while (worker->idle_fibers != NULL) {
    weft__fiber_t *fiber = worker->idle_fibers;
    worker->idle_fibers = fiber->next;
    weft__fiber_free(&worker->stacks, fiber);
  }
  worker->idle_fiber_count = 0;
  while (worker->free_tasks != NULL) {
    weft_task_t *task = worker->free_tasks;
    worker->free_tasks = (weft_task_t *)(void *)task->waiting_on;
    weft__free(task, sizeof *task);
  }
  worker->free_task_count = 0;
}

void weft__worker_close(weft__worker_t *worker) {
  weft__reactor_close(worker->reactor);
  weft__ring_destroy(&worker->ring);
  weft__stack_cache_flush(&worker->stacks);
}
