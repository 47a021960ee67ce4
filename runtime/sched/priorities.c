/* priorities.c: the background class.
 *
 * A ready task of the background class waits in one queue of the loop, under its lock, first in first out, instead of a
 * worker's ring. A worker looks there at a boundary, on its own stack, and takes a single one:
 *   - when it has nothing else, its own descriptors and timers have been looked at, and nothing stands in another worker's
 *     ring. The step runs alone: the next boundary comes right after it, so whatever became ready meanwhile goes first. A
 *     flood of background tasks keeps an ordinary one waiting for one step at most
 *   - however much else there is, once in EACH ticks of this worker: background tasks do not starve
 * A spare runs background tasks only where workers are blocked: where they compute, it is kept free for what cannot wait.
 * Nobody who uses no background task pays more than a look at the count at each boundary, or sees another order. */
#include "sched/loop.h"

enum { EACH = 61 };

void weft__background_push(weft_loop_t *loop, weft__item_t *item) {
  weft__spin_lock(&loop->background_lock);
  weft__list_push_back(&loop->background, &item->link);
  atom_add(&loop->background_count, 1, relaxed); /* seen by a sleeper after the fence in weft__wake_one */
  weft__spin_unlock(&loop->background_lock);
  if (!loop->alone)
    weft__wake_one(loop);
  else if (weft__worker() != &loop->workers[0])
    weft__reactor_ring(loop->workers[0].reactor);
}

weft__item_t *weft__background_take(weft_loop_t *loop) {
  weft__spin_lock(&loop->background_lock);
  weft__link_t *link = weft__list_pop_front(&loop->background);
  if (link != NULL) atom_sub(&loop->background_count, 1, relaxed);
  weft__spin_unlock(&loop->background_lock);
  return link != NULL ? weft__container_of(link, weft__item_t, link) : NULL;
}

bool weft__background_waits(const weft__worker_t *worker) {
  const weft_loop_t *loop = worker->loop;
  if (weft__likely(atom_load(&loop->background_count, relaxed) == 0)) return false;
  return !weft__worker_is_spare(worker) || atom_load(&loop->monitor.blocked, relaxed) > 0;
}

void weft__background_turn(weft__worker_t *worker) {
  weft_loop_t *loop = worker->loop;
  if (worker->assigned != 0 || !weft__background_waits(worker) || atom_load(&loop->stopping, relaxed)) return;
  uint64_t ticks = atom_load(&worker->stats.ticks, relaxed);
  bool due = ticks - worker->background_at >= EACH;
  if (!due && (weft__ready_count(worker) > 0 || (!loop->alone && weft__steal_any(worker)))) return;
  weft__item_t *item = weft__background_take(loop);
  if (item == NULL) return;
  weft__registry_take_in(loop, item);
  worker->background_at = ticks;
  worker->assigned = (weft__entry_t)item;
}
