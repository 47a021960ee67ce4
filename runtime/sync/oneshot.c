/* oneshot.c: one item, once.
 *
 *   EMPTY --send--> SENT --recv--> TAKEN        EMPTY --close_sender--> GONE
 * The receiver's end closes apart from that, at any moment; a send after it is refused. */
#include <errno.h>
#include <string.h>

#include <weft/channels.h>

#include "base/alloc.h"
#include "sync/store.h"
#include "sync/waiters.h"

enum state { EMPTY, SENT, TAKEN, GONE };
enum { INSIDE = 32 };

typedef struct oneshot {
  weft__spin_t spin;
  unsigned char state;
  bool receiver_closed;
  unsigned item_size;
  union {
    unsigned char bytes[INSIDE];
    void *memory; /* of larger items */
  } item;
  weft__list_t receivers, senders; /* who wait for the item; for the receiver's end to close */
} oneshot_t;

_Static_assert(sizeof(oneshot_t) <= sizeof(weft_oneshot_t), "weft_oneshot_t is too small");

static oneshot_t *oneshot_of(weft_oneshot_t *o) { return (oneshot_t *)o; }

static void *item_of(oneshot_t *o) { return o->item_size > INSIDE ? o->item.memory : o->item.bytes; }

static int check_size(const oneshot_t *o, size_t size, const char *what) {
  if (size == o->item_size) return 0;
  return weft_fail(-EINVAL, "%s: an item of %zu bytes where items have %u bytes", what, size, o->item_size);
}

int weft_oneshot_init(weft_oneshot_t *public, size_t item_size) {
  oneshot_t *o = oneshot_of(public);
  memset(public, 0, sizeof *public);
  if (item_size == 0 || item_size > WEFT__ITEM_MAX)
    return weft_fail(-EINVAL, "a channel's items have 1 to %d bytes, not %zu", WEFT__ITEM_MAX, item_size);
  if (item_size > INSIDE && (o->item.memory = weft__alloc(item_size)) == NULL)
    return weft_fail(-ENOMEM, "weft_oneshot_init: no memory");
  o->item_size = (unsigned)item_size;
  weft__list_init(&o->receivers);
  weft__list_init(&o->senders);
  return 0;
}

void weft_oneshot_destroy(weft_oneshot_t *public) {
  oneshot_t *o = oneshot_of(public);
  if (o->item_size > INSIDE) weft__free(o->item.memory, o->item_size);
  memset(public, 0, sizeof *public);
}

int weft_oneshot_send_sized(weft_oneshot_t *public, const void *item, size_t size) {
  oneshot_t *o = oneshot_of(public);
  int rc = check_size(o, size, "weft_oneshot_send");
  if (rc < 0) return rc;
  weft__spin_lock(&o->spin);
  rc = o->state != EMPTY ? WEFT_INVALID_STATE : o->receiver_closed ? WEFT_QUEUE_SHUTDOWN : 0;
  if (rc == 0) {
    memcpy(item_of(o), item, size);
    o->state = SENT;
    (void)weft__waiters_wake_next(&o->receivers);
  }
  weft__spin_unlock(&o->spin);
  if (rc == WEFT_INVALID_STATE) return weft_fail(rc, "weft_oneshot_send: sent or closed before");
  return rc < 0 ? weft_fail(rc, "weft_oneshot_send: the receiver is closed") : 0;
}

/* Under the lock: 0, or why there is no item. */
static int take(oneshot_t *o, void *item) {
  switch (o->state) {
  case SENT:
    memcpy(item, item_of(o), o->item_size);
    o->state = TAKEN;
    weft__waiters_wake_all(&o->receivers); /* those will wait in vain */
    return 0;
  case TAKEN: return WEFT_INVALID_STATE;
  case GONE: return WEFT_QUEUE_SHUTDOWN;
  default: return WEFT_QUEUE_EMPTY;
  }
}

static int fail(int rc, const char *what) {
  if (rc == WEFT_INVALID_STATE) return weft_fail(rc, "%s: received before", what);
  if (rc == WEFT_QUEUE_SHUTDOWN) return weft_fail(rc, "%s: the sender is closed", what);
  return rc == WEFT_QUEUE_EMPTY ? weft_fail(rc, NULL) : rc;
}

int weft_oneshot_recv_sized(weft_oneshot_t *public, void *item, size_t size) {
  oneshot_t *o = oneshot_of(public);
  int rc = weft__check_suspend("weft_oneshot_recv");
  if (rc == 0) rc = check_size(o, size, "weft_oneshot_recv");
  if (rc < 0) return rc;
  weft__spin_lock(&o->spin);
  for (bool woken; (rc = take(o, item)) == WEFT_QUEUE_EMPTY;) {
    rc = weft__waiters_wait(&o->receivers, &o->spin, &woken);
    if (rc == 0) continue;
    if (woken && o->state == SENT) (void)weft__waiters_wake_next(&o->receivers);
    break;
  }
  weft__spin_unlock(&o->spin);
  return fail(rc, "weft_oneshot_recv");
}

int weft_oneshot_try_recv_sized(weft_oneshot_t *public, void *item, size_t size) {
  oneshot_t *o = oneshot_of(public);
  int rc = check_size(o, size, "weft_oneshot_try_recv");
  if (rc < 0) return rc;
  weft__spin_lock(&o->spin);
  rc = take(o, item);
  weft__spin_unlock(&o->spin);
  return fail(rc, "weft_oneshot_try_recv");
}

void weft_oneshot_close_sender(weft_oneshot_t *public) {
  oneshot_t *o = oneshot_of(public);
  weft__spin_lock(&o->spin);
  if (o->state == EMPTY) {
    o->state = GONE;
    weft__waiters_wake_all(&o->receivers);
  }
  weft__spin_unlock(&o->spin);
}

void weft_oneshot_close_receiver(weft_oneshot_t *public) {
  oneshot_t *o = oneshot_of(public);
  weft__spin_lock(&o->spin);
  o->receiver_closed = true;
  weft__waiters_wake_all(&o->senders);
  weft__spin_unlock(&o->spin);
}

int weft_oneshot_wait_closed(weft_oneshot_t *public) {
  oneshot_t *o = oneshot_of(public);
  int rc = weft__check_suspend("weft_oneshot_wait_closed");
  if (rc < 0) return rc;
  bool woken;
  weft__spin_lock(&o->spin);
  if (!o->receiver_closed) rc = weft__waiters_wait(&o->senders, &o->spin, &woken);
  weft__spin_unlock(&o->spin);
  return rc;
}
