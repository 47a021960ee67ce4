/* fork_steal.c: forks of others: taking them, asking for them, revoking them from who does not answer. See fork.h.
 *
 * A thief that finds nothing shared asks one running deck (limit = ALL) and remembers which, and the generation. The owner
 * answers at its next join, 0.2 us in a tree of small functions. If it has not after PATIENCE the thief revokes. */
#include <string.h>

#include "base/clock.h"
#include "base/membarrier.h"
#include "sched/fork.h"
#include "task/contextvars.h"

enum { PATIENCE_NS = 20 * 1000, BETWEEN_REVOCATIONS_NS = 100 * 1000, MISSES_MAX = 4 };

/* ---- a stolen fork as a task ------------------------------------------------------------------------------------------- */

typedef struct stolen {
  weft__deck_t *deck;     /* the task's own */
  weft_fork_slot_t *slot; /* in the owner's deck: arguments, then the value */
  weft_fork_work_fn fn;
} stolen_t;

static int run_stolen(void *arguments) {
  stolen_t stolen = *(stolen_t *)arguments;
  weft__deck_enter(weft__worker(), stolen.deck);
  weft__fork_call(stolen.deck, stolen.deck->slots, stolen.fn, stolen.slot);
  weft__forks_check_joined(stolen.deck, stolen.deck->tree->name);
  uintptr_t state = atom_load(weft__slot_state(stolen.slot), relaxed);
  /* relaxed: the owner reads it, and the value, after it has acquired the task's outcome */
  atom_store(weft__slot_state(stolen.slot), state | WEFT__FORK_DONE, relaxed);
  return 0;
}

/* Its end, also when it never ran; the outcome is published next, and then the tree may go. */
static void end_stolen(weft_task_t *task) {
  weft__deck_t *deck = weft__task_ending(task)->data;
  weft__tree_t *tree = deck->tree;
  weft__spin_lock(&tree->lock);
  weft__list_unlink(&deck->run_link);
  weft__spin_unlock(&tree->lock);
  weft__deck_leave(weft__worker(), deck);
}

/* ---- taking ------------------------------------------------------------------------------------------------------------ */

/* The oldest shared fork of the deck, if there is one, as `task`. */
static bool take(weft__deck_t *victim, weft_task_t *task, stolen_t *stolen, weft__tree_t **tree,
                 weft_contextvars_t **context) {
  if (!weft__spin_trylock(&victim->lock)) return false;
  weft_fork_slot_t *top = atom_load(&victim->top, relaxed);
  bool taken = false;
  if (top < atom_load(&victim->split, relaxed)) {
    weft_fork_work_fn fn = atom_load(weft__slot_fn(top), acquire); /* partner: the fork's publication */
    if (fn != NULL) {                                              /* else the owner is joining it */
      *stolen = (stolen_t){.deck = stolen->deck, .slot = top, .fn = fn};
      *tree = victim->tree;
      *context = weft__context_ref(victim->context);
      atom_store(weft__slot_state(top), (uintptr_t)task, relaxed); /* read by the owner under the lock */
      atom_store(&victim->top, top + 1, relaxed);
      taken = true;
    }
  }
  weft__spin_unlock(&victim->lock);
  return taken;
}

static bool has_shared(weft__deck_t *deck) { return atom_load(&deck->top, relaxed) < atom_load(&deck->split, relaxed); }

/* Until the task has ended the owner waits for it, so the tree stays. A tree that ends early before the task is in its
 * list does not cancel it; the task then finds the tree's status when it begins. */
static bool steal(weft__worker_t *thief, weft__deck_t *victim) {
  if (!has_shared(victim)) return false;
  weft__deck_t *deck = weft__deck_take(thief);
  if (deck == NULL) return false;
  stolen_t stolen = {.deck = deck};
  weft_task_t *task = weft__stolen_task_new(thief, run_stolen, sizeof stolen);
  weft__tree_t *tree;
  weft_contextvars_t *context;
  if (task == NULL || !take(victim, task, &stolen, &tree, &context)) {
    if (task != NULL) weft__task_memory_give(task);
    weft__deck_give(thief, deck);
    return false;
  }
  weft__deck_prepare(deck, task, tree, weft__context_ref(context));
  memcpy(task->args, &stolen, sizeof stolen);
  task->call_name = tree->name;
  task->context = context;
  *weft__task_ending(task) = (weft__task_ending_t){end_stolen, deck};
  weft__spin_lock(&tree->lock);
  weft__list_push_back(&tree->runs, &deck->run_link);
  weft__spin_unlock(&tree->lock);
  weft__stolen_task_start(thief, task);
  thief->fork_misses = thief->fork_looks = 0;
  atom_store(&thief->stats.steals, atom_load(&thief->stats.steals, relaxed) + 1, relaxed);
  if (!thief->loop->alone) weft__wake_one(thief->loop); /* where there was one there may be more */
  return true;
}

/* ---- suspended tasks' forks -------------------------------------------------------------------------------------------- */

/* Under forks_lock. */
void weft__forks_unlist(weft_loop_t *loop, weft__deck_t *deck) {
  if (!atom_load(&deck->listed, relaxed)) return;
  atom_store(&deck->listed, false, relaxed);
  weft__list_unlink(&deck->listed_link);
  atom_sub(&loop->forks_listed, 1, relaxed);
}

/* A deck that may have something; those that have nothing left are taken off the list. */
static weft__deck_t *find_listed(weft_loop_t *loop) {
  weft__deck_t *found = NULL;
  weft__link_t *link;
  weft__spin_lock(&loop->forks_lock);
  while (found == NULL && (link = weft__list_first(&loop->listed_decks)) != NULL) {
    found = weft__container_of(link, weft__deck_t, listed_link);
    if (!has_shared(found)) {
      weft__forks_unlist(loop, found);
      found = NULL;
    }
  }
  weft__spin_unlock(&loop->forks_lock);
  return found;
}

bool weft__forks_steal_suspended(weft__worker_t *thief) {
  if (atom_load(&thief->loop->forks_listed, relaxed) == 0) return false;
  weft__deck_t *deck = find_listed(thief->loop);
  return deck != NULL && steal(thief, deck);
}

/* ---- asking ------------------------------------------------------------------------------------------------------------ */

static bool ask(weft__worker_t *thief, weft__deck_t *deck) {
  if (atom_load(&deck->limit, relaxed) == WEFT__FORK_ALL || !weft__spin_trylock(&deck->lock)) return false;
  bool asks = deck->task != NULL && !has_shared(deck) && atom_load(&deck->limit, relaxed) != WEFT__FORK_ALL;
  if (asks) {
    weft__deck_hold(deck);
    thief->asked_deck = deck;
    thief->asked_generation = deck->generation;
    thief->asked_at = weft__clock_now();
  }
  weft__spin_unlock(&deck->lock);
  return asks;
}

/* Shares what the owner has forked, which has not answered. The barrier comes after limit = ALL and before the loads of
 * fn, see fork.h. In a fenced program both sides have a fence of their own. */
static void revoke(weft__deck_t *deck, unsigned generation) {
  bool fenced;
  weft__spin_lock(&deck->lock);
  bool stands = deck->generation == generation && atom_load(&deck->limit, relaxed) == WEFT__FORK_ALL;
  fenced = stands && deck->tree->fenced;
  weft__spin_unlock(&deck->lock);
  if (!stands || (!fenced && !weft__membarrier_available())) return;
  if (fenced)
    atom_fence_seq_cst(); /* partner: the fence in weft_fork_take_back_ */
  else
    weft__membarrier();
  weft__spin_lock(&deck->lock);
  if (deck->generation == generation && atom_load(&deck->limit, relaxed) == WEFT__FORK_ALL) weft__deck_share_all(deck);
  weft__spin_unlock(&deck->lock);
}

/* The answer to our last request: there (then we do not wait for it any more), or to be had by force. */
static void follow_up(weft__worker_t *thief) {
  weft__deck_t *deck = thief->asked_deck;
  if (atom_load(&deck->limit, relaxed) != WEFT__FORK_ALL) {
    thief->asked_deck = NULL;
    return;
  }
  int64_t now = weft__clock_now();
  if (now - thief->asked_at < PATIENCE_NS) return;
  thief->asked_deck = NULL;
  if (now - thief->revoked_at < BETWEEN_REVOCATIONS_NS) return;
  thief->revoked_at = now;
  revoke(deck, thief->asked_generation);
}

/* After n searches in vain every 2^n-th look is worth one: a tree may stay without anything to share. */
bool weft__forks_worth_a_look(weft__worker_t *lookout, const weft__worker_t *other) {
  if (atom_load(&other->forks, relaxed) == NULL || ++lookout->fork_looks < 1U << lookout->fork_misses) return false;
  lookout->fork_looks = 0;
  if (lookout->fork_misses < MISSES_MAX) lookout->fork_misses++;
  return true;
}

/* Spares come on top of as many workers as there are processors: they take nothing from who runs. */
bool weft__forks_steal(weft__worker_t *thief) {
  weft_loop_t *loop = thief->loop;
  if (weft__forks_steal_suspended(thief)) return true;
  if (weft__worker_is_spare(thief)) return false;
  if (thief->asked_deck != NULL) follow_up(thief);
  unsigned slots = atom_load(&loop->slots, acquire);
  for (unsigned i = 1; i < slots; i++) {
    weft__deck_t *deck = atom_load(&weft__worker_at(loop, (thief->index + i) % slots)->forks, acquire);
    if (deck != NULL && steal(thief, deck)) return true;
  }
  for (unsigned i = 1; i < slots && thief->asked_deck == NULL; i++) {
    weft__deck_t *deck = atom_load(&weft__worker_at(loop, (thief->index + i) % slots)->forks, acquire);
    if (deck != NULL) ask(thief, deck);
  }
  return false;
}

/* ---- asking for the owner's attention ---------------------------------------------------------------------------------- */

void weft__forks_ask(weft_task_t *task) {
  weft_loop_t *loop = task->future.loop;
  if (loop->workers == NULL) return; /* closed */
  unsigned slots = atom_load(&loop->slots, acquire);
  for (unsigned i = 0; i < slots; i++) {
    weft__deck_t *deck = atom_load(&weft__worker_at(loop, i)->forks, seq_cst); /* partner: weft__deck_show */
    if (deck == NULL) continue;
    weft__spin_lock(&deck->lock);
    bool found = deck->task == task;
    weft__spin_unlock(&deck->lock);
    if (found) weft__deck_ask(deck, false); /* if it is another task's by now, that one looks in vain */
  }
}

void weft__forks_ask_turn(weft__worker_t *worker) {
  weft__deck_t *deck = atom_load(&worker->forks, acquire);
  if (deck != NULL) weft__deck_ask(deck, true);
}
