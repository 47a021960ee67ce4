/* ready.c: a worker's ready queue, the injection queue, and stealing.
 *
 * A worker's queue is its ring (lockfree/ring.h) followed by one entry, `newest`. An entry that is pushed becomes
 * `newest`; the one that was there moves to the ring's tail. So the order is FIFO, a task that is created and joined at
 * once never enters the ring, and what stands alone in `newest` wakes nobody: the owner is about to come by, and if it
 * does not, the lookout takes it.
 *
 * newest: 0 or an entry. The owner exchanges it for another, owner and thieves exchange it for 0; whoever gets the entry
 * by the exchange owns it (acquire and release: the taker sees what the pusher wrote). With one worker only the owner
 * touches it and plain orders do.
 * When the ring cannot grow the entry goes to the injection queue, which needs no memory. */
#include <sched.h>

#include "sched/loop.h"
#include "sched/strand.h"

static void push_ring(weft__worker_t *worker, weft__entry_t entry) {
  if (weft__unlikely(weft__ring_push(&worker->ring, entry) < 0)) {
    /* Memory ran out: the order suffers, nothing is lost. A hop's entry is then simply over. */
    weft__item_t *item = (weft__item_t *)(entry & ~WEFT__ENTRY_HOP);
    if (entry & WEFT__ENTRY_HOP) {
      weft_task_t *task = weft__task_of_item(item);
      if (!weft__word_end_hop(&task->future.word)) {
        weft_future_unref(&task->future); /* stale */
        return;
      }
    }
    weft__inject(worker->loop, item);
  }
}

static weft__entry_t exchange_newest(weft__worker_t *worker, weft__entry_t entry) {
  if (worker->loop->alone) {
    weft__entry_t old = atom_load(&worker->newest, relaxed);
    atom_store(&worker->newest, entry, relaxed);
    return old;
  }
  if (entry == 0 && atom_load(&worker->newest, relaxed) == 0) return 0;
  return atom_xchg(&worker->newest, entry, acq_rel); /* partner: the other takers' exchange */
}

/* Owner only. fresh: an unstarted task, which its creator may be about to join. */
void weft__push(weft__worker_t *worker, weft__entry_t entry, bool fresh) {
  weft__entry_t old = exchange_newest(worker, entry);
  (void)fresh;
  if (old != 0) {
    push_ring(worker, old);
    if (!worker->loop->alone) weft__wake_one(worker->loop);
  }
}

/* ---- pinned tasks ------------------------------------------------------------------------------------------------------ */

static void push_pinned(weft__worker_t *worker, weft__item_t *item) {
  weft__spin_lock(&worker->pinned_lock);
  weft__list_push_back(&worker->pinned, &item->link);
  atom_add(&worker->pinned_count, 1, relaxed); /* seen by the worker after the fence in weft__wake_worker */
  weft__spin_unlock(&worker->pinned_lock);
  if (worker != weft__worker()) weft__wake_worker(worker);
}

static weft__entry_t take_pinned(weft__worker_t *worker) {
  weft__spin_lock(&worker->pinned_lock);
  weft__link_t *link = weft__list_pop_front(&worker->pinned);
  if (link != NULL) atom_sub(&worker->pinned_count, 1, relaxed);
  weft__spin_unlock(&worker->pinned_lock);
  return link != NULL ? (weft__entry_t)weft__container_of(link, weft__item_t, link) : 0;
}

static weft__entry_t take_common(weft__worker_t *worker) {
  weft__entry_t entry = worker->loop->alone ? weft__ring_take_alone(&worker->ring) : weft__ring_take(&worker->ring);
  return entry != 0 ? entry : exchange_newest(worker, 0);
}

weft__entry_t weft__take(weft__worker_t *worker) {
  if (weft__likely(atom_load(&worker->pinned_count, relaxed) == 0)) return take_common(worker);
  worker->pinned_turn = !worker->pinned_turn;
  weft__entry_t entry = worker->pinned_turn ? 0 : take_common(worker);
  return entry != 0 ? entry : take_pinned(worker);
}

size_t weft__stealable_count(const weft__worker_t *worker) {
  return weft__ring_size(&worker->ring) + (atom_load(&worker->newest, relaxed) != 0);
}

size_t weft__ready_count(const weft__worker_t *worker) {
  return weft__stealable_count(worker) + atom_load(&worker->pinned_count, relaxed);
}

/* ---- injection --------------------------------------------------------------------------------------------------------- */

void weft__inject(weft_loop_t *loop, weft__item_t *item) {
  weft__spin_lock(&loop->inject_lock);
  weft__list_push_back(&loop->injected, &item->link);
  atom_add(&loop->inject_count, 1, relaxed);
  weft__spin_unlock(&loop->inject_lock);
  if (loop->alone)
    weft__reactor_ring(loop->workers[0].reactor);
  else
    weft__wake_one(loop);
}

/* Moves a fair share, a batch at a time (Tokio's queue gives one per visit: 59 ms at the 99th percentile). */
size_t weft__take_injected(weft__worker_t *worker) {
  weft_loop_t *loop = worker->loop;
  size_t count = atom_load(&loop->inject_count, relaxed);
  if (count == 0) return 0;
  size_t share = loop->alone ? count : count / loop->worker_count + 1;
  if (!loop->alone && share > 64) share = 64;
  weft__list_t batch;
  weft__list_init(&batch);
  size_t taken = 0;
  weft__spin_lock(&loop->inject_lock);
  weft__link_t *link;
  while (taken < share && (link = weft__list_pop_front(&loop->injected)) != NULL) {
    weft__list_push_back(&batch, link);
    taken++;
  }
  atom_sub(&loop->inject_count, taken, relaxed);
  weft__spin_unlock(&loop->inject_lock);
  while ((link = weft__list_pop_front(&batch)) != NULL) {
    weft__item_t *item = weft__container_of(link, weft__item_t, link);
    weft__registry_take_in(loop, item);
    weft__push(worker, (weft__entry_t)item, false);
  }
  return taken;
}

/* ---- stealing ---------------------------------------------------------------------------------------------------------- */

bool weft__steal(weft__worker_t *thief, weft__worker_t *victim) {
  enum { BATCH = 128 };
  weft__entry_t batch[BATCH];
  size_t n = weft__ring_take_half(&victim->ring, batch, BATCH);
  if (n == 0) {
    weft__entry_t entry = exchange_newest(victim, 0);
    if (entry == 0) return false;
    batch[n++] = entry;
  }
  for (size_t i = 0; i < n; i++) weft__push(thief, batch[i], false);
  atom_store(&thief->stats.steals, atom_load(&thief->stats.steals, relaxed) + n, relaxed);
  return true;
}

static uint64_t next_random(weft__worker_t *worker) { /* xorshift64 (Marsaglia 2003) */
  uint64_t x = worker->random;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return worker->random = x;
}

bool weft__steal_any(weft__worker_t *thief) {
  weft_loop_t *loop = thief->loop;
  unsigned slots = atom_load(&loop->slots, acquire);
  unsigned first = (unsigned)(next_random(thief) % slots);
  for (unsigned i = 0; i < slots; i++) {
    weft__worker_t *victim = weft__worker_at(loop, (first + i) % slots);
    /* A lone newest entry is left to its owner, which is awake; the lookout takes it if the owner does not move. */
    if (victim != thief && weft__ring_size(&victim->ring) > 0 && weft__steal(thief, victim)) return true;
  }
  return false;
}

bool weft__work_anywhere(const weft_loop_t *loop) {
  if (atom_load(&loop->inject_count, relaxed) > 0 || atom_load(&loop->forks_listed, relaxed) > 0) return true;
  unsigned slots = atom_load(&loop->slots, acquire);
  for (unsigned i = 0; i < slots; i++)
    if (weft__ring_size(&weft__worker_at(loop, i)->ring) > 0) return true;
  return false;
}

/* ---- what the task floor calls ------------------------------------------------------------------------------------------ */

void weft__drop_item(weft_loop_t *loop, weft__item_t *item) {
  if (item->run == NULL)
    weft__registry_take_in(loop, item);
  else if (weft__strand_runs_item(item))
    weft__strand_drop(weft__container_of(item, weft_strand_t, item));
  else
    item->run(item);
}

void weft__schedule_entry(weft_loop_t *loop, weft__item_t *item, bool hop, bool fresh) {
  weft__worker_t *worker = weft__worker();
  if (weft__unlikely(worker == NULL || worker->loop != loop)) {
    if (weft__unlikely(weft__loop_refuses_tasks(loop))) {
      weft__drop_item(loop, item);
      return;
    }
    weft__inject(loop,
                 item); /* only a loop of several workers' strand would hop here, and strands keep hops themselves */
    return;
  }
  weft__push(worker, (weft__entry_t)item | (hop ? WEFT__ENTRY_HOP : 0), fresh);
}

static void schedule(weft_task_t *task, bool fresh, bool hop) {
  if (weft__unlikely(weft__loop_refuses_tasks(task->future.loop))) return; /* closed: the task was given up */
  if (task->strand != NULL && weft__strand_moves(task->strand))
    weft__strand_push(task->strand, &task->item, hop);
  else if (weft__unlikely(task->pinned != 0) && !task->future.loop->alone)
    push_pinned(&task->future.loop->workers[task->pinned - 1], &task->item);
  else if (weft__unlikely(task->background) && !hop)
    weft__background_push(task->future.loop, &task->item);
  else
    weft__schedule_entry(task->future.loop, &task->item, hop, fresh);
}

void weft__schedule_task(weft_task_t *task) { schedule(task, false, false); }
void weft__schedule_hop(weft_task_t *task) { schedule(task, false, true); }
void weft__schedule_new(weft_task_t *task) { schedule(task, true, false); }

void weft__post(weft_loop_t *loop, weft__item_t *item, weft_strand_t *strand) {
  if (loop == NULL) { /* a future of no loop: on the thread that ends it */
    item->run(item);
    return;
  }
  if (weft__unlikely(weft__loop_refuses_tasks(loop))) { /* closed: the strand may be gone */
    weft__drop_item(loop, item);
    return;
  }
  if (strand != NULL && weft__strand_moves(strand))
    weft__strand_push(strand, item, false);
  else
    weft__schedule_entry(loop, item, false, false);
}
