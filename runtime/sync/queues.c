/* queues.c: Queue, LifoQueue, PriorityQueue.
 *
 * One spin lock guards everything. A put makes its item visible and wakes the longest waiting getter; that one takes
 * whatever comes out next when it runs, and waits again if there is nothing; a get and the putters likewise. Items never
 * leave the store but to a getter that runs: so a getter that is cancelled after it was chosen has nothing to give back,
 * it only wakes the next one.
 * chosen: woken and not run yet. With one worker, and between the tasks of a strand, anybody may take an item in between,
 * exactly as in asyncio. Elsewhere a newcomer leaves the chosen what there is for them, and a chosen one that comes too
 * late all the same (a nowait function was faster) keeps its place at the front: no one is overtaken for ever.
 * A put happens before the get of its item: both are steps under the lock. */
#include "sync/queues.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "sync/store.h"
#include "sync/waiters.h"

typedef struct side {
  weft__list_t waiters;
  size_t chosen;
} side_t;

typedef struct queue {
  weft__spin_t spin;
  bool shut_down;
  size_t maxsize; /* 0: no limit */
  size_t unfinished;
  weft__store_t store;
  side_t getters, putters;
  weft__list_t joiners;
  weft_drop_fn drop;
} queue_t;

_Static_assert(sizeof(queue_t) <= sizeof(weft_queue_t), "weft_queue_t is too small");

static queue_t *queue_of(const weft_queue_t *q) { return (queue_t *)(uintptr_t)q; }

/* ---- under the lock -------------------------------------------------------------------------------------------------- */

static inline bool is_full(const queue_t *q) { return q->maxsize > 0 && q->store.count >= q->maxsize; }

static inline void wake_next(side_t *side) {
  if (!weft__list_empty(&side->waiters) && weft__waiters_wake_next(&side->waiters)) side->chosen++;
}

static void wake_all(side_t *side) {
  while (weft__waiters_wake_next(&side->waiters)) side->chosen++;
}

static inline void put_item(queue_t *q, const void *item) {
  weft__store_push(&q->store, item);
  q->unfinished++;
  wake_next(&q->getters);
}

static inline void get_item(queue_t *q, void *item) {
  weft__store_copy(&q->store, item, weft__store_first(&q->store));
  weft__store_remove_first(&q->store);
  wake_next(&q->putters);
}

/* Makes the array larger. Gives the lock up meanwhile, so the caller looks at everything again. */
static int make_room(queue_t *q) {
  size_t capacity = weft__store_next_capacity(&q->store), item_size = q->store.item_size;
  weft__spin_unlock(&q->spin);
  unsigned char *spare = capacity != 0 ? weft__alloc(capacity * item_size) : NULL;
  size_t spare_capacity = capacity;
  weft__spin_lock(&q->spin);
  if (spare == NULL) return weft__store_has_room(&q->store) ? 0 : -ENOMEM;
  if (q->store.capacity < capacity) {
    spare_capacity = q->store.capacity;
    spare = weft__store_grow(&q->store, spare, capacity);
  }
  weft__spin_unlock(&q->spin);
  weft__free(spare, spare_capacity * item_size);
  weft__spin_lock(&q->spin);
  return 0;
}

/* ---- waiting --------------------------------------------------------------------------------------------------------- */

/* Whether a newcomer leaves the chosen what there is for them; else asyncio's rule holds, by which whoever comes first
 * takes what is there. */
static bool is_fair(const weft_task_t *task) {
  return task->strand == NULL && !weft__loop_counts_hops(task->future.loop);
}

/* chosen: the task was woken for it. */
static inline bool may_get(const queue_t *q, const weft_task_t *task, bool chosen) {
  if (q->store.count == 0) return false;
  if (weft__likely(q->getters.chosen == 0) || chosen || q->shut_down) return true;
  return q->store.count > q->getters.chosen || !is_fair(task);
}

static inline bool may_put(const queue_t *q, const weft_task_t *task, bool chosen) {
  if (is_full(q)) return false;
  if (weft__likely(q->putters.chosen == 0) || chosen) return true;
  return q->maxsize - q->store.count > q->putters.chosen || !is_fair(task);
}

/* One wait on that side. 0: look again. A cancelled one that was chosen chooses the next if there is something for it. */
static int wait_turn(queue_t *q, side_t *side, const weft_task_t *task, bool *chosen) {
  bool woken;
  int rc = weft__waiters_wait_at(&side->waiters, *chosen && is_fair(task), &q->spin, &woken);
  if (woken) side->chosen--;
  if (rc < 0 && woken && (side == &q->getters ? q->store.count > 0 : !is_full(q))) wake_next(side);
  *chosen = woken;
  return rc;
}

static inline bool is_item(const queue_t *q, const void *item, size_t size) {
  return weft__likely(item != NULL && size == q->store.item_size);
}

static WEFT__COLD int no_item(const queue_t *q, const void *item, size_t size, const char *what) {
  if (item == NULL) return weft_fail(-EINVAL, "%s: no item", what);
  return weft_fail(-EINVAL, "%s: an item of %zu bytes for a queue of items of %u bytes", what, size,
                   q->store.item_size);
}

int weft_queue_put_sized(weft_queue_t *public, const void *item, size_t size) {
  queue_t *q = queue_of(public);
  weft_task_t *task = weft__suspending_task();
  if (weft__unlikely(task == NULL)) return weft__check_suspend("weft_queue_put");
  if (!is_item(q, item, size)) return no_item(q, item, size, "weft_queue_put");
  int rc = 0;
  bool chosen = false;
  weft__spin_lock(&q->spin);
  while (rc == 0 && !q->shut_down) {
    if (!may_put(q, task, chosen)) {
      rc = wait_turn(q, &q->putters, task, &chosen);
    } else if (!weft__store_has_room(&q->store)) {
      rc = make_room(q);
      if (rc < 0 && chosen) wake_next(&q->putters);
    } else {
      put_item(q, item);
      weft__spin_unlock(&q->spin);
      return 0;
    }
  }
  weft__spin_unlock(&q->spin);
  if (rc == 0) return weft_fail(WEFT_QUEUE_SHUTDOWN, NULL);
  return rc == -ENOMEM ? weft_fail(rc, "weft_queue_put: no memory") : rc;
}

int weft_queue_get_sized(weft_queue_t *public, void *item, size_t size) {
  queue_t *q = queue_of(public);
  weft_task_t *task = weft__suspending_task();
  if (weft__unlikely(task == NULL)) return weft__check_suspend("weft_queue_get");
  if (!is_item(q, item, size)) return no_item(q, item, size, "weft_queue_get");
  int rc = 0;
  bool chosen = false;
  weft__spin_lock(&q->spin);
  while (rc == 0) {
    if (may_get(q, task, chosen)) {
      get_item(q, item);
      weft__spin_unlock(&q->spin);
      return 0;
    }
    if (q->shut_down) break;
    rc = wait_turn(q, &q->getters, task, &chosen);
  }
  weft__spin_unlock(&q->spin);
  return rc == 0 ? weft_fail(WEFT_QUEUE_SHUTDOWN, NULL) : rc;
}

/* ---- for select -------------------------------------------------------------------------------------------------------- */

int weft__queue_check(weft_queue_t *queue, const void *item, size_t size, const char *what) {
  return is_item(queue_of(queue), item, size) ? 0 : no_item(queue_of(queue), item, size, what);
}

/* Whether the operation can be done, be it with an error. */
static bool can_do(queue_t *q, bool put, bool chosen, int *status) {
  weft_task_t *task = weft__current_task();
  *status = 0;
  for (;;) {
    bool may = put ? !q->shut_down && may_put(q, task, chosen) : may_get(q, task, chosen);
    if (!may) break;
    if (!put || weft__store_has_room(&q->store)) return true;
    *status = make_room(q);
    if (*status < 0) return true;
  }
  if (q->shut_down) *status = WEFT_QUEUE_SHUTDOWN;
  return q->shut_down;
}

/* The selection has to be asked anew: whoever chose us in vain is not the winner. */
static void give_claim_back(weft__selection_t *selection) {
  weft__spin_lock(&selection->lock);
  atom_store(&selection->winner, -1, relaxed); /* the lock orders it */
  selection->awaiter.released = false;
  weft__spin_unlock(&selection->lock);
}

enum weft__queue_step weft__queue_select(weft_queue_t *public, bool put, void *item, weft__select_node_t *node,
                                         int *status) {
  queue_t *q = queue_of(public);
  side_t *side = put ? &q->putters : &q->getters;
  enum weft__queue_step step = WEFT__QUEUE_DONE;
  weft__spin_lock(&q->spin);
  if (node != NULL && weft__link_linked(&node->wait.node.link)) {
    weft__spin_unlock(&q->spin);
    return WEFT__QUEUE_WAIT; /* still waiting */
  }
  bool chosen = node != NULL && node->wait.woken;
  if (chosen) side->chosen--;
  if (!can_do(q, put, chosen, status)) {
    step = WEFT__QUEUE_WAIT;
    if (chosen) give_claim_back(node->selection);
    if (node != NULL) node->wait.woken = false;
    if (node != NULL && chosen && is_fair(weft__current_task()))
      weft__list_push_front(&side->waiters, &node->wait.node.link);
    else if (node != NULL)
      weft__list_push_back(&side->waiters, &node->wait.node.link);
  } else if (node != NULL && !chosen && !weft__selection_claim(node->selection, node->index)) {
    step = WEFT__QUEUE_LOST;
  } else if (*status == 0 && put) {
    put_item(q, item);
  } else if (*status == 0) {
    get_item(q, item);
  } else if (chosen) {
    wake_next(side); /* nothing was taken */
  }
  if (node != NULL && step == WEFT__QUEUE_DONE) node->wait.woken = false; /* used up */
  weft__spin_unlock(&q->spin);
  return step;
}

void weft__queue_unselect(weft_queue_t *public, bool put, weft__select_node_t *node) {
  queue_t *q = queue_of(public);
  side_t *side = put ? &q->putters : &q->getters;
  weft__spin_lock(&q->spin);
  weft__list_unlink(&node->wait.node.link);
  if (node->wait.woken) {
    side->chosen--;
    if (put ? !is_full(q) : q->store.count > 0) wake_next(side);
  }
  weft__spin_unlock(&q->spin);
}

/* ---- without waiting ------------------------------------------------------------------------------------------------- */

int weft_queue_put_nowait_sized(weft_queue_t *public, const void *item, size_t size) {
  queue_t *q = queue_of(public);
  if (!is_item(q, item, size)) return no_item(q, item, size, "weft_queue_put_nowait");
  int rc = 0;
  weft__spin_lock(&q->spin);
  for (;;) {
    rc = q->shut_down ? WEFT_QUEUE_SHUTDOWN : is_full(q) ? WEFT_QUEUE_FULL : 0;
    if (rc < 0 || weft__store_has_room(&q->store) || (rc = make_room(q)) < 0) break;
  }
  if (rc == 0) put_item(q, item);
  weft__spin_unlock(&q->spin);
  if (rc == 0) return 0;
  return rc == -ENOMEM ? weft_fail(rc, "weft_queue_put_nowait: no memory") : weft_fail(rc, NULL);
}

int weft_queue_get_nowait_sized(weft_queue_t *public, void *item, size_t size) {
  queue_t *q = queue_of(public);
  if (!is_item(q, item, size)) return no_item(q, item, size, "weft_queue_get_nowait");
  int rc = 0;
  weft__spin_lock(&q->spin);
  if (q->store.count > 0)
    get_item(q, item);
  else
    rc = q->shut_down ? WEFT_QUEUE_SHUTDOWN : WEFT_QUEUE_EMPTY;
  weft__spin_unlock(&q->spin);
  return rc == 0 ? 0 : weft_fail(rc, NULL);
}

/* ---- the rest -------------------------------------------------------------------------------------------------------- */

static int init(weft_queue_t *public, enum weft__store_kind kind, size_t item_size, size_t maxsize,
                weft_compare_fn compare) {
  queue_t *q = queue_of(public);
  memset(public, 0, sizeof *public);
  if (item_size == 0 || item_size > WEFT__ITEM_MAX)
    return weft_fail(-EINVAL, "a queue's items have 1 to %d bytes, not %zu", WEFT__ITEM_MAX, item_size);
  if (kind == WEFT__PRIORITY && compare == NULL)
    return weft_fail(-EINVAL, "weft_priority_init: no function that compares");
  weft__spin_init(&q->spin);
  q->maxsize = maxsize;
  weft__store_init(&q->store, kind, item_size, compare);
  weft__list_init(&q->getters.waiters);
  weft__list_init(&q->putters.waiters);
  weft__list_init(&q->joiners);
  return 0;
}

int weft_queue_init(weft_queue_t *q, size_t item_size, size_t maxsize) {
  return init(q, WEFT__FIFO, item_size, maxsize, NULL);
}

int weft_lifo_init(weft_queue_t *q, size_t item_size, size_t maxsize) {
  return init(q, WEFT__LIFO, item_size, maxsize, NULL);
}

int weft_priority_init(weft_queue_t *q, size_t item_size, size_t maxsize, weft_compare_fn compare) {
  return init(q, WEFT__PRIORITY, item_size, maxsize, compare);
}

void weft_queue_set_drop(weft_queue_t *q, weft_drop_fn drop) { queue_of(q)->drop = drop; }

/* A store that is nobody else's any more. */
static void drop_store(weft__store_t *store, weft_drop_fn drop) {
  for (; drop != NULL && store->count > 0; weft__store_remove_first(store)) drop(weft__store_first(store));
  weft__store_destroy(store);
}

void weft_queue_destroy(weft_queue_t *public) {
  queue_t *q = queue_of(public);
  if (q->store.item_size == 0) return;
  weft__spin_lock(&q->spin);
  bool waited_for = weft__waiters_any_live(&q->getters.waiters) || weft__waiters_any_live(&q->putters.waiters) ||
                    weft__waiters_any_live(&q->joiners);
  weft__spin_unlock(&q->spin);
  if (waited_for) weft__panic("weft_queue_destroy: queue %p: somebody waits on it", (void *)q);
  drop_store(&q->store, q->drop);
  memset(public, 0, sizeof *public);
}

void weft_queue_shutdown(weft_queue_t *public, bool immediate) {
  queue_t *q = queue_of(public);
  weft__store_t dropped;
  weft__store_init(&dropped, WEFT__FIFO, 1, NULL);
  weft__spin_lock(&q->spin);
  q->shut_down = true;
  if (immediate) {
    dropped = q->store;
    weft__store_forget(&q->store); /* its item_size is read without the lock */
    q->unfinished -= dropped.count < q->unfinished ? dropped.count : q->unfinished;
    if (q->unfinished == 0) weft__waiters_wake_all(&q->joiners);
  }
  wake_all(&q->getters);
  wake_all(&q->putters);
  weft__spin_unlock(&q->spin);
  drop_store(&dropped, q->drop);
}

int weft_queue_task_done(weft_queue_t *public) {
  queue_t *q = queue_of(public);
  weft__spin_lock(&q->spin);
  bool known = q->unfinished > 0;
  if (known && --q->unfinished == 0) weft__waiters_wake_all(&q->joiners);
  weft__spin_unlock(&q->spin);
  return known ? 0 : weft_fail(WEFT_VALUE, "task_done() called too many times");
}

int weft_queue_join(weft_queue_t *public) {
  int rc = weft__check_suspend("weft_queue_join");
  if (rc < 0) return rc;
  queue_t *q = queue_of(public);
  bool woken;
  weft__spin_lock(&q->spin);
  if (q->unfinished > 0) rc = weft__waiters_wait(&q->joiners, &q->spin, &woken);
  weft__spin_unlock(&q->spin);
  return rc;
}

size_t weft_queue_qsize(const weft_queue_t *public) {
  queue_t *q = queue_of(public);
  weft__spin_lock(&q->spin);
  size_t count = q->store.count;
  weft__spin_unlock(&q->spin);
  return count;
}

bool weft_queue_empty(const weft_queue_t *q) { return weft_queue_qsize(q) == 0; }

bool weft_queue_full(const weft_queue_t *public) {
  queue_t *q = queue_of(public);
  weft__spin_lock(&q->spin);
  bool full = is_full(q);
  weft__spin_unlock(&q->spin);
  return full;
}

size_t weft_queue_maxsize(const weft_queue_t *q) { return queue_of(q)->maxsize; }
