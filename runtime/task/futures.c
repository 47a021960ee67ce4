/* futures.c: completion, watching, references, and the public functions of weft/futures.h that do not suspend. */
#include "task/future.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"
#include "task/task.h"
#include "task/wait.h"

void weft__future_init(weft_future_t *future, weft_loop_t *loop, enum weft__future_kind kind, size_t value_size) {
  memset(future, 0, sizeof *future);
  atom_init(&future->word, WEFT__W_REFERENCE);
  future->loop = loop;
  weft__list_init(&future->nodes);
  future->kind = (unsigned char)kind;
  future->value_size = (unsigned char)value_size;
}

static void run_watch(weft__item_t *item) {
  weft__watch_t *watch = weft__container_of(item, weft__watch_t, item);
  watch->fn(watch);
}

/* Under LOCK: claims what waits for this node, if it can be had, and puts its item on `ready`. */
static void claim_node(weft__node_t *node, weft__list_t *ready) {
  weft__list_unlink(&node->link);
  if (node->kind == WEFT__NODE_WATCH) {
    weft__watch_t *watch = weft__container_of(node, weft__watch_t, node);
    weft__list_push_back(ready, &watch->item.link);
    return;
  }
  weft__wait_t *wait = weft__container_of(node, weft__wait_t, node);
  weft_task_t *task = wait->task;
  wait->woken = true;
  /* From here on the node may be gone only if we lose; if we win the task runs no earlier than it is queued below. */
  if (weft__word_wake(&task->future.word, WEFT__READY)) weft__list_push_back(ready, &task->item.link);
}

/* On several workers an await that returns must find the callbacks that were added before the end to have run, as on one:
 * what was registered after a callback (waiters, the runtime's watches) goes through the callbacks' strand, which passes
 * waiters on; and while any callback is pending, those that come later go the same way (weft__future_settle). */
static void queue_claimed(weft_loop_t *loop, weft__list_t *ready) {
  weft_strand_t *callbacks = weft__callback_strand(loop);
  bool after_callback = false;
  weft__link_t *link;
  while ((link = weft__list_pop_front(ready)) != NULL) {
    weft__item_t *item = weft__container_of(link, weft__item_t, link);
    if (item->run == NULL && after_callback) {
      weft__post(loop, item, callbacks);
    } else if (item->run == NULL) {
      weft__schedule_task(weft__task_of_item(item));
    } else {
      weft__watch_t *watch = weft__container_of(item, weft__watch_t, item);
      after_callback = after_callback || watch->callback;
      if (watch->early != NULL && !after_callback && !watch->early(watch)) continue;
      weft__post(loop, item, watch->strand == NULL && after_callback ? callbacks : watch->strand);
    }
  }
}

static unsigned count_callbacks(weft__list_t *ready) {
  unsigned count = 0;
  for (weft__link_t *link = ready->head.next; link != &ready->head; link = link->next) {
    weft__item_t *item = weft__container_of(link, weft__item_t, link);
    if (item->run != NULL) count += weft__container_of(item, weft__watch_t, item)->callback;
  }
  return count;
}

/* Takes LOCK unless the future is done. */
static bool lock_pending(weft_future_t *future) {
  for (;;) {
    uint64_t word = weft__word_unlocked(&future->word);
    if (weft__word_outcome(word) != WEFT__PENDING) return false;
    if (atom_cas_weak(&future->word, &word, word | WEFT__W_LOCK, acquire, relaxed)) return true;
  }
}

void weft__future_complete_locked(weft_future_t *future, enum weft__outcome outcome, const void *value,
                                  weft__record_t *record) {
  if (value != NULL) memcpy(future->value.bytes, value, future->value_size);
  future->error = record;
  weft__list_t ready;
  weft__list_init(&ready);
  weft__link_t *link;
  while ((link = weft__list_first(&future->nodes)) != NULL)
    claim_node(weft__container_of(link, weft__node_t, link), &ready);
  weft_loop_t *loop = future->loop;
  /* relaxed: published by the outcome's release below */
  atom_add(&future->callbacks, count_callbacks(&ready), relaxed);
  /* The release of this step publishes value and record to whoever acquires the outcome; it is our last access to a
   * future that the caller may not own a reference of. */
  weft__word_unlock(&future->word, WEFT__W_NODES, (uint64_t)outcome);
  queue_claimed(loop, &ready);
}

int weft__future_complete(weft_future_t *future, enum weft__outcome outcome, const void *value,
                          weft__record_t *record) {
  if (!lock_pending(future)) {
    weft__record_unref(record);
    return WEFT_INVALID_STATE;
  }
  weft__future_complete_locked(future, outcome, value, record);
  return 0;
}

static void watch_future(weft_future_t *future, weft__watch_t *watch, void (*fn)(weft__watch_t *),
                         bool (*early)(weft__watch_t *), weft_strand_t *strand, bool callback, weft_future_t *waiter) {
  watch->node.kind = WEFT__NODE_WATCH;
  weft__link_init(&watch->node.link);
  weft__link_init(&watch->item.link);
  watch->item.run = run_watch;
  watch->future = future;
  watch->strand = strand;
  watch->fn = fn;
  watch->early = early;
  watch->callback = callback;
  watch->waiter = waiter;
  if (lock_pending(future)) {
    weft__list_push_back(&future->nodes, &watch->node.link);
    weft__word_unlock(&future->word, 0, WEFT__W_NODES);
  } else {
    weft_strand_t *callbacks = weft__callback_strand(future->loop);
    if (callback) atom_add(&future->callbacks, 1, relaxed); /* seen by whoever is ordered after us */
    bool wait = strand == NULL && callbacks != NULL && atom_load(&future->callbacks, acquire) > 0;
    if (early != NULL && !wait && !early(watch)) return;
    weft__post(future->loop, &watch->item, wait ? callbacks : strand);
  }
}

void weft__future_watch(weft_future_t *future, weft__watch_t *watch, void (*fn)(weft__watch_t *),
                        weft_strand_t *strand) {
  watch_future(future, watch, fn, NULL, strand, false, NULL);
}

void weft__future_watch_early(weft_future_t *future, weft__watch_t *watch, void (*fn)(weft__watch_t *),
                              bool (*early)(weft__watch_t *), weft_strand_t *strand) {
  watch_future(future, watch, fn, early, strand, false, NULL);
}

void weft__future_watch_for(weft_future_t *future, weft__watch_t *watch, void (*fn)(weft__watch_t *),
                            bool (*early)(weft__watch_t *), weft_strand_t *strand, weft_future_t *waiter) {
  watch_future(future, watch, fn, early, strand, false, waiter);
}

void weft__future_watch_callback(weft_future_t *future, weft__watch_t *watch, void (*fn)(weft__watch_t *)) {
  watch_future(future, watch, fn, NULL, weft__callback_strand(future->loop), true, NULL);
}

bool weft__future_unwatch(weft_future_t *future, weft__watch_t *watch) {
  weft__word_lock(&future->word);
  bool linked = weft__link_linked(&watch->node.link);
  weft__list_unlink(&watch->node.link);
  weft__word_unlock(&future->word, 0, 0);
  return linked;
}

bool weft__future_cancel(weft_future_t *future, weft__record_t *reason) {
  if (future->kind == WEFT__KIND_TASK) return weft__task_cancel(weft__task_of_future(future), reason);
  if (future->cancel_hook != NULL) return future->cancel_hook(future, reason);
  weft__record_t *record = weft__record_ref(reason != NULL ? reason : weft__record_cancelled());
  return weft__future_complete(future, WEFT__CANCELLED, NULL, record) == 0;
}

int weft__future_outcome(weft_future_t *future, void *value) {
  uint64_t word = atom_load(&future->word, acquire);
  enum weft__outcome outcome = weft__word_outcome(word);
  WEFT__ASSERT(outcome != WEFT__PENDING);
  if (outcome == WEFT__RESULT) {
    if (future->kind == WEFT__KIND_TASK) {
      if (value != NULL) memcpy(value, &future->value.status, sizeof future->value.status);
      return future->value.status;
    }
    if (value != NULL) memcpy(value, future->value.bytes, future->value_size);
    return 0;
  }
  weft__word_set(&future->word, WEFT__W_RETRIEVED);
  int code = future->error->error.code;
  weft__set_error(weft__record_ref(future->error));
  return code;
}

/* ---- public ---------------------------------------------------------------------------------------------------------- */

static void free_future(weft_future_t *future) {
  uint64_t word = atom_load(&future->word, relaxed);
  if (weft__word_outcome(word) == WEFT__ERROR && !(word & WEFT__W_RETRIEVED)) {
    bool task = future->kind == WEFT__KIND_TASK;
    weft__report(future->loop, task ? "Task exception was never retrieved" : "Future exception was never retrieved",
                 &future->error->error, future, NULL);
  }
  if (future->kind == WEFT__KIND_TASK) {
    weft__task_free(weft__task_of_future(future));
    return;
  }
  if (weft__unlikely(!weft__list_empty(&future->nodes))) weft__future_forget_waits(future);
  weft__record_t *error = future->error;
  bool gone = future->drop_hook != NULL && future->drop_hook(future);
  if (error != NULL) weft__record_unref(error);
  if (!gone) weft__free(future, sizeof *future);
}

weft_future_t *weft_loop_create_future(weft_loop_t *loop, size_t value_size) {
  if (loop == NULL || value_size > WEFT__VALUE_BYTES) {
    weft_ignore(weft_fail(-EINVAL,
                          loop == NULL ? "weft_loop_create_future: no loop"
                                       : "a future's value has at most %d bytes, pass a pointer to more",
                          WEFT__VALUE_BYTES));
    return NULL;
  }
  weft_future_t *future = weft__alloc(sizeof *future);
  if (future == NULL) {
    weft_ignore(weft_fail(-ENOMEM, "no memory for a future"));
    return NULL;
  }
  weft__future_init(future, loop, WEFT__KIND_FUTURE, value_size);
  return future;
}

weft_future_t *weft_future_open(size_t value_size) {
  weft_loop_t *loop = weft__current_loop();
  if (loop == NULL) {
    weft_ignore(weft_fail(WEFT_RUNTIME, "no running event loop"));
    return NULL;
  }
  return weft_loop_create_future(loop, value_size);
}

weft_future_t *weft_future_ref(weft_future_t *future) {
  if (future != NULL) weft__word_ref(&future->word);
  return future;
}

void weft_future_unref(weft_future_t *future) {
  if (future != NULL && weft__word_unref(&future->word)) free_future(future);
}

static int refuse_task(const weft_future_t *future, const char *what) {
  if (future->kind != WEFT__KIND_TASK) return 0;
  return weft_fail(WEFT_RUNTIME, "Task does not support %s operation", what);
}

int weft_future_set_result_sized(weft_future_t *future, const void *value, size_t size) {
  if (future == NULL) return weft_fail(-EINVAL, "weft_future_set_result: no future");
  int rc = refuse_task(future, "set_result");
  if (rc < 0) return rc;
  if (value != NULL ? size != future->value_size : size != 0)
    return weft_fail(-EINVAL, "weft_future_set_result: the future holds %u bytes, the value has %zu",
                     future->value_size, size);
  rc = weft__future_complete(future, WEFT__RESULT, value, NULL);
  return rc < 0 ? weft_fail(rc, "invalid state") : 0;
}

int weft_future_set_done(weft_future_t *future) {
  if (future == NULL) return weft_fail(-EINVAL, "weft_future_set_done: no future");
  int rc = refuse_task(future, "set_result");
  if (rc < 0) return rc;
  rc = weft__future_complete(future, WEFT__RESULT, NULL, NULL);
  return rc < 0 ? weft_fail(rc, "invalid state") : 0;
}

int weft_future_set_error(weft_future_t *future, int code, const char *format, ...) {
  if (future == NULL) return weft_fail(-EINVAL, "weft_future_set_error: no future");
  int rc = refuse_task(future, "set_exception");
  if (rc < 0) return rc;
  if (code >= 0) return weft_fail(-EINVAL, "weft_future_set_error: %d is no error code, errors are negative", code);
  weft__record_t *record;
  if (code == WEFT_STOP) { /* 3.13: the end of an iteration cannot be a future's error */
    record = weft__record_make(WEFT_RUNTIME, WEFT_STOP,
                               "StopIteration interacts badly with generators and cannot be raised into a Future");
  } else {
    va_list arguments;
    va_start(arguments, format);
    record = weft__record_new(code, 0, format, arguments);
    va_end(arguments);
  }
  enum weft__outcome outcome = code == WEFT_CANCELLED ? WEFT__CANCELLED : WEFT__ERROR;
  rc = weft__future_complete(future, outcome, NULL, record);
  return rc < 0 ? weft_fail(rc, "invalid state") : 0;
}

bool weft_future_cancel(weft_future_t *future, const char *message) {
  if (future == NULL || weft__future_done(future)) return false;
  weft__record_t *reason = message != NULL ? weft__record_make(WEFT_CANCELLED, 0, "%s", message) : NULL;
  bool asked = weft__future_cancel(future, reason);
  if (reason != NULL) weft__record_unref(reason);
  return asked;
}

bool weft_future_done(const weft_future_t *future) { return weft__future_done(future); }

bool weft_future_cancelled(const weft_future_t *future) {
  return weft__word_outcome(atom_load(&future->word, acquire)) == WEFT__CANCELLED;
}

int(weft_future_result)(weft_future_t *future, void *value) {
  if (future == NULL) return weft_fail(-EINVAL, "weft_future_result: no future");
  if (!weft__future_done(future)) return weft_fail(WEFT_INVALID_STATE, "Result is not set.");
  return weft__future_outcome(future, value);
}

static int check_size(const weft_future_t *future, const void *value, size_t size, const char *what) {
  if (weft__likely(value == NULL || size == 0 || future == NULL || future->value_size == size)) return 0;
  if (future->value_size == 0) return 0; /* nothing is filled */
  return weft_fail(-EINVAL, "%s: the future holds %u bytes, not %zu", what, future->value_size, size);
}
int weft__future_check_size(const weft_future_t *future, const void *value, size_t size, const char *what) {
  return check_size(future, value, size, what);
}

int weft_future_result_sized(weft_future_t *future, void *value, size_t size) {
  int rc = check_size(future, value, size, "weft_future_result");
  return rc < 0 ? rc : (weft_future_result)(future, value);
}

int weft_await_future_sized(weft_future_t *future, void *value, size_t size) {
  int rc = check_size(future, value, size, "weft_await_future");
  return rc < 0 ? rc : (weft_await_future)(future, value);
}

int(weft_await_future)(weft_future_t *future, void *value) {
  if (future == NULL)
    return weft_fail(-ENOMEM, "weft_await_future: no future (NULL: memory ran out when it was made?)");
  int rc = weft__future_settle(future, "weft_await_future");
  return rc < 0 ? rc : weft__future_outcome(future, value);
}
