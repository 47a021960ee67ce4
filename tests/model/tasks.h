/* tasks.h: the task floor's own sources over a scheduler of a few lines, for models of tasks and futures.
 *
 * Each task is a virtual thread. To be scheduled is a flag, set by one read-modify-write (the queue's), which must not be
 * set already: whoever schedules a task twice is found there. weft__park lets the `after` hook run in a thread of its own,
 * as the worker does that goes on, while the task may be resumed anywhere at once. An item that is posted runs in a
 * thread of its own, or, in the callbacks' strand, one after the other. */
#ifndef WEFT_MODEL_TASKS_H
#define WEFT_MODEL_TASKS_H

#include <string.h>

#include "base/error.c"
#include "model/model.h"
#include "task/cancel.c"
#include "task/contextvars.h"
#include "task/current_error.c"
#include "task/futures.c"
#include "task/locals.h"
#include "task/tasks.c"
#include "task/wait.c"

enum { MODEL_TASKS = 4 };

typedef struct model_task {
  _Alignas(16) unsigned char task[WEFT__TASK_LARGE]; /* a weft_task_t with its arguments */
  _Atomic(unsigned) fresh;                           /* its first entry is in a queue */
  _Atomic(unsigned) queued;                          /* a later one is */
  unsigned resumed;
} model_task_t;

static weft_task_t *current_of[MODEL_THREADS];
#ifndef MODEL_LOOP /* the task floor only hands it on */
static char loop_memory;
#define MODEL_LOOP ((weft_loop_t *)(void *)&loop_memory)
#endif
static weft_loop_t *const model_loop = MODEL_LOOP;
#ifndef MODEL_BEFORE_PARK /* what the worker does around a switch */
#define MODEL_BEFORE_PARK() NULL
#define MODEL_AFTER_PARK(before) ((void)(before))
#endif

/* ---- the scheduler ----------------------------------------------------------------------------------------------------- */

weft_task_t *weft__current_task(void) { return current_of[model_self()]; }
weft_task_t *weft__suspending_task(void) { return weft__current_task(); }
weft_loop_t *weft__current_loop(void) { return model_loop; }
int weft__check_suspend(const char *what) {
  (void)what;
  return weft__current_task() != NULL ? 0 : -EPERM;
}

void weft__schedule_task(weft_task_t *task) {
  model_task_t *self = (model_task_t *)task;
  MODEL_CHECK(weft__word_phase(atom_load(&task->future.word, relaxed)) != WEFT__WAITING);
  if (atom_xchg(&self->queued, 1, acq_rel) != 0) model_fail("task %p was queued twice", (void *)task);
}
void weft__schedule_hop(weft_task_t *task) { weft__schedule_task(task); }
void weft__schedule_new(weft_task_t *task) { weft__schedule_task(task); }

/* Takes the entry of a task that was never started: once. */
static bool take_fresh(weft_task_t *task) {
  unsigned fresh = 1;
  return atom_cas(&((model_task_t *)task)->fresh, &fresh, 0, acq_rel, relaxed);
}

/* Until somebody has queued the suspended task. */
static void await_turn(weft_task_t *task) {
  model_task_t *self = (model_task_t *)task;
  model_sleep_while(&self->queued, 0);
  atom_store(&self->queued, 0, relaxed); /* by the worker that took the entry: nobody else has it */
  self->resumed++;
}

struct model_park {
  void (*after)(void *argument);
  void *argument;
};

static void run_after(void *argument) {
  struct model_park *park = argument;
  void (*after)(void *) = park->after;
  void *hooked = park->argument;
  weft__free(park, sizeof *park);
  after(hooked);
}

void weft__park(void (*after)(void *argument), void *argument) {
  weft_task_t *task = weft__current_task();
  struct model_park *park = weft__alloc(sizeof *park);
  *park = (struct model_park){after, argument};
  void *before = MODEL_BEFORE_PARK();
  current_of[model_self()] = NULL;
  model_spawn(run_after, park);
  await_turn(task);
  current_of[model_self()] = task;
  MODEL_AFTER_PARK(before);
}

static void after_requeue(void *argument) {
  weft_task_t *task = argument;
  weft__word_yield(&task->future.word);
  weft__schedule_task(task);
}
void weft__requeue(void) {
  weft_task_t *task = weft__current_task();
  weft__park(after_requeue, task);
  weft__word_stop_waiting(&task->future.word);
}
static __attribute__((unused)) int model_yield(void) {
  weft_task_t *task = weft__current_task();
  weft__park(after_requeue, task);
  return weft__word_resume(&task->future.word) ? weft__task_deliver_cancel(task) : 0;
}

static void run_item(void *argument) {
  weft__item_t *item = argument;
  item->run(item);
}
void weft__post(weft_loop_t *loop, weft__item_t *item, weft_strand_t *strand) {
  (void)loop;
  MODEL_CHECK(strand == NULL);
  if (item->run == NULL)
    weft__schedule_task(weft__task_of_item(item));
  else
    model_spawn(run_item, item);
}

/* As sched/in_place.c does it, once its conditions hold: whoever takes the child's entry has it. */
weft_task_t *weft__run_in_place(weft_task_t *child) {
  weft_task_t *parent = weft__current_task();
  if (parent == NULL || weft__word_phase(atom_load(&child->future.word, relaxed)) != WEFT__NEW) return NULL;
  if (!take_fresh(child)) return NULL;
  model_note("runs the child in place");
  current_of[model_self()] = child;
  atom_store(&parent->waiting_on, &child->future, release);
  weft__task_run_for(child, parent, &child->future);
  current_of[model_self()] = parent;
  return parent;
}
bool weft__loop_refuses_tasks(const weft_loop_t *loop) {
  (void)loop;
  return false;
}
bool weft__loop_counts_hops(const weft_loop_t *loop) {
  (void)loop;
  return false;
}
weft_strand_t *weft__callback_strand(weft_loop_t *loop) {
  MODEL_CHECK(loop == model_loop);
  return NULL;
}
#ifndef MODEL_FORKS
void weft__forks_ask(weft_task_t *task) { (void)task; }
#endif
void weft__strand_unref(weft_strand_t *strand) { (void)strand; }
bool weft__strand_moves(const weft_strand_t *strand) { return strand != NULL; }
void weft__strand_requeue(weft_strand_t *strand, weft__item_t *item) {
  model_fail("no strands: %p %p", (void *)strand, (void *)item);
}
void weft_contextvars_unref(weft_contextvars_t *context) { (void)context; }
void weft__locals_drop(weft_task_t *task) { (void)task; }
void weft__task_memory_give(weft_task_t *task) { weft__free(task, sizeof(model_task_t)); }
void weft__registry_remove(weft_loop_t *loop, weft_task_t *task) {
  (void)loop;
  (void)task;
}
void weft__base_error(weft_loop_t *loop, weft__record_t *record) {
  (void)loop;
  (void)record;
}
void weft__report(weft_loop_t *loop, const char *message, const weft_error_t *error, weft_future_t *future,
                  weft_task_t *task) {
  (void)loop;
  (void)message;
  (void)error;
  (void)future;
  (void)task;
}

/* What current_error.c keeps for threads that run no task. */
static void *thread_value[MODEL_THREADS + 1];
void weft__once(weft__once_t *flag, void (*fn)(void)) {
  (void)flag;
  fn();
}
int weft__tss_create(weft__tss_t *key, void (*destructor)(void *)) {
  (void)key;
  (void)destructor;
  return 0;
}
void *weft__tss_get(weft__tss_t key) {
  (void)key;
  return thread_value[model_self()];
}
void weft__tss_set(weft__tss_t key, void *value) {
  (void)key;
  thread_value[model_self()] = value;
}

/* ---- tasks ------------------------------------------------------------------------------------------------------------- */

/* Made and queued, as create_task leaves it: one reference is the caller's, one the runtime's. */
static weft_task_t *model_create(int (*entry)(void *arguments)) {
  model_task_t *self = weft__alloc_zero(sizeof *self);
  weft_task_t *task = (weft_task_t *)(void *)self->task;
  atom_init(&task->future.word, 2 * WEFT__W_REFERENCE);
  task->future.loop = model_loop;
  weft__list_init(&task->future.nodes);
  task->future.kind = WEFT__KIND_TASK;
  task->future.value_size = sizeof(int);
  task->entry = entry;
  task->args_size = 0;
  atom_init(&self->fresh, 1);
  atom_init(&self->queued, 0);
  return task;
}

/* The body of a task's thread: from its first step to its end, unless its parent takes it. */
static void model_run_task(weft_task_t *task) {
  if (!take_fresh(task)) return; /* somebody runs it in place */
  current_of[model_self()] = task;
  weft__task_run(task);
  current_of[model_self()] = NULL; /* the task may be gone */
}

static void model_reset_tasks(void) {
  memset(current_of, 0, sizeof current_of);
  memset(thread_value, 0, sizeof thread_value);
}

#endif
