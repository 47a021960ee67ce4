/* weft/tasks.h: tasks: calls that run beside their creator, on any worker.
 *
 * Who creates a task owns it and ends that by exactly one weft_join or weft_detach. The runtime itself holds every
 * unfinished task, so a task never vanishes unheard; the owner's reference keeps handle and status readable. A debug
 * build aborts, naming the task, when a task is joined or detached twice.
 * WEFT_STOP out of a task's body becomes WEFT_RUNTIME with WEFT_STOP as its context (PEP 479). */
#ifndef WEFT_TASKS_H
#define WEFT_TASKS_H
#include <weft/call.h>
#include <weft/error.h>
#ifdef __cplusplus
extern "C" {
#endif

/* Classes of tasks. A ready background task runs when no other one is ready, or once in some sixty steps of a worker, so
 * that it is not starved: a flood of them delays an ordinary task by one step at most. Not inherited. */
enum { WEFT_PRIORITY_LATENCY = 0, WEFT_PRIORITY_BACKGROUND = 1 };

/* All zero: the defaults. Borrowed until the task is created. */
typedef struct weft_task_options {
  const char *name;            /* copied; NULL: Task-<n> */
  size_t stack_size;           /* in bytes; 0: the loop's */
  weft_strand_t *strand;       /* a reference is added; NULL: the creator's */
  weft_contextvars_t *context; /* run in this one, a reference is added; NULL: a copy of the creator's */
  unsigned worker;             /* 0: any; n: pinned to the n-th */
  int priority; /* WEFT_PRIORITY_BACKGROUND: not together with worker or strand; inside an inherited strand
                                  it has no effect */
  bool eager;   /* eager_start: runs at once, in the creator's place, up to its first suspension */
} weft_task_options_t;

/* ---- creating ---- */

/* weft_create_task, create_task: a task that runs the call soon, never at once. It inherits the creator's strand and
 * a copy of its context. Owned. NULL: -ENOMEM, WEFT_RUNTIME (no running loop) or WEFT_TYPE (no call), as the record
 * says. */
WEFT_API WEFT_NODISCARD weft_task_t *weft_create_task(weft_call_t call);

/* weft_create_task_with, create_task(name=, context=, eager_start=): likewise with options; NULL: the defaults. -EINVAL
 * also for a stack too small and for a worker that the loop does not have. */
WEFT_API WEFT_NODISCARD weft_task_t *weft_create_task_with(weft_call_t call, const weft_task_options_t *options);

/* weft_loop_create_task [A], run_coroutine_threadsafe and loop.create_task: a task on that loop, also before it runs.
 * Owned. A foreign thread waits with weft_future_wait_blocking(weft_task_future(task), …) and detaches. */
WEFT_API WEFT_NODISCARD weft_task_t *weft_loop_create_task(weft_loop_t *loop, weft_call_t call);

/* ---- waiting ---- */

/* weft_await_call [S], await coro(): runs the call in this task, as calling its function would; its status. */
WEFT_API WEFT_NODISCARD int weft_await_call(weft_call_t call);

/* weft_await [S], await task: waits for its end; its status, with its record; at once if it has ended. Any number of
 * times and waiters. The task is borrowed, NULL answers -ENOMEM. Cancelling the waiter cancels the task and still waits
 * for its end. WEFT_RUNTIME: a task that awaits itself, or one of another loop. */
WEFT_API WEFT_NODISCARD int weft_await(weft_task_t *task);
WEFT_ASYNC_TWIN_1(weft_await, weft_task_t *);

/* weft_join [S]: weft_await, then releases the task, which is consumed, whatever its status. NULL answers -ENOMEM, so
 * weft_join(weft_create_task(…)) needs no check between. Only a refusal leaves the task as it was: -EPERM outside a
 * task, WEFT_RUNTIME for the task itself or one of another loop. */
WEFT_API WEFT_NODISCARD int weft_join(weft_task_t *task);
WEFT_ASYNC_TWIN_1(weft_join, weft_task_t *);

/* weft_join_status [S]: weft_join that tells whose result it is: *status is filled with the task's own status, also
 * when the joiner is cancelled. Answers 0, or WEFT_CANCELLED when the joiner was cancelled meanwhile and the task
 * gave in. */
WEFT_API WEFT_NODISCARD int weft_join_status(weft_task_t *task, int *status);
WEFT_ASYNC_TWIN_2(weft_join_status, weft_task_t *, int *);

/* weft_detach [A]: gives the task up, consumed; it runs on by itself, and an error that nobody read is reported to the
 * exception handler. What its arguments point to must outlive it. NULL: nothing. */
WEFT_API void weft_detach(weft_task_t *task);

/* ---- references ---- */

/* weft_task_ref [A]: one more owner; the same pointer. For a borrowed task that is to be read after its owner's
 * join. */
WEFT_API weft_task_t *weft_task_ref(weft_task_t *task);

/* weft_task_unref [A]: ends a weft_task_ref (the creator's own reference is ended by join or detach). NULL: nothing. */
WEFT_API void weft_task_unref(weft_task_t *task);

/* ---- cancelling ---- */

/* weft_task_cancel [A], Task.cancel: asks the task to end: the suspending call that it is in, or the next one, answers
 * WEFT_CANCELLED with the message (copied, NULL: none); what it awaits is cancelled first. Before its first step the
 * body never starts. The task may go on regardless. true: the request was recorded; false: it was done already. */
WEFT_API bool weft_task_cancel(weft_task_t *task, const char *message);

/* weft_task_cancelling [A], Task.cancelling: how many requests there were, less those taken back. */
WEFT_API int weft_task_cancelling(const weft_task_t *task);

/* weft_task_uncancel, Task.uncancel: takes one request back, for blocks that cancel their own task; answers how many
 * are left, never below 0. At 0 a request that was not delivered yet is withdrawn (3.13). */
WEFT_API int weft_task_uncancel(weft_task_t *task);

/* ---- reading ---- */

/* weft_task_done [A], Task.done: whether it has ended, also by cancellation. What it wrote is then visible here. */
WEFT_API bool weft_task_done(const weft_task_t *task);

/* weft_task_cancelled [A], Task.cancelled: whether it ended with WEFT_CANCELLED, or with a request never delivered. */
WEFT_API bool weft_task_cancelled(const weft_task_t *task);

/* weft_task_result [A], Task.result: its status; WEFT_INVALID_STATE while it is unfinished. Counts as read. */
WEFT_API int weft_task_result(weft_task_t *task);

/* weft_task_error [A], Task.exception: its record, borrowed as long as the task; NULL when it ended well. Unfinished: a
 * record of WEFT_INVALID_STATE; cancelled: one of WEFT_CANCELLED. Counts as read. */
WEFT_API const weft_error_t *weft_task_error(weft_task_t *task);

/* weft_task_get_name [A], Task.get_name: borrowed until it is renamed or released; Task-<n> by default. */
WEFT_API const char *weft_task_get_name(const weft_task_t *task);

/* weft_task_set_name [A], Task.set_name: name is copied. Not while another thread reads it. 0, -EINVAL for NULL,
 * -ENOMEM. */
WEFT_API int weft_task_set_name(weft_task_t *task, const char *name);

/* weft_current_task [A], current_task: the task that this code runs in; borrowed; NULL in a callback and outside. */
WEFT_API weft_task_t *weft_current_task(void);

/* weft_task_future [A]: the task as a future, whose value is its status, an int; borrowed as long as the task. For
 * wait, shield, as_completed and done callbacks. Setting its result is WEFT_RUNTIME. */
WEFT_API weft_future_t *weft_task_future(weft_task_t *task);
#ifdef __cplusplus
}
#endif
#endif
