/* task_memory.c: the memory of tasks, kept by the worker that freed them for those that it creates next. */
#include "base/alloc.h"
#include "sched/loop.h"

/* Where mistakes are looked for every task has memory of its own, so that a stale handle is seen. */
#if defined WEFT_DEBUG_CHECKS || defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
static bool may_keep(const weft__worker_t *worker) {
  (void)worker;
  return false;
}
#else
enum { FREE_TASKS_MAX = 512 };
static bool may_keep(const weft__worker_t *worker) {
  return worker != NULL && worker->free_task_count < FREE_TASKS_MAX;
}
#endif

weft_task_t *weft__task_memory_take(void) {
  weft__worker_t *worker = weft__worker();
  if (worker == NULL || worker->free_tasks == NULL) return weft__alloc(sizeof(weft_task_t));
  weft_task_t *task = worker->free_tasks;
  worker->free_tasks = (weft_task_t *)(void *)task->waiting_on;
  worker->free_task_count--;
  return task;
}

void weft__task_memory_give(weft_task_t *task) {
  weft__worker_t *worker = weft__worker();
  if (!may_keep(worker)) {
    weft__free(task, sizeof *task);
    return;
  }
  task->waiting_on = (weft_future_t *)(void *)worker->free_tasks;
  worker->free_tasks = task;
  worker->free_task_count++;
}
