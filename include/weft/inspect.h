/* weft/inspect.h: looking at tasks from outside: where they stand, what they wait for, who waits for them.
 *
 * Everything here may be asked of any task at any moment, by tasks, callbacks and foreign threads; nothing is stopped for
 * it, and what is answered was true at some moment of the call. The stack of a task that *waits* is read as it is: the
 * task cannot be woken before its frames are noted. A task that runs on another worker, or is queued to, has no readable
 * stack: then, as for one that was not started, its outermost frame alone is answered, the coroutine function itself. (A
 * loop of one worker that runs is looked at in depth by its own tasks and callbacks only; there queued tasks can be read
 * too.) Names of functions come from the symbol tables of the program's files: of a stripped program there are only those
 * that it exports. */
#ifndef WEFT_INSPECT_H
#define WEFT_INSPECT_H
#include <stdio.h>
#include <weft/call.h>
#include <weft/tasks.h>
#ifdef __cplusplus
extern "C" {
#endif

/* ---- stacks ---- */

/* One frame of a stack. Filled, owns nothing. */
typedef struct weft_frame {
  const void *address; /* where it goes on; of an outermost frame that stands alone: its function */
  size_t offset;       /* of address in the function, in bytes */
  char function[80];   /* its name, cut if need be; "" if it is not known */
} weft_frame_t;

/* weft_task_get_stack [A], Task.get_stack: the task's frames, oldest first; if there are more than size, the newest ones.
 * frames is filled; NULL with size 0. Answers how many frames there are (the runtime's own are left out, and at most about
 * 200 are looked at); 0: the task has ended. The newest is the call of weft.h in which it waits. -EINVAL, -ENOMEM. */
WEFT_API int weft_task_get_stack(weft_task_t *task, weft_frame_t frames[], size_t size);

/* weft_task_print_stack [A], Task.print_stack: the same as text, most recent call last. limit: as size above, 0: all. file
 * is borrowed; NULL: standard error. 0, -EINVAL, -ENOMEM. */
WEFT_API int weft_task_print_stack(weft_task_t *task, size_t limit, FILE *file);

/* weft_task_created_at [A]: where the task was created: the frame that called create_task. Filled. 0, -EINVAL. */
WEFT_API int weft_task_created_at(const weft_task_t *task, weft_frame_t *frame);

/* weft_task_get_coro [A], Task.get_coro: a copy of the call that it runs, filled. 0, -EINVAL. */
WEFT_API int weft_task_get_coro(const weft_task_t *task, weft_call_t *call);

/* ---- texts ---- */

/* weft_task_repr [A], repr(task): <Task pending name='A' coro=<fetch()> wait_for=<Future pending>>, with the words pending,
 * cancelling, finished, cancelled; what it waits for is told one level deep. text is filled and cut to size, as snprintf
 * does; answers the length of the whole. -EINVAL. */
WEFT_API int weft_task_repr(weft_task_t *task, char *text, size_t size);

/* weft_future_repr [A], repr(future): <Future pending>, <Future finished exception=ValueError('x')>…; of a task's future:
 * weft_task_repr. Otherwise as above. */
WEFT_API int weft_future_repr(weft_future_t *future, char *text, size_t size);

/* ---- who waits for whom ---- */

/* weft_future_task [A], isinstance(future, Task): the task whose future it is, borrowed; NULL: it is no task's. */
WEFT_API weft_task_t *weft_future_task(weft_future_t *future);

/* weft_task_waiting_on [A], Task._fut_waiter: the future or task that it awaits, a reference (weft_future_unref). NULL: it
 * does not wait, or for no future: for time, a lock, a queue, a descriptor, or several futures at once. */
WEFT_API weft_future_t *weft_task_waiting_on(weft_task_t *task);

/* weft_future_awaited_by [A], Future._asyncio_awaited_by: what waits for it to end, in no order: tasks that await
 * it or wait for it among others (wait, as_completed, shield, select, a group's parent), and futures that stand for
 * several (gather's). waiters is filled with up to size of them, a reference each (weft_future_unref); NULL with size 0. Answers how many
 * there are, which may be more. -EINVAL, -ENOMEM. */
WEFT_API int weft_future_awaited_by(weft_future_t *future, weft_future_t *waiters[], size_t size);

/* A future with its stack, if it is a task's, and with what waits for it; asyncio's FutureCallGraph. */
typedef struct weft_call_graph {
  weft_future_t *future;               /* a reference of the graph's */
  size_t depth;                        /* of the stack */
  const weft_frame_t *call_stack;      /* newest first */
  size_t count;                        /* of those that wait for it */
  struct weft_call_graph **awaited_by; /* in no order */
  bool repeated;                       /* met before (a cycle, a common waiter): told there */
} weft_call_graph_t;

/* weft_capture_call_graph [A], capture_call_graph: who waits for the future, who for those, and so on; NULL: for the
 * calling task. limit: frames per stack, the newest ones; 0: none. Each node is a snapshot of its own moment. *graph is
 * filled: owned, ended by weft_call_graph_free. -EINVAL, -ENOMEM; WEFT_RUNTIME: NULL outside a task. */
WEFT_API int weft_capture_call_graph(weft_future_t *future, size_t limit, weft_call_graph_t **graph);

/* weft_call_graph_free [A]: consumed. NULL: nothing. */
WEFT_API void weft_call_graph_free(weft_call_graph_t *graph);

/* weft_format_call_graph [A], format_call_graph: captures, and makes the text that asyncio makes, as snprintf does: text is
 * filled and cut to size, the length of the whole is answered. Errors as capture. */
WEFT_API int weft_format_call_graph(weft_future_t *future, size_t limit, char *text, size_t size);

/* weft_print_call_graph [A], print_call_graph: the same to a file, borrowed; NULL: standard error. 0, or errors as
 * capture. */
WEFT_API int weft_print_call_graph(weft_future_t *future, size_t limit, FILE *file);
#ifdef __cplusplus
}
#endif
#endif
