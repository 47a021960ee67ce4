/* fork.c: trees of forks, on the side of the tasks that run them: the root, joins that take the slow path, suspensions,
 * the early end. See fork.h for the protocol. */
#include "sched/fork.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "sched/fibers.h"
#include "sched/switch.h"
#include "task/contextvars.h"
#include "task/wait.h"

static int status_of(const weft__tree_t *tree) { return atom_load(&tree->status, relaxed); }

static void no_value(weft_fork_slot_t *slot) { memset(&slot->data, 0, sizeof slot->data); }

/* ---- the early end ----------------------------------------------------------------------------------------------------- */

static void hold_running(weft__tree_t *tree) {
  weft_loop_t *loop = weft__current_loop();
  unsigned slots = atom_load(&loop->slots, acquire);
  for (unsigned i = 0; i < slots; i++) {
    weft__deck_t *deck =
        atom_load(&weft__worker_at(loop, i)->forks, seq_cst); /* partners: weft__deck_enter, weft__forks_resume */
    if (deck == NULL) continue;
    weft__spin_lock(&deck->lock);
    if (deck->tree == tree) weft__deck_hold(deck);
    weft__spin_unlock(&deck->lock);
  }
}

/* A task of the tree that was not cancelled with it yet; referenced. */
static weft_task_t *next_to_cancel(weft__tree_t *tree) {
  weft_task_t *self = weft__current_task(), *found = NULL;
  weft__spin_lock(&tree->lock);
  for (weft__link_t *link = tree->runs.head.next; link != &tree->runs.head && found == NULL; link = link->next) {
    weft__deck_t *deck = weft__container_of(link, weft__deck_t, run_link);
    if (!deck->told && deck->task != self) found = weft_task_ref(deck->task);
    deck->told = true;
  }
  weft__spin_unlock(&tree->lock);
  return found;
}

void weft__tree_fail(weft__tree_t *tree, int status, weft__record_t *record) {
  weft__spin_lock(&tree->lock);
  bool first = status_of(tree) == 0;
  if (first) {
    tree->record = weft__record_ref(record);
    atom_store(&tree->status, status, seq_cst); /* then the look at the running decks: partner as above */
  }
  weft__spin_unlock(&tree->lock);
  if (!first) return;
  hold_running(tree);
  weft_task_t *task;
  while ((task = next_to_cancel(tree)) != NULL) {
    weft__task_cancel(task, NULL);
    weft_task_unref(task);
  }
}

int weft_fork_status_(const weft_fork_slot_t *head) { return status_of(weft__deck_of(head)->tree); }

void weft_fork_fail_(weft_fork_slot_t *head, int status) {
  if (status >= 0) return;
  weft__record_t *record = weft__record_for(status);
  weft__tree_fail(weft__deck_of(head)->tree, status, record);
  weft__record_unref(record);
}

void weft_fork_misused_(weft_fork_slot_t *head, const char *fn, const char *how) {
  weft_task_t *task = weft__deck_of(head)->task;
  weft__panic("task %s: %s %s", task != NULL ? weft_task_get_name(task) : "(ended)", fn, how);
}

void weft_fork_full_(weft_fork_slot_t *head) {
  weft_task_t *task = weft__deck_of(head - 1)->task;
  weft__panic("task %s: more than a million forks are open", weft_task_get_name(task));
}

static void check_owner(const weft__deck_t *deck) {
  if (weft__unlikely(deck->task == NULL || deck->task != weft__current_task()))
    weft__panic("task %s uses the forks of task %s",
                weft__current_task() != NULL ? weft_task_get_name(weft__current_task()) : "(none)",
                deck->task != NULL ? weft_task_get_name(deck->task) : "(ended)");
}

/* ---- running a fork here ----------------------------------------------------------------------------------------------- */

typedef struct further {
  weft_fork_work_fn fn;
  weft_fork_slot_t *head, *record;
  weft__fiber_t *back;
} further_t;

static void further_main(void *argument) {
  further_t *further = argument;
  further->fn(further->head, further->record);
  weft__switch_fiber(further->back);
}

/* Recursion ends in an orderly way before the slots do. */
enum { KEPT_SLOTS = 64 * 1024 };

static WEFT__COLD void fail_memory(weft__deck_t *deck, const char *why) {
  weft_ignore(weft_fail(-ENOMEM, "task %s: no memory for deeper recursion: %s", weft_task_get_name(deck->task), why));
  weft__tree_fail(deck->tree, -ENOMEM, weft__last_record());
}

void weft_fork_deep_(weft_fork_slot_t *head, weft_fork_work_fn fn, weft_fork_slot_t *record) {
  weft__deck_t *deck = weft__deck_of(head);
  if (weft__unlikely(status_of(deck->tree) != 0)) {
    no_value(record);
    return;
  }
  if (weft__unlikely(head >= weft__deck_end(deck) - KEPT_SLOTS)) {
    fail_memory(deck, "too many forks are open");
    no_value(record);
    return;
  }
  further_t further = {.fn = fn, .head = head, .record = record, .back = weft__running_fiber()};
  weft__fiber_t *fiber = weft__loop_fiber_new(WEFT__FIBER_DEFAULT_USABLE, further_main, &further);
  if (fiber == NULL) {
    fail_memory(deck, weft__stacks_error());
    no_value(record);
    return;
  }
  uintptr_t stack_low = deck->stack_low;
  weft__deck_set_stack(deck, fiber);
  weft__switch_fiber(fiber);
  deck->stack_low = stack_low;
  weft__loop_fiber_free(fiber);
}

void weft__fork_call(weft__deck_t *deck, weft_fork_slot_t *head, weft_fork_work_fn fn, weft_fork_slot_t *record) {
  if (weft__unlikely(status_of(deck->tree) != 0))
    no_value(record);
  else if (weft__likely(weft_fork_has_room_(head)))
    fn(head, record);
  else
    weft_fork_deep_(head, fn, record);
}

/* True: the caller is to run it, here; else the value is there. */
static bool may_run_here(weft__deck_t *deck, weft_fork_slot_t *slot, weft_fork_work_fn fn) {
  if (status_of(deck->tree) != 0)
    no_value(slot);
  else if (weft__likely(weft_fork_has_room_(slot)))
    return true;
  else
    weft_fork_deep_(slot, fn, slot);
  return false;
}

/* ---- the slow join ----------------------------------------------------------------------------------------------------- */

/* The owner was asked to look: a pending cancellation ends the tree, as the next suspending call would be ended by it. */
static void attend(weft__deck_t *deck, bool turn) {
  weft_task_t *task = deck->task;
  weft__word_t *word = &task->future.word;
  if (atom_load(word, acquire) & WEFT__W_MUST_CANCEL) {
    weft__word_lock(word);
    weft__record_t *reason = task->cancel_reason;
    task->cancel_reason = NULL;
    weft__word_unlock(word, WEFT__W_MUST_CANCEL, 0);
    weft__tree_fail(deck->tree, WEFT_CANCELLED, reason != NULL ? reason : weft__record_cancelled());
    weft__record_unref(reason);
  } else if (turn) {
    weft__requeue();
  }
}

static void await_stolen(weft__deck_t *deck, weft_task_t *stolen) {
  weft__tree_t *tree = deck->tree;
  while (!weft__future_done(&stolen->future))
    if (weft__future_wait(&stolen->future, "WEFT_JOIN") == WEFT_CANCELLED)
      weft__tree_fail(tree, WEFT_CANCELLED, weft__last_record());
  uint64_t word = atom_load(&stolen->future.word, acquire); /* partner: the publication of the outcome */
  if (weft__word_outcome(word) == WEFT__CANCELLED) weft__tree_fail(tree, WEFT_CANCELLED, stolen->future.error);
  weft__word_set(&stolen->future.word, WEFT__W_RETRIEVED);
}

/* A thief took it: waits for its task. Whether that has left a value. */
static bool join_stolen(weft__deck_t *deck, weft_fork_slot_t *slot) {
  weft_task_t *stolen = (weft_task_t *)(atom_load(weft__slot_state(slot), relaxed) & ~(uintptr_t)WEFT__FORK_DONE);
  await_stolen(deck, stolen);
  bool done = (atom_load(weft__slot_state(slot), relaxed) & WEFT__FORK_DONE) != 0;
  weft_task_unref(stolen);
  weft__spin_lock(&deck->lock);
  atom_store(weft__slot_state(slot), 0, relaxed);
  atom_store(&deck->top, slot, relaxed);
  atom_store(&deck->split, slot, relaxed);
  weft__deck_set_limit(deck);
  weft__spin_unlock(&deck->lock);
  return done; /* else it found no stack, or was cancelled before it began */
}

/* Shares less if there was too much, more if somebody asked for it. Under the lock; the slot is not stolen. */
static void move_split(weft__deck_t *deck, const weft_fork_slot_t *slot) {
  weft_fork_slot_t *top = atom_load(&deck->top, relaxed), *split = atom_load(&deck->split, relaxed);
  if (split > slot) split = top + (slot - top) / 2;
  if (atom_load(&deck->limit, relaxed) == WEFT__FORK_ALL) split += (slot - split + 1) / 2;
  atom_store(&deck->split, split, relaxed);
}

/* The join of slot, whose fn is NULL already. True: the caller runs it; else the value is in its data. */
bool weft_fork_settle_(weft_fork_slot_t *slot, weft_fork_work_fn fn) {
  weft__deck_t *deck = weft__deck_of(slot);
  check_owner(deck);
  weft__spin_lock(&deck->lock);
  bool asked = deck->asked, turn = deck->turn, stolen = atom_load(&deck->top, relaxed) > slot;
  deck->asked = deck->turn = false;
  if (!stolen) {
    move_split(deck, slot);
    weft__deck_set_limit(deck);
  }
  weft__spin_unlock(&deck->lock);
  if (weft__unlikely(asked)) attend(deck, turn);
  return (stolen && join_stolen(deck, slot)) ? false : may_run_here(deck, slot, fn);
}

/* ---- suspending -------------------------------------------------------------------------------------------------------- */

static void list_deck(weft_loop_t *loop, weft__deck_t *deck) {
  weft__spin_lock(&loop->forks_lock);
  atom_store(&deck->listed, true, relaxed);
  weft__list_push_back(&loop->listed_decks, &deck->listed_link);
  atom_add(&loop->forks_listed, 1, relaxed); /* seen by a sleeper after the fence in weft__wake_one */
  weft__spin_unlock(&loop->forks_lock);
  if (!loop->alone) weft__wake_one(loop);
}

void weft__forks_suspend(weft__worker_t *worker, weft__deck_t *deck) {
  atom_store(&worker->forks, NULL, relaxed);
  weft_fork_slot_t *split = atom_load(&deck->split, relaxed);
  if (atom_load(&deck->top, relaxed) == split && atom_load(weft__slot_fn(split), relaxed) == NULL) return;
  weft__spin_lock(&deck->lock);
  weft__deck_share_all(deck);
  bool open = atom_load(&deck->top, relaxed) < atom_load(&deck->split, relaxed);
  weft__spin_unlock(&deck->lock);
  if (open) list_deck(worker->loop, deck);
}

void weft__forks_resume(weft__worker_t *worker, weft__deck_t *deck) {
  weft_loop_t *loop = worker->loop;
  if (atom_load(&deck->listed, relaxed)) { /* thieves unlist it too, under the lock: a second look */
    weft__spin_lock(&loop->forks_lock);
    weft__forks_unlist(loop, deck);
    weft__spin_unlock(&loop->forks_lock);
  }
  weft__deck_show(worker, deck); /* then the look at the tree's status: partner: weft__tree_fail */
  weft__spin_lock(&deck->lock);
  weft__deck_set_limit(deck);
  weft__spin_unlock(&deck->lock);
}

/* ---- the root ---------------------------------------------------------------------------------------------------------- */

void weft__forks_check_joined(weft__deck_t *deck, const char *fn) {
  enum { LOOK_AT = 8 };
  for (int i = 0; i < LOOK_AT; i++)
    if (weft__unlikely(atom_load(weft__slot_fn(&deck->slots[i]), relaxed) != NULL))
      weft_fork_misused_(deck->slots, fn, "ended with forks that were never joined");
}

int weft_fork_run_(const char *name, weft_fork_work_fn fn, weft_fork_slot_t *record, int fenced) {
  int rc = weft__check_suspend(name);
  if (weft__unlikely(rc < 0)) return rc;
  weft__worker_t *worker = weft__worker();
  weft_task_t *task = worker->current;
  weft__deck_t *deck = weft__deck_take(worker);
  if (weft__unlikely(deck == NULL)) return weft_fail(-ENOMEM, "%s: no memory for forks", name);
  weft__tree_t tree = {.name = name, .fenced = fenced};
  weft__list_init(&tree.runs);
  weft__deck_t *around = weft__forks_pause(worker);
  weft__deck_prepare(deck, task, &tree, weft__context_of_new_task());
  weft__deck_enter(worker, deck);
  weft__fork_call(deck, deck->slots, fn, record);
  weft__forks_check_joined(deck, name);
  worker = weft__worker();
  weft__deck_leave(worker, deck);
  weft__forks_go_on(worker, around);
  int status = status_of(&tree);
  if (weft__unlikely(status != 0)) weft__set_error(tree.record != NULL ? tree.record : weft__record_for(status));
  return status;
}
