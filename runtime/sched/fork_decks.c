/* fork_decks.c: the memory of decks and their owners. A deck is fresh from the system (all zero), in a worker's pool, in
 * the loop's pool, or a task's. In a pool top == split == limit == slots and task is NULL, so that a thief with a stale
 * pointer finds nothing to take; what it writes (limit = ALL) is undone by the next owner, under the lock. */
#include <sys/mman.h>

#include "base/alloc.h"
#include "sched/fork.h"
#include "task/contextvars.h"

enum { POOL_MAX = 16 };

/* Address space alone, as far as the system lets it: no memory before it is touched. */
static weft__deck_t *map_deck(void) {
  const size_t bytes = WEFT_FORK_DECK_BYTES_, align = 2 * bytes, more = align + bytes;
  if (weft__alloc_refused()) return NULL;
  char *low = mmap(NULL, more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (low == MAP_FAILED) return NULL;
  size_t before = (size_t)(-(uintptr_t)low & (align - 1)), behind = more - bytes - before;
  if (before != 0) munmap(low, before);
  low += before;
  if (behind != 0) munmap(low + bytes, behind);
  madvise(low, bytes, MADV_NOHUGEPAGE);
  return (weft__deck_t *)(void *)low;
}

static void empty(weft__deck_t *deck) {
  atom_store(&deck->top, deck->slots, relaxed);
  atom_store(&deck->split, deck->slots, relaxed);
  atom_store(&deck->limit, (uintptr_t)deck->slots, relaxed);
  deck->generation++;
  deck->asked = deck->turn = false;
}

weft__deck_t *weft__deck_take(weft__worker_t *worker) {
  weft__deck_t *deck = worker->decks;
  if (weft__likely(deck != NULL)) {
    worker->decks = deck->next;
    worker->deck_count--;
    return deck;
  }
  weft_loop_t *loop = worker->loop;
  weft__spin_lock(&loop->forks_lock);
  deck = loop->free_decks;
  if (deck != NULL) loop->free_decks = deck->next;
  weft__spin_unlock(&loop->forks_lock);
  if (deck != NULL) return deck;
  deck = map_deck();
  if (deck == NULL) return NULL;
  empty(deck);
  weft__spin_lock(&loop->forks_lock);
  deck->all_next = loop->all_decks;
  loop->all_decks = deck;
  weft__spin_unlock(&loop->forks_lock);
  return deck;
}

void weft__deck_give(weft__worker_t *worker, weft__deck_t *deck) {
  if (weft__likely(worker->deck_count < POOL_MAX)) {
    deck->next = worker->decks;
    worker->decks = deck;
    worker->deck_count++;
    return;
  }
  weft_loop_t *loop = worker->loop;
  weft__spin_lock(&loop->forks_lock);
  deck->next = loop->free_decks;
  loop->free_decks = deck;
  weft__spin_unlock(&loop->forks_lock);
}

void weft__decks_rest(weft__worker_t *worker) {
  weft_loop_t *loop = worker->loop;
  weft__spin_lock(&loop->forks_lock);
  while (worker->decks != NULL) {
    weft__deck_t *deck = worker->decks;
    worker->decks = deck->next;
    deck->next = loop->free_decks;
    loop->free_decks = deck;
  }
  worker->deck_count = 0;
  weft__spin_unlock(&loop->forks_lock);
  worker->asked_deck = NULL;
}

/* All threads are gone. Decks that are still in use belong to tasks that were given up. */
void weft__decks_close(weft_loop_t *loop) {
  weft__deck_t *deck;
  while ((deck = loop->all_decks) != NULL) {
    loop->all_decks = deck->all_next;
    if (deck->context != NULL) weft_contextvars_unref(deck->context);
    munmap(deck, WEFT_FORK_DECK_BYTES_);
  }
  loop->free_decks = NULL;
  weft__list_init(&loop->listed_decks);
  atom_store(&loop->forks_listed, 0, relaxed);
}

void weft__deck_prepare(weft__deck_t *deck, weft_task_t *task, weft__tree_t *tree, weft_contextvars_t *context) {
  deck->told = false;
  weft__spin_lock(&deck->lock);
  empty(deck);
  deck->task = task;
  deck->tree = tree;
  deck->context = context;
  weft__spin_unlock(&deck->lock);
}

void weft__deck_enter(weft__worker_t *worker, weft__deck_t *deck) {
  weft__deck_set_stack(deck, worker->fiber);
  weft__deck_show(worker, deck); /* then the look at the tree's status: partner: weft__tree_fail */
  weft__spin_lock(&deck->lock);
  weft__deck_set_limit(deck);
  weft__spin_unlock(&deck->lock);
}

/* cancel() sets MUST_CANCEL, a read-modify-write of the task's word, then looks for the task's deck. We show the deck, then
 * lock the word: of the two one comes first, so either it finds the deck or we find the bit. */
void weft__deck_show(weft__worker_t *worker, weft__deck_t *deck) {
  weft_task_t *task = deck->task;
  atom_store(&worker->forks, deck, seq_cst); /* also a partner of weft__tree_fail's look at everybody's deck */
  uint64_t word = weft__word_lock(&task->future.word);
  weft__word_unlock(&task->future.word, 0, 0);
  if (weft__unlikely(word & WEFT__W_MUST_CANCEL)) weft__deck_ask(deck, false);
}

void weft__deck_ask(weft__deck_t *deck, bool turn) {
  weft__spin_lock(&deck->lock);
  if (deck->task != NULL) {
    deck->asked = true;
    deck->turn = deck->turn || turn;
    weft__deck_hold(deck);
  }
  weft__spin_unlock(&deck->lock);
}

void weft__deck_leave(weft__worker_t *worker, weft__deck_t *deck) {
  atom_store(&worker->forks, NULL, relaxed);
  weft__spin_lock(&deck->lock);
  weft_contextvars_t *context = deck->context;
  empty(deck);
  deck->task = NULL;
  deck->tree = NULL;
  deck->context = NULL;
  weft__spin_unlock(&deck->lock);
  if (context != NULL) weft_contextvars_unref(context);
  weft__deck_give(worker, deck);
}

void weft__deck_set_limit(weft__deck_t *deck) {
  bool slow = deck->asked || atom_load(&deck->tree->status, seq_cst) != 0;
  deck->generation += slow;
  atom_store(&deck->limit, slow ? WEFT__FORK_ALL : (uintptr_t)atom_load(&deck->split, relaxed), relaxed);
}

void weft__deck_hold(weft__deck_t *deck) {
  deck->generation++;
  atom_store(&deck->limit, WEFT__FORK_ALL, relaxed);
}

void weft__deck_share_all(weft__deck_t *deck) {
  weft_fork_slot_t *split = atom_load(&deck->split, relaxed), *end = weft__deck_end(deck);
  while (split != end && atom_load(weft__slot_fn(split), acquire) != NULL) split++;
  atom_store(&deck->split, split, relaxed);
  weft__deck_set_limit(deck);
}
