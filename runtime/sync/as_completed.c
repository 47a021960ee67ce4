/* as_completed.c: an iterator over futures in the order in which they end.
 *
 * The watches live on the heap, with references of the iterator's and of each watch that has not run. Each future's end is
 * queued once (order of the watches' runs); next takes from the queue's head, or waits in the list of waiters. `left` is
 * the number of answers still to give: taken when next is called, given back if it is cancelled, so a cancelled next
 * consumes nothing. When the time is up every answer that is not in the queue yet is WEFT_TIMEOUT; nothing is cancelled. */
#include <errno.h>
#include <string.h>
#include <weft/wait.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "sched/clock.h"
#include "sched/deadline.h"
#include "task/task.h"
#include "task/wait.h"

typedef struct completions completions_t;

typedef struct entry {
  weft__watch_t watch;
  completions_t *owner;
  weft_future_t *future; /* borrowed until destroy */
  size_t index;
  struct entry *next; /* in the queue of what has ended */
} entry_t;

struct completions {
  _Atomic(size_t) refs;
  weft__spin_t lock; /* guards what follows, up to deadline */
  entry_t *head, **tail;
  weft__list_t waiters;
  size_t left;
  bool timed_out;
  weft__deadline_t *deadline;
  weft_strand_t *strand;
  weft_task_t *task; /* who made it, a reference; NULL: a callback */
  size_t count;
  entry_t entries[];
};

typedef struct iterator {
  completions_t *completions; /* NULL: empty, failed or destroyed */
  int failure;
} iterator_t;

_Static_assert(sizeof(iterator_t) <= sizeof(weft_as_completed_t), "weft_as_completed_t is too small");

static iterator_t *inside(weft_as_completed_t *it) { return (iterator_t *)(void *)it; }
static size_t size_of(size_t count) { return sizeof(completions_t) + count * sizeof(entry_t); }

static void drop(completions_t *all, size_t refs) {
  /* acq_rel: what every holder did happens before the memory goes */
  if (atom_sub(&all->refs, refs, acq_rel) != refs) return;
  if (all->strand != NULL) weft__strand_unref(all->strand);
  weft_task_unref(all->task);
  weft__free(all, size_of(all->count));
}

/* ---- ends -------------------------------------------------------------------------------------------------------------- */

/* Under the lock. */
static void wake_one(completions_t *all) {
  weft__link_t *link;
  while ((link = weft__list_pop_front(&all->waiters)) != NULL)
    if (weft__wait_wake(weft__container_of(link, weft__wait_t, node.link))) return;
}

static void one_done(weft__watch_t *watch) {
  entry_t *entry = weft__container_of(watch, entry_t, watch);
  completions_t *all = entry->owner;
  weft__spin_lock(&all->lock);
  if (!all->timed_out) {
    entry->next = NULL;
    *all->tail = entry;
    all->tail = &entry->next;
    wake_one(all);
  }
  weft__spin_unlock(&all->lock);
  drop(all, 1);
}

static void time_is_up(void *data) {
  completions_t *all = data;
  weft__spin_lock(&all->lock);
  all->timed_out = true;
  while (!weft__list_empty(&all->waiters)) wake_one(all);
  weft__spin_unlock(&all->lock);
}

/* ---- the iterator ------------------------------------------------------------------------------------------------------ */

/* The first index of each future, in order; how many. A table of addresses with open addressing, one slot in two free. */
static bool unique(weft_future_t *const futures[], size_t n, size_t first[], size_t *count) {
  size_t slots = 4;
  while (slots < 2 * n) slots *= 2;
  weft_future_t **table = weft__alloc_zero(slots * sizeof *table);
  if (table == NULL) return false;
  *count = 0;
  for (size_t i = 0; i < n; i++) {
    if (futures[i] == NULL) continue;
    size_t at = (size_t)((uintptr_t)futures[i] >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 32 & (slots - 1);
    while (table[at] != NULL && table[at] != futures[i]) at = (at + 1) & (slots - 1);
    if (table[at] == NULL) first[(*count)++] = i;
    table[at] = futures[i];
  }
  weft__free(table, slots * sizeof *table);
  return true;
}

static completions_t *new_completions(weft_future_t *const futures[], const size_t first[], size_t count) {
  completions_t *all = weft__alloc(size_of(count));
  if (all == NULL) return NULL;
  memset(all, 0, sizeof *all);
  atom_init(&all->refs, count + 1);
  weft__spin_init(&all->lock);
  all->tail = &all->head;
  weft__list_init(&all->waiters);
  all->left = all->count = count;
  weft_task_t *task = weft__current_task();
  all->task = weft_task_ref(task);
  all->strand = task != NULL ? task->strand : NULL;
  if (all->strand != NULL) weft__strand_ref(all->strand);
  for (size_t i = 0; i < count; i++) {
    all->entries[i].owner = all;
    all->entries[i].index = first[i];
    all->entries[i].future = futures[first[i]];
  }
  return all;
}

static int start(iterator_t *it, weft_future_t *const futures[], size_t n, int64_t limit) {
  weft_loop_t *loop = weft__current_loop();
  if (loop == NULL) return WEFT_RUNTIME;
  for (size_t i = 0; i < n; i++)
    if (futures[i] != NULL && futures[i]->loop != loop) return WEFT_VALUE;
  size_t count, *first = n <= SIZE_MAX / sizeof(entry_t) / 2 ? weft__alloc(n * sizeof *first) : NULL;
  if (first == NULL) return -ENOMEM;
  bool ok = unique(futures, n, first, &count);
  completions_t *all = ok ? new_completions(futures, first, count) : NULL;
  weft__free(first, n * sizeof *first);
  if (all == NULL) return -ENOMEM;
  for (size_t i = 0; i < count; i++)
    weft__future_watch_for(all->entries[i].future, &all->entries[i].watch, one_done, NULL, all->strand,
                           weft_task_future(all->task));
  it->completions = all;
  if (count == 0 || limit == WEFT__TIME_NEVER) return 0;
  all->deadline = weft__deadline_open(loop, weft__time_add(weft__loop_now(loop), limit), all->strand, time_is_up, all);
  return all->deadline != NULL ? 0 : -ENOMEM;
}

static void stop(iterator_t *it) {
  completions_t *all = it->completions;
  if (all == NULL) return;
  it->completions = NULL;
  weft__deadline_close(all->deadline);
  size_t refs = 1;
  for (size_t i = 0; i < all->count; i++)
    if (weft__future_unwatch(all->entries[i].future, &all->entries[i].watch)) refs++;
  drop(all, refs);
}

void weft_as_completed_init(weft_as_completed_t *public_it, weft_future_t *const futures[], size_t n, double seconds) {
  iterator_t *it = inside(public_it);
  memset(public_it, 0, sizeof *public_it);
  int64_t limit;
  it->failure = weft__seconds_to_ns(seconds, &limit);
  if (it->failure == 0 && n > 0 && futures == NULL) it->failure = -EINVAL;
  if (it->failure == 0 && n > 0) it->failure = start(it, futures, n, limit);
  if (it->failure < 0) stop(it);
}

void weft_as_completed_destroy(weft_as_completed_t *public_it) { stop(inside(public_it)); }

static int failed(int failure) {
  switch (failure) {
  case -ENOMEM: return weft_fail(failure, "weft_as_completed_init: no memory");
  case WEFT_RUNTIME: return weft_fail(failure, "no running event loop");
  case WEFT_VALUE:
    return weft_fail(failure, "The future belongs to a different loop than the one specified as the loop argument");
  default: return weft_fail(failure, "weft_as_completed_init: no futures, or the limit is not a number");
  }
}

/* Under the lock, which it gives back. Waits until something is in the queue or the time is up. */
static int wait_for_one(completions_t *all) {
  weft__wait_t wait;
  weft__wait_init(&wait);
  weft__list_push_back(&all->waiters, &wait.node.link);
  int rc = weft__wait_park(&wait, &all->lock);
  weft__spin_lock(&all->lock);
  weft__list_unlink(&wait.node.link);
  if (rc < 0) {
    all->left++;
    if (wait.woken && all->head != NULL) wake_one(all); /* what woke us is somebody else's now */
  }
  weft__spin_unlock(&all->lock);
  return rc;
}

int weft_as_completed_next(weft_as_completed_t *public_it, size_t *index) {
  int rc = weft__check_suspend("weft_as_completed_next");
  if (rc < 0) return rc;
  iterator_t *it = inside(public_it);
  if (it->failure < 0) return failed(it->failure);
  completions_t *all = it->completions;
  if (all == NULL) return 0;
  weft__spin_lock(&all->lock);
  if (all->left == 0) {
    weft__spin_unlock(&all->lock);
    return 0;
  }
  all->left--;
  while (all->head == NULL && !all->timed_out) {
    rc = wait_for_one(all);
    if (rc < 0) return rc;
    weft__spin_lock(&all->lock);
  }
  entry_t *entry = all->head;
  if (entry != NULL && (all->head = entry->next) == NULL) all->tail = &all->head;
  weft__spin_unlock(&all->lock);
  if (entry == NULL) {
    weft__set_error(weft__record_make(WEFT_TIMEOUT, 0, NULL));
    return WEFT_TIMEOUT;
  }
  if (index != NULL) *index = entry->index;
  return 1;
}
