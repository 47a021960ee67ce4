/* contextvars.h: the current context, and how contexts pass to new tasks, callbacks and jobs.
 *
 * A weft_contextvars_t is one of two things behind one reference count:
 *   values   an immutable table of (variable, value), shared freely. What a task or callback inherits is a reference to
 *            its creator's table: no memory is asked for. Setting a variable makes a new table, or changes the table in
 *            place if nobody else holds it.
 *   context  what weft_contextvars_copy answers: a place that several may run in, holding a table; under its lock.
 * NULL is the empty table. The current context is the current task's (weft_task.context, touched by the task alone), else
 * what this thread entered (callbacks, pool jobs). */
#ifndef WEFT_TASK_CONTEXTVARS_H
#define WEFT_TASK_CONTEXTVARS_H

#include <weft/contextvars.h>

/* What a task, callback or job created here and now starts with: owned, NULL when empty. Never fails. */
weft_contextvars_t *weft__context_of_new_task(void);
weft_contextvars_t *weft__context_ref(
    weft_contextvars_t *context); /* NULL stays NULL; dropped by weft_contextvars_unref */

/* What runs on this thread outside of any task (a callback, a pool job) runs in a context between enter and leave. The
 * frame lies on the caller's stack; frames nest; nothing in between may suspend. */
typedef struct weft__context_frame {
  struct weft__context_frame *outer;
  weft_contextvars_t *context; /* owned by the frame */
} weft__context_frame_t;
void weft__context_enter(weft__context_frame_t *frame, weft_contextvars_t *context); /* consumes the reference */
void weft__context_leave(weft__context_frame_t *frame);

#endif
