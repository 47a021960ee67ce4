/* schedule.h: what tasks and futures need of a scheduler. Declared on this floor, implemented one floor up (sched/). */
#ifndef WEFT_TASK_SCHEDULE_H
#define WEFT_TASK_SCHEDULE_H

#include <weft/events.h>

#include "base/base.h"
#include "base/error.h"
#include "base/list.h"

/* Something that can be ready: a task (run is NULL; the item is weft_task.item) or a piece of internal work, which is
 * run on a worker, outside of any task, and must not suspend. An item is in at most one queue at a time. */
typedef struct weft__item {
  weft__link_t link; /* in a strand's queue, the injection queue or a local list; guarded by that queue */
  void (*run)(struct weft__item *item);
} weft__item_t;

/* The task that runs on this thread now; NULL in a callback and on foreign threads. Read it afresh after anything that
 * may suspend. */
weft_task_t *weft__current_task(void);
/* The same, but NULL inside a blocking section too: whoever gets it may suspend. */
weft_task_t *weft__suspending_task(void);
/* The loop whose worker this thread is; NULL on foreign threads. */
weft_loop_t *weft__current_loop(void);
/* 0 if the caller may suspend (it is a task), else -EPERM with words that name `what`. */
int weft__check_suspend(const char *what);

/* Queues a task that somebody won the right to wake (phase READY, HOP or NEW): in its strand, else at the tail of this
 * worker's ready queue; from a foreign thread in the loop's injection queue. Never fails, never suspends, takes no
 * reference: the caller's claim becomes the queue's. */
void weft__schedule_task(weft_task_t *task);
/* The same for a task in phase HOP: its entry is marked. If a cancellation has queued it meanwhile the entry is stale. */
void weft__schedule_hop(weft_task_t *task);
/* The same for a task that was never started: it may take the worker's newest slot. */
void weft__schedule_new(weft_task_t *task);
/* Queues internal work on `loop`: in `strand` if there is one, else as weft__schedule_task does. */
void weft__post(weft_loop_t *loop, weft__item_t *item, weft_strand_t *strand);

/* Leaves the current task's context; once it is saved, after(argument) runs on another stack of this worker, and what it
 * publishes may be resumed anywhere, at once. Returns when the task is run again, perhaps on another thread. */
void weft__park(void (*after)(void *argument), void *argument);

/* Requeues the current task at the tail and goes on with the others; 0 or WEFT_CANCELLED. */
int weft__yield(void);
/* The same without delivering a cancellation: to change the queue that the task belongs to. */
void weft__requeue(void);

/* If `child` is the newest ready task here and rules 8-11 allow it, runs it to its end on the caller's stack and answers
 * the current task, which awaits it: RUNNING, or, if others had to have their turn, READY and resumed. Else NULL. */
weft_task_t *weft__run_in_place(weft_task_t *child);
/* The same for one of several children that the current task awaits together through `awaited`, the oldest ready entry here:
 * true if it was run to its end. The current task goes on RUNNING whatever else is ready. */
__attribute__((nonnull)) bool weft__run_next_in_place(weft_task_t *child, weft_future_t *awaited);
/* With one worker: false if asyncio would now let others run before the current task goes on. */
bool weft__nothing_else_ready(void);

/* A request was left with the task: if it runs, in a tree of forks (sched/fork.h), its next join looks. */
void weft__forks_ask(weft_task_t *task);

/* Starts a NEW task inside the caller, up to its first suspension (asyncio's eager start). */
void weft__run_eagerly(weft_task_t *task);

/* True once the loop is closed. */
bool weft__loop_refuses_tasks(const weft_loop_t *loop);
unsigned weft__loop_workers(const weft_loop_t *loop);
/* Marks this worker as running its loop's task factory. */
void weft__in_factory(bool in);
bool weft__in_factory_now(void);
weft_task_factory_fn weft__loop_task_factory(const weft_loop_t *loop);

/* True if sleeping tasks and other timers take asyncio's extra hop through the ready queue (one worker, serial). */
bool weft__loop_counts_hops(const weft_loop_t *loop);

/* A fresh number for a task's default name. */
uint64_t weft__next_task_number(weft_loop_t *loop);
/* The strand in which the loop's callbacks run one at a time; NULL with one worker, where the ready queue does it. */
weft_strand_t *weft__callback_strand(weft_loop_t *loop);
void weft__strand_ref(weft_strand_t *strand);
void weft__strand_unref(weft_strand_t *strand);
/* True if items of this strand wait in the strand itself (several workers), not in the worker's queue. */
bool weft__strand_moves(const weft_strand_t *strand);
/* Takes a queued item out of its strand and puts it at the tail. */
void weft__strand_requeue(weft_strand_t *strand, weft__item_t *item);

/* Memory of a task, taken by sched/task_memory.c; from any thread. */
void weft__task_memory_give(weft_task_t *task);

/* Registry of unfinished tasks (all_tasks). */
void weft__registry_add(weft_loop_t *loop, weft_task_t *task);
void weft__registry_remove(weft_loop_t *loop, weft_task_t *task);

/* A task ended by WEFT_EXIT or WEFT_INTERRUPT: the run ends with that. record is borrowed. */
void weft__base_error(weft_loop_t *loop, weft__record_t *record);

/* Tells the loop's exception handler. record may be NULL. */
void weft__report(weft_loop_t *loop, const char *message, const weft_error_t *error, weft_future_t *future,
                  weft_task_t *task);

/* The same for an error that a callback returned; fn is its address, for the message. */
void weft__report_callback(weft_loop_t *loop, const void *fn, const weft_error_t *error);

#endif
