/* selection.h: a task that waits in several places at once, to be chosen by one of them.
 *
 *   winner: -1 --claim (one of many)--> index of a case --reset, by the task--> -1
 *
 * A claim under `lock` decides; the loser goes on to its next waiter. Locks: the place's own (a queue's), then this one.
 * The nodes lie in memory of the task's and are in a place's list of waiters like any wait: their kind tells. */
#ifndef WEFT_SYNC_SELECTION_H
#define WEFT_SYNC_SELECTION_H

#include "sync/awaiter.h"

typedef struct weft__selection {
  weft__spin_t lock;
  weft__awaiter_t awaiter; /* under lock */
  _Atomic(int) winner;     /* written under lock */
} weft__selection_t;

typedef struct weft__select_node {
  weft__wait_t wait; /* first; its task is not used to wake it, its `woken` says that the claim was won */
  weft__selection_t *selection;
  int index;
} weft__select_node_t;

/* False: another case was chosen. */
static inline bool weft__selection_claim(weft__selection_t *selection, int index) {
  weft__spin_lock(&selection->lock);
  bool won = atom_load(&selection->winner, relaxed) < 0;
  if (won) {
    atom_store(&selection->winner, index, relaxed); /* the lock orders it */
    weft__awaiter_release(&selection->awaiter);
  }
  weft__spin_unlock(&selection->lock);
  return won;
}

static inline bool weft__select_node_claim(weft__wait_t *wait) {
  weft__select_node_t *node = weft__container_of(wait, weft__select_node_t, wait);
  wait->woken = weft__selection_claim(node->selection, node->index);
  return wait->woken;
}

/* A hint, as that of a cancelled waiter is. */
static inline bool weft__select_node_live(const weft__wait_t *wait) {
  const weft__select_node_t *node = weft__container_of(wait, weft__select_node_t, wait);
  return atom_load(&node->selection->winner, relaxed) < 0;
}

#endif
