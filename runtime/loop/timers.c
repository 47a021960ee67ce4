/* timers.c: see timers.h for the states and the argument. */
#include "loop/timers.h"

#include "base/base.h"

/* Heap order. Differences of sequence numbers never reach 2^63. */
static bool before(const weft__timer_t *a, const weft__timer_t *b) {
  return a->deadline < b->deadline || (a->deadline == b->deadline && a->seq < b->seq);
}

/* Joins two trees; either may be NULL. The roots' next and prev are the caller's to set. */
static weft__timer_t *meld(weft__timer_t *a, weft__timer_t *b) {
  if (a == NULL) return b;
  if (b == NULL) return a;
  if (before(b, a)) {
    weft__timer_t *swap = a;
    a = b;
    b = swap;
  }
  b->prev = a;
  b->next = a->child;
  if (a->child != NULL) a->child->prev = b;
  a->child = b;
  return a;
}

/* One tree out of a list of siblings: pairs from the left, then everything together from the right. */
static weft__timer_t *meld_siblings(weft__timer_t *first) {
  weft__timer_t *pairs = NULL; /* linked by next, the last one first */
  while (first != NULL) {
    weft__timer_t *a = first, *b = first->next;
    first = b == NULL ? NULL : b->next;
    a->next = NULL;
    if (b != NULL) b->next = NULL;
    weft__timer_t *pair = meld(a, b);
    pair->next = pairs;
    pairs = pair;
  }
  weft__timer_t *root = NULL;
  while (pairs != NULL) {
    weft__timer_t *pair = pairs;
    pairs = pair->next;
    pair->next = NULL;
    root = meld(root, pair);
  }
  return root;
}

static void set_root(weft__timers_t *timers, weft__timer_t *root) {
  timers->root = root;
  if (root != NULL) root->prev = root->next = NULL;
  /* relaxed: a hint; who needs it exact holds the lock or wrote it itself */
  atom_store(&timers->earliest, root != NULL ? root->deadline : INT64_MAX, relaxed);
}

/* Takes a pending timer out. Under the lock. */
static void unlink_timer(weft__timers_t *timers, weft__timer_t *timer) {
  weft__timer_t *below = meld_siblings(timer->child);
  if (timer == timers->root) {
    set_root(timers, below);
  } else {
    if (timer->prev->child == timer)
      timer->prev->child = timer->next;
    else
      timer->prev->next = timer->next;
    if (timer->next != NULL) timer->next->prev = timer->prev;
    if (below != NULL) set_root(timers, meld(timers->root, below));
  }
  timer->pending = false;
  timers->count--;
}

void weft__timers_init(weft__timers_t *timers) {
  weft__spin_init(&timers->lock);
  timers->root = NULL;
  timers->seq = 0;
  timers->count = 0;
  atom_init(&timers->earliest, INT64_MAX);
}

void weft__timers_destroy(weft__timers_t *timers) { WEFT__ASSERT(timers->count == 0); }

bool weft__timers_add_locked(weft__timers_t *timers, weft__timer_t *timer, int64_t deadline, weft__timer_fn fire) {
  timer->deadline = deadline;
  timer->seq = timers->seq++;
  timer->child = timer->next = timer->prev = NULL;
  timer->home = timers;
  timer->pending = true;
  timer->fire = fire;
  timers->count++;
  set_root(timers, meld(timers->root, timer));
  return timers->root == timer;
}

bool weft__timers_add(weft__timers_t *timers, weft__timer_t *timer, int64_t deadline, weft__timer_fn fire) {
  weft__spin_lock(&timers->lock);
  bool earliest = weft__timers_add_locked(timers, timer, deadline, fire);
  weft__spin_unlock(&timers->lock);
  return earliest;
}

bool weft__timers_remove(weft__timer_t *timer) {
  weft__timers_t *timers = timer->home;
  if (timers == NULL) return false;
  weft__spin_lock(&timers->lock);
  bool pending = timer->pending;
  if (pending) unlink_timer(timers, timer);
  weft__spin_unlock(&timers->lock);
  return pending;
}

int64_t weft__timers_next(const weft__timers_t *timers) { return atom_load(&timers->earliest, relaxed); }

size_t weft__timers_expire(weft__timers_t *timers, int64_t now) {
  if (weft__timers_next(timers) > now) return 0;
  size_t fired = 0;
  weft__spin_lock(&timers->lock);
  for (weft__timer_t *timer; (timer = timers->root) != NULL && timer->deadline <= now; fired++) {
    unlink_timer(timers, timer);
    timer->fire(timer);
  }
  weft__spin_unlock(&timers->lock);
  return fired;
}
