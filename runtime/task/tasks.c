/* tasks.c: running, ending and dropping tasks; the public functions of weft/tasks.h that await and join (sched/spawn.c
 * creates them).
 *
 * References: create_task answers one (the owner's, ended by one join or detach); the runtime holds one from creation
 * until the outcome is published, so an unfinished task is never freed; a stale queue entry and a canceller on its walk
 * hold one each. */
#include "task/task.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "task/contextvars.h"
#include "task/locals.h"
#include "task/wait.h"

static WEFT__COLD void drop_what_it_held(weft_task_t *task) {
  if (task->name != NULL) weft__free(task->name, strlen(task->name) + 1);
  weft__record_unref(task->record);
  weft__record_unref(task->future.error);
  weft__record_unref(task->cancel_reason);
  if (task->strand != NULL) weft__strand_unref(task->strand);
  weft_contextvars_unref(task->context);
}

void weft__task_free(weft_task_t *task) {
  uintptr_t held = (uintptr_t)task->name | (uintptr_t)task->record | (uintptr_t)task->future.error |
                   (uintptr_t)task->cancel_reason | (uintptr_t)task->strand | (uintptr_t)task->context;
  if (weft__unlikely(held != 0)) drop_what_it_held(task);
  weft__task_memory_give(task);
}

/* Publishes the outcome and gives up the runtime's reference. The word decides at the last moment whether a cancellation
 * that was never delivered turns a normal end into a cancelled one, as asyncio's does. The last access of every way
 * through here to the task's word is a read-modify-write: weft__task_run_for counts on it. */
static WEFT__NOINLINE void finish_slowly(weft_task_t *task, int status, bool registered) {
  weft_future_t *future = &task->future;
  weft__record_t *record = NULL;
  if (status == WEFT_STOP) { /* PEP 479: whoever awaits would take it for the end of its own iteration */
    status = WEFT_RUNTIME;
    record = weft__record_make(WEFT_RUNTIME, WEFT_STOP, "coroutine raised StopIteration");
  } else if (status < 0) {
    record = task->record != NULL && task->record->error.code == status ? weft__record_ref(task->record)
                                                                        : weft__record_for(status);
    if (status == WEFT_EXIT || status == WEFT_INTERRUPT) weft__base_error(future->loop, record);
  }
  if (weft__unlikely(task->locals != NULL)) weft__locals_drop(task);
  if (task->ending == WEFT__ENDING_BEFORE) weft__task_ending(task)->fn(task);
  if (registered) weft__registry_remove(future->loop, task);
  /* What the task held for itself goes before anybody can see that it ended. */
  if (task->record != NULL) {
    weft__record_unref(task->record);
    task->record = NULL;
  }
  uint64_t word = weft__word_lock(&future->word); /* under it no request comes in between */
  int code = status >= 0 && (word & WEFT__W_MUST_CANCEL) ? WEFT_CANCELLED : status;
  if (code != status)
    record = weft__record_ref(task->cancel_reason != NULL ? task->cancel_reason : weft__record_cancelled());
  enum weft__outcome outcome = code >= 0 ? WEFT__RESULT : code == WEFT_CANCELLED ? WEFT__CANCELLED : WEFT__ERROR;
  void (*after)(weft_task_t * task) = task->ending == WEFT__ENDING_AFTER ? weft__task_ending(task)->fn : NULL;
  weft__future_complete_locked(future, outcome, &code, record);
  if (after != NULL) after(task);
  weft_future_unref(future);
}

/* The common end: nothing to drop, nobody waits, no cancellation is pending. Publishes and drops the reference in one
 * step; release: value to whoever acquires the outcome. */
static inline void finish(weft_task_t *task, int status) {
  weft_future_t *future = &task->future;
  bool registered = true;
  if (weft__likely(status >= 0 && task->locals == NULL && task->record == NULL &&
                   task->ending != WEFT__ENDING_BEFORE)) {
    weft__registry_remove(future->loop, task);
    registered = false;
    uint64_t word = atom_load(&future->word, relaxed);
    task->future.value.status = status;
    bool after = task->ending != WEFT__ENDING_NONE; /* asked before the task may go */
    if (weft__likely(!(word & (WEFT__W_LOCK | WEFT__W_NODES | WEFT__W_MUST_CANCEL)) && (word >> 32) > 1) &&
        atom_cas(&future->word, &word, (word | WEFT__RESULT) - WEFT__W_REFERENCE, acq_rel, relaxed)) {
      if (after) weft__task_ending(task)->fn(task);
      return;
    }
  }
  finish_slowly(task, status, registered);
}

/* Frames of their own, this and weft__task_run_for: inspect/stack.c looks for them. */
WEFT__NOINLINE void weft__task_run(weft_task_t *task) {
  int status;
  if (weft__unlikely(
          weft__word_start(&task->future.word))) /* cancelled before its first step: no line of the body runs */
    status = weft__task_deliver_cancel(task);
  else
    status = task->entry(task->args);
  finish(task, status);
}

/* The parent stays RUNNING; what says that it waits is waiting_on, which the caller has set. Two threads meet here: we
 * store waiting_on, then look at the parent's word; whoever cancels the parent sets a bit in the word, then looks at
 * waiting_on. Between the two accesses of each lies a full barrier: ours is the child's start and its end, which are
 * read-modify-writes, the other's the taking of LOCK. So
 *   - before the child's first line: either the canceller finds waiting_on and goes on to the child, or we find
 *     MUST_CANCEL and pass it on ourselves (then our child has it too, before it began);
 *   - after the child's end: either the canceller finds no waiting_on and leaves MUST_CANCEL with the parent, where our
 *     caller finds it, or we find its LOCK and wait until it has taken its reference to what is awaited. */
WEFT__NOINLINE uint64_t weft__task_run_for(weft_task_t *task, weft_task_t *parent, weft_future_t *awaited) {
  bool cancelled = weft__word_start(&task->future.word);
  atom_fence_after_rmw();
  if (weft__unlikely(weft__word_unlocked(&parent->future.word) & WEFT__W_MUST_CANCEL) &&
      weft__task_pass_on_cancel(parent, awaited))
    cancelled = weft__word_resume(&task->future.word) || cancelled;
  int status = weft__unlikely(cancelled) ? weft__task_deliver_cancel(task) : task->entry(task->args);
  atom_store(&parent->waiting_on, NULL, relaxed); /* ordered by the read-modify-write that publishes the outcome */
  finish(task, status);
  atom_fence_after_rmw();
  return weft__word_unlocked(&parent->future.word);
}

void weft__task_fail_start(weft_task_t *task, int code) {
  (void)weft__word_start(&task->future.word);
  finish(task, code);
}

void weft__task_stop_waiting(weft_task_t *task) {
  uint64_t word = weft__word_lock(&task->future.word);
  weft_future_t *future = weft__word_phase(word) == WEFT__WAITING ? atom_load(&task->waiting_on, relaxed) : NULL;
  weft_future_ref(future);
  weft__word_unlock(&task->future.word, WEFT__W_PHASE, (uint64_t)WEFT__READY << WEFT__W_PHASE_SHIFT);
  if (future == NULL) return;
  weft__word_lock(&future->word);
  (void)weft__future_drop_wait(future, task); /* not there: somebody completed it meanwhile */
  weft__word_unlock(&future->word, 0, 0);
  weft_future_unref(future);
}

void weft__task_abandon(weft_task_t *task) {
  weft__registry_remove(task->future.loop, task);
  weft__future_complete(&task->future, WEFT__CANCELLED, NULL, weft__record_ref(weft__record_cancelled()));
  weft_future_unref(&task->future);
}

/* ---- awaiting -------------------------------------------------------------------------------------------------------- */

int weft_await_call(weft_call_t call) {
  if (call.entry == NULL) return weft_fail(WEFT_TYPE, "weft_await_call: a call without a function");
  return call.entry(call.args.bytes);
}

int weft_await(weft_task_t *task) {
  if (task == NULL) return weft_fail(-ENOMEM, "weft_await: no task (NULL: memory ran out when it was created?)");
  int rc = weft__future_settle(&task->future, "weft_await");
  return rc < 0 ? rc : weft__future_outcome(&task->future, NULL);
}

static void use_up(weft_task_t *task, const char *what) {
#ifdef WEFT_DEBUG_CHECKS
  uint64_t old = atom_or(&task->future.word, WEFT__W_JOINED, relaxed);
  if (old & WEFT__W_JOINED) weft__panic("%s: task %s was joined or detached before", what, weft_task_get_name(task));
#else
  (void)task;
  (void)what;
#endif
}

/* As weft_await and weft_detach do it; written out for the common case, a task that ends well. */
int weft_join(weft_task_t *task) {
  if (task == NULL) return weft_fail(-ENOMEM, "weft_join: no task (NULL: memory ran out when it was created?)");
  int rc = weft__future_settle(&task->future, "weft_join");
  uint64_t word = atom_load(&task->future.word, acquire); /* the outcome's, which is for ever */
  if (weft__word_outcome(word) == WEFT__PENDING)
    return rc; /* -EPERM, itself, another loop: refused, the handle stays */
  if (weft__likely(rc >= 0))
    rc = weft__word_outcome(word) == WEFT__RESULT ? task->future.value.status
                                                  : weft__future_outcome(&task->future, NULL);
  use_up(task, "weft_join");
  if (weft__likely(weft__word_outcome(word) == WEFT__RESULT)) {
    if (weft__word_unref(&task->future.word)) weft__task_free(task); /* no error that somebody would have to hear of */
  } else {
    weft_future_unref(&task->future);
  }
  return rc;
}

int weft_join_status(weft_task_t *task, int *status) {
  if (task == NULL) return weft_fail(-ENOMEM, "weft_join_status: no task (NULL: memory ran out when it was created?)");
  weft_task_t *self = weft__current_task();
  int asked = self != NULL ? weft_task_cancelling(self) : 0;
  int rc = weft__future_settle(&task->future, "weft_join_status");
  if (!weft__future_done(&task->future)) return rc;
  int outcome = weft__future_outcome(&task->future, NULL);
  if (status != NULL) *status = outcome;
  /* A request on the joiner went on to the task; if that gave in, the joiner was cancelled with it. */
  if (rc == 0 && self != NULL && outcome == WEFT_CANCELLED && weft_task_cancelling(self) > asked) rc = WEFT_CANCELLED;
  if (rc == WEFT_CANCELLED && outcome != WEFT_CANCELLED) weft__set_error(weft__record_ref(weft__record_cancelled()));
  use_up(task, "weft_join_status");
  weft_future_unref(&task->future);
  return rc;
}

void weft_detach(weft_task_t *task) {
  if (task == NULL) return;
  use_up(task, "weft_detach");
  weft_future_unref(&task->future);
}

weft_task_t *weft_task_ref(weft_task_t *task) {
  if (task != NULL) weft__word_ref(&task->future.word);
  return task;
}

void weft_task_unref(weft_task_t *task) {
  if (task != NULL) weft_future_unref(&task->future);
}

/* ---- looking at a task ----------------------------------------------------------------------------------------------- */

bool weft_task_done(const weft_task_t *task) { return weft__future_done(&task->future); }
bool weft_task_cancelled(const weft_task_t *task) { return weft_future_cancelled(&task->future); }

int weft_task_result(weft_task_t *task) {
  if (task == NULL) return weft_fail(-EINVAL, "weft_task_result: no task");
  return weft_future_result(&task->future, NULL);
}

const weft_error_t *weft_future_error(weft_future_t *future) {
  if (future == NULL || !weft__future_done(future)) {
    weft_ignore(weft_fail(WEFT_INVALID_STATE, "Exception is not set."));
    return weft_error();
  }
  weft__word_set(&future->word, WEFT__W_RETRIEVED);
  return future->error != NULL ? &future->error->error : NULL;
}

const weft_error_t *weft_task_error(weft_task_t *task) {
  return weft_future_error(task != NULL ? &task->future : NULL);
}

const char *weft__task_describe(const weft_task_t *task, char text[], size_t size) {
  if (task->name != NULL) return task->name;
  snprintf(text, size, "Task-%llu", (unsigned long long)task->number);
  return text;
}

const char *weft_task_get_name(const weft_task_t *task) {
  weft_task_t *self = (weft_task_t *)task; /* the text is made when first asked for; const promises the same answer */
  weft__word_lock(&self->future.word);
  if (self->name == NULL) {
    char text[32];
    size_t length = strlen(weft__task_describe(task, text, sizeof text));
    self->name = weft__alloc(length + 1);
    if (self->name != NULL) memcpy(self->name, text, length + 1);
  }
  const char *name = self->name;
  weft__word_unlock(&self->future.word, 0, 0);
  return name != NULL ? name : "Task"; /* no memory for more */
}

int weft_task_set_name(weft_task_t *task, const char *name) {
  if (task == NULL || name == NULL) return weft_fail(-EINVAL, "weft_task_set_name: no %s", task ? "name" : "task");
  size_t size = strlen(name) + 1;
  char *copy = weft__alloc(size);
  if (copy == NULL) return weft_fail(-ENOMEM, "weft_task_set_name: no memory");
  memcpy(copy, name, size);
  weft__word_lock(&task->future.word);
  char *old = task->name;
  task->name = copy;
  weft__word_unlock(&task->future.word, 0, 0);
  if (old != NULL) weft__free(old, strlen(old) + 1);
  return 0;
}

void weft__task_copy_name(weft_task_t *task, char *name, size_t size) {
  weft__word_lock(&task->future.word);
  if (task->name != NULL)
    snprintf(name, size, "%s", task->name);
  else
    snprintf(name, size, "Task-%llu", (unsigned long long)task->number);
  weft__word_unlock(&task->future.word, 0, 0);
}

weft_task_t *weft_current_task(void) { return weft__current_task(); }
weft_future_t *weft_task_future(weft_task_t *task) { return task != NULL ? &task->future : NULL; }
