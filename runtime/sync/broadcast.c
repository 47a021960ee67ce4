/* broadcast.c: every item to every receiver, from a ring of the last ones. A receiver is the number of its next item;
 * item n lies at n modulo the capacity as long as n >= sent - capacity. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include <weft/channels.h>

#include "base/alloc.h"
#include "sync/store.h"
#include "sync/waiters.h"

typedef struct broadcast {
  weft__spin_t spin;
  bool closed;
  unsigned item_size;
  size_t capacity;
  uint64_t sent;
  unsigned char *items;
  weft__list_t waiters;
} broadcast_t;

_Static_assert(sizeof(broadcast_t) <= sizeof(weft_broadcast_t), "weft_broadcast_t is too small");

static broadcast_t *broadcast_of(weft_broadcast_t *b) { return (broadcast_t *)b; }

static int check_size(const broadcast_t *b, size_t size, const char *what) {
  if (size == b->item_size) return 0;
  return weft_fail(-EINVAL, "%s: an item of %zu bytes where items have %u bytes", what, size, b->item_size);
}

int weft_broadcast_init(weft_broadcast_t *public, size_t item_size, size_t capacity) {
  broadcast_t *b = broadcast_of(public);
  memset(public, 0, sizeof *public);
  if (item_size == 0 || item_size > WEFT__ITEM_MAX)
    return weft_fail(-EINVAL, "a channel's items have 1 to %d bytes, not %zu", WEFT__ITEM_MAX, item_size);
  if (capacity == 0) return weft_fail(-EINVAL, "weft_broadcast_init: no room for any item");
  if (capacity > SIZE_MAX / 2 / item_size || (b->items = weft__alloc(capacity * item_size)) == NULL)
    return weft_fail(-ENOMEM, "weft_broadcast_init: no memory for %zu items", capacity);
  b->item_size = (unsigned)item_size;
  b->capacity = capacity;
  weft__list_init(&b->waiters);
  return 0;
}

void weft_broadcast_destroy(weft_broadcast_t *public) {
  broadcast_t *b = broadcast_of(public);
  weft__free(b->items, b->capacity * b->item_size);
  memset(public, 0, sizeof *public);
}

static unsigned char *place(const broadcast_t *b, uint64_t number) {
  return b->items + number % b->capacity * b->item_size;
}

int weft_broadcast_send_sized(weft_broadcast_t *public, const void *item, size_t size) {
  broadcast_t *b = broadcast_of(public);
  int rc = check_size(b, size, "weft_broadcast_send");
  if (rc < 0) return rc;
  weft__spin_lock(&b->spin);
  bool closed = b->closed;
  if (!closed) {
    memcpy(place(b, b->sent++), item, size);
    weft__waiters_wake_all(&b->waiters);
  }
  weft__spin_unlock(&b->spin);
  return closed ? weft_fail(WEFT_QUEUE_SHUTDOWN, "weft_broadcast_send: the channel is closed") : 0;
}

uint64_t weft_broadcast_subscribe(weft_broadcast_t *public) {
  broadcast_t *b = broadcast_of(public);
  weft__spin_lock(&b->spin);
  uint64_t sent = b->sent;
  weft__spin_unlock(&b->spin);
  return sent;
}

/* Under the lock: 0, how many were missed, or why there is none. */
static int take(const broadcast_t *b, uint64_t *receiver, void *item) {
  if (*receiver >= b->sent) return b->closed ? WEFT_QUEUE_SHUTDOWN : WEFT_QUEUE_EMPTY;
  uint64_t oldest = b->sent > b->capacity ? b->sent - b->capacity : 0;
  if (*receiver < oldest) {
    uint64_t missed = oldest - *receiver;
    if (missed > INT_MAX) missed = INT_MAX; /* the rest next time */
    *receiver += missed;
    return (int)missed;
  }
  memcpy(item, place(b, (*receiver)++), b->item_size);
  return 0;
}

static int fail(int rc, const char *what) {
  if (rc == WEFT_QUEUE_SHUTDOWN) return weft_fail(rc, "%s: the channel is closed", what);
  return rc == WEFT_QUEUE_EMPTY ? weft_fail(rc, NULL) : rc;
}

int weft_broadcast_recv_sized(weft_broadcast_t *public, uint64_t *receiver, void *item, size_t size) {
  broadcast_t *b = broadcast_of(public);
  int rc = weft__check_suspend("weft_broadcast_recv");
  if (rc == 0) rc = check_size(b, size, "weft_broadcast_recv");
  if (rc < 0) return rc;
  weft__spin_lock(&b->spin);
  for (bool woken; (rc = take(b, receiver, item)) == WEFT_QUEUE_EMPTY;)
    if ((rc = weft__waiters_wait(&b->waiters, &b->spin, &woken)) < 0) break;
  weft__spin_unlock(&b->spin);
  return fail(rc, "weft_broadcast_recv");
}

int weft_broadcast_try_recv_sized(weft_broadcast_t *public, uint64_t *receiver, void *item, size_t size) {
  broadcast_t *b = broadcast_of(public);
  int rc = check_size(b, size, "weft_broadcast_try_recv");
  if (rc < 0) return rc;
  weft__spin_lock(&b->spin);
  rc = take(b, receiver, item);
  weft__spin_unlock(&b->spin);
  return fail(rc, "weft_broadcast_try_recv");
}

void weft_broadcast_close(weft_broadcast_t *public) {
  broadcast_t *b = broadcast_of(public);
  weft__spin_lock(&b->spin);
  b->closed = true;
  weft__waiters_wake_all(&b->waiters);
  weft__spin_unlock(&b->spin);
}
