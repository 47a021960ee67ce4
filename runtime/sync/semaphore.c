/* semaphore.c: Semaphore and BoundedSemaphore.
 *
 * permits = value + handed + those taken. handed: permits given to waiters that were woken and have not run yet; while
 * there are any, or anybody waits, newcomers queue. A waiter that was handed a permit and then cancelled gives it back;
 * every waiter, however it ended, hands on what permits there are. */
#include <limits.h>

#include <weft/locks.h>

#include "sync/waiters.h"

typedef struct semaphore {
  weft__spin_t spin;
  unsigned handed;
  long value;
  long bound; /* LONG_MAX: none */
  weft__list_t waiters;
} semaphore_t;

_Static_assert(sizeof(semaphore_t) <= sizeof(weft_semaphore_t), "weft_semaphore_t is too small");

static semaphore_t *semaphore_of(const weft_semaphore_t *s) { return (semaphore_t *)(uintptr_t)s; }

static int init(semaphore_t *s, long permits, long bound) {
  weft__spin_init(&s->spin);
  s->handed = 0;
  s->value = permits < 0 ? 0 : permits;
  s->bound = bound;
  weft__list_init(&s->waiters);
  return permits < 0 ? weft_fail(WEFT_VALUE, "Semaphore initial value must be >= 0") : 0;
}

/* Hands a permit that is there to whoever waits longest. */
static bool hand_over(semaphore_t *s) {
  if (s->value <= 0 || !weft__waiters_wake_next(&s->waiters)) return false;
  s->value--;
  s->handed++;
  return true;
}

static bool would_wait(const semaphore_t *s) {
  return s->value == 0 || s->handed > 0 || weft__waiters_any_live(&s->waiters);
}

int weft_semaphore_init(weft_semaphore_t *s, long permits) { return init(semaphore_of(s), permits, LONG_MAX); }

int weft_bounded_semaphore_init(weft_semaphore_t *s, long permits) { return init(semaphore_of(s), permits, permits); }

bool weft_semaphore_locked(const weft_semaphore_t *public) {
  semaphore_t *s = semaphore_of(public);
  weft__spin_lock(&s->spin);
  bool locked = would_wait(s);
  weft__spin_unlock(&s->spin);
  return locked;
}

int weft_semaphore_acquire(weft_semaphore_t *public) {
  int rc = weft__check_suspend("weft_semaphore_acquire");
  if (rc < 0) return rc;
  semaphore_t *s = semaphore_of(public);
  weft__spin_lock(&s->spin);
  if (!would_wait(s)) {
    s->value--;
  } else {
    bool woken;
    rc = weft__waiters_wait(&s->waiters, &s->spin, &woken);
    if (woken) s->handed--;
    if (woken && rc < 0) s->value++;
    while (hand_over(s)) {
    }
  }
  weft__spin_unlock(&s->spin);
  return rc;
}

int weft_semaphore_release(weft_semaphore_t *public) {
  semaphore_t *s = semaphore_of(public);
  weft__spin_lock(&s->spin);
  bool full = s->value >= s->bound;
  if (!full) {
    s->value++;
    (void)hand_over(s);
  }
  weft__spin_unlock(&s->spin);
  return full ? weft_fail(WEFT_VALUE, "BoundedSemaphore released too many times") : 0;
}
