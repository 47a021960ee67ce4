/* cleanup.c: see cleanup.h. */
#include "run/cleanup.h"

#include <weft/runners.h>

#include "base/alloc.h"
#include "exec/default_pool.h"
#include "run/debug.h"
#include "sched/loop.h"
#include "sync/generators.h"

/* Unfinished tasks, cancelled, a reference each. */
struct batch {
  weft_task_t **tasks;
  size_t size, count;
};

/* Every task but the current one. Empty if there is none, or no memory: closing the loop reports what is left. */
static struct batch cancel_all(weft_loop_t *loop) {
  struct batch batch = {NULL, 0, 0};
  int expected = weft_all_tasks(loop, NULL, 0);
  if (expected <= 0) return batch;
  batch.tasks = weft__alloc((size_t)expected * sizeof *batch.tasks);
  if (batch.tasks == NULL) return batch;
  batch.size = (size_t)expected;
  int found = weft_all_tasks(loop, batch.tasks, batch.size);
  if (found > expected) found = expected;
  weft_task_t *self = weft__current_task();
  for (int i = 0; i < found; i++) {
    weft_task_t *task = batch.tasks[i];
    if (task == self) {
      weft_task_unref(task);
      continue;
    }
    weft_task_cancel(task, NULL);
    batch.tasks[batch.count++] = task;
  }
  return batch;
}

/* Waits for them, reports what they fail with, releases. */
static void await_all(weft_loop_t *loop, struct batch *batch) {
  for (size_t i = 0; i < batch->count; i++)
    while (!weft__future_done(&batch->tasks[i]->future))
      weft_ignore(weft__future_wait(&batch->tasks[i]->future, "the run's clean-up"));
  for (size_t i = 0; i < batch->count; i++) {
    weft_task_t *task = batch->tasks[i];
    if (weft__word_outcome(atom_load(&task->future.word, acquire)) != WEFT__ERROR) continue;
    weft__word_set(&task->future.word, WEFT__W_RETRIEVED);
    weft__report_context(loop, "unhandled exception during asyncio.run() shutdown", &task->future.error->error, NULL,
                         NULL, task);
  }
}

static void release(struct batch *batch) {
  for (size_t i = 0; i < batch->count; i++) weft_task_unref(batch->tasks[i]);
  if (batch->tasks != NULL) weft__free(batch->tasks, batch->size * sizeof *batch->tasks);
  *batch = (struct batch){NULL, 0, 0};
}

/* first: cancelled before this task was made, as asyncio does: they are queued before it. */
static WEFT_ASYNC(clean_up, weft_loop_t *, struct batch *);
static int clean_up(weft_loop_t *loop, struct batch *first) {
  await_all(loop, first);
  for (;;) { /* tasks that were made while others were being cancelled */
    struct batch more = cancel_all(loop);
    size_t count = more.count;
    await_all(loop, &more);
    release(&more);
    if (count == 0) break;
  }
  weft__generators_shutdown(loop);
  return 0;
}

void weft__cleanup_run(weft_loop_t *loop) {
  struct batch first = cancel_all(loop);
  /* A task that answers its cancellation by WEFT_EXIT stops the loop; the rest is still to be awaited. Each time one task
   * fewer is left. (WEFT_INTERRUPT may be the user's second Ctrl-C: that one is in a hurry.) */
  while (weft_loop_run_until_complete(loop, clean_up_async(loop, &first)) == WEFT_EXIT) {
  }
  release(&first);
  /* Jobs may still hand callbacks and tasks to the loop: it runs while they end. */
  if (weft__default_pool_used(loop))
    weft_ignore(weft_loop_run_until_complete(loop, weft_loop_shutdown_default_executor_async(loop)));
}

void weft__cleanup_pool(weft_loop_t *loop) { weft__default_pool_close(loop); }
