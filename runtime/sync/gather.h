/* gather.h: what a gather over calls is made of, for who looks at it from outside (inspect/). Its tasks are not watched by
 * it: they call at their end. */
#ifndef WEFT_SYNC_GATHER_H
#define WEFT_SYNC_GATHER_H

#include "task/task.h"

/* The children of the gather that `future` stands for, *count of them; NULL: it stands for none. The caller has a
 * reference to future, and the gather is waited for. */
weft_future_t *const *weft__gather_children(weft_future_t *future, size_t *count);
/* What a task that is unfinished is a child of; NULL: of none. Under the task's LOCK: until it ends the gather stays. */
weft_future_t *weft__gather_of_child(weft_task_t *task);

#endif
