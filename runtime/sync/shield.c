/* shield.c: waiting for a future without being able to cancel it; and the cancelling wait of wait_for. */
#include "sync/shield.h"

#include <errno.h>
#include <weft/shield.h>

#include "base/alloc.h"
#include "sync/awaiter.h"
#include "task/task.h"

typedef struct shield {
  _Atomic(unsigned) refs; /* the waiter's and the watch's */
  weft__spin_t lock;
  weft__awaiter_t awaiter;
  weft__watch_t watch;
  weft_strand_t *strand;
} shield_t;

static void drop(shield_t *shield, unsigned refs) {
  /* acq_rel: what the other holder did happens before the memory goes */
  if (atom_sub(&shield->refs, refs, acq_rel) != refs) return;
  if (shield->strand != NULL) weft__strand_unref(shield->strand);
  weft__free(shield, sizeof *shield);
}

static void inner_done(weft__watch_t *watch) {
  shield_t *shield = weft__container_of(watch, shield_t, watch);
  weft__spin_lock(&shield->lock);
  weft__awaiter_release(&shield->awaiter);
  weft__spin_unlock(&shield->lock);
  drop(shield, 1);
}

int weft__wait_shielded(weft_future_t *future, bool cancel, const char *what) {
  int rc = weft__check_suspend(what);
  if (rc < 0) return rc;
  if (future->loop != weft__current_loop())
    return weft_fail(WEFT_RUNTIME, "Task %s got a future attached to a different loop",
                     weft_task_get_name(weft__current_task()));
  if (future == &weft__current_task()->future)
    return weft_fail(WEFT_RUNTIME, "Task cannot await on itself: %s", weft_task_get_name(weft__current_task()));
  shield_t *shield = weft__alloc(sizeof *shield);
  if (shield == NULL) return weft_fail(-ENOMEM, "%s: no memory", what);
  atom_init(&shield->refs, 2);
  weft__spin_init(&shield->lock);
  weft__awaiter_init(&shield->awaiter);
  shield->strand = weft__current_task()->strand;
  if (shield->strand != NULL) weft__strand_ref(shield->strand);
  weft__future_watch_for(future, &shield->watch, inner_done, NULL, shield->strand, &weft__current_task()->future);
  if (cancel) weft__future_cancel(future, NULL);
  weft__spin_lock(&shield->lock);
  rc = weft__awaiter_park(&shield->awaiter, &shield->lock);
  drop(shield, weft__future_unwatch(future, &shield->watch) ? 2 : 1);
  return rc;
}

int weft_shield_sized(weft_future_t *future, void *value, size_t size) {
  int rc = weft__future_check_size(future, value, size, "weft_shield");
  return rc < 0 ? rc : (weft_shield)(future, value);
}

int(weft_shield)(weft_future_t *future, void *value) {
  if (future == NULL) return weft_fail(-ENOMEM, "weft_shield: no future (NULL: memory ran out when it was made?)");
  if (!weft__future_done(future)) {
    int rc = weft__wait_shielded(future, false, "weft_shield");
    if (rc < 0) return rc;
    /* asyncio's outer future is cancelled then, without the inner one's message */
    if (weft_future_cancelled(future)) return weft_fail(WEFT_CANCELLED, NULL);
  }
  return weft__future_outcome(future, value);
}
