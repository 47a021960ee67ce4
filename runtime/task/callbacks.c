/* callbacks.c: done callbacks of futures, and waiting for a future from a foreign thread.
 *
 * A done callback is a watch in memory of its own, with a reference to its future; it runs in the loop's callback strand
 * (with one worker: in the ready queue), so callbacks of one future run in order of adding, one after the other. */
#include <errno.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/threads.h"
#include "task/contextvars.h"
#include "task/future.h"
#include "task/task.h"

typedef struct callback {
  weft__watch_t watch;
  weft_done_fn fn;
  void *data;
  weft_contextvars_t *context;
} callback_t;

static void drop_callback(callback_t *callback) {
  weft_future_t *future = callback->watch.future;
  weft_contextvars_unref(callback->context);
  weft__free(callback, sizeof *callback);
  weft_future_unref(future);
}

static void run_callback(weft__watch_t *watch) {
  callback_t *callback = weft__container_of(watch, callback_t, watch);
  if (weft__unlikely(weft__loop_refuses_tasks(watch->future->loop))) { /* closed */
    atom_sub(&watch->future->callbacks, 1, relaxed);
    drop_callback(callback);
    return;
  }
  weft__context_frame_t frame;
  weft__context_enter(&frame, callback->context);
  callback->context = NULL;
  int rc = callback->fn(watch->future, callback->data);
  weft__context_leave(&frame);
  if (rc < 0) {
    weft__record_t *record = weft__record_for(rc);
    if (rc == WEFT_EXIT || rc == WEFT_INTERRUPT)
      weft__base_error(watch->future->loop, record);
    else
      weft__report_callback(watch->future->loop, (const void *)(uintptr_t)callback->fn, &record->error);
    weft__record_unref(record);
  }
  atom_sub(&watch->future->callbacks, 1, release); /* partner: the acquires in settle and remove_done_callback_sync */
  drop_callback(callback);
}

int weft_future_add_done_callback(weft_future_t *future, weft_done_fn fn, void *data) {
  if (future == NULL || fn == NULL)
    return weft_fail(-EINVAL, "weft_future_add_done_callback: no %s", future == NULL ? "future" : "function");
  callback_t *callback = weft__alloc(sizeof *callback);
  if (callback == NULL) return weft_fail(-ENOMEM, "no memory for a done callback");
  callback->fn = fn;
  callback->data = data;
  callback->context = weft__context_of_new_task();
  weft_future_ref(future);
  weft__future_watch_callback(future, &callback->watch, run_callback);
  return 0;
}

int weft_future_remove_done_callback(weft_future_t *future, weft_done_fn fn, void *data) {
  if (future == NULL || fn == NULL)
    return weft_fail(-EINVAL, "weft_future_remove_done_callback: no future or function");
  weft__list_t removed;
  weft__list_init(&removed);
  weft__word_lock(&future->word);
  for (weft__link_t *link = future->nodes.head.next, *next; link != &future->nodes.head; link = next) {
    next = link->next;
    weft__node_t *node = weft__container_of(link, weft__node_t, link);
    if (node->kind != WEFT__NODE_WATCH) continue;
    weft__watch_t *watch = weft__container_of(node, weft__watch_t, node);
    callback_t *callback = weft__container_of(watch, callback_t, watch);
    if (watch->fn != run_callback || callback->fn != fn || callback->data != data) continue;
    weft__list_unlink(link);
    weft__list_push_back(&removed, link);
  }
  weft__word_unlock(&future->word, 0, 0);
  int count = 0;
  weft__link_t *link;
  while ((link = weft__list_pop_front(&removed)) != NULL) {
    weft__watch_t *watch = weft__container_of(weft__container_of(link, weft__node_t, link), weft__watch_t, node);
    drop_callback(weft__container_of(watch, callback_t, watch));
    count++;
  }
  return count;
}

/* Passes through the callbacks' queue, which is first in, first out and serial: what was queued before is over then. */
struct barrier {
  weft__item_t item;
  weft_future_t *passed;
};

static void pass_barrier(weft__item_t *item) {
  struct barrier *barrier = weft__container_of(item, struct barrier, item);
  weft_future_t *passed = barrier->passed;
  weft__free(barrier, sizeof *barrier);
  weft__future_complete(passed, WEFT__RESULT, NULL, NULL);
  weft_future_unref(passed);
}

/* Cancelling the waiter must not end the wait: the caller is about to free the callback's data. The request is noted in
 * the JOINED bit, which plain futures have no other use for. */
static bool note_cancel(weft_future_t *passed, weft__record_t *reason) {
  (void)reason;
  weft__word_set(&passed->word, WEFT__W_JOINED);
  return true;
}

/* One barrier: 0, or an error. */
static int pass_once(weft_future_t *future) {
  struct barrier *barrier = weft__alloc(sizeof *barrier);
  weft_future_t *passed = weft_loop_create_future(future->loop, 0);
  if (barrier == NULL || passed == NULL) {
    weft__free(barrier, sizeof *barrier);
    weft_future_unref(passed);
    return weft_fail(-ENOMEM, "weft_future_remove_done_callback_sync: no memory");
  }
  weft__link_init(&barrier->item.link);
  barrier->item.run = pass_barrier;
  barrier->passed = weft_future_ref(passed);
  passed->cancel_hook = note_cancel;
  weft__post(future->loop, &barrier->item, weft__callback_strand(future->loop));
  int rc = weft__future_wait(passed, "weft_future_remove_done_callback_sync");
  if (rc == 0 && (atom_load(&passed->word, relaxed) & WEFT__W_JOINED)) rc = weft_fail(WEFT_CANCELLED, NULL);
  weft_future_unref(passed);
  return rc;
}

int weft_future_remove_done_callback_sync(weft_future_t *future, weft_done_fn fn, void *data) {
  int count = weft_future_remove_done_callback(future, fn, data);
  if (count < 0) return count;
  int rc = weft__check_suspend("weft_future_remove_done_callback_sync");
  if (rc < 0) return rc;
  /* One barrier may overtake a callback that another thread has claimed and not queued yet: the count knows of it. */
  do {
    int passed = pass_once(future);
    if (passed == -ENOMEM) return passed;
    if (passed < 0) rc = passed;
  } while (atom_load(&future->callbacks, acquire) > 0); /* partner: run_callback's release */
  return rc < 0 ? rc : count;
}

/* ---- foreign threads --------------------------------------------------------------------------------------------------- */

typedef struct blocking {
  weft__watch_t watch;
  weft__mutex_t mutex;
  weft__cond_t done_cond;
  bool done;
  _Atomic(int) refs; /* the waiting thread's and the watch's */
} blocking_t;

static void drop_blocking(blocking_t *blocking) {
  /* acq_rel: the other side is through with the mutex */
  if (atom_sub(&blocking->refs, 1, acq_rel) != 1) return;
  weft__cond_destroy(&blocking->done_cond);
  weft__mutex_destroy(&blocking->mutex);
  weft__free(blocking, sizeof *blocking);
}

/* By whoever completes the future, on its thread: the loop need not run. */
static bool wake_blocking(weft__watch_t *watch) {
  blocking_t *blocking = weft__container_of(watch, blocking_t, watch);
  weft__mutex_lock(&blocking->mutex);
  blocking->done = true;
  weft__cond_signal(&blocking->done_cond);
  weft__mutex_unlock(&blocking->mutex);
  drop_blocking(blocking);
  return false;
}
static void never_run(weft__watch_t *watch) { (void)watch; }

static blocking_t *new_blocking(void) {
  blocking_t *blocking = weft__alloc(sizeof *blocking);
  if (blocking == NULL) return NULL;
  if (weft__mutex_init(&blocking->mutex) < 0) {
    weft__free(blocking, sizeof *blocking);
    return NULL;
  }
  if (weft__cond_init(&blocking->done_cond) < 0) {
    weft__mutex_destroy(&blocking->mutex);
    weft__free(blocking, sizeof *blocking);
    return NULL;
  }
  blocking->done = false;
  atom_init(&blocking->refs, 2);
  return blocking;
}

int weft_future_wait_blocking_sized(weft_future_t *future, double seconds, void *value, size_t size) {
  int rc = weft__future_check_size(future, value, size, "weft_future_wait_blocking");
  return rc < 0 ? rc : (weft_future_wait_blocking)(future, seconds, value);
}

int(weft_future_wait_blocking)(weft_future_t *future, double seconds, void *value) {
  int64_t ns;
  if (future == NULL) return weft_fail(-EINVAL, "weft_future_wait_blocking: no future");
  if (weft__seconds_to_ns(seconds, &ns) < 0)
    return weft_fail(-EINVAL, "weft_future_wait_blocking: seconds is not a number");
  if (weft__current_loop() != NULL)
    return weft_fail(-EPERM, "weft_future_wait_blocking would block a worker: in a task use weft_await_future");
  if (!weft__future_done(future)) {
    int64_t deadline = ns == WEFT__TIME_NEVER ? ns : weft__time_add(weft__clock_now(), ns > 0 ? ns : 0);
    blocking_t *blocking = new_blocking();
    if (blocking == NULL) return weft_fail(-ENOMEM, "weft_future_wait_blocking: no memory");
    weft__future_watch_early(future, &blocking->watch, never_run, wake_blocking, NULL);
    weft__mutex_lock(&blocking->mutex);
    bool in_time = true;
    while (!blocking->done && in_time)
      in_time = weft__cond_wait_until(&blocking->done_cond, &blocking->mutex, deadline);
    weft__mutex_unlock(&blocking->mutex);
    if (weft__future_unwatch(future, &blocking->watch)) drop_blocking(blocking); /* the watch's reference */
    drop_blocking(blocking);
    if (!weft__future_done(future)) return weft_fail(WEFT_TIMEOUT, NULL);
  }
  return weft__future_outcome(future, value);
}
