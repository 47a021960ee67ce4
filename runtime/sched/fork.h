/* fork.h: decks of fork slots: fork and join in slots of the task, as in weft/fork.h.
 *
 * A deck is 64 MiB of address space, of which touched pages cost memory: its head, then slots of 64 bytes. It is aligned
 * to twice that, so that one bit of a slot's address tells where it ends. It belongs to one task from the
 * beginning of a tree (weft_fork_run_), or of a stolen fork, to its end, and is pooled in between; its memory stays a deck
 * until the loop is closed, so that a thief may hold a stale pointer to it.
 *
 *   slots   | taken by thieves | shared: may be taken | private | free ...
 *           ^ slots            ^ top                  ^ split   ^ the running function's head
 *
 * Invariants: a slot's work != NULL exactly while it is forked and not joined, and above the head all are NULL. Joins are
 * strictly last in, first out. top <= split. limit == split, or ALL while somebody wants the owner to come by the slow
 * path: a thief that asks for work, a cancellation, the early end of the tree. limit, top, split and generation are
 * written under the lock. work is written by the owner alone; state by the thief under the lock (the task that runs it)
 * and by that task at its end, and reset by the owner after the join.
 *
 * The one race is between the owner, {work = NULL; read limit} in a join, and a thief, {limit = ALL; read work}. In between
 * the thief waits until the owner answers (then there is no race: the owner itself moves split, under the lock), or
 * revokes after a while: a membarrier, then it scans upwards from split while work != NULL, and shares all that. An owner
 * that read the old limit has its work = NULL visible by then, so the scan stops before it; any later join reads ALL and
 * goes through the lock. The generation keeps an old barrier from validating a newer ALL.
 * Arguments: written before work's release store, read after its acquire load. The value: written before the thief's task
 * publishes its outcome, read after the join has acquired that.
 *
 * A stolen fork is a task, so it suspends, is cancelled and awaited like any other; the owner's join awaits it. */
#ifndef WEFT_SCHED_FORK_H
#define WEFT_SCHED_FORK_H

#include <weft/fork.h>

#include "sched/loop.h"

/* One run of weft_fork_run_, in the frame of that call, which outlives everything in it. */
typedef struct weft__tree {
  weft__spin_t lock;
  _Atomic(int) status;    /* 0, or why it ended early: first come */
  weft__record_t *record; /* its words, owned; under the lock */
  weft__list_t runs;      /* decks of stolen forks, by run_link; under the lock */
  const char *name;       /* the root's function */
  bool fenced;            /* the program's joins have a fence of their own */
} weft__tree_t;

typedef struct weft__deck {
  /* Line 0: what the fast paths read: struct weft_fork_deck_. */
  _Atomic(uintptr_t) limit;
  uintptr_t stack_low; /* the owner's */
  /* Line 1: thieves and the slow paths. */
  WEFT__CACHE_ALIGNED weft__spin_t lock;
  bool asked;                        /* under lock: the owner shall look at its task's requests */
  bool turn;                         /* under lock: and let ready tasks run */
  unsigned generation;               /* under lock: of what limit says */
  _Atomic(weft_fork_slot_t *) top;   /* under lock, peeped at without */
  _Atomic(weft_fork_slot_t *) split; /* likewise */
  weft_task_t *task;                 /* whose forks these are; NULL: pooled. Under lock */
  weft__tree_t *tree;                /* under lock */
  weft_contextvars_t *context;       /* owned: what thieves start with. Under lock */
  /* Line 2: lists. */
  WEFT__CACHE_ALIGNED struct weft__deck *next; /* in a pool */
  struct weft__deck *all_next;                 /* of all decks, under forks_lock */
  weft__link_t listed_link;                    /* of a suspended task's: loop->listed_decks, under forks_lock */
  _Atomic(bool) listed;                        /* changed under forks_lock, set by the owner alone, which peeps */
  weft__link_t run_link;                       /* of a stolen fork's: tree->runs, under the tree's lock */
  bool told;                                   /* under the tree's lock: its task was cancelled with the tree */
  WEFT__CACHE_ALIGNED weft_fork_slot_t slots[];
} weft__deck_t;

_Static_assert(sizeof(weft_fork_slot_t) == WEFT__CACHE_LINE, "a slot is a line");
_Static_assert(offsetof(weft__deck_t, limit) == offsetof(struct weft_fork_deck_, limit), "as the header has it");
_Static_assert(offsetof(weft__deck_t, stack_low) == offsetof(struct weft_fork_deck_, stack_low), "likewise");

#define WEFT__FORK_ALL UINTPTR_MAX
enum { WEFT__FORK_DONE = 1 }; /* in a slot's state, beside the task: the value is there */

static inline weft__deck_t *weft__deck_of(const weft_fork_slot_t *slot) {
  return (weft__deck_t *)((uintptr_t)slot & ~((uintptr_t)2 * WEFT_FORK_DECK_BYTES_ - 1));
}
/* Behind the last slot. */
static inline weft_fork_slot_t *weft__deck_end(weft__deck_t *deck) {
  return (weft_fork_slot_t *)(void *)((char *)deck + WEFT_FORK_DECK_BYTES_);
}
/* The header is C++ too, and has no _Atomic. */
static inline _Atomic(weft_fork_work_fn) *weft__slot_fn(weft_fork_slot_t *slot) {
  return (_Atomic(weft_fork_work_fn) *)&slot->work;
}
static inline _Atomic(uintptr_t) *weft__slot_state(weft_fork_slot_t *slot) {
  return (_Atomic(uintptr_t) *)&slot->state;
}

/* ---- fork_decks.c ---- */
weft__deck_t *weft__deck_take(weft__worker_t *worker); /* NULL without memory */
void weft__deck_give(weft__worker_t *worker, weft__deck_t *deck);
void weft__decks_rest(weft__worker_t *worker); /* a worker's pool goes back to the loop's */
void weft__decks_close(weft_loop_t *loop);
/* A deck from the pool becomes a task's, as part of tree; context is consumed. */
void weft__deck_prepare(weft__deck_t *deck, weft_task_t *task, weft__tree_t *tree, weft_contextvars_t *context);
/* Its task, the current one, begins to fork in it. */
void weft__deck_enter(weft__worker_t *worker, weft__deck_t *deck);
/* The worker runs its task from now on; and sees to a cancellation that came before. */
void weft__deck_show(weft__worker_t *worker, weft__deck_t *deck);
/* The owner shall look at its task's requests at the next join, and let ready tasks have a turn. From any thread. */
void weft__deck_ask(weft__deck_t *deck, bool turn);
/* Nothing is open in it any more: back to the pool. Its task is the current one. */
void weft__deck_leave(weft__worker_t *worker, weft__deck_t *deck);
/* Under the lock: limit as split and the owner's own affairs want it. */
void weft__deck_set_limit(weft__deck_t *deck);
/* Under the lock: the owner shall come by the slow path; older requests are void. */
void weft__deck_hold(weft__deck_t *deck);
/* Under the lock, nobody changing fn below the head meanwhile: shares all that is forked. */
void weft__deck_share_all(weft__deck_t *deck);

static inline void weft__deck_set_stack(weft__deck_t *deck, const weft__fiber_t *fiber) {
  enum { RESERVE = 32 * 1024 }; /* for what a function that forks calls besides */
  deck->stack_low = (uintptr_t)fiber->stack_low + RESERVE;
}

/* ---- fork.c ---- */
/* The tree ends early. record is borrowed, NULL: none. */
void weft__tree_fail(weft__tree_t *tree, int status, weft__record_t *record);
/* The current task, which is in a tree, suspends, or another one runs in its place: what is open may be taken. Then it is
 * back, on that worker. */
void weft__forks_suspend(weft__worker_t *worker, weft__deck_t *deck);
void weft__forks_resume(weft__worker_t *worker, weft__deck_t *deck);
static inline weft__deck_t *weft__forks_pause(weft__worker_t *worker) {
  weft__deck_t *deck = atom_load(&worker->forks, relaxed); /* our own store */
  if (weft__unlikely(deck != NULL)) weft__forks_suspend(worker, deck);
  return deck;
}
static inline void weft__forks_go_on(weft__worker_t *worker, weft__deck_t *deck) {
  if (weft__unlikely(deck != NULL)) weft__forks_resume(worker, deck);
}
/* Runs fn(head, record) here, or on a further stack if this one is full; without memory the tree fails. Not in a tree that
 * has ended early. */
void weft__fork_call(weft__deck_t *deck, weft_fork_slot_t *head, weft_fork_work_fn fn, weft_fork_slot_t *record);

/* Panics, with the task's name, if the deck's function ended without its joins. */
void weft__forks_check_joined(weft__deck_t *deck, const char *fn);

/* ---- fork_steal.c ---- */
void weft__forks_unlist(weft_loop_t *loop, weft__deck_t *deck); /* under forks_lock */
/* Queues a fork of somebody else's as a task of this worker's, or asks for one. False: nothing yet. */
bool weft__forks_steal(weft__worker_t *thief);
/* The same for forks of suspended tasks alone. */
bool weft__forks_steal_suspended(weft__worker_t *thief);
/* As lookout, of a running worker: it is in a tree, and our last searches for forks were not all in vain. */
bool weft__forks_worth_a_look(weft__worker_t *lookout, const weft__worker_t *other);
/* Whether an answer is still to come, or a revocation, so that looking again is worth while. */
static inline bool weft__forks_asked(const weft__worker_t *thief) { return thief->asked_deck != NULL; }
/* Lets the ready tasks of a worker that runs a tree have their turn: at its next join. From any thread. */
void weft__forks_ask_turn(weft__worker_t *worker);

#endif
