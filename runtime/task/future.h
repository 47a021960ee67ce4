/* future.h: the inside of futures, and how the runtime's own code waits on them and watches them.
 *
 * A future is a word (word.h), a value or a record, and a list of *nodes* in order of registration: waiting tasks (stack
 * nodes, weft__wait_t) and watches (weft__watch_t, callbacks). The list is guarded by the word's LOCK. Completion takes
 * LOCK, wins or loses by the outcome bits, empties the list, and publishes outcome and unlock in one step; waiters are
 * claimed under LOCK (so a stack node cannot go away), queued after it, in order. */
#ifndef WEFT_TASK_FUTURE_H
#define WEFT_TASK_FUTURE_H

#include <weft/futures.h>

#include "base/error.h"
#include "base/list.h"
#include "task/schedule.h"
#include "task/word.h"

enum { WEFT__VALUE_BYTES = 32 };
enum weft__future_kind { WEFT__KIND_FUTURE, WEFT__KIND_TASK };
enum weft__node_kind { WEFT__NODE_WAIT, WEFT__NODE_WATCH, WEFT__NODE_SELECT };

typedef struct weft__node {
  weft__link_t link;
  enum weft__node_kind kind;
} weft__node_t;

struct weft_future {
  weft__word_t word;
  weft_loop_t *loop; /* borrowed: a loop outlives its futures' use, see weft_loop_close */
  weft__list_t nodes;
  weft__record_t *error; /* owned; written before the outcome is published */
  /* Done callbacks that are queued or run. Raised before the outcome is published, or under LOCK, so that
   * whoever sees the outcome sees it. */
  _Atomic(unsigned) callbacks;
  unsigned char kind;
  unsigned char value_size;
  /* What follows is only in futures that are no tasks, but for value.status: a task's own fields lie there (task.h). */
  union {
    void *align;
    int status;
    unsigned char bytes[WEFT__VALUE_BYTES];
  } value;
  /* For futures that stand for several others (gather): what cancel() does instead. Called without LOCK, with a
   * reference held; answers what cancel() answers. */
  bool (*cancel_hook)(weft_future_t *future, weft__record_t *reason);
  void *hook_data;
  /* Called once when the last reference goes, before the memory does. True: the future was part of memory that is the
   * hook's own, and went with it. */
  bool (*drop_hook)(weft_future_t *future);
};

/* A callback of the runtime's own: fn(watch) runs as one hop through the ready queue after the future is done. The memory
 * is the caller's and must live until then or until unwatch answered true. */
typedef struct weft__watch {
  weft__node_t node;
  weft__item_t item;
  weft_future_t *future; /* borrowed */
  weft_strand_t *strand; /* where to run; NULL: anywhere */
  void (*fn)(struct weft__watch *watch);
  /* May be NULL. Called by whoever completes the future, on whatever thread, once the outcome is published; only claims
   * and counts. False: that was all, fn will not run. True: fn runs, with its hop. */
  bool (*early)(struct weft__watch *watch);
  bool callback;         /* a user's done callback */
  weft_future_t *waiter; /* see weft__future_watch_for; NULL: on nobody's behalf */
} weft__watch_t;

void weft__future_init(weft_future_t *future, weft_loop_t *loop, enum weft__future_kind kind, size_t value_size);
/* Queues at once if the future is done already. */
void weft__future_watch(weft_future_t *future, weft__watch_t *watch, void (*fn)(weft__watch_t *),
                        weft_strand_t *strand);
void weft__future_watch_early(weft_future_t *future, weft__watch_t *watch, void (*fn)(weft__watch_t *),
                              bool (*early)(weft__watch_t *), weft_strand_t *strand);
/* The same on behalf of `waiter`, a task's future or one that stands for others: what is told of who waits for this one. It
 * has to be alive as long as the watch is in the list. early may be NULL. */
void weft__future_watch_for(weft_future_t *future, weft__watch_t *watch, void (*fn)(weft__watch_t *),
                            bool (*early)(weft__watch_t *), weft_strand_t *strand, weft_future_t *waiter);
/* For users' done callbacks: in the loop's callbacks' strand. */
void weft__future_watch_callback(weft_future_t *future, weft__watch_t *watch, void (*fn)(weft__watch_t *));
/* True: it will not run. False: it has run, is running, or is queued. */
bool weft__future_unwatch(weft_future_t *future, weft__watch_t *watch);

/* Completes; 0 or WEFT_INVALID_STATE. A record is consumed in every case. value may be NULL. */
int weft__future_complete(weft_future_t *future, enum weft__outcome outcome, const void *value, weft__record_t *record);
/* The same by whoever holds LOCK and found the future pending; gives LOCK back. */
void weft__future_complete_locked(weft_future_t *future, enum weft__outcome outcome, const void *value,
                                  weft__record_t *record);
/* cancel() of anything that is a future, tasks included. reason is borrowed; NULL: no message. */
bool weft__future_cancel(weft_future_t *future, weft__record_t *reason);
/* Suspends the current task until the future is done; cancelling the task cancels the future. 0, or WEFT_CANCELLED if the
 * task itself is to be cancelled (its record is set). what: the public function, for -EPERM. */
int weft__future_wait(weft_future_t *future, const char *what);
/* The whole of an await but its outcome: waits unless it is done; then, on several workers, for its done callbacks. */
int weft__future_settle(weft_future_t *future, const char *what);
/* What an await of a done future returns: the value (for tasks the status), or the code with the record made current. */
int weft__future_outcome(weft_future_t *future, void *value);
/* 0, or -EINVAL: value, of that size (0: unknown), is not what the future would fill. what: who asks. */
int weft__future_check_size(const weft_future_t *future, const void *value, size_t size, const char *what);

static inline bool weft__future_done(const weft_future_t *future) {
  return weft__word_outcome(atom_load(&future->word, acquire)) != WEFT__PENDING;
}

/* The record that the caller's next weft_error() answers: the current task's, or this thread's. Consumes a reference. */
void weft__set_error(weft__record_t *record);
/* The last record here, borrowed; NULL if there was none. */
weft__record_t *weft__last_record(void);
/* A record whose code is `code`: the last one here if it fits, else a new one without words. Owned. */
weft__record_t *weft__record_for(int code);
/* The immortal CancelledError without a message. */
weft__record_t *weft__record_cancelled(void);

#endif
