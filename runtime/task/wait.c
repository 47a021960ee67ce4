/* wait.c: parking the current task; see wait.h for the protocol. */
#include "task/wait.h"

#include <limits.h>

#include "task/task.h"

void weft__wait_init(weft__wait_t *wait) {
  weft__link_init(&wait->node.link);
  wait->node.kind = WEFT__NODE_WAIT;
  wait->task = weft__current_task();
  wait->woken = false;
}

struct parking {
  weft_task_t *task;
  weft__spin_t *lock;
  weft_future_t *future;
};

/* On another stack, the task's context being saved. The parking record lies in the task's frame: nothing of it may be read
 * once the task can be claimed and its waker can see it, hence the copies. */
static void after_wait_park(void *argument) {
  struct parking parking = *(struct parking *)argument;
  uint64_t old = weft__word_park(&parking.task->future.word, true);
  /* With CANCELLED set the phase is READY: nobody else can claim the task, it is ours to queue. */
  if (parking.lock != NULL) weft__spin_unlock(parking.lock);
  if (old & WEFT__W_MUST_CANCEL) weft__schedule_task(parking.task);
}

int weft__wait_park(weft__wait_t *wait, weft__spin_t *lock) {
  weft_task_t *task = wait->task;
  struct parking parking = {task, lock, NULL};
  weft__before_suspend(task);
  task->waiting_on = NULL;
  weft__park(after_wait_park, &parking);
  return weft__word_resume(&task->future.word) ? weft__task_deliver_cancel(task) : 0;
}

static bool claim(weft__wait_t *wait, enum weft__phase to) {
  weft_task_t *task = wait->task; /* read before the claim: afterwards the frame may go */
  wait->woken = true;
  if (!weft__word_wake(&task->future.word, to)) return false;
  weft__schedule_task(task);
  return true;
}

bool weft__wait_wake(weft__wait_t *wait) { return claim(wait, WEFT__READY); }

bool weft__wait_wake_by_timer(weft__wait_t *wait) {
  return claim(wait, weft__loop_counts_hops(wait->task->future.loop) ? WEFT__HOP : WEFT__READY);
}

/* ---- waiting for a future -------------------------------------------------------------------------------------------- */

/* The future's LOCK is held. A cancellation that is pending when the task parks goes to what it waits for, as asyncio's
 * does; only if that is done already it stays with the task. */
static void after_future_park(void *argument) {
  struct parking parking = *(struct parking *)argument;
  weft_task_t *task = parking.task;
  /* Once the future's LOCK is free the task may be woken, run and end: what follows needs a reference. Taken on a guess
   * before the park; MUST_CANCEL cannot be set between the park and the unlock unless it passes through F itself. */
  weft__word_ref(&task->future.word);
  uint64_t old = weft__word_park(&task->future.word, false);
  weft__word_unlock(&parking.future->word, 0, WEFT__W_NODES);
  if (weft__unlikely(old & WEFT__W_MUST_CANCEL)) {
    weft__word_lock(&task->future.word);
    weft__record_t *reason = task->cancel_reason;
    task->cancel_reason = NULL;
    weft__word_unlock(&task->future.word, WEFT__W_MUST_CANCEL, 0);
    weft__task_request_cancel_as(task, reason, false, NULL, UINT_MAX);
    weft__record_unref(reason);
  }
  weft_future_unref(&task->future);
}

/* A cancellation that arrives after the future itself was cancelled adds nothing: the future's error, with its words, is
 * on its way already. */
static int after_future_wait(weft_task_t *task, weft_future_t *future) {
  if (!weft__word_resume(&task->future.word)) return 0;
  int rc = weft__task_deliver_cancel(task);
  return weft_future_cancelled(future) ? 0 : rc;
}

int weft__future_wait(weft_future_t *future, const char *what) {
  weft_task_t *task = weft__current_task();
  if (weft__unlikely(task == NULL)) return weft__check_suspend(what);
  if (future == &task->future)
    return weft_fail(WEFT_RUNTIME, "Task cannot await on itself: %s", weft_task_get_name(task));
  if (future->loop != task->future.loop)
    return weft_fail(WEFT_RUNTIME, "Task %s got a future attached to a different loop", weft_task_get_name(task));
  weft__before_suspend(task);
  weft__wait_t wait;
  weft__wait_init(&wait);
  task->waiting_on = future;
  if (future->kind == WEFT__KIND_TASK && weft__run_in_place(task, weft__task_of_future(future)))
    return after_future_wait(task, future);
  uint64_t word;
  do {
    word = weft__word_unlocked(&future->word);
    if (weft__word_outcome(word) != WEFT__PENDING) return 0;
  } while (!atom_cas_weak(&future->word, &word, word | WEFT__W_LOCK, acquire, relaxed));
  weft__list_push_back(&future->nodes, &wait.node.link);
  struct parking parking = {task, NULL, future};
  weft__park(after_future_park, &parking);
  return after_future_wait(task, future);
}

static void after_settle_park(void *argument) {
  weft_task_t *task = argument;
  weft__word_yield(&task->future.word);
  weft__post(task->future.loop, &task->item, weft__callback_strand(task->future.loop)); /* which passes it on */
}

int weft__future_settle(weft_future_t *future, const char *what) {
  if (!weft__future_done(future)) {
    int rc = weft__future_wait(future, what);
    if (rc < 0) return rc;
  }
  weft_task_t *task = weft__current_task();
  if (weft__likely(atom_load(&future->callbacks, acquire) == 0) || task == NULL) return 0;
  if (task->strand == weft__callback_strand(future->loop)) return 0; /* serial: asyncio's order holds by itself */
  weft__park(after_settle_park, task);
  weft__word_stop_waiting(&task->future.word); /* no suspension of asyncio's: what was asked meanwhile stays pending */
  return 0;
}
