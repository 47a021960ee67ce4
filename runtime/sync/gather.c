/* gather.c: several futures or calls at once.
 *
 * The waiter awaits the *outer* future, whose cancel() is the gather's own: it cancels the children and leaves the outer
 * one pending. The gather lives as long as it: its references are the waiter's, one per watch that has not run, and a
 * canceller's. So children may outlive the waiter's frame.
 *
 * unfinished counts the children whose end was not taken in, whoever is busy cancelling them, and the waiter until it
 * waits: it reaches 0 once, and the one that brings it there completes the outer future. That is the single point at which
 * "all have finished" and "a cancellation was asked for" are decided: a canceller that found the gather unfinished is
 * always heard.
 *
 *   over futures   the first error completes the outer one at once; the rest runs on, later errors are swallowed. Each
 *                  child has a watch
 *   over calls     the first error cancels the rest; the outer one is completed when all have ended. Its tasks call at
 *                  their end (child_ended), so they need no watch, and no reference to the gather: the waiter stays until
 *                  the last has counted. Only tasks of a task factory, which come from elsewhere, are watched as well
 *
 * The waiter runs children over calls in place, one after the other, as long as each is the oldest ready entry: that is
 * the order in which the worker would take them. With one worker asyncio has two hops from the last child's end to the
 * waiter's next step. If nothing else is ready they cannot be told from none; else they are taken (end_in_place). */
#include "sync/gather.h"

#include <errno.h>
#include <string.h>
#include <weft/gather.h>

#include "base/alloc.h"
#include "base/spin.h"
#include "task/task.h"

typedef struct gather gather_t;

typedef struct child {
  weft__watch_t watch;
  gather_t *gather;
} child_t;

struct gather {
  weft_future_t outer;
  _Atomic(size_t) unfinished;
  weft__spin_t lock;
  bool cancel_requested;    /* under lock: cancel() reached a child */
  bool cancelled_late;      /* under lock: all children had ended, their watches had not run */
  bool cancel_queued;       /* under lock: in this thread's list of cancellations to be done */
  bool set_up;              /* under lock: over calls: all children are made; before, their failure cancels nobody */
  bool structured, collect; /* constant */
  weft__record_t *reason;   /* under lock: of the last cancel(), owned; NULL: no message */
  weft__record_t *first;    /* under lock: structured: the first error, owned */
  gather_t *next_cancel;
  weft_strand_t *strand;
  size_t count, capacity;
  child_t *watches;          /* one per child, behind them; NULL: their own ends tell */
  weft_future_t *children[]; /* a reference of the gather's to each */
};

static size_t size_of(size_t count, bool watched) {
  return sizeof(gather_t) + count * (sizeof(weft_future_t *) + (watched ? sizeof(child_t) : 0));
}

static gather_t *gather_of(weft_future_t *outer) { return weft__container_of(outer, gather_t, outer); }

static bool drop_gather(weft_future_t *outer) {
  gather_t *gather = gather_of(outer);
  for (size_t i = 0; i < gather->count; i++) weft_future_unref(gather->children[i]);
  weft__record_unref(gather->reason);
  weft__record_unref(gather->first);
  if (gather->strand != NULL) weft__strand_unref(gather->strand);
  weft__free(gather, size_of(gather->capacity, gather->watches != NULL));
  return true;
}

/* ---- the end ----------------------------------------------------------------------------------------------------------- */

static void finish(gather_t *gather) {
  weft__spin_lock(&gather->lock);
  weft__record_t *record = weft__record_ref(gather->first);
  if (gather->cancelled_late || (record == NULL && gather->cancel_requested)) {
    weft__record_unref(record);
    record = weft__record_ref(gather->reason != NULL ? gather->reason : weft__record_cancelled());
  }
  weft__spin_unlock(&gather->lock);
  /* An error of the outer one even if it says "cancelled": only its waiter can cancel a gather. Losing is fine: then the
   * first error was there before. */
  (void)weft__future_complete(&gather->outer, record != NULL ? WEFT__ERROR : WEFT__RESULT, NULL, record);
}

static void one_less(gather_t *gather) {
  /* acq_rel: the last one sees what all before it did, flags and records included */
  if (atom_sub(&gather->unfinished, 1, acq_rel) == 1) finish(gather);
}

/* ---- cancelling -------------------------------------------------------------------------------------------------------- */

static bool cancel_children(gather_t *gather, weft__record_t *reason) {
  bool any = false;
  for (size_t i = 0; i < gather->count; i++)
    if (weft__future_cancel(gather->children[i], reason)) any = true;
  return any;
}

/* Called with an `unfinished` of our own, which it gives back. */
static void cancel_and_release(gather_t *gather, weft__record_t *reason) {
  bool any = cancel_children(gather, reason);
  weft__spin_lock(&gather->lock);
  if (any)
    gather->cancel_requested = true;
  else
    gather->cancelled_late = true;
  weft__spin_unlock(&gather->lock);
  one_less(gather);
}

/* Gathers of gathers are cancelled by recursion, through the tasks between them, but not deeper than this: what lies below
 * is put on a list of the thread's and done by the outermost call, so a chain of any length needs a bounded stack. The
 * thread does not change meanwhile: nothing here suspends. */
enum { CANCEL_DEPTH_MAX = 8 };
static __thread unsigned cancel_depth;
static __thread gather_t *cancel_list;

static void cancel_listed(void) {
  gather_t *gather;
  while ((gather = cancel_list) != NULL) {
    cancel_list = gather->next_cancel;
    weft__spin_lock(&gather->lock);
    gather->cancel_queued = false;
    weft__record_t *reason = weft__record_ref(gather->reason);
    weft__spin_unlock(&gather->lock);
    cancel_and_release(gather, reason);
    weft__record_unref(reason);
    weft_future_unref(&gather->outer);
  }
}

/* One more to wait for, unless nobody is left. */
static bool hold(gather_t *gather) {
  size_t count = atom_load(&gather->unfinished, relaxed);
  do {
    if (count == 0) return false;
    /* relaxed: the count alone decides, the lock orders the rest */
  } while (!atom_cas_weak(&gather->unfinished, &count, count + 1, relaxed, relaxed));
  return true;
}

static bool cancel_gather(weft_future_t *outer, weft__record_t *reason) {
  gather_t *gather = gather_of(outer);
  if (weft__future_done(outer) || !hold(gather)) return false;
  weft__spin_lock(&gather->lock);
  weft__record_t *old = gather->reason;
  gather->reason = weft__record_ref(reason);
  bool queued = gather->cancel_queued, queue = !queued && cancel_depth >= CANCEL_DEPTH_MAX;
  if (queue) gather->cancel_queued = true;
  weft__spin_unlock(&gather->lock);
  weft__record_unref(old);
  if (queued) { /* somebody is about to do it */
    one_less(gather);
    return true;
  }
  if (queue) {
    weft_future_ref(outer);
    gather->next_cancel = cancel_list;
    cancel_list = gather;
    return true;
  }
  cancel_depth++;
  cancel_and_release(gather, reason);
  if (cancel_depth == 1) cancel_listed(); /* the outermost: what it calls only adds to the list */
  cancel_depth--;
  return true;
}

/* ---- a child's end ----------------------------------------------------------------------------------------------------- */

static void take_failure(gather_t *gather, weft_future_t *future) {
  if (!gather->structured) {
    (void)weft__future_complete(&gather->outer, WEFT__ERROR, NULL, weft__record_ref(future->error));
    return;
  }
  weft__spin_lock(&gather->lock);
  bool first = gather->first == NULL;
  if (first) gather->first = weft__record_ref(future->error);
  first = first && gather->set_up; /* else whoever sets it up will see */
  weft__spin_unlock(&gather->lock);
  if (first) (void)cancel_children(gather, NULL);
}

static bool has_failed(const weft_future_t *future) {
  return weft__word_outcome(atom_load(&future->word, acquire)) != WEFT__RESULT;
}

static void take_child(gather_t *gather, weft_future_t *future) {
  if (has_failed(future)) {
    weft__word_set(&future->word, WEFT__W_RETRIEVED);
    if (!gather->collect) take_failure(gather, future);
  }
  one_less(gather);
}

static void child_done(weft__watch_t *watch) {
  child_t *child = weft__container_of(watch, child_t, watch);
  weft_future_t *outer = &child->gather->outer;
  take_child(child->gather, watch->future);
  weft_future_unref(outer); /* the watch's */
}

/* Counts a child's end, or anything else, unless it is the last. */
static bool counted(gather_t *gather) {
  size_t count = atom_load(&gather->unfinished, relaxed);
  do {
    if (count == 1) return false;
    /* release: our child's end is visible to whoever brings the count to 0 */
  } while (!atom_cas_weak(&gather->unfinished, &count, count - 1, release, relaxed));
  return true;
}

/* A child that ended well and is not the last: all there is to do is to count, which needs no turn in the queue. The count
 * stays above 0 here, so the last one is always met by child_done, in its turn. */
static bool child_counted(weft__watch_t *watch) {
  child_t *child = weft__container_of(watch, child_t, watch);
  gather_t *gather = child->gather;
  if (has_failed(watch->future) || !counted(gather)) return true;
  weft_future_unref(&gather->outer);
  return false;
}

/* The same for a task of ours, which calls it itself. Its item is free again, and carries the hop. */
static void run_child(weft__item_t *item) {
  weft_task_t *task = weft__container_of(item, weft_task_t, item);
  item->run = NULL;
  take_child(weft__task_ending(task)->data, &task->future);
}
static void hop_for(weft_task_t *task, gather_t *gather, void (*run)(weft__item_t *item)) {
  weft__link_init(&task->item.link);
  task->item.run = run;
  weft__post(task->future.loop, &task->item, gather->strand);
}
static void child_ended(weft_task_t *task) {
  gather_t *gather = weft__task_ending(task)->data;
  if (has_failed(&task->future) || !counted(gather)) hop_for(task, gather, run_child);
}

/* ---- setting up -------------------------------------------------------------------------------------------------------- */

static gather_t *new_gather(size_t count, bool structured, bool watched, unsigned flags) {
  if (count > (SIZE_MAX - sizeof(gather_t)) / (sizeof(weft_future_t *) + sizeof(child_t))) return NULL;
  gather_t *gather = weft__alloc(size_of(count, watched));
  if (gather == NULL) return NULL;
  weft_task_t *waiter = weft__current_task();
  memset(gather, 0, sizeof *gather);
  weft__future_init(&gather->outer, waiter->future.loop, WEFT__KIND_FUTURE, 0);
  /* Nobody but us sees it: an error that it is dropped with is no news. */
  atom_init(&gather->outer.word, WEFT__W_REFERENCE | WEFT__W_RETRIEVED);
  gather->outer.cancel_hook = cancel_gather;
  gather->outer.drop_hook = drop_gather;
  gather->capacity = count;
  weft__spin_init(&gather->lock);
  gather->structured = structured;
  gather->collect = (flags & WEFT_RETURN_EXCEPTIONS) != 0;
  gather->strand = waiter->strand;
  if (gather->strand != NULL) weft__strand_ref(gather->strand);
  if (watched) gather->watches = (child_t *)(void *)(gather->children + count);
  return gather;
}

/* Watches the children; those that are done already are dealt with at once. */
static void watch_children(gather_t *gather) {
  size_t n = gather->count, watched = 0;
  weft_future_t *outer = &gather->outer;
  /* The watches' references, all at once. */
  WEFT__ASSERT(n < UINT32_MAX / 4);
  atom_add(&outer->word, n * WEFT__W_REFERENCE, relaxed);
  /* Those that are done already are marked by a watch of nothing, and dealt with after the others are watched. */
  for (size_t i = 0; i < n; i++) {
    child_t *child = &gather->watches[i];
    child->gather = gather;
    child->watch.future = NULL;
    if (weft__future_done(gather->children[i])) continue;
    watched++;
    weft__future_watch_for(gather->children[i], &child->watch, child_done, child_counted, gather->strand, outer);
  }
  if (watched < n) {
    atom_sub(&outer->word, (n - watched) * WEFT__W_REFERENCE, relaxed); /* not the last: we have ours */
    for (size_t i = 0; i < n; i++)
      if (gather->watches[i].watch.future == NULL) take_child(gather, gather->children[i]);
  }
}

/* The waiter's own count, carried by an item to the end of the ready queue. */
static void run_last(weft__item_t *item) {
  weft_task_t *task = weft__container_of(item, weft_task_t, item);
  item->run = NULL;
  one_less(weft__task_ending(task)->data);
}

/* Gives the waiter's count up after a run in place, with the hop of the last child's end if others are ready. */
static void end_in_place(gather_t *gather) {
  weft_task_t *last = weft__container_of(gather->children[gather->count - 1], weft_task_t, future);
  if (atom_load(&gather->unfinished, acquire) == 1 && !weft__nothing_else_ready())
    hop_for(last, gather, run_last);
  else
    one_less(gather);
}

static void run_in_place(gather_t *gather) {
  bool any = false;
  for (size_t i = 0; i < gather->count; i++) {
    weft_task_t *task = weft__container_of(gather->children[i], weft_task_t, future);
    if (weft__run_next_in_place(task, &gather->outer))
      any = true;
    else if (weft__word_phase(atom_load(&task->future.word, relaxed)) == WEFT__NEW)
      break; /* its turn comes later */
  }
  if (any)
    end_in_place(gather);
  else
    one_less(gather);
}

/* From now on the children do not change: on several workers one of them may have failed already. */
static void end_set_up(gather_t *gather) {
  weft__spin_lock(&gather->lock);
  gather->set_up = true;
  bool failed = gather->first != NULL;
  weft__spin_unlock(&gather->lock);
  if (weft__unlikely(failed)) (void)cancel_children(gather, NULL);
}

/* Waits; the children are in the array, and counted. */
static int run(gather_t *gather, const char *what) {
  weft_future_t *outer = &gather->outer;
  if (gather->structured) end_set_up(gather);
  if (gather->watches != NULL) {
    watch_children(gather);
    one_less(gather);
  } else {
    run_in_place(gather);
  }
  if (!weft__future_done(outer)) {
    int rc = weft__future_wait(outer, what);
    if (rc < 0) return rc;
  }
  return weft__future_outcome(outer, NULL);
}

static int check(size_t n, const void *array, unsigned flags, const char *what) {
  int rc = weft__check_suspend(what);
  if (rc < 0) return rc;
  if (n > 0 && array == NULL) return weft_fail(-EINVAL, "%s: no array", what);
  if (flags & ~(unsigned)WEFT_RETURN_EXCEPTIONS) return weft_fail(-EINVAL, "%s: unknown flags %#x", what, flags);
  return 0;
}

static int status_of(weft_future_t *future) {
  switch (weft__word_outcome(atom_load(&future->word, acquire))) {
  case WEFT__PENDING: return WEFT_INVALID_STATE;
  case WEFT__RESULT: return future->kind == WEFT__KIND_TASK ? future->value.status : 0;
  default: return future->error->error.code;
  }
}

static void fill_statuses(const gather_t *gather, int statuses[]) {
  if (statuses == NULL) return;
  for (size_t i = 0; i < gather->count; i++) statuses[i] = status_of(gather->children[i]);
}

static int gather_futures(weft_future_t *const futures[], size_t n, int statuses[], unsigned flags, const char *what) {
  int rc = check(n, futures, flags, what);
  if (rc < 0) return rc;
  for (size_t i = 0; i < n; i++) {
    if (futures[i] == NULL)
      return weft_fail(-ENOMEM, "%s: no future at %zu (NULL: memory ran out when it was made?)", what, i);
    if (futures[i]->loop != weft__current_loop())
      return weft_fail(WEFT_VALUE,
                       "The future belongs to a different loop than the one specified as the loop argument");
  }
  if (n == 0) return 0;
  gather_t *gather = new_gather(n, false, true, flags);
  if (gather == NULL) return weft_fail(-ENOMEM, "%s: no memory for %zu futures", what, n);
  for (size_t i = 0; i < n; i++) gather->children[gather->count++] = weft_future_ref(futures[i]);
  atom_init(&gather->unfinished, n + 1); /* ours, while we set up */
  rc = run(gather, what);
  fill_statuses(gather, statuses);
  weft_future_unref(&gather->outer);
  return rc;
}

int weft_gather_futures(weft_future_t *const futures[], size_t n, int statuses[], unsigned flags) {
  return gather_futures(futures, n, statuses, flags, "weft_gather_futures");
}

int weft_gather_tasks(weft_task_t *const tasks[], size_t n, int statuses[], unsigned flags) {
  /* A task starts with its future: the arrays hold the same addresses. */
  return gather_futures((weft_future_t *const *)tasks, n, statuses, flags, "weft_gather_tasks");
}

/* ---- looking at it ----------------------------------------------------------------------------------------------------- */

weft_future_t *const *weft__gather_children(weft_future_t *future, size_t *count) {
  if (future->cancel_hook != cancel_gather) return NULL;
  *count = gather_of(future)->count;
  return gather_of(future)->children;
}

weft_future_t *weft__gather_of_child(weft_task_t *task) {
  if (task->ending != WEFT__ENDING_AFTER || weft__task_ending(task)->fn != child_ended) return NULL;
  gather_t *gather = weft__task_ending(task)->data;
  return &gather->outer;
}

/* ---- over calls -------------------------------------------------------------------------------------------------------- */

/* Waits for what was created before memory ran out: an error of the set-up, and no child is left behind. */
static int undo(gather_t *gather, int rc) {
  weft__record_t *record = weft__record_for(rc);
  weft__spin_lock(&gather->lock);
  if (gather->first == NULL) gather->first = weft__record_ref(record);
  weft__spin_unlock(&gather->lock);
  /* relaxed: those that were never made; whoever ends meanwhile finds more than its own */
  atom_sub(&gather->unfinished, gather->capacity - gather->count, relaxed);
  int ended = gather->count > 0 ? run(gather, "weft_gather_n") : rc;
  weft_future_unref(&gather->outer);
  if (ended != rc && ended == WEFT_CANCELLED) { /* cancelled meanwhile: that is what the caller must hear of */
    weft__record_unref(record);
    return ended;
  }
  weft__set_error(record);
  return rc;
}

int weft_gather_n(const weft_call_t calls[], size_t n, int statuses[], unsigned flags) {
  int rc = check(n, calls, flags, "weft_gather_n");
  if (rc < 0 || n == 0) return rc;
  for (size_t i = 0; i < n; i++)
    if (calls[i].entry == NULL) return weft_fail(WEFT_TYPE, "weft_gather_n: call %zu has no function", i);
  bool made_elsewhere = weft__loop_task_factory(weft__current_loop()) != NULL;
  gather_t *gather = new_gather(n, true, made_elsewhere, flags);
  if (gather == NULL) return weft_fail(-ENOMEM, "weft_gather_n: no memory for %zu calls", n);
  atom_init(&gather->unfinished, n + 1); /* ours, while we set up: some may end before all are made */
  for (size_t i = 0; i < n; i++) {
    weft_task_t *task = made_elsewhere ? weft_create_task(calls[i])
                                       : weft__create_task_ending(&calls[i], WEFT__ENDING_AFTER, child_ended, gather);
    if (weft__unlikely(task == NULL)) return undo(gather, weft_error()->code);
    gather->children[gather->count++] = &task->future;
  }
  rc = run(gather, "weft_gather_n");
  fill_statuses(gather, statuses);
  weft_future_unref(&gather->outer);
  return rc;
}
