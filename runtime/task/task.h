/* task.h: the inside of a task: a future whose value is its status, a call, and where it stands. */
#ifndef WEFT_TASK_TASK_H
#define WEFT_TASK_TASK_H

#include <weft/call.h>
#include <weft/contextvars.h>
#include <weft/tasks.h>

#include "fiber/fiber.h"
#include "task/future.h"

enum { WEFT__TASK_STACK_MIN = 8 * 1024, WEFT__SHIELD_LEVELS = 8 };

/* Where a future that is no task has its value and its hooks. */
enum { WEFT__TASK_OWN = offsetof(weft_future_t, value) + sizeof(int) };

/* Two sizes, by what the call carries: 256 bytes, which are four cache lines, and 320. */
struct weft_task {
  union {
    weft_future_t future; /* first: a task is a future */
    struct {
      unsigned char future_[WEFT__TASK_OWN]; /* of it: what is before value, and value.status */
      /* ---- written at the creation ---- */
      uint16_t pinned;        /* 0 any worker, n: the n-th only */
      uint8_t registry_shard; /* see sched/registry.c */
      bool hop_queued;        /* in a strand: the entry is a hop's; under the strand's lock */
      weft__item_t item;
      weft__link_t registry;
      int (*entry)(void *args); /* the call: its function, ... */
      const char *call_name;
      uint8_t args_size;    /* ... and what args holds of it */
      uint8_t ending;       /* enum weft__ending; unless it is NONE a weft__task_ending_t lies behind the arguments */
      uint8_t shields;      /* shielded scopes it is in; written by the task, under LOCK */
      bool background;      /* of the class that waits for the others: sched/priorities.c */
      uint32_t stack_pages; /* of 4 KiB; 0: the loop's size */
      uint64_t number;      /* of the default name */
      /* ---- zero at first ---- */
      weft__fiber_t *fiber; /* its context while WAITING, READY or HOP; written by the worker it ran on */
      /* What cancel() passes on to; NULL for a plain wait. Written by the task's fiber, read under LOCK: see cancel.c. */
      _Atomic(weft_future_t *) waiting_on;
      weft__record_t *record;                    /* last error raised in it; the task's own, owned */
      weft_strand_t *strand;                     /* owned reference or NULL */
      weft_contextvars_t *context;               /* owned reference or NULL: empty */
      struct weft__locals *locals;               /* see locals.c; NULL: none. The task's own */
      char *name;                                /* allocated; NULL: Task-<number>, of which no text was made yet */
      const void *created_at;                    /* return address of create_task */
      void *scope;                               /* innermost level-triggered scope, owned by sync/scopes */
      void (*before_suspend)(weft_task_t *task); /* of level-triggered scopes; NULL: none, or they have to keep quiet */
      weft__record_t *cancel_reason;             /* of the undelivered request; under LOCK, owned, NULL: no message */
      const void *cancel_tag; /* under LOCK, while MUST_CANCEL is set: the scope that alone asked for it, or NULL */
      /* Under LOCK: requests from outside of the n-th shield, kept until it ends. */
      uint8_t deferred[WEFT__SHIELD_LEVELS];
      int cancelling; /* requests so far; under LOCK */
    };
  };
  /* As many bytes as the call has. */
  _Alignas(16) unsigned char args[];
};

/* Internal: what a task calls at its end, in its own frame: BEFORE its outcome is published, or AFTER, when the task is
 * alive only by a reference of the hook's own. */
enum weft__ending { WEFT__ENDING_NONE, WEFT__ENDING_BEFORE, WEFT__ENDING_AFTER };
typedef struct weft__task_ending {
  void (*fn)(weft_task_t *task);
  void *data;
} weft__task_ending_t;

enum { WEFT__TASK_SMALL_ARGS = 16, WEFT__TASK_SMALL = 256, WEFT__TASK_LARGE = 320 };
_Static_assert(offsetof(weft_task_t, fiber) == 128, "the first two cache lines are what every task writes");
_Static_assert(offsetof(weft_task_t, args) + WEFT__TASK_SMALL_ARGS == WEFT__TASK_SMALL, "no byte is lost");
_Static_assert(offsetof(weft_task_t, args) + WEFT_CALL_BYTES + sizeof(weft__task_ending_t) == WEFT__TASK_LARGE,
               "nor here");

/* Which of the two it is. */
static inline size_t weft__task_bytes(size_t args_size, unsigned ending) {
  return args_size <= WEFT__TASK_SMALL_ARGS && ending == 0 ? WEFT__TASK_SMALL : WEFT__TASK_LARGE;
}
/* Only where `ending` says that there is one. */
static inline weft__task_ending_t *weft__task_ending(weft_task_t *task) {
  return (weft__task_ending_t *)(void *)(task->args + WEFT_CALL_BYTES);
}
/* 0: the loop's. */
static inline size_t weft__task_stack_size(const weft_task_t *task) {
  return weft__likely(task->stack_pages != UINT32_MAX) ? (size_t)task->stack_pages * 4096 : SIZE_MAX / 2;
}

static inline weft_task_t *weft__task_of_future(weft_future_t *future) {
  WEFT__DEBUG_ASSERT(future->kind == WEFT__KIND_TASK);
  return weft__container_of(future, weft_task_t, future);
}
static inline weft_task_t *weft__task_of_item(weft__item_t *item) {
  return weft__container_of(item, weft_task_t, item);
}

/* create_task on a loop, whatever its task factory says. */
weft_task_t *weft__create_task_plain(weft_loop_t *loop, weft_call_t call, const weft_task_options_t *options);
/* In a task: a task with a hook at its end; no task factory is asked. */
weft_task_t *weft__create_task_ending(const weft_call_t *call, enum weft__ending when, void (*fn)(weft_task_t *task),
                                      void *data);
/* Runs a NEW task from start to finish on the caller's stack. Called by the scheduler on a fiber. */
void weft__task_run(weft_task_t *task);
/* The same for a child in place of `parent`, which awaits `awaited` (the child, or what stands for it and others), is RUNNING
 * and has us in its frame. The parent's word afterwards, nobody holding its LOCK. See sched/in_place.c. */
uint64_t weft__task_run_for(weft_task_t *task, weft_task_t *parent, weft_future_t *awaited);
/* By a task that is about to wait: a pending cancellation goes to what it waits for, as asyncio's does. False: that did
 * not take it, and it stays with the task. */
bool weft__task_pass_on_cancel(weft_task_t *task, weft_future_t *future);
/* The task's name as text of its own, without asking for memory, when it has no name: for reports in a bad hour. */
const char *weft__task_describe(const weft_task_t *task, char text[], size_t size);
/* The name, cut to size - 1; also while another thread renames it. */
void weft__task_copy_name(weft_task_t *task, char *name, size_t size);
/* Ends a NEW task, the current one, that cannot be started. */
void weft__task_fail_start(weft_task_t *task, int code);
/* For a loop that is being closed: a suspended task is READY from now on, which keeps completions from queueing it, and in no
 * future's list: its frame will be gone, and the future may live on. */
void weft__task_stop_waiting(weft_task_t *task);
/* Ends a NEW task that will never run (loop closed): outcome cancelled, without queueing anything twice. */
void weft__task_abandon(weft_task_t *task);
/* The last reference is gone: called by futures.c, which has dropped what futures hold. */
void weft__task_free(weft_task_t *task);
/* cancel(): see cancel.c. reason is borrowed, NULL: no message. count: it is a new request. tag: of the scope that asks.
 * inside: so many of the task's shields stand around who asks; those beyond keep the request from the task. */
bool weft__task_request_cancel_as(weft_task_t *task, weft__record_t *reason, bool count, const void *tag,
                                  unsigned inside);
static inline bool weft__task_request_cancel(weft_task_t *task, weft__record_t *reason, bool count) {
  return weft__task_request_cancel_as(task, reason, count, NULL, 0);
}
/* cancelling(), for a scope that is being entered and will compare. A request that came from another thread and is not
 * delivered yet does not count: it is going to strike inside the scope, and is not the scope's own. (With one worker only
 * the task itself can have left one, and asyncio counts it.) */
int weft__task_cancelling_at_entry(weft_task_t *task);
/* uncancel() by a scope: also takes back a request that is not delivered yet, if it is the scope's (its tag) alone.
 * Answers what is left without those that a shield keeps away. */
int weft__task_uncancel_as(weft_task_t *task, const void *tag);
/* Such requests as were not taken back, without those that a shield keeps away. */
int weft__task_requests(weft_task_t *task);
/* The same without counting: the request was not a counted one. */
void weft__task_withdraw(weft_task_t *task, const void *tag);
/* By the task: from now on requests from outside wait until the shield's end. */
void weft__task_shield(weft_task_t *task);
void weft__task_unshield(weft_task_t *task);

/* By a task that is about to suspend: a level-triggered scope that is cancelled asks again. */
static inline void weft__before_suspend(weft_task_t *task) {
  if (weft__unlikely(task->before_suspend != NULL)) task->before_suspend(task);
}
/* Around a wait that goes on whatever is asked of the task: such scopes keep quiet, lest it never sleeps. */
typedef void (*weft__hush_t)(weft_task_t *task);
static inline weft__hush_t weft__hush(weft_task_t *task) {
  weft__hush_t hushed = task->before_suspend;
  task->before_suspend = NULL;
  return hushed;
}
static inline void weft__unhush(weft_task_t *task, weft__hush_t hushed) { task->before_suspend = hushed; }

static inline bool weft__task_cancel(weft_task_t *task, weft__record_t *reason) {
  return weft__task_request_cancel(task, reason, true);
}
/* A wait ended by a cancellation: makes its reason the current record; answers WEFT_CANCELLED. By the task itself. */
int weft__task_deliver_cancel(weft_task_t *task);

#endif
