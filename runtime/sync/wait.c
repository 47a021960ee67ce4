/* wait.c: weft_wait: until all, the first, or the first failed of several futures is done; nothing is cancelled.
 *
 * The watches live on the heap with a count of references, the waiter's and one per watch that has not run: a watch that
 * was queued when the wait ended still runs, later, and finds the state. */
#include <weft/wait.h>

#include <errno.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "sched/clock.h"
#include "sched/deadline.h"
#include "sync/awaiter.h"
#include "task/task.h"

typedef struct waiting waiting_t;

typedef struct entry {
  weft__watch_t watch;
  waiting_t *owner;
  weft_future_t *future; /* borrowed from the caller; not touched once the wait is over */
} entry_t;

struct waiting {
  _Atomic(size_t) refs;
  weft__spin_t lock;
  size_t pending; /* under lock, as the awaiter */
  weft__awaiter_t awaiter;
  int return_when;
  size_t count;
  weft_strand_t *strand;
  entry_t entries[];
};

static size_t size_of(size_t count) { return sizeof(waiting_t) + count * sizeof(entry_t); }

static void drop(waiting_t *waiting, size_t refs) {
  /* acq_rel: what every holder did happens before the memory goes */
  if (atom_sub(&waiting->refs, refs, acq_rel) != refs) return;
  if (waiting->strand != NULL) weft__strand_unref(waiting->strand);
  weft__free(waiting, size_of(waiting->count));
}

/* Under the lock. */
static bool satisfied(const waiting_t *waiting, weft_future_t *future) {
  if (waiting->pending == 0 || waiting->return_when == WEFT_FIRST_COMPLETED) return true;
  if (waiting->return_when != WEFT_FIRST_EXCEPTION) return false;
  uint64_t word = atom_load(&future->word, acquire);
  if (weft__word_outcome(word) != WEFT__ERROR) return false;
  weft__word_set(&future->word, WEFT__W_RETRIEVED);
  return true;
}

static void one_done(weft__watch_t *watch) {
  entry_t *entry = weft__container_of(watch, entry_t, watch);
  waiting_t *waiting = entry->owner;
  weft__spin_lock(&waiting->lock);
  waiting->pending--;
  /* Once released the futures are the caller's again. */
  if (!waiting->awaiter.released && satisfied(waiting, entry->future)) weft__awaiter_release(&waiting->awaiter);
  weft__spin_unlock(&waiting->lock);
  drop(waiting, 1);
}

static void time_is_up(void *data) {
  waiting_t *waiting = data;
  weft__spin_lock(&waiting->lock);
  if (!waiting->awaiter.released) weft__awaiter_release(&waiting->awaiter);
  weft__spin_unlock(&waiting->lock);
}

/* The wait is over, whatever ended it: takes the watches back. */
static void let_go(waiting_t *waiting) {
  weft__spin_lock(&waiting->lock);
  waiting->awaiter.released = true;
  weft__spin_unlock(&waiting->lock);
  size_t refs = 1;
  for (size_t i = 0; i < waiting->count; i++)
    if (weft__future_unwatch(waiting->entries[i].future, &waiting->entries[i].watch)) refs++;
  drop(waiting, refs);
}

static waiting_t *new_waiting(weft_future_t *const futures[], size_t n, size_t count, int return_when) {
  waiting_t *waiting = count > (SIZE_MAX - sizeof *waiting) / sizeof(entry_t) ? NULL : weft__alloc(size_of(count));
  if (waiting == NULL) return NULL;
  atom_init(&waiting->refs, count + 1);
  weft__spin_init(&waiting->lock);
  weft__awaiter_init(&waiting->awaiter);
  waiting->pending = waiting->count = count;
  waiting->return_when = return_when;
  waiting->strand = weft__current_task()->strand;
  if (waiting->strand != NULL) weft__strand_ref(waiting->strand);
  entry_t *entry = waiting->entries;
  for (size_t i = 0; i < n; i++) {
    if (futures[i] == NULL) continue;
    entry->owner = waiting;
    entry->future = futures[i];
    entry++;
  }
  return waiting;
}

static int check(weft_future_t *const futures[], size_t n, int return_when, size_t *count) {
  int rc = weft__check_suspend("weft_wait");
  if (rc < 0) return rc;
  if (n > 0 && futures == NULL) return weft_fail(-EINVAL, "weft_wait: no array of futures");
  weft_loop_t *loop = weft__current_loop();
  *count = 0;
  for (size_t i = 0; i < n; i++) {
    if (futures[i] == NULL) continue;
    if (futures[i]->loop != loop)
      return weft_fail(WEFT_VALUE,
                       "The future belongs to a different loop than the one specified as the loop argument");
    ++*count;
  }
  if (*count == 0) return weft_fail(WEFT_VALUE, "Set of Tasks/Futures is empty.");
  if (return_when < WEFT_ALL_COMPLETED || return_when > WEFT_FIRST_EXCEPTION)
    return weft_fail(WEFT_VALUE, "Invalid return_when value: %d", return_when);
  return 0;
}

static int report(weft_future_t *const futures[], size_t n, bool done[]) {
  int finished = 0;
  for (size_t i = 0; i < n; i++) {
    bool is_done = futures[i] != NULL && weft__future_done(futures[i]);
    if (done != NULL) done[i] = is_done;
    finished += is_done;
  }
  return finished;
}

int weft_wait(weft_future_t *const futures[], size_t n, int return_when, double seconds, bool done[]) {
  size_t count = 0;
  int64_t limit;
  int rc = check(futures, n, return_when, &count);
  if (rc < 0) return rc;
  if (weft__seconds_to_ns(seconds, &limit) < 0) return weft_fail(-EINVAL, "weft_wait: the limit is not a number");
  waiting_t *waiting = new_waiting(futures, n, count, return_when);
  if (waiting == NULL) return weft_fail(-ENOMEM, "weft_wait: no memory for %zu futures", count);
  weft__deadline_t *deadline = NULL;
  if (limit != WEFT__TIME_NEVER) {
    weft_loop_t *loop = weft__current_loop();
    deadline =
        weft__deadline_open(loop, weft__time_add(weft__loop_now(loop), limit), waiting->strand, time_is_up, waiting);
    if (deadline == NULL) {
      drop(waiting, count + 1);
      return weft_fail(-ENOMEM, "weft_wait: no memory for a timer");
    }
  }
  for (size_t i = 0; i < count; i++)
    weft__future_watch_for(waiting->entries[i].future, &waiting->entries[i].watch, one_done, NULL, waiting->strand,
                           &weft__current_task()->future);
  weft__spin_lock(&waiting->lock);
  rc = weft__awaiter_park(&waiting->awaiter, &waiting->lock);
  weft__deadline_close(deadline);
  let_go(waiting);
  return rc < 0 ? rc : report(futures, n, done);
}

int weft_wait_tasks(weft_task_t *const tasks[], size_t n, int return_when, double seconds, bool done[]) {
  /* A task starts with its future: the arrays hold the same addresses. */
  return weft_wait((weft_future_t *const *)tasks, n, return_when, seconds, done);
}
