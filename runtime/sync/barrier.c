/* barrier.c: Barrier.
 *
 *   FILLING --the last party arrives--> DRAINING --the last one leaves--> FILLING
 *   any --abort--> BROKEN --reset, nobody inside--> FILLING
 *   any --reset, somebody inside--> RESETTING --the last one leaves--> FILLING
 * count: who is inside, waiting or about to leave. Who comes while it drains or resets waits outside until it fills again.
 * All is guarded by one spin lock. asyncio's barrier is built on a condition; so that the order of wake-ups is the same,
 * waiting here is that condition's: a predicate that is asked again after every wake-up, and a cancelled waiter wakes one
 * other. */
#include <weft/locks.h>

#include "sync/waiters.h"

enum state { FILLING, DRAINING, RESETTING, BROKEN };

typedef struct barrier {
  weft__spin_t spin;
  unsigned char state;
  unsigned parties;
  unsigned count;
  weft__list_t waiters;
} barrier_t;

_Static_assert(sizeof(barrier_t) <= sizeof(weft_barrier_t), "weft_barrier_t is too small");

static barrier_t *barrier_of(const weft_barrier_t *b) { return (barrier_t *)(uintptr_t)b; }

static bool is_filling(const barrier_t *b) { return b->state == FILLING; }
static bool is_closed(const barrier_t *b) { return b->state == DRAINING || b->state == RESETTING; }

/* While `keeps` holds. Under the spin lock before and after. */
static int wait_while(barrier_t *b, bool (*keeps)(const barrier_t *)) {
  int rc = 0;
  while (rc == 0 && keeps(b)) {
    bool woken;
    rc = weft__waiters_wait(&b->waiters, &b->spin, &woken);
    if (rc < 0) (void)weft__waiters_wake_next(&b->waiters);
  }
  return rc;
}

static void leave(barrier_t *b) {
  if (--b->count > 0) return;
  if (is_closed(b)) b->state = FILLING;
  weft__waiters_wake_all(&b->waiters);
}

/* The index, or a code; *words: of an error that has no record yet. */
static int pass(barrier_t *b, const char **words) {
  int rc = wait_while(b, is_closed);
  if (rc < 0) return rc;
  if (b->state == BROKEN) {
    *words = "Barrier aborted";
    return WEFT_BROKEN_BARRIER;
  }
  unsigned index = b->count++;
  if (b->count == b->parties) {
    b->state = DRAINING;
    weft__waiters_wake_all(&b->waiters);
  } else {
    rc = wait_while(b, is_filling);
    if (rc == 0 && (b->state == BROKEN || b->state == RESETTING)) {
      *words = "Abort or reset of barrier";
      rc = WEFT_BROKEN_BARRIER;
    }
  }
  leave(b);
  return rc < 0 ? rc : (int)index;
}

int weft_barrier_init(weft_barrier_t *public, unsigned parties) {
  barrier_t *b = barrier_of(public);
  weft__spin_init(&b->spin);
  b->state = FILLING;
  b->parties = parties;
  b->count = 0;
  weft__list_init(&b->waiters);
  return parties == 0 ? weft_fail(WEFT_VALUE, "parties must be > 0") : 0;
}

int weft_barrier_wait(weft_barrier_t *public) {
  int rc = weft__check_suspend("weft_barrier_wait");
  if (rc < 0) return rc;
  barrier_t *b = barrier_of(public);
  const char *words = NULL;
  weft__spin_lock(&b->spin);
  rc = pass(b, &words);
  weft__spin_unlock(&b->spin);
  return words != NULL ? weft_fail(rc, "%s", words) : rc;
}

unsigned weft_barrier_n_waiting(const weft_barrier_t *public) {
  barrier_t *b = barrier_of(public);
  weft__spin_lock(&b->spin);
  unsigned count = b->state == FILLING ? b->count : 0;
  weft__spin_unlock(&b->spin);
  return count;
}

unsigned weft_barrier_parties(const weft_barrier_t *b) { return barrier_of(b)->parties; }

bool weft_barrier_broken(const weft_barrier_t *public) {
  barrier_t *b = barrier_of(public);
  weft__spin_lock(&b->spin);
  bool broken = b->state == BROKEN;
  weft__spin_unlock(&b->spin);
  return broken;
}

int weft_barrier_abort(weft_barrier_t *public) {
  barrier_t *b = barrier_of(public);
  weft__spin_lock(&b->spin);
  b->state = BROKEN;
  weft__waiters_wake_all(&b->waiters);
  weft__spin_unlock(&b->spin);
  return 0;
}

int weft_barrier_reset(weft_barrier_t *public) {
  barrier_t *b = barrier_of(public);
  weft__spin_lock(&b->spin);
  b->state = b->count > 0 ? RESETTING : FILLING;
  weft__waiters_wake_all(&b->waiters);
  weft__spin_unlock(&b->spin);
  return 0;
}
