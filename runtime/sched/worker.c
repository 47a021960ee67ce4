/* worker.c: the loop that every fiber runs.
 *
 * A new task is called by weft__fiber_main on the fiber it stands on. If it suspends, that fiber is the task's until the
 * task ends; the worker goes on with the next ready entry: directly on a suspended task's fiber, else on a resting or fresh
 * one (the entry is passed in `assigned`), else, at the end of a pass, on base (see fibers.c).
 *
 * Passes (asyncio's _run_once): at a boundary, on base: injected items, descriptors, due timers; then exactly the entries
 * that are ready at that moment; what they make ready belongs to the next pass. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "sched/fibers.h"
#include "sched/fork.h"
#include "sched/steps.h"
#include "sched/strand.h"

static __thread bool in_factory;
void weft__in_factory(bool in) { in_factory = in; } /* a factory is no place to suspend: same thread before and after */
bool weft__in_factory_now(void) { return in_factory; }

int weft__check_suspend(const char *what) {
  weft__worker_t *worker = weft__worker();
  if (weft__likely(worker != NULL && worker->current != NULL && worker->sections == 0)) return 0;
  if (worker != NULL && worker->sections > 0)
    return weft_fail(-EPERM, "%s may suspend: not between weft_blocking_enter and weft_blocking_exit", what);
  if (worker != NULL)
    return weft_fail(-EPERM, "%s may suspend: it cannot be called in a callback, make a task of it", what);
  return weft_fail(-EPERM,
                   weft__forked() ? "%s may suspend: this is the child of a fork(), its runtime is dead"
                                  : "%s may suspend: it can only be called in a task",
                   what);
}

/* ---- running entries --------------------------------------------------------------------------------------------------- */

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
  weft_ignore(
      weft_fail(-ENOMEM, "no memory for the stack of task %s: %s", weft_task_get_name(task), weft__stacks_error()));
}

/* Runs an entry on the fiber that the caller stands on. May return on another worker. */
static void run_entry(weft__worker_t *worker, weft__entry_t entry) {
  weft__item_t *item = (weft__item_t *)(entry & ~WEFT__ENTRY_HOP);
  weft__count_tick(worker);
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
    worker = weft__worker();
    if (weft__unlikely(worker->sections > 0)) weft__section_left_open(worker);
    end_step(worker);
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
    weft__rest_and_switch(worker, fiber);
    return;
  }
  bool on_base = worker->fiber == &worker->base;
  if (weft__unlikely(on_base || weft__fiber_room(worker->fiber) < weft__stack_wanted(task))) {
    fiber = weft__fiber_new(&worker->stacks, weft__stack_wanted(task), weft__fiber_main, NULL);
    if (fiber != NULL) {
      worker->assigned = entry;
      weft__rest_and_switch(worker, fiber);
      return;
    }
    worker->current = task;
    fail_start(task);
    weft__task_fail_start(task, -ENOMEM);
  } else {
    worker->current = task;
    if (weft__steps_timed(worker))
      (void)weft__step_run(worker, task);
    else
      weft__task_run(task);
  }
  worker = weft__worker();
  if (weft__unlikely(worker == NULL)) weft__panic("a task returned in the child of a fork(): call exec or _exit there");
  worker->current = NULL;
  if (weft__unlikely(worker->sections > 0)) weft__section_left_open(worker);
  end_step(worker);
}

void weft__fiber_main(void *argument) {
  (void)argument;
  weft__after_switch(weft__worker());
  for (;;) {
    weft__worker_t *worker = weft__worker();
    weft__entry_t entry = worker->assigned;
    worker->assigned = 0;
    if (entry == 0) entry = worker->eager_return != NULL ? 0 : next_entry(worker);
    if (entry != 0)
      run_entry(worker, entry);
    else if (worker->eager_return != NULL)
      weft__rest_and_switch(worker, worker->eager_return);
    else
      weft__rest_and_switch(worker, &worker->base);
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
  if (weft__unlikely(worker->sections > 0)) weft__section_left_open(worker);
  if (weft__steps_timed(worker)) weft__step_suspends(worker, task);
  task->fiber = worker->fiber;
  weft__deck_t *forks = weft__forks_pause(worker);
  worker->current = NULL;
  worker->leaving = worker->strand;
  worker->strand = NULL;
  worker->after = after;
  worker->after_argument = argument;
  weft__fiber_t *eager_return = worker->eager_return;
  weft__entry_t entry = eager_return != NULL ? 0 : next_entry(worker);
  weft__fiber_t *to = eager_return != NULL ? eager_return : &worker->base;
  if (entry != 0 && is_suspended_task(entry)) {
    weft__count_tick(worker);
    to = weft__task_of_item((weft__item_t *)entry)->fiber;
  } else if (entry != 0) {
    weft__fiber_t *idle = weft__take_idle_fiber(worker);
    worker->assigned = entry; /* without memory for a fiber, base takes care of it */
    if (idle != NULL) to = idle;
  }
  worker = weft__switch_to(worker, to);
  worker->current = task;
  task->fiber = NULL;
  if (weft__steps_timed(worker)) weft__step_begins(worker);
  weft__forks_go_on(worker, forks);
  if (weft__unlikely(task->strand != NULL) && weft__strand_moves(task->strand) && worker->strand == NULL)
    weft__panic("task %s of a strand runs outside of it", weft_task_get_name(task));
}

static void after_yield(void *argument) {
  weft_task_t *task = argument;
  weft__word_yield(
      &task->future.word); /* READY at once, MUST_CANCEL stays for the resume; the claim to queue it is ours */
  weft__schedule_task(task);
}

int weft__yield(void) {
  int rc = weft__check_suspend("weft_yield");
  if (rc < 0) return rc;
  weft_task_t *task = weft__current_task();
  weft__park(after_yield, task);
  return weft__word_resume(&task->future.word) ? weft__task_deliver_cancel(task) : 0;
}

void weft__requeue(void) {
  weft_task_t *task = weft__current_task();
  weft__park(after_yield, task);
  weft__word_stop_waiting(&task->future.word); /* READY -> RUNNING; what was asked meanwhile stays pending */
}

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
  if (weft__ready_count(worker) > 0 || weft__background_waits(worker) || atom_load(&loop->stopping, relaxed)) {
    if (weft__reactor_waiting(worker->reactor) > 0) weft__worker_poll(worker, 0);
  } else if (!weft__forks_steal_suspended(worker)) {
    weft__sleep_alone(worker);
    weft__take_injected(worker);
  }
  weft__run_timers(worker);
  if (!loop->config.virtual_time && weft__reactor_waiting(worker->reactor) > 0)
    worker->boundary_time = weft__clock_now();
}

static void boundary_shared(weft__worker_t *worker) {
  uint64_t ticks = atom_load(&worker->stats.ticks, relaxed);
  bool look = ++worker->boundaries % 8 == 0;
  weft__take_injected(worker);
  if (weft__ready_count(worker) == 0 || ticks - worker->polled_at >= 61) {
    worker->polled_at = ticks;
    look = true;
    if (weft__reactor_interest(worker->reactor) > 0) weft__worker_poll(worker, 0);
  }
  weft__run_timers(worker);
  /* While somebody sleeps he is the lookout; a spare also wants to know when it is redundant. */
  if (weft__unlikely(look) && (atom_load(&worker->loop->idle_count, relaxed) == 0 || weft__worker_is_spare(worker)))
    weft__look_around(worker);
  if (weft__ready_count(worker) == 0 && !weft__background_waits(worker)) weft__idle(worker);
  if (worker->searching && weft__ready_count(worker) > 0) weft__found_work(worker);
}

static void run_pass(weft__worker_t *worker) {
  weft__entry_t entry = worker->assigned != 0 ? worker->assigned : next_entry(worker);
  worker->assigned = 0;
  if (entry == 0) return;
  if (is_suspended_task(entry)) {
    weft__count_tick(worker);
    weft__switch_to(worker, weft__task_of_item((weft__item_t *)entry)->fiber);
    return;
  }
  weft__fiber_t *fiber = weft__take_idle_fiber(worker);
  if (fiber == NULL) { /* callbacks can do without a fiber; a new task ends with -ENOMEM */
    run_entry(worker, entry);
    return;
  }
  worker->assigned = entry;
  weft__switch_to(worker, fiber);
}

/* relaxed: the handler's ring, which ends a sleep, orders what it wrote before; without a sleep the next look sees it */
static void heed_signal(weft_loop_t *loop) {
  if (weft__unlikely(atom_load(&loop->signalled, relaxed)) && atom_xchg(&loop->signalled, false, acq_rel))
    loop->on_signal(loop);
}

void weft__worker_run(weft__worker_t *worker) {
  weft_loop_t *loop = worker->loop;
  worker->fiber = &worker->base;
  for (;;) {
    if (loop->alone)
      boundary_alone(worker);
    else
      boundary_shared(worker);
    heed_signal(loop);
    worker->in_place = 0;
    if (weft__unlikely(atom_load(&loop->background_count, relaxed) > 0)) weft__background_turn(worker);
    size_t ready = weft__ready_count(worker);
    if (weft__unlikely(ready > atom_load(&worker->stats.queue_high, relaxed)))
      atom_store(&worker->stats.queue_high, ready, relaxed);
    worker->pass_left = loop->alone || ready < 256 ? ready : 256;
    while (worker->pass_left > 0 || worker->assigned != 0) run_pass(worker);
    if (atom_load(&loop->stopping, acquire) || worker->redundant) return;
  }
}

/* ---- its thread -------------------------------------------------------------------------------------------------------- */

/* Without memory for the alternate stack the worker runs all the same; an overflow then dies without its report. */
void weft__worker_enter_thread(weft__worker_t *worker) {
  weft__worker_set(worker);
  weft__fiber_adopt_thread(&worker->base);
  weft_ignore(weft__overflow_enter_thread(&worker->overflow));
  weft__thread_watch_begin(&worker->watch);
}

void weft__worker_leave_thread(weft__worker_t *worker) {
  weft__worker_rest(worker);
  weft__thread_watch_end(&worker->watch);
  weft__overflow_leave_thread(&worker->overflow);
  weft__fiber_leave_thread(&worker->base);
  weft__worker_set(NULL);
}

/* ---- opening and closing ----------------------------------------------------------------------------------------------- */

int weft__worker_open(weft__worker_t *worker, weft_loop_t *loop, unsigned index) {
  worker->loop = loop;
  worker->index = index;
  worker->home = worker;
  atom_init(&worker->active, true);
  atom_init(&worker->timed, loop->config.debug || atom_load(&loop->steps_timed, relaxed));
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

void weft__worker_close(weft__worker_t *worker) {
  weft__reactor_close(worker->reactor);
  weft__ring_destroy(&worker->ring);
  weft__stack_cache_flush(&worker->stacks);
}
