/* task_memory.h: taking the memory of a task. It is given back by weft__task_memory_give (task/schedule.h). */
#ifndef WEFT_SCHED_TASK_MEMORY_H
#define WEFT_SCHED_TASK_MEMORY_H

#include "sched/loop.h"

static inline unsigned weft__task_class(size_t args_size, unsigned ending) {
  return weft__task_bytes(args_size, ending) == WEFT__TASK_SMALL ? WEFT__TASK_CLASS_SMALL : WEFT__TASK_CLASS_LARGE;
}

/* Past the worker's list; NULL when memory ran out. */
weft_task_t *weft__task_memory_new(weft__worker_t *worker, unsigned class);

/* From this worker's list (worker may be NULL: a foreign thread), else from a slab. */
static inline weft_task_t *weft__task_memory_take(weft__worker_t *worker, unsigned class) {
  weft__free_task_t *node = worker != NULL ? worker->free_tasks[class] : NULL;
  if (weft__unlikely(node == NULL)) return weft__task_memory_new(worker, class);
  worker->free_tasks[class] = node->next;
  worker->free_task_count[class]--;
  return (weft_task_t *)(void *)node;
}

/* After a run: gives back what the worker keeps. */
void weft__task_memory_rest(weft__worker_t *worker);

#endif
