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
  weft__wait_t *wait;
  bool keeps_cancel; /* what it waits for did not take the pending cancellation: delivered when the wait ends */
  bool again;
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
  struct parking parking = {.task = task, .lock = lock};
  weft__before_suspend(task);
  weft__park(after_wait_park, &parking);
  return weft__word_resume(&task->future.word) ? weft__task_deliver_cancel(task) : 0;
}

static bool claim(weft__wait_t *wait, enum weft__phase to) {
  weft_task_t *task = wait->task; /* read before the claim: afterwards the frame may go */
  wait->woken = true;
  if (!weft__word_wake(&task->future.word, to)) return false;
  if (to == WEFT__HOP)
    weft__schedule_hop(task);
  else
    weft__schedule_task(task);
  return true;
}

bool weft__wait_wake(weft__wait_t *wait) { return claim(wait, WEFT__READY); }

bool weft__wait_wake_by_timer(weft__wait_t *wait) {
  return claim(wait, weft__loop_counts_hops(wait->task->future.loop) ? WEFT__HOP : WEFT__READY);
}

/* ---- waiting for a future -------------------------------------------------------------------------------------------- */

/* The future's LOCK is held. A cancellation that came after the task looked is not for this hook to pass on, which would
 * race with the future's end: the task goes back and does it itself, before it is in the list again. */
static void after_future_park(void *argument) {
  struct parking *frame = argument; /* in the task's frame: alive until the task can be claimed */
  weft_task_t *task = frame->task;
  weft_future_t *future = frame->future;
  weft__word_t *word = &task->future.word;
  /* release: what it points to, for a canceller that finds the task still RUNNING. The swap below orders the rest. */
  atom_store(&task->waiting_on, future, release);
  for (;;) {
    uint64_t value = weft__word_unlocked(word);
    if (weft__unlikely((value & WEFT__W_MUST_CANCEL) && !frame->keeps_cancel)) {
      weft__list_unlink(&frame->wait->node.link);
      atom_store(&task->waiting_on, NULL, relaxed);
      frame->again = true;
      weft__word_yield(word); /* READY, in no list: ours to queue */
      weft__word_unlock(&future->word, 0, 0);
      weft__schedule_task(task);
      return;
    }
    if (atom_cas_weak(word, &value, weft__word_with_phase(value, WEFT__WAITING), acq_rel, relaxed)) break;
  }
  weft__word_unlock(&future->word, 0, WEFT__W_NODES);
}

bool weft__task_pass_on_cancel(weft_task_t *task, weft_future_t *future) {
  weft__word_t *word = &task->future.word;
  weft__word_lock(word);
  weft__record_t *reason = task->cancel_reason;
  task->cancel_reason = NULL;
  weft__word_unlock(word, WEFT__W_MUST_CANCEL, 0);
  bool asked = weft__future_cancel(future, reason);
  if (!asked) {
    weft__word_lock(word);
    if (task->cancel_reason == NULL) {
      task->cancel_reason = reason;
      reason = NULL;
    }
    weft__word_unlock(word, 0, WEFT__W_MUST_CANCEL);
  }
  weft__record_unref(reason);
  return asked;
}

/* A cancellation that arrives after the future itself was cancelled adds nothing: the future's error, with its words, is
 * on its way already. */
static int after_future_wait(weft_task_t *task, weft_future_t *future) {
  atom_store(&task->waiting_on, NULL, relaxed); /* nobody reads it of a READY task; ordered by the swap to RUNNING */
  if (!weft__word_resume(&task->future.word)) return 0;
  int rc = weft__task_deliver_cancel(task);
  return weft_future_cancelled(future) ? 0 : rc;
}

int weft__future_wait(weft_future_t *future, const char *what) {
  weft_task_t *task = weft__suspending_task();
  if (weft__unlikely(task == NULL)) return weft__check_suspend(what);
  if (future == &task->future)
    return weft_fail(WEFT_RUNTIME, "Task cannot await on itself: %s", weft_task_get_name(task));
  if (future->loop != task->future.loop)
    return weft_fail(WEFT_RUNTIME, "Task %s got a future attached to a different loop", weft_task_get_name(task));
  weft__before_suspend(task);
  weft__wait_t wait;
  weft__wait_init(&wait);
  struct parking parking = {.task = task, .future = future, .wait = &wait};
  do {
    if (weft__unlikely(atom_load(&task->future.word, relaxed) & WEFT__W_MUST_CANCEL)) {
      if (weft__future_done(future)) return 0;
      parking.keeps_cancel = !weft__task_pass_on_cancel(task, future);
      if (!parking.keeps_cancel &&
          weft__future_done(future)) { /* cancelled by us: asyncio's wake-up is one pass away */
        weft__requeue();
        return after_future_wait(task, future);
      }
    }
    uint64_t word;
    do {
      word = weft__word_unlocked(&future->word);
      if (weft__word_outcome(word) != WEFT__PENDING) return 0;
    } while (!atom_cas_weak(&future->word, &word, word | WEFT__W_LOCK, acquire, relaxed));
    weft__list_push_back(&future->nodes, &wait.node.link);
    parking.again = false;
    weft__park(after_future_park, &parking);
    if (weft__unlikely(parking.again)) weft__word_stop_waiting(&task->future.word);
  } while (weft__unlikely(parking.again));
  return after_future_wait(task, future);
}

bool weft__future_drop_wait(weft_future_t *future, const weft_task_t *task) {
  for (weft__link_t *link = future->nodes.head.next; link != &future->nodes.head; link = link->next) {
    weft__node_t *node = weft__container_of(link, weft__node_t, link);
    if (node->kind != WEFT__NODE_WAIT || weft__container_of(node, weft__wait_t, node)->task != task) continue;
    weft__list_unlink(link);
    return true;
  }
  return false;
}

void weft__future_forget_waits(weft_future_t *future) {
  weft__link_t *next;
  for (weft__link_t *link = future->nodes.head.next; link != &future->nodes.head; link = next) {
    next = link->next;
    weft__node_t *node = weft__container_of(link, weft__node_t, link);
    if (node->kind != WEFT__NODE_WAIT) continue;
    weft_task_t *task = weft__container_of(node, weft__wait_t, node)->task;
    weft__list_unlink(link);
    weft__word_lock(&task->future.word); /* a canceller may be about to go on to us */
    atom_store(&task->waiting_on, NULL, relaxed);
    weft__word_unlock(&task->future.word, 0, 0);
  }
}

static void after_settle_park(void *argument) {
  weft_task_t *task = argument;
  weft__word_yield(&task->future.word);
  weft__post(task->future.loop, &task->item, weft__callback_strand(task->future.loop)); /* which passes it on */
}

/* A child that was run in place: its parent is RUNNING as before, unless a cancellation came or it had to queue. */
static inline int wait_for(weft_future_t *future, const char *what) {
  weft_task_t *task =
      future->kind == WEFT__KIND_TASK ? weft__run_in_place(weft__container_of(future, weft_task_t, future)) : NULL;
  if (task == NULL) return weft__future_wait(future, what);
  uint64_t word = weft__word_unlocked(&task->future.word);
  if (weft__likely(weft__word_phase(word) == WEFT__RUNNING && !(word & WEFT__W_MUST_CANCEL))) return 0;
  return after_future_wait(task, future);
}

int weft__future_settle(weft_future_t *future, const char *what) {
  if (!weft__future_done(future)) {
    int rc = wait_for(future, what);
    if (rc < 0) return rc;
  }
  weft_strand_t *callbacks = weft__callback_strand(future->loop);
  if (weft__likely(callbacks == NULL || atom_load(&future->callbacks, acquire) == 0)) return 0;
  weft_task_t *task = weft__current_task();
  if (task == NULL) return 0;
  if (task->strand == callbacks) return 0; /* serial: asyncio's order holds by itself */
  weft__park(after_settle_park, task);
  weft__word_stop_waiting(&task->future.word); /* no suspension of asyncio's: what was asked meanwhile stays pending */
  return 0;
}
