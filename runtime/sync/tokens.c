/* tokens.c: cancellation tokens: a tree of flags with waiters.
 *
 * A token's lock guards its lists. Cancelled is set once, under the lock, and read anywhere (release, acquire).
 * Children hold their parent; a parent does not hold its children: a child that is being freed takes itself out of the
 * parent's list under the parent's lock, so whoever finds one there may take a reference unless the count is 0 already.
 * Cancelling walks the tree by a list, so depth does not matter.
 * A call that runs by a token has a node in its frame:
 *   LINKED --its end, under the lock--> over       LINKED --cancel, under the lock--> FIRING --asked--> FIRED
 * The request is made without the lock; the call's end waits while the node is FIRING, so the node outlives its use. */
#include <weft/tokens.h>

#include <errno.h>
#include <sched.h>

#include "base/alloc.h"
#include "sync/waiters.h"

struct weft_token {
  _Atomic(unsigned) refs;
  _Atomic(bool) cancelled;
  weft__spin_t lock;
  weft__list_t waiters, runs, children;
  weft_token_t *parent; /* owned, or NULL */
  weft__link_t sibling; /* in parent's children, under its lock */
  weft_token_t *next;   /* in the list of those to be cancelled: by the one thread that set cancelled */
};

enum { LINKED, FIRING, FIRED };

typedef struct run {
  weft__link_t link;
  weft_task_t *task;
  unsigned shields; /* the task's at entry */
  _Atomic(int) state;
} run_t;

static weft_token_t *new_token(void) {
  weft_token_t *token = weft__alloc_zero(sizeof *token);
  if (token == NULL) {
    weft_ignore(weft_fail(-ENOMEM, "no memory for a cancellation token"));
    return NULL;
  }
  atom_init(&token->refs, 1);
  weft__spin_init(&token->lock);
  weft__list_init(&token->waiters);
  weft__list_init(&token->runs);
  weft__list_init(&token->children);
  weft__link_init(&token->sibling);
  return token;
}

weft_token_t *weft_token_open(void) { return new_token(); }

weft_token_t *weft_token_open_child(weft_token_t *parent) {
  if (parent == NULL) {
    weft_ignore(weft_fail(-EINVAL, "weft_token_open_child: no parent"));
    return NULL;
  }
  weft_token_t *token = new_token();
  if (token == NULL) return NULL;
  token->parent = weft_token_ref(parent);
  weft__spin_lock(&parent->lock);
  if (weft_token_is_cancelled(parent))
    atom_store(&token->cancelled, true, relaxed); /* nobody else knows it yet */
  else
    weft__list_push_back(&parent->children, &token->sibling);
  weft__spin_unlock(&parent->lock);
  return token;
}

weft_token_t *weft_token_ref(weft_token_t *token) {
  if (token != NULL) atom_add(&token->refs, 1, relaxed); /* whoever adds one holds one */
  return token;
}

/* For a child that its parent's list still names. */
static bool ref_unless_dying(weft_token_t *token) {
  unsigned refs = atom_load(&token->refs, relaxed);
  do {
    if (refs == 0) return false;
  } while (!atom_cas_weak(&token->refs, &refs, refs + 1, relaxed, relaxed));
  return true;
}

void weft_token_unref(weft_token_t *token) {
  while (token != NULL) {
    /* acq_rel: everything done with the token happens before it is freed */
    if (atom_sub(&token->refs, 1, acq_rel) != 1) return;
    weft_token_t *parent = token->parent;
    if (parent != NULL) {
      weft__spin_lock(&parent->lock);
      weft__list_unlink(&token->sibling);
      weft__spin_unlock(&parent->lock);
    }
    if (!weft__list_empty(&token->waiters) || !weft__list_empty(&token->runs))
      weft__panic("weft_token_unref: token %p: somebody waits for it", (void *)token);
    weft__free(token, sizeof *token);
    token = parent;
  }
}

bool weft_token_is_cancelled(const weft_token_t *token) {
  return atom_load(&token->cancelled, acquire); /* partner: the store in cancel_one */
}

/* ---- cancelling -------------------------------------------------------------------------------------------------------- */

/* The calls that run by it. The lock is held on both sides, not in between. */
static void ask_runs(weft_token_t *token) {
  weft__link_t *link;
  while ((link = weft__list_pop_front(&token->runs)) != NULL) {
    run_t *run = weft__container_of(link, run_t, link);
    atom_store(&run->state, FIRING, relaxed); /* the lock orders it */
    weft__spin_unlock(&token->lock);
    (void)weft__task_request_cancel_as(run->task, NULL, true, run, run->shields);
    atom_store(&run->state, FIRED, release); /* partner: the acquire in end_run; our last access to the frame */
    weft__spin_lock(&token->lock);
  }
}

/* Puts the children on the list. */
static void cancel_one(weft_token_t *token, weft_token_t **list) {
  weft__spin_lock(&token->lock);
  bool first = !atom_load(&token->cancelled, relaxed);
  atom_store(&token->cancelled, true, release); /* partner: weft_token_is_cancelled */
  if (first) {
    weft__waiters_wake_all(&token->waiters);
    weft__link_t *link;
    while ((link = weft__list_pop_front(&token->children)) != NULL) {
      weft_token_t *child = weft__container_of(link, weft_token_t, sibling);
      if (!ref_unless_dying(child)) continue;
      child->next = *list;
      *list = child;
    }
    ask_runs(token);
  }
  weft__spin_unlock(&token->lock);
}

void weft_token_cancel(weft_token_t *token) {
  if (token == NULL) return;
  weft_token_t *list = NULL;
  cancel_one(token, &list);
  while ((token = list) != NULL) {
    list = token->next;
    cancel_one(token, &list);
    weft_token_unref(token);
  }
}

/* ---- waiting and running ------------------------------------------------------------------------------------------------ */

int weft_token_wait(weft_token_t *token) {
  int rc = weft__check_suspend("weft_token_wait");
  if (rc == 0 && token == NULL) rc = weft_fail(-EINVAL, "weft_token_wait: no token");
  if (rc < 0 || weft_token_is_cancelled(token)) return rc;
  weft__spin_lock(&token->lock);
  bool woken;
  if (!weft_token_is_cancelled(token)) rc = weft__waiters_wait(&token->waiters, &token->lock, &woken);
  weft__spin_unlock(&token->lock);
  return rc;
}

static bool begin_run(weft_token_t *token, run_t *run) {
  weft__link_init(&run->link);
  run->task = weft__current_task();
  run->shields = run->task->shields;
  atom_init(&run->state, LINKED);
  weft__spin_lock(&token->lock);
  bool may = !weft_token_is_cancelled(token);
  if (may) weft__list_push_back(&token->runs, &run->link);
  weft__spin_unlock(&token->lock);
  return may;
}

/* True if the call was asked to cancel. */
static bool end_run(weft_token_t *token, run_t *run) {
  weft__spin_lock(&token->lock);
  bool linked = weft__link_linked(&run->link);
  weft__list_unlink(&run->link);
  weft__spin_unlock(&token->lock);
  if (linked) return false;
  for (unsigned spins = 0; atom_load(&run->state, acquire) != FIRED; spins++) {
    if (spins % 64 == 63)
      sched_yield(); /* whoever cancels may be preempted */
    else
      atom_pause();
  }
  return true;
}

int weft_token_run(weft_token_t *token, weft_call_t call) {
  int rc = weft__check_suspend("weft_token_run");
  if (rc < 0) return rc;
  if (token == NULL) return weft_fail(-EINVAL, "weft_token_run: no token");
  if (call.entry == NULL) return weft_fail(WEFT_TYPE, "weft_token_run: a call without a function");
  run_t run;
  if (!begin_run(token, &run)) return weft_fail(WEFT_CANCELLED, "the cancellation token is cancelled");
  rc = call.entry(call.args.bytes);
  if (end_run(token, &run)) (void)weft__task_uncancel_as(run.task, &run);
  return rc;
}
