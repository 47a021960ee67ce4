/* registry.c: the unfinished tasks of a loop, in shards so that workers seldom meet at a lock. */
#include <weft/events.h>

#include <errno.h>

#include "sched/loop.h"

void weft__registry_add(weft_loop_t *loop, weft_task_t *task) {
  weft__worker_t *worker = weft__worker();
  task->registry_shard = worker != NULL ? worker->index % WEFT__SHARDS : 0;
  weft__shard_t *shard = &loop->shards[task->registry_shard];
  weft__spin_lock(&shard->lock);
  weft__list_push_back(&shard->tasks, &task->registry);
  weft__spin_unlock(&shard->lock);
}

void weft__registry_remove(weft_loop_t *loop, weft_task_t *task) {
  weft__shard_t *shard = &loop->shards[task->registry_shard];
  weft__spin_lock(&shard->lock);
  weft__list_unlink(&task->registry);
  weft__spin_unlock(&shard->lock);
}

int weft_all_tasks(const weft_loop_t *loop, weft_task_t *tasks[], size_t size) {
  if (loop == NULL || (tasks == NULL && size > 0)) return weft_fail(-EINVAL, "weft_all_tasks: no loop or no array");
  size_t count = 0;
  for (unsigned i = 0; i < WEFT__SHARDS; i++) {
    weft__shard_t *shard = (weft__shard_t *)&loop->shards[i]; /* its lock is not part of what const promises */
    weft__spin_lock(&shard->lock);
    for (weft__link_t *link = shard->tasks.head.next; link != &shard->tasks.head; link = link->next) {
      weft_task_t *task = weft__container_of(link, weft_task_t, registry);
      /* In the registry means unfinished: the runtime's reference is still there, so one may be added. */
      if (count < size) tasks[count] = weft_task_ref(task);
      count++;
    }
    weft__spin_unlock(&shard->lock);
  }
  return (int)count;
}
