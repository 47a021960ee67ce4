/* locals.h: a task's own storage, for its end. */
#ifndef WEFT_TASK_LOCALS_H
#define WEFT_TASK_LOCALS_H

#include "task/task.h"

typedef struct weft__locals weft__locals_t;

/* By the task itself, at its end: drops what is set, also what that sets. */
void weft__locals_drop(weft_task_t *task);

#endif
