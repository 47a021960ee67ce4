/* gather.c: several futures or calls at once.
 *
 * The waiter awaits the *outer* future, whose cancel() is the gather's own: it cancels the children and leaves the outer
 * one pending. Everything else hangs on the outer future: its references are the waiter's, one per watch that has not run,
 * and a canceller's; when the last goes, the gather goes. So children may outlive the waiter's frame.
 *
 * unfinished counts the children whose end was not taken in, plus whoever is busy cancelling them: it reaches 0 once, and
 * the one that brings it there completes the outer future. That is the single point at which "all have finished" and "a
 * cancellation was asked for" are decided: a canceller that found the gather unfinished is always heard.
 *
 *   over futures   the first error completes the outer one at once; the rest runs on, later errors are swallowed
 *   over calls     the first error cancels the rest; the outer one is completed when all have ended */
#include <weft/gather.h>

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/spin.h"
#include "task/task.h"

typedef struct gather gather_t;

typedef struct child {
  weft__watch_t watch;
  gather_t *gather;
  weft_future_t *future; /* a reference of the gather's */
} child_t;

struct gather {
  weft_future_t *outer; /* owns this */
  _Atomic(size_t) unfinished;
  weft__spin_t lock;
  bool cancel_requested;    /* under lock: cancel() reached a child */
  bool cancelled_late;      /* under lock: all children had ended, their watches had not run */
  bool cancel_queued;       /* under lock: in this thread's list of cancellations to be done */
  bool structured, collect; /* constant */
  weft__record_t *reason;   /* under lock: of the last cancel(), owned; NULL: no message */
  weft__record_t *first;    /* under lock: structured: the first error, owned */
  gather_t *next_cancel;
  weft_strand_t *strand;
  size_t count, capacity;
  child_t children[];
};

static size_t size_of(size_t count) { return sizeof(gather_t) + count * sizeof(child_t); }

static void drop_gather(weft_future_t *outer) {
  gather_t *gather = outer->hook_data;
  for (size_t i = 0; i < gather->count; i++) weft_future_unref(gather->children[i].future);
  weft__record_unref(gather->reason);
  weft__record_unref(gather->first);
  if (gather->strand != NULL) weft__strand_unref(gather->strand);
  weft__free(gather, size_of(gather->capacity));
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
  (void)weft__future_complete(gather->outer, record != NULL ? WEFT__ERROR : WEFT__RESULT, NULL, record);
}

static void one_less(gather_t *gather) {
  /* acq_rel: the last one sees what all before it did, flags and records included */
  if (atom_sub(&gather->unfinished, 1, acq_rel) == 1) finish(gather);
}

/* ---- cancelling -------------------------------------------------------------------------------------------------------- */

static bool cancel_children(gather_t *gather, weft__record_t *reason) {
  bool any = false;
  for (size_t i = 0; i < gather->count; i++)
    if (weft__future_cancel(gather->children[i].future, reason)) any = true;
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
    weft_future_unref(gather->outer);
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
  gather_t *gather = outer->hook_data;
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
    (void)weft__future_complete(gather->outer, WEFT__ERROR, NULL, weft__record_ref(future->error));
    return;
  }
  weft__spin_lock(&gather->lock);
  bool first = gather->first == NULL;
  if (first) gather->first = weft__record_ref(future->error);
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
  weft_future_t *outer = child->gather->outer;
  take_child(child->gather, child->future);
  weft_future_unref(outer); /* the watch's */
}

/* A child that ended well and is not the last: all there is to do is to count, which needs no turn in the queue. The count
 * stays above 0 here, so the last one is always met by child_done, in its turn. */
static bool child_counted(weft__watch_t *watch) {
  child_t *child = weft__container_of(watch, child_t, watch);
  gather_t *gather = child->gather;
  if (has_failed(child->future)) return true;
  size_t count = atom_load(&gather->unfinished, relaxed);
  do {
    if (count == 1) return true;
    /* release: our child's end is visible to whoever brings the count to 0 */
  } while (!atom_cas_weak(&gather->unfinished, &count, count - 1, release, relaxed));
  weft_future_unref(gather->outer);
  return false;
}

/* ---- setting up -------------------------------------------------------------------------------------------------------- */

static gather_t *new_gather(size_t count, bool structured, unsigned flags) {
  if (count > (SIZE_MAX - sizeof(gather_t)) / sizeof(child_t)) return NULL;
  gather_t *gather = weft__alloc(size_of(count));
  weft_future_t *outer = gather != NULL ? weft__alloc(sizeof *outer) : NULL;
  if (outer == NULL) {
    if (gather != NULL) weft__free(gather, size_of(count));
    return NULL;
  }
  weft__future_init(outer, weft__current_loop(), WEFT__KIND_FUTURE, 0);
  weft__word_set(&outer->word,
                 WEFT__W_RETRIEVED); /* nobody but us sees it: an error that it is dropped with is no news */
  outer->cancel_hook = cancel_gather;
  outer->drop_hook = drop_gather;
  outer->hook_data = gather;
  memset(gather, 0, sizeof *gather);
  gather->outer = outer;
  gather->capacity = count;
  weft__spin_init(&gather->lock);
  gather->structured = structured;
  gather->collect = (flags & WEFT_RETURN_EXCEPTIONS) != 0;
  gather->strand = weft__current_task()->strand;
  if (gather->strand != NULL) weft__strand_ref(gather->strand);
  return gather;
}

static void add_child(gather_t *gather, weft_future_t *owned) {
  child_t *child = &gather->children[gather->count++];
  child->gather = gather;
  child->future = owned;
}

/* Waits; the children are in place. */
static int run(gather_t *gather, const char *what) {
  size_t n = gather->count, watched = 0;
  weft_future_t *outer = gather->outer;
  atom_init(&gather->unfinished, n + 1); /* ours, while we set up */
  /* The watches' references, all at once. */
  WEFT__ASSERT(n < UINT32_MAX / 4);
  atom_add(&outer->word, n * WEFT__W_REFERENCE, relaxed);
  /* Those that are done already, marked by a watch of nothing, are dealt with at once, after the others are watched. */
  for (size_t i = 0; i < n; i++) {
    child_t *child = &gather->children[i];
    child->watch.future = NULL;
    if (weft__future_done(child->future)) continue;
    watched++;
    weft__future_watch_early(child->future, &child->watch, child_done, child_counted, gather->strand);
  }
  if (watched < n) {
    atom_sub(&outer->word, (n - watched) * WEFT__W_REFERENCE, relaxed); /* not the last: we have ours */
    for (size_t i = 0; i < n; i++)
      if (gather->children[i].watch.future == NULL) take_child(gather, gather->children[i].future);
  }
  one_less(gather);
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
  for (size_t i = 0; i < gather->count; i++) statuses[i] = status_of(gather->children[i].future);
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
  gather_t *gather = new_gather(n, false, flags);
  if (gather == NULL) return weft_fail(-ENOMEM, "%s: no memory for %zu futures", what, n);
  for (size_t i = 0; i < n; i++) add_child(gather, weft_future_ref(futures[i]));
  weft_future_t *outer = gather->outer;
  rc = run(gather, what);
  fill_statuses(gather, statuses);
  weft_future_unref(outer);
  return rc;
}

int weft_gather_futures(weft_future_t *const futures[], size_t n, int statuses[], unsigned flags) {
  return gather_futures(futures, n, statuses, flags, "weft_gather_futures");
}

int weft_gather_tasks(weft_task_t *const tasks[], size_t n, int statuses[], unsigned flags) {
  /* A task starts with its future: the arrays hold the same addresses. */
  return gather_futures((weft_future_t *const *)tasks, n, statuses, flags, "weft_gather_tasks");
}

/* ---- over calls -------------------------------------------------------------------------------------------------------- */

/* Waits for what was created before memory ran out: an error of the set-up, and no child is left behind. */
static int undo(gather_t *gather, int rc) {
  weft__record_t *record = weft__record_for(rc);
  weft_future_t *outer = gather->outer;
  gather->first = weft__record_ref(record);
  (void)cancel_children(gather, NULL);
  int ended = gather->count > 0 ? run(gather, "weft_gather_n") : rc;
  weft_future_unref(outer);
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
  gather_t *gather = new_gather(n, true, flags);
  if (gather == NULL) return weft_fail(-ENOMEM, "weft_gather_n: no memory for %zu calls", n);
  for (size_t i = 0; i < n; i++) {
    weft_task_t *task = weft_create_task(calls[i]);
    if (weft__unlikely(task == NULL)) return undo(gather, weft_error()->code);
    add_child(gather, &task->future);
  }
  weft_future_t *outer = gather->outer;
  rc = run(gather, "weft_gather_n");
  fill_statuses(gather, statuses);
  weft_future_unref(outer);
  return rc;
}
