/* concurrent.c: futures seen from threads that run no loop, and from other loops.
 *
 * A chain copies the end of one future, the source, to another, of a loop that may be closed before that. It is in the
 * loop's list of chains as long as both live. Its lock says which comes first: the source's end takes the target out of
 * it, and is then a visitor of the loop; the loop's closing lets go of the target. References of the chain: the source's
 * watch, and the target's (for cancel). */
#include <weft/executors.h>
#include <weft/wait.h>

#include <errno.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "exec/default_pool.h"
#include "exec/parker.h"
#include "exec/visitors.h"
#include "sched/loop.h"

/* ---- wrap_future ------------------------------------------------------------------------------------------------------- */

typedef struct chain {
  weft__watch_t watch;
  weft__link_t link; /* in the loop's list, under its pool_lock */
  _Atomic(int) refs;
  weft_future_t *source; /* a reference */
  weft__spin_t lock;
  weft_future_t *target; /* a reference, under lock; NULL: its loop is closed, or it has ended */
} chain_t;

static void unref_chain(chain_t *chain) {
  if (atom_sub(&chain->refs, 1, acq_rel) != 1) return; /* acq_rel: both sides are through */
  weft_future_unref(chain->source);
  weft__free(chain, sizeof *chain);
}

static void copy_end(weft_future_t *source, weft_future_t *target) {
  enum weft__outcome outcome = weft__word_outcome(atom_load(&source->word, acquire));
  weft__word_set(&source->word, WEFT__W_RETRIEVED);
  weft__future_complete(target, outcome, source->value.bytes, weft__record_ref(source->error));
}

static void source_ended(weft__watch_t *watch) {
  chain_t *chain = weft__container_of(watch, chain_t, watch);
  weft__spin_lock(&chain->lock);
  weft_future_t *target = chain->target;
  weft_loop_t *loop = target != NULL ? target->loop : NULL;
  if (target != NULL) weft__visitor_enter(loop); /* its closing needs the lock: it lives */
  chain->target = NULL;
  weft__spin_unlock(&chain->lock);
  if (target != NULL) {
    weft__spin_lock(&loop->pool_lock);
    weft__list_unlink(&chain->link);
    weft__spin_unlock(&loop->pool_lock);
    copy_end(chain->source, target);
    weft_future_unref(target);
    weft__visitor_leave(loop);
  }
  unref_chain(chain);
}

static bool cancel_chained(weft_future_t *target, weft__record_t *reason) {
  chain_t *chain = target->hook_data;
  weft__record_t *record = weft__record_ref(reason != NULL ? reason : weft__record_cancelled());
  if (weft__future_complete(target, WEFT__CANCELLED, NULL, record) < 0) return false;
  weft__future_cancel(chain->source, reason); /* a job that runs goes on */
  return true;
}

static bool forget_chain(weft_future_t *target) {
  unref_chain(target->hook_data);
  return false;
}

void weft__chains_close(weft_loop_t *loop, weft__list_t *chains) {
  weft__link_t *link;
  for (;;) {
    weft__spin_lock(&loop->pool_lock);
    link = weft__list_pop_front(chains);
    weft__spin_unlock(&loop->pool_lock);
    if (link == NULL) return;
    chain_t *chain = weft__container_of(link, chain_t, link);
    weft__spin_lock(&chain->lock);
    weft_future_t *target = chain->target;
    chain->target = NULL;
    weft__spin_unlock(&chain->lock);
    weft_future_unref(target);
  }
}

weft_future_t *weft_wrap_future(weft_future_t *future) {
  weft_loop_t *loop = weft__current_loop();
  if (future == NULL || loop == NULL) {
    weft_ignore(future == NULL ? weft_fail(-EINVAL, "weft_wrap_future: no future")
                               : weft_fail(WEFT_RUNTIME, "no running event loop"));
    return NULL;
  }
  if (future->loop == loop) return weft_future_ref(future);
  weft__list_t *chains = weft__default_pool_chains(loop);
  weft_future_t *target = chains != NULL ? weft_loop_create_future(loop, future->value_size) : NULL;
  chain_t *chain = target != NULL ? weft__alloc(sizeof *chain) : NULL;
  if (chain == NULL) {
    weft_future_unref(target);
    weft_ignore(weft_fail(-ENOMEM, "weft_wrap_future: no memory"));
    return NULL;
  }
  weft__link_init(&chain->link);
  atom_init(&chain->refs, 2);
  chain->source = weft_future_ref(future);
  weft__spin_init(&chain->lock);
  chain->target = weft_future_ref(target);
  target->hook_data = chain;
  target->cancel_hook = cancel_chained;
  target->drop_hook = forget_chain;
  weft__spin_lock(&loop->pool_lock);
  weft__list_push_back(chains, &chain->link);
  weft__spin_unlock(&loop->pool_lock);
  weft__future_watch(future, &chain->watch, source_ended, NULL);
  return target;
}

/* ---- waiting as a thread ----------------------------------------------------------------------------------------------- */

typedef struct blocked blocked_t;

typedef struct watched {
  weft__watch_t watch;
  blocked_t *owner;
  weft_future_t *future; /* a reference: the watch may come late */
} watched_t;

struct blocked {
  _Atomic(size_t) refs; /* the waiting thread's, and one per watch that has not run */
  weft__spin_t lock;
  bool over;      /* under lock: nobody sleeps here any more */
  size_t pending; /* under lock */
  int return_when;
  weft__parker_t parker;
  size_t count;
  watched_t watched[];
};

static size_t size_of(size_t count) { return sizeof(blocked_t) + count * sizeof(watched_t); }

static void drop(blocked_t *blocked, size_t refs) {
  if (atom_sub(&blocked->refs, refs, acq_rel) != refs) return; /* acq_rel: every holder is through */
  for (size_t i = 0; i < blocked->count; i++) weft_future_unref(blocked->watched[i].future);
  weft__parker_destroy(&blocked->parker);
  weft__free(blocked, size_of(blocked->count));
}

static bool satisfied(const blocked_t *blocked, const weft_future_t *future) {
  if (blocked->pending == 0 || blocked->return_when == WEFT_FIRST_COMPLETED) return true;
  return blocked->return_when == WEFT_FIRST_EXCEPTION &&
         weft__word_outcome(atom_load(&future->word, acquire)) == WEFT__ERROR;
}

static void one_done(weft__watch_t *watch) {
  watched_t *watched = weft__container_of(watch, watched_t, watch);
  blocked_t *blocked = watched->owner;
  weft__spin_lock(&blocked->lock);
  blocked->pending--;
  bool ring = !blocked->over && satisfied(blocked, watched->future);
  if (ring) blocked->over = true;
  weft__spin_unlock(&blocked->lock);
  if (ring) weft__parker_ring(&blocked->parker);
  drop(blocked, 1);
}

static blocked_t *new_blocked(weft_future_t *const futures[], size_t n, size_t count, int return_when) {
  if (count > (SIZE_MAX - sizeof(blocked_t)) / sizeof(watched_t)) return NULL;
  blocked_t *blocked = weft__alloc(size_of(count));
  if (blocked == NULL) return NULL;
  if (weft__parker_init(&blocked->parker) < 0) {
    weft__free(blocked, size_of(count));
    return NULL;
  }
  atom_init(&blocked->refs, count + 1);
  weft__spin_init(&blocked->lock);
  blocked->over = false;
  blocked->pending = blocked->count = count;
  blocked->return_when = return_when;
  watched_t *watched = blocked->watched;
  for (size_t i = 0; i < n; i++) {
    if (futures[i] == NULL) continue;
    watched->owner = blocked;
    watched->future = weft_future_ref(futures[i]);
    watched++;
  }
  return blocked;
}

int weft_wait_blocking(weft_future_t *const futures[], size_t n, int return_when, double seconds, bool done[]) {
  int64_t limit;
  if (weft__current_loop() != NULL)
    return weft_fail(-EPERM, "weft_wait_blocking would block a worker: in a task use weft_wait");
  if (n > 0 && futures == NULL) return weft_fail(-EINVAL, "weft_wait_blocking: no array of futures");
  if (weft__seconds_to_ns(seconds, &limit) < 0)
    return weft_fail(-EINVAL, "weft_wait_blocking: the limit is not a number");
  if (return_when < WEFT_ALL_COMPLETED || return_when > WEFT_FIRST_EXCEPTION)
    return weft_fail(WEFT_VALUE, "Invalid return condition: %d", return_when);
  size_t count = 0;
  for (size_t i = 0; i < n; i++) count += futures[i] != NULL;
  if (count > 0) {
    blocked_t *blocked = new_blocked(futures, n, count, return_when);
    if (blocked == NULL) return weft_fail(-ENOMEM, "weft_wait_blocking: no memory for %zu futures", count);
    int64_t deadline = limit == WEFT__TIME_NEVER ? limit : weft__time_add(weft__clock_now(), limit > 0 ? limit : 0);
    for (size_t i = 0; i < count; i++)
      weft__future_watch(blocked->watched[i].future, &blocked->watched[i].watch, one_done, NULL);
    weft__parker_park(&blocked->parker, deadline);
    weft__spin_lock(&blocked->lock);
    blocked->over = true;
    weft__spin_unlock(&blocked->lock);
    size_t refs = 1;
    for (size_t i = 0; i < count; i++)
      if (weft__future_unwatch(blocked->watched[i].future, &blocked->watched[i].watch)) refs++;
    drop(blocked, refs);
  }
  int finished = 0;
  for (size_t i = 0; i < n; i++) {
    bool ended = futures[i] != NULL && weft__future_done(futures[i]);
    if (done != NULL) done[i] = ended;
    finished += ended;
  }
  return finished;
}
