/* fibers.c: the identity of the worker that a thread is, and the switches between its fibers.
 *
 * A worker's thread stands on one of three kinds of stack:
 *   base      the thread's own: polls, parks, expires timers; runs no task
 *   resting   a fiber inside weft__fiber_main, waiting in idle_fibers to be given an entry
 *   a task's  a fiber on which a task is suspended or runs
 * Every switch leaves `after` for the other side: whoever is switched to runs it first. Only then is the left context
 * complete in memory, so `after` is where a suspended task is published. A fiber pushes itself on idle_fibers before it
 * switches away, which is safe because only its own thread takes from there, after the switch. */
#include "sched/fibers.h"

#include "sched/fork.h"
#include "sched/switch.h"
#include "sched/task_memory.h"

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

weft_task_t *weft__suspending_task(void) {
  weft__worker_t *worker = weft__worker();
  return worker != NULL && worker->sections == 0 ? worker->current : NULL;
}

weft_loop_t *weft__current_loop(void) {
  weft__worker_t *worker = weft__worker();
  return worker != NULL ? worker->loop : NULL;
}

void weft__after_switch(weft__worker_t *worker) {
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
weft__worker_t *weft__switch_to(weft__worker_t *worker, weft__fiber_t *to) {
  weft__fiber_t *from = worker->fiber;
  worker->fiber = to;
  weft__fiber_switch(from, to);
  worker = weft__worker();
  weft__after_switch(worker);
  return worker;
}

enum { IDLE_FIBERS_MAX = 64 };

weft__fiber_t *weft__take_idle_fiber(weft__worker_t *worker) {
  weft__fiber_t *fiber = worker->idle_fibers;
  if (fiber != NULL) {
    worker->idle_fibers = fiber->next;
    worker->idle_fiber_count--;
    return fiber;
  }
  return weft__fiber_new(&worker->stacks, WEFT__FIBER_DEFAULT_USABLE, weft__fiber_main, NULL);
}

static void free_fiber_after(void *fiber) { weft__fiber_free(&weft__worker()->stacks, fiber); }

/* The running fiber has nothing to do: rests, or ends if there are enough or it is a large one, and goes on with `to`. */
weft__worker_t *weft__rest_and_switch(weft__worker_t *worker, weft__fiber_t *to) {
  weft__fiber_t *self = worker->fiber;
  if (self == &worker->base) return weft__switch_to(worker, to);
  if (self->size > WEFT__FIBER_DEFAULT_USABLE * 3 / 2 || worker->idle_fiber_count >= IDLE_FIBERS_MAX) {
    worker->after = free_fiber_after;
    worker->after_argument = self;
    worker->fiber = to;
    weft__fiber_switch_final(self, to);
  }
  self->next = worker->idle_fibers;
  worker->idle_fibers = self;
  worker->idle_fiber_count++;
  return weft__switch_to(worker, to);
}

void weft__worker_rest(weft__worker_t *worker) {
  while (worker->idle_fibers != NULL) {
    weft__fiber_t *fiber = worker->idle_fibers;
    worker->idle_fibers = fiber->next;
    weft__fiber_free(&worker->stacks, fiber);
  }
  worker->idle_fiber_count = 0;
  weft__task_memory_rest(worker);
  weft__decks_rest(worker);
  weft__return_task_numbers(worker);
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
