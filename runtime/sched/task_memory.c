/* task_memory.c: the memory of tasks, kept by the worker that freed them for those that it creates next. Two sizes, each with
 * a list of its own, linked through the first word. */
#include "sched/task_memory.h"

#include "base/alloc.h"

/* Where mistakes are looked for every task has memory of its own, so that a stale handle is seen. */
#if defined WEFT_DEBUG_CHECKS || defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
static bool may_keep(const weft__worker_t *worker, unsigned class) {
  (void)worker, (void)class;
  return false;
}
#else
enum { FREE_TASKS_MAX = 512 };
static bool may_keep(const weft__worker_t *worker, unsigned class) {
  return worker != NULL && worker->free_task_count[class] < FREE_TASKS_MAX;
}
#endif

static size_t bytes_of(unsigned class) { return class == WEFT__TASK_CLASS_SMALL ? WEFT__TASK_SMALL : WEFT__TASK_LARGE; }

WEFT__NOINLINE weft_task_t *weft__task_memory_new(unsigned class) { return weft__alloc(bytes_of(class)); }

void weft__task_memory_give(weft_task_t *task) {
  weft__worker_t *worker = weft__worker();
  unsigned class = weft__task_class(task->args_size, task->ending);
  if (weft__unlikely(!may_keep(worker, class))) {
    weft__free(task, bytes_of(class));
    return;
  }
  weft__free_task_t *node = (weft__free_task_t *)(void *)task;
  node->next = worker->free_tasks[class];
  worker->free_tasks[class] = node;
  worker->free_task_count[class]++;
}

void weft__task_memory_rest(weft__worker_t *worker) {
  for (unsigned class = 0; class < WEFT__TASK_CLASSES; class ++) {
    weft__free_task_t *node;
    while ((node = worker->free_tasks[class]) != NULL) {
      worker->free_tasks[class] = node->next;
      weft__free(node, bytes_of(class));
    }
    worker->free_task_count[class] = 0;
  }
}
