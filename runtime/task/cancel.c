/* cancel.c: cancel(), cancelling(), uncancel(), with asyncio's semantics (3.13).
 *
 * A request on a task, under its LOCK, by phase:
 *   done             answers false, changes nothing
 *   NEW, RUNNING,
 *   READY            sets MUST_CANCEL: delivered when it starts, suspends or is resumed
 *   HOP              a sleep that expired, its hop not over: READY with CANCELLED, queued at the tail now
 *   WAITING, plain   READY with CANCELLED, queued: the wait answers WEFT_CANCELLED
 *   WAITING on F, or
 *   RUNNING and F is
 *   a child in place passed on: F.cancel(). If F is done the task is about to go on: MUST_CANCEL
 *   WAITING on F, which waits for the task in turn: the first of that circle that can be woken is, as from a plain wait
 * waiting_on is F from just before the swap that makes the task WAITING until it runs again, and from just before the
 * start to just before the end of a child in place; else NULL. Phases READY and HOP do not tell: a wait may be over.
 * The walk down a chain of awaited tasks is a loop that holds one task's LOCK at a time and a reference to the task it
 * looks at, so its length does not matter. If F turns out to be done when F.cancel() is called, the walk starts again from
 * the top without counting: by then F's waiter has been claimed (claims precede the publication of the outcome), or waits
 * for something else, and each turn of this loop means that some task made progress. */
#include <string.h>

#include "task/task.h"
#include "task/wait.h"

enum verdict { ASKED, DONE, RETRY, DESCEND };

static void keep_reason(weft_task_t *task, weft__record_t *reason) {
  weft__record_unref(task->cancel_reason);
  task->cancel_reason = weft__record_ref(reason);
}

/* A request that a shield keeps away, until so many shields are left. Under LOCK. */
static void defer(weft_task_t *task, unsigned shields) {
  unsigned char *deferred = &task->deferred[shields < WEFT__SHIELD_LEVELS ? shields : WEFT__SHIELD_LEVELS - 1];
  if (*deferred < UINT8_MAX) ++*deferred;
}

static int count_deferred(const weft_task_t *task) {
  int count = 0;
  for (int i = 0; i < WEFT__SHIELD_LEVELS; i++) count += task->deferred[i];
  return count;
}

/* Only then waiting_on tells what the task waits for: RUNNING tasks do while a child runs in place. */
static bool waits(enum weft__phase phase) { return phase == WEFT__WAITING || phase == WEFT__RUNNING; }

/* One task's part. With DESCEND *next is what it waits for, referenced. */
static enum verdict request_one(weft_task_t *task, weft__record_t *reason, bool count, const void *tag, unsigned inside,
                                weft_future_t **next) {
  uint64_t word = weft__word_lock(&task->future.word);
  if (weft__word_outcome(word) != WEFT__PENDING) {
    weft__word_unlock(&task->future.word, 0, 0);
    return DONE;
  }
  if (count) task->cancelling++;
  if (weft__unlikely(task->shields > inside)) {
    if (count) defer(task, inside);
    weft__word_unlock(&task->future.word, 0, 0);
    return ASKED;
  }
  enum weft__phase phase = weft__word_phase(word);
  uint64_t to_ready = (uint64_t)WEFT__READY << WEFT__W_PHASE_SHIFT;
  atom_fence_after_rmw(); /* partner: the child's start and end in weft__task_run_for */
  /* acquire: what it points to; partner: the release where it is set */
  weft_future_t *waiting_on = waits(phase) ? atom_load(&task->waiting_on, acquire) : NULL;
  if (waiting_on != NULL) {
    if (!weft__future_done(waiting_on)) {
      *next = weft_future_ref(waiting_on);
      weft__word_unlock(&task->future.word, 0, 0);
      return DESCEND;
    }
    phase = WEFT__READY; /* claimed, or about to go on by itself after a run in place */
  }
  if (!(word & WEFT__W_CANCELLED)) keep_reason(task, reason); /* the error that is on its way keeps its words */
  if (phase == WEFT__WAITING) {
    weft__word_unlock(&task->future.word, WEFT__W_PHASE, to_ready | WEFT__W_CANCELLED);
    weft__schedule_task(task);
    return ASKED;
  }
  if (phase == WEFT__HOP) {
    if (task->strand != NULL && weft__strand_moves(task->strand)) {
      weft__word_unlock(&task->future.word, WEFT__W_PHASE, to_ready | WEFT__W_CANCELLED);
      weft__strand_requeue(task->strand, &task->item);
    } else {
      weft__word_ref(&task->future.word); /* the stale entry's own */
      weft__word_unlock(&task->future.word, WEFT__W_PHASE, to_ready | WEFT__W_CANCELLED);
      weft__schedule_task(task);
    }
    return ASKED;
  }
  /* Whose is it? Once two ask for it, neither can withdraw it alone. */
  if (!(word & WEFT__W_MUST_CANCEL))
    task->cancel_tag = tag;
  else if (task->cancel_tag != tag)
    task->cancel_tag = NULL;
  weft__word_unlock(&task->future.word, 0, WEFT__W_MUST_CANCEL);
  weft__forks_ask(task); /* after the unlock: see weft__deck_enter */
  return ASKED;
}

/* `future` is not done and did not take the request (a gather whose children have all ended): while the task waits for it
 * the request stays with the task, and is delivered when the wait ends. */
static bool leave_with(weft_task_t *task, weft_future_t *future, weft__record_t *reason) {
  uint64_t word = weft__word_lock(&task->future.word);
  bool still = weft__word_outcome(word) == WEFT__PENDING && weft__word_phase(word) == WEFT__WAITING &&
               atom_load(&task->waiting_on, relaxed) == future;
  if (still) keep_reason(task, reason);
  weft__word_unlock(&task->future.word, 0, still ? WEFT__W_MUST_CANCEL : 0);
  return still;
}

/* Tasks await each other in a circle, so nobody's end will wake them: this one's wait ends without `future`'s. The order of
 * the two LOCKs is that of a task that begins to wait. */
static bool break_circle(weft_task_t *task, weft_future_t *future, weft__record_t *reason) {
  uint64_t word = weft__word_lock(&future->word);
  if (weft__word_outcome(word) != WEFT__PENDING) {
    weft__word_unlock(&future->word, 0, 0);
    return false;
  }
  word = weft__word_lock(&task->future.word);
  bool waits_for_it = weft__word_outcome(word) == WEFT__PENDING && weft__word_phase(word) == WEFT__WAITING &&
                      atom_load(&task->waiting_on, relaxed) == future && weft__future_drop_wait(future, task);
  if (waits_for_it) keep_reason(task, reason);
  weft__word_unlock(&task->future.word, waits_for_it ? WEFT__W_PHASE : 0,
                    waits_for_it ? ((uint64_t)WEFT__READY << WEFT__W_PHASE_SHIFT) | WEFT__W_CANCELLED : 0);
  weft__word_unlock(&future->word, 0, 0);
  if (waits_for_it) weft__schedule_task(task);
  return waits_for_it;
}

/* Brent's algorithm: a walk that comes back to where it was some power of two of steps ago goes round a circle. Only the
 * address is kept: memory that was given to another task meanwhile means that a wait on the way ends a little early. */
typedef struct circle {
  const weft_task_t *mark;
  unsigned steps, limit;
  bool closed;
} circle_t;

static void walk_to(circle_t *circle, const weft_task_t *task) {
  circle->closed |= task == circle->mark;
  if (++circle->steps < circle->limit) return;
  circle->mark = task;
  circle->steps = 0;
  circle->limit *= 2;
}

bool weft__task_request_cancel_as(weft_task_t *task, weft__record_t *reason, bool count, const void *tag,
                                  unsigned inside) {
  weft_task_t *at = task;
  bool restarted = false;
  weft_future_t *held = NULL; /* keeps `at` unless it is `task` */
  circle_t circle = {.mark = task, .limit = 2};
  for (;;) {
    weft_future_t *next = NULL;
    enum verdict verdict = request_one(at, reason, count, at == task ? tag : NULL, at == task ? inside : 0, &next);
    bool answer = verdict == ASKED;
    if (verdict == DESCEND && next->kind == WEFT__KIND_TASK) {
      walk_to(&circle, weft__task_of_future(next));
      if (weft__unlikely(circle.closed) && break_circle(at, next, reason)) {
        weft_future_unref(next);
        weft_future_unref(held);
        return true;
      }
      weft_future_unref(held);
      held = next;
      at = weft__task_of_future(next);
      count = !restarted;
      continue;
    }
    if (verdict == DESCEND) {
      answer = weft__future_cancel(next, reason) || leave_with(at, next, reason);
      weft_future_unref(next);
    }
    if (!answer && !(verdict == DONE && at == task)) {
      weft_future_unref(held);
      held = NULL;
      at = task;
      count = false;
      restarted = true;
      circle = (circle_t){.mark = task, .limit = 2};
      continue;
    }
    weft_future_unref(held);
    return answer;
  }
}

int weft__task_deliver_cancel(weft_task_t *task) {
  weft__word_lock(&task->future.word);
  weft__record_t *reason = task->cancel_reason;
  task->cancel_reason = NULL;
  weft__word_unlock(&task->future.word, 0, 0);
  weft__set_error(reason != NULL ? reason : weft__record_ref(weft__record_cancelled()));
  return WEFT_CANCELLED;
}

bool weft_task_cancel(weft_task_t *task, const char *message) {
  return task != NULL && weft_future_cancel(&task->future, message);
}

int weft_task_cancelling(const weft_task_t *task) {
  weft__word_t *word = (weft__word_t *)&task->future.word; /* LOCK is not part of what const promises */
  weft__word_lock(word);
  int count = task->cancelling;
  weft__word_unlock(word, 0, 0);
  return count;
}

int weft__task_cancelling_at_entry(weft_task_t *task) {
  uint64_t word = weft__word_lock(&task->future.word);
  int count = task->cancelling - count_deferred(task);
  weft__word_unlock(&task->future.word, 0, 0);
  bool pending = (word & WEFT__W_MUST_CANCEL) != 0 && !weft__loop_counts_hops(task->future.loop);
  return pending && count > 0 ? count - 1 : count;
}

int weft__task_uncancel_as(weft_task_t *task, const void *tag) {
  uint64_t word = weft__word_lock(&task->future.word);
  if (task->cancelling > 0) task->cancelling--;
  if (task->cancelling == 0) memset(task->deferred, 0, sizeof task->deferred);
  int count = task->cancelling - count_deferred(task);
  bool withdraw = task->cancelling == 0 || (tag != NULL && (word & WEFT__W_MUST_CANCEL) && task->cancel_tag == tag);
  weft__word_unlock(&task->future.word, withdraw ? WEFT__W_MUST_CANCEL : 0, 0);
  return count;
}

int weft_task_uncancel(weft_task_t *task) {
  (void)weft__task_uncancel_as(task, NULL);
  return weft_task_cancelling(task);
}

int weft__task_requests(weft_task_t *task) {
  weft__word_lock(&task->future.word);
  int count = task->cancelling - count_deferred(task);
  weft__word_unlock(&task->future.word, 0, 0);
  return count;
}

void weft__task_withdraw(weft_task_t *task, const void *tag) {
  uint64_t word = weft__word_lock(&task->future.word);
  bool ours = (word & WEFT__W_MUST_CANCEL) && task->cancel_tag == tag;
  weft__word_unlock(&task->future.word, ours ? WEFT__W_MUST_CANCEL : 0, 0);
}

void weft__task_shield(weft_task_t *task) {
  uint64_t word = weft__word_lock(&task->future.word);
  if (word & WEFT__W_MUST_CANCEL) defer(task, task->shields);
  task->shields++;
  weft__word_unlock(&task->future.word, WEFT__W_MUST_CANCEL, 0);
}

void weft__task_unshield(weft_task_t *task) {
  weft__word_lock(&task->future.word);
  unsigned shields = --task->shields;
  bool kept = false;
  for (unsigned i = shields; i < WEFT__SHIELD_LEVELS; i++) {
    kept = kept || task->deferred[i] > 0;
    task->deferred[i] = 0;
  }
  if (kept) task->cancel_tag = NULL;
  weft__word_unlock(&task->future.word, 0, kept ? WEFT__W_MUST_CANCEL : 0);
}
