/* registry.c: the unfinished tasks of a loop.
 *
 * Several workers: in shards, each under its lock, so that workers seldom meet. One worker: only its thread touches the
 * list, without a lock; a task that a foreign thread creates is not in it before the worker takes it out of the injection
 * queue, where weft_all_tasks finds it. */
#include <errno.h>
#include <weft/events.h>

#include "sched/loop.h"

void weft__registry_add(weft_loop_t *loop, weft_task_t *task) {
  weft__worker_t *worker = weft__worker();
  if (loop->alone) {
    if (worker != NULL && worker->loop == loop) weft__list_push_back(&loop->shards[0].tasks, &task->registry);
    return;
  }
  task->registry_shard = worker != NULL ? worker->index % WEFT__SHARDS : 0;
  weft__shard_t *shard = &loop->shards[task->registry_shard];
  weft__spin_lock(&shard->lock);
  weft__list_push_back(&shard->tasks, &task->registry);
  weft__spin_unlock(&shard->lock);
}

void weft__registry_take_in(weft_loop_t *loop, weft__item_t *item) {
  if (!loop->alone || item->run != NULL) return;
  weft_task_t *task = weft__task_of_item(item);
  if (!weft__link_linked(&task->registry) && !weft__future_done(&task->future))
    weft__list_push_back(&loop->shards[0].tasks, &task->registry);
}

void weft__registry_remove(weft_loop_t *loop, weft_task_t *task) {
  if (loop->alone) {
    weft__list_unlink(&task->registry);
    return;
  }
  weft__shard_t *shard = &loop->shards[task->registry_shard];
  weft__spin_lock(&shard->lock);
  weft__list_unlink(&task->registry);
  weft__spin_unlock(&shard->lock);
}

void weft__registry_visit(weft_loop_t *loop, void (*visit)(weft_task_t *task, void *data), void *data) {
  if (loop->alone && weft_loop_is_running(loop) && weft__current_loop() != loop) return;
  for (unsigned i = 0; i < WEFT__SHARDS; i++) {
    weft__shard_t *shard = &loop->shards[i];
    weft__spin_lock(&shard->lock);
    for (weft__link_t *link = shard->tasks.head.next; link != &shard->tasks.head; link = link->next)
      visit(weft__container_of(link, weft_task_t, registry), data);
    weft__spin_unlock(&shard->lock);
  }
}

struct collection {
  weft_task_t **tasks;
  size_t size, count;
};

static void collect(struct collection *into, weft_task_t *task) {
  /* Unfinished: the runtime's reference is still there, so one may be added. */
  if (into->count < into->size) into->tasks[into->count] = weft_task_ref(task);
  into->count++;
}

static void collect_injected(weft_loop_t *loop, struct collection *into) {
  weft__spin_lock(&loop->inject_lock);
  for (weft__link_t *link = loop->injected.head.next; link != &loop->injected.head; link = link->next) {
    weft__item_t *item = weft__container_of(link, weft__item_t, link);
    if (item->run == NULL && !weft__link_linked(&weft__task_of_item(item)->registry))
      collect(into, weft__task_of_item(item));
  }
  weft__spin_unlock(&loop->inject_lock);
}

int weft_all_tasks(const weft_loop_t *constant, weft_task_t *tasks[], size_t size) {
  weft_loop_t *loop = (weft_loop_t *)constant; /* the locks are not part of what const promises */
  if (loop == NULL || (tasks == NULL && size > 0)) return weft_fail(-EINVAL, "weft_all_tasks: no loop or no array");
  if (loop->alone && weft_loop_is_running(loop) && weft__current_loop() != loop)
    return weft_fail(-EPERM, "weft_all_tasks: the loop runs on another thread, ask there (weft_call_soon)");
  struct collection into = {tasks, size, 0};
  for (unsigned i = 0; i < WEFT__SHARDS; i++) {
    weft__shard_t *shard = &loop->shards[i];
    weft__spin_lock(&shard->lock);
    for (weft__link_t *link = shard->tasks.head.next; link != &shard->tasks.head; link = link->next)
      collect(&into, weft__container_of(link, weft_task_t, registry));
    weft__spin_unlock(&shard->lock);
  }
  if (loop->alone) collect_injected(loop, &into);
  return (int)into.count;
}
