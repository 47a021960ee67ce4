/* cleanup.c: see cleanup.h. */
#include "run/cleanup.h"

#include <weft/runners.h>

#include "base/alloc.h"
#include "exec/default_pool.h"
#include "run/debug.h"
#include "sched/loop.h"
#include "sync/generators.h"

/* Cancels every task but the current one, and waits for them. How many there were. */
static size_t cancel_all(weft_loop_t *loop) {
  int count = weft_all_tasks(loop, NULL, 0);
  if (count <= 1) return 0;
  weft_task_t **tasks = weft__alloc((size_t)count * sizeof *tasks);
  if (tasks == NULL) return 0; /* closing the loop reports what is left */
  int found = weft_all_tasks(loop, tasks, (size_t)count);
  if (found > count) found = count;
  weft_task_t *self = weft__current_task();
  size_t others = 0;
  for (int i = 0; i < found; i++) {
    if (tasks[i] == self) continue;
    others++;
    weft_task_cancel(tasks[i], NULL);
  }
  for (int i = 0; i < found; i++) {
    if (tasks[i] == self) continue;
    while (!weft__future_done(&tasks[i]->future))
      weft_ignore(weft__future_wait(&tasks[i]->future, "the run's clean-up"));
  }
  for (int i = 0; i < found; i++) {
    weft_task_t *task = tasks[i];
    if (task != self && weft__word_outcome(atom_load(&task->future.word, acquire)) == WEFT__ERROR) {
      weft__word_set(&task->future.word, WEFT__W_RETRIEVED);
      weft__report_context(loop, "unhandled exception during asyncio.run() shutdown", &task->future.error->error, NULL,
                           NULL, task);
    }
    weft_task_unref(task);
  }
  weft__free(tasks, (size_t)count * sizeof *tasks);
  return others;
}

static WEFT_ASYNC(clean_up, weft_loop_t *);
static int clean_up(weft_loop_t *loop) {
  while (cancel_all(loop) > 0) {
  }
  weft__generators_shutdown(loop);
  return 0;
}

void weft__cleanup_run(weft_loop_t *loop) {
  /* A task that answers its cancellation by WEFT_EXIT stops the loop; the rest is still to be awaited. Each time one task
   * fewer is left. (WEFT_INTERRUPT may be the user's second Ctrl-C: that one is in a hurry.) */
  while (weft_loop_run_until_complete(loop, clean_up_async(loop)) == WEFT_EXIT) {
  }
  /* Jobs may still hand callbacks and tasks to the loop: it runs while they end. */
  if (weft__default_pool_used(loop))
    weft_ignore(weft_loop_run_until_complete(loop, weft_loop_shutdown_default_executor_async(loop)));
}

void weft__cleanup_pool(weft_loop_t *loop) { weft__default_pool_close(loop); }
