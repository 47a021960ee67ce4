/* watch.c: a value that changes, with a number that counts its changes. A receiver is the number that it saw last. */
#include <errno.h>
#include <string.h>

#include <weft/channels.h>

#include "base/alloc.h"
#include "sync/store.h"
#include "sync/waiters.h"

typedef struct watch {
  weft__spin_t spin;
  bool closed;
  unsigned size;
  uint64_t number; /* of the present value; the first one is 1 */
  unsigned char *value;
  weft__list_t waiters;
} watch_t;

_Static_assert(sizeof(watch_t) <= sizeof(weft_watch_t), "weft_watch_t is too small");

static watch_t *watch_of(weft_watch_t *w) { return (watch_t *)w; }

static int check_size(const watch_t *w, size_t size, const char *what) {
  if (size == w->size) return 0;
  return weft_fail(-EINVAL, "%s: a value of %zu bytes where values have %u bytes", what, size, w->size);
}

int weft_watch_init_sized(weft_watch_t *public, const void *value, size_t size) {
  watch_t *w = watch_of(public);
  memset(public, 0, sizeof *public);
  if (size == 0 || size > WEFT__ITEM_MAX)
    return weft_fail(-EINVAL, "a channel's items have 1 to %d bytes, not %zu", WEFT__ITEM_MAX, size);
  if ((w->value = weft__alloc(size)) == NULL) return weft_fail(-ENOMEM, "weft_watch_init: no memory");
  memcpy(w->value, value, size);
  w->size = (unsigned)size;
  w->number = 1;
  weft__list_init(&w->waiters);
  return 0;
}

void weft_watch_destroy(weft_watch_t *public) {
  watch_t *w = watch_of(public);
  weft__free(w->value, w->size);
  memset(public, 0, sizeof *public);
}

int weft_watch_send_sized(weft_watch_t *public, const void *value, size_t size) {
  watch_t *w = watch_of(public);
  int rc = check_size(w, size, "weft_watch_send");
  if (rc < 0) return rc;
  weft__spin_lock(&w->spin);
  bool closed = w->closed;
  if (!closed) {
    memcpy(w->value, value, size);
    w->number++;
    weft__waiters_wake_all(&w->waiters);
  }
  weft__spin_unlock(&w->spin);
  return closed ? weft_fail(WEFT_QUEUE_SHUTDOWN, "weft_watch_send: the channel is closed") : 0;
}

static void look(const watch_t *w, uint64_t *seen, void *value) {
  memcpy(value, w->value, w->size);
  if (seen != NULL) *seen = w->number;
}

int weft_watch_get_sized(weft_watch_t *public, uint64_t *seen, void *value, size_t size) {
  watch_t *w = watch_of(public);
  int rc = check_size(w, size, "weft_watch_get");
  if (rc < 0) return rc;
  weft__spin_lock(&w->spin);
  look(w, seen, value);
  weft__spin_unlock(&w->spin);
  return 0;
}

int weft_watch_next_sized(weft_watch_t *public, uint64_t *seen, void *value, size_t size) {
  watch_t *w = watch_of(public);
  int rc = weft__check_suspend("weft_watch_next");
  if (rc == 0) rc = check_size(w, size, "weft_watch_next");
  if (rc < 0) return rc;
  bool woken;
  weft__spin_lock(&w->spin);
  while (rc == 0 && w->number == *seen && !w->closed) rc = weft__waiters_wait(&w->waiters, &w->spin, &woken);
  bool fresh = w->number != *seen;
  if (rc == 0 && fresh) look(w, seen, value);
  weft__spin_unlock(&w->spin);
  return rc == 0 && !fresh ? weft_fail(WEFT_QUEUE_SHUTDOWN, "weft_watch_next: the channel is closed") : rc;
}

void weft_watch_close(weft_watch_t *public) {
  watch_t *w = watch_of(public);
  weft__spin_lock(&w->spin);
  w->closed = true;
  weft__waiters_wake_all(&w->waiters);
  weft__spin_unlock(&w->spin);
}
