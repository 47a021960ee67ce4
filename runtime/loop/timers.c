/* timers.c: see timers.h for the states and the argument. */
#include "loop/timers.h"

#include <string.h>

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

/* ---- the wheel --------------------------------------------------------------------------------------------------------- */

enum { TICK_BITS = 20, LEVEL_BITS = 8, REBUILD_MAX = 64, REBUILD_TICKS = 16 };
_Static_assert(1 << LEVEL_BITS == WEFT__WHEEL_SLOTS, "a level's slots are counted by as many bits");

static int64_t tick_of(const weft__timer_t *timer) { return timer->deadline >> TICK_BITS; }

static void put_into_heap(weft__timers_t *timers, weft__timer_t *timer) {
  timer->slot = WEFT__TIMER_IN_HEAP;
  timer->child = timer->next = timer->prev = NULL;
  timers->root = meld(timers->root, timer); /* set_root is the caller's, once all are in */
}

static void put_into_slot(weft__timers_t *timers, weft__timer_t *timer, unsigned slot) {
  weft__timer_t *first = timers->slots[slot];
  timer->slot = (uint16_t)slot;
  timer->prev = NULL;
  timer->next = first;
  if (first != NULL) first->prev = timer;
  timers->slots[slot] = timer;
}

/* Slots are named by the low bits of tick >> (8 * level). On each level they cover the 256 values from the limit's own on,
 * so a name means one value; the limit moves only over values that are empty there (next_slot), or when the wheel is. */
static void put(weft__timers_t *timers, weft__timer_t *timer) {
  int64_t tick = tick_of(timer), limit = timers->limit;
  if (tick < limit) {
    put_into_heap(timers, timer);
    return;
  }
  for (unsigned level = 0; level < WEFT__WHEEL_LEVELS; level++) {
    int64_t value = tick >> (LEVEL_BITS * level);
    bool near = value - (limit >> (LEVEL_BITS * level)) < WEFT__WHEEL_SLOTS;
    if (!near) continue;
    unsigned index = (unsigned)value % WEFT__WHEEL_SLOTS;
    put_into_slot(timers, timer, level * WEFT__WHEEL_SLOTS + index);
    timers->occupied[level][index / 64] |= UINT64_C(1) << (index % 64);
    return;
  }
  if (timers->slots[WEFT__TIMER_FAR] == NULL || tick < timers->far_from) timers->far_from = tick;
  put_into_slot(timers, timer, WEFT__TIMER_FAR);
}

static void vacate(weft__timers_t *timers, unsigned slot) {
  timers->slots[slot] = NULL;
  if (slot != WEFT__TIMER_FAR)
    timers->occupied[slot / WEFT__WHEEL_SLOTS][slot % WEFT__WHEEL_SLOTS / 64] &= ~(UINT64_C(1) << (slot % 64));
}

static void take_from_slot(weft__timers_t *timers, weft__timer_t *timer) {
  if (timer->next != NULL) timer->next->prev = timer->prev;
  if (timer->prev != NULL)
    timer->prev->next = timer->next;
  else if (timer->next != NULL)
    timers->slots[timer->slot] = timer->next;
  else
    vacate(timers, timer->slot);
}

/* The first tick of the level's first slot that is not empty, from the limit on; INT64_MAX: all are. */
static int64_t first_tick(const weft__timers_t *timers, unsigned level) {
  int64_t value = timers->limit >> (LEVEL_BITS * level);
  const uint64_t *words = timers->occupied[level];
  unsigned from = (unsigned)value % WEFT__WHEEL_SLOTS;
  for (unsigned i = 0; i <= WEFT__WHEEL_SLOTS / 64; i++) {
    unsigned at = (from / 64 + i) % (WEFT__WHEEL_SLOTS / 64);
    uint64_t word = words[at];
    if (i == 0) word &= ~UINT64_C(0) << (from % 64);
    if (i == WEFT__WHEEL_SLOTS / 64)
      word &= ~(~UINT64_C(0) << (from % 64)); /* the first word's beginning, once round */
    if (word == 0) continue;
    unsigned index = at * 64 + (unsigned)__builtin_ctzll(word);
    return (value + (index - from) % WEFT__WHEEL_SLOTS) * (INT64_C(1) << (LEVEL_BITS * level));
  }
  return INT64_MAX;
}

/* The slot that comes first; of those that begin together the widest, whose timers then move into narrower ones. */
static unsigned next_slot(const weft__timers_t *timers, int64_t *tick) {
  unsigned slot = WEFT__TIMER_FAR;
  *tick = timers->slots[WEFT__TIMER_FAR] != NULL ? timers->far_from : INT64_MAX;
  for (unsigned level = WEFT__WHEEL_LEVELS; level-- > 0;) {
    int64_t first = first_tick(timers, level);
    if (first >= *tick) continue;
    *tick = first;
    slot = level * WEFT__WHEEL_SLOTS + (unsigned)(first >> (LEVEL_BITS * level)) % WEFT__WHEEL_SLOTS;
  }
  return slot;
}

/* The heap is empty, the wheel is not: the earliest slot of the lowest level becomes the heap. */
static WEFT__NOINLINE void refill(weft__timers_t *timers) {
  while (timers->root == NULL) {
    int64_t tick;
    unsigned slot = next_slot(timers, &tick);
    weft__timer_t *timer = timers->slots[slot];
    vacate(timers, slot);
    /* A wide slot that the limit lies in begins before it. */
    if (tick > timers->limit) timers->limit = tick;
    if (slot < WEFT__WHEEL_SLOTS) timers->limit = tick + 1;
    for (weft__timer_t *next; timer != NULL; timer = next) {
      next = timer->next;
      put(timers, timer);
    }
  }
  set_root(timers, timers->root);
}

/* The limit lies far behind a new timer, as when a long one came first: everything is put anew, from that timer on. */
static WEFT__NOINLINE void rebuild(weft__timers_t *timers, int64_t limit) {
  weft__timer_t *all = NULL;
  for (weft__timer_t *timer; (timer = timers->root) != NULL;) {
    timers->root = meld_siblings(timer->child);
    timer->next = all;
    all = timer;
  }
  for (unsigned slot = 0; slot <= WEFT__TIMER_FAR; slot++)
    for (weft__timer_t *timer; (timer = timers->slots[slot]) != NULL;) {
      take_from_slot(timers, timer);
      timer->next = all;
      all = timer;
    }
  timers->limit = limit;
  for (weft__timer_t *next; all != NULL; all = next) {
    next = all->next;
    put(timers, all);
  }
} /* set_root is left to the adding */

/* ---- both -------------------------------------------------------------------------------------------------------------- */

/* Takes a pending timer out. Under the lock. */
static void unlink_timer(weft__timers_t *timers, weft__timer_t *timer) {
  timer->pending = false;
  timers->count--;
  if (timer->slot != WEFT__TIMER_IN_HEAP) {
    take_from_slot(timers, timer);
    return;
  }
  weft__timer_t *below = meld_siblings(timer->child);
  if (timer == timers->root) {
    timers->root = below;
    if (below != NULL || timers->count == 0)
      set_root(timers, below);
    else
      refill(timers);
  } else {
    if (timer->prev->child == timer)
      timer->prev->child = timer->next;
    else
      timer->prev->next = timer->next;
    if (timer->next != NULL) timer->next->prev = timer->prev;
    if (below != NULL) set_root(timers, meld(timers->root, below));
  }
}

void weft__timers_init(weft__timers_t *timers) {
  memset(timers, 0, sizeof *timers);
  weft__spin_init(&timers->lock);
  atom_init(&timers->earliest, INT64_MAX);
}

void weft__timers_destroy(weft__timers_t *timers) { WEFT__ASSERT(timers->count == 0); }

bool weft__timers_add_locked(weft__timers_t *timers, weft__timer_t *timer, int64_t deadline, weft__timer_fn fire) {
  timer->deadline = deadline;
  timer->seq = timers->seq++;
  timer->home = timers;
  timer->pending = true;
  timer->fire = fire;
  int64_t tick = tick_of(timer);
  if (timers->count == 0)
    timers->limit = tick + 1; /* the heap is never empty */
  else if (weft__unlikely(timers->count <= REBUILD_MAX && tick < timers->limit - REBUILD_TICKS))
    rebuild(timers, tick + 1);
  timers->count++;
  put(timers, timer);
  if (timer->slot == WEFT__TIMER_IN_HEAP) set_root(timers, timers->root);
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
