/* weft/tasks.h: tasks: calls that run beside their creator. */
#ifndef WEFT_TASKS_H
#define WEFT_TASKS_H
#include <weft/call.h>
#include <weft/error.h>
#ifdef __cplusplus
extern "C" {
#endif

/* all zero: the defaults. worker: 0 any, n pins to the n-th; context NULL: a copy of the creator's */
typedef struct weft_task_options {
  const char *name;
  size_t stack_size;
  weft_strand_t *strand;
  weft_contextvars_t *context;
  unsigned worker;
  int priority;
  bool eager;
} weft_task_options_t;

/* owned; NULL without memory; inherits strand and context */
WEFT_API WEFT_NODISCARD weft_task_t *weft_create_task(weft_call_t call);
WEFT_API WEFT_NODISCARD weft_task_t *weft_create_task_with(weft_call_t call, const weft_task_options_t *options);
/* [A] asyncio's run_coroutine_threadsafe */
WEFT_API WEFT_NODISCARD weft_task_t *weft_loop_create_task(weft_loop_t *loop, weft_call_t call);
/* [S] a coroutine object in this task: what a plain call does */
WEFT_API WEFT_NODISCARD int weft_await_call(weft_call_t call);
/* [S] borrows; its status; cancelling the waiter cancels the task */
WEFT_API WEFT_NODISCARD int weft_await(weft_task_t *task);
WEFT_ASYNC_TWIN_1(weft_await, weft_task_t *);
/* [S] await + release; NULL answers -ENOMEM */
WEFT_API WEFT_NODISCARD int weft_join(weft_task_t *task);
WEFT_ASYNC_TWIN_1(weft_join, weft_task_t *);
/* [S] the task's own status, also when the joiner is cancelled */
WEFT_API WEFT_NODISCARD int weft_join_status(weft_task_t *task, int *status);
WEFT_ASYNC_TWIN_2(weft_join_status, weft_task_t *, int *);
/* [A] release; it runs on by itself */
WEFT_API void weft_detach(weft_task_t *task);
/* [A] */
WEFT_API weft_task_t *weft_task_ref(weft_task_t *task);
/* [A] the pair of ref; detach is for the owner */
WEFT_API void weft_task_unref(weft_task_t *task);
/* [A] false: it was done already */
WEFT_API bool weft_task_cancel(weft_task_t *task, const char *message);
WEFT_API int weft_task_cancelling(const weft_task_t *task);
WEFT_API int weft_task_uncancel(weft_task_t *task);
/* [A] */
WEFT_API bool weft_task_done(const weft_task_t *task);
/* [A] */
WEFT_API bool weft_task_cancelled(const weft_task_t *task);
/* [A] WEFT_INVALID_STATE while pending */
WEFT_API int weft_task_result(weft_task_t *task);
/* NULL when it ended well */
WEFT_API const weft_error_t *weft_task_error(weft_task_t *task);
/* borrowed; Task-<n> by default */
WEFT_API const char *weft_task_get_name(const weft_task_t *task);
/* copied */
WEFT_API int weft_task_set_name(weft_task_t *task, const char *name);
/* borrowed; NULL in a callback */
WEFT_API weft_task_t *weft_current_task(void);
/* borrowed: a task is a future whose value is its status, an int */
WEFT_API weft_future_t *weft_task_future(weft_task_t *task);
#ifdef __cplusplus
}
#endif
#endif
