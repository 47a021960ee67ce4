/* deadline.c: see deadline.h.
 *
 * A deadline is in one of two hands or both: the owner's (who will close it) and the queue's (timer heap, then ready
 * queue). The state decides who frees it:
 *
 *   PENDING --run (CAS)--> RUNNING --store--> DONE     the owner frees it, in close
 *        \---close (CAS)--> CLOSED                      the queued entry frees it when its turn comes
 *   PENDING and still in the heap: close takes it out under the heap's lock and frees it at once.
 *
 * The two compare-and-swaps on PENDING decide whether fn runs. close waits for RUNNING to end: fn is short and never
 * suspends, and it cannot be the closer's own worker that runs it, because closers are tasks. DONE is stored with release
 * and read with acquire, so fn's effects are visible to whoever has closed; it is the runner's last access. */
#include "sched/deadline.h"

#include <sched.h>

#include "base/alloc.h"
#include "sched/loop.h"

enum { PENDING, RUNNING, DONE, CLOSED };

struct weft__deadline {
  weft__timer_t timer;
  weft__item_t item;
  _Atomic(int) state;
  weft_loop_t *loop;
  weft_strand_t *strand;
  void (*fn)(void *data);
  void *data;
};

static void free_deadline(weft__deadline_t *deadline) {
  if (deadline->strand != NULL) weft__strand_unref(deadline->strand);
  weft__free(deadline, sizeof *deadline);
}

static void run(weft__item_t *item) {
  weft__deadline_t *deadline = weft__container_of(item, weft__deadline_t, item);
  int state = PENDING;
  /* acquire: what the opener wrote came with the queue; release: pairs with a closer that sees RUNNING */
  if (!atom_cas(&deadline->state, &state, RUNNING, acq_rel, acquire)) {
    free_deadline(deadline); /* CLOSED: its owner let go of it */
    return;
  }
  deadline->fn(deadline->data);
  atom_store(&deadline->state, DONE, release); /* partner: the acquire load in close */
}

/* Under the timers' lock. */
static void fire(weft__timer_t *timer) {
  weft__deadline_t *deadline = weft__container_of(timer, weft__deadline_t, timer);
  weft__post(deadline->loop, &deadline->item, deadline->strand);
}

static weft__deadline_t *new_deadline(weft_loop_t *loop, weft_strand_t *strand, void (*fn)(void *data), void *data) {
  weft__deadline_t *deadline = weft__alloc(sizeof *deadline);
  if (weft__unlikely(deadline == NULL)) return NULL;
  weft__timer_init(&deadline->timer);
  weft__link_init(&deadline->item.link);
  deadline->item.run = run;
  atom_init(&deadline->state, PENDING);
  deadline->loop = loop;
  deadline->strand = strand;
  if (strand != NULL) weft__strand_ref(strand);
  deadline->fn = fn;
  deadline->data = data;
  return deadline;
}

weft__deadline_t *weft__deadline_open(weft_loop_t *loop, int64_t when_ns, weft_strand_t *strand, void (*fn)(void *data),
                                      void *data) {
  weft__deadline_t *deadline = new_deadline(loop, strand, fn, data);
  if (weft__likely(deadline != NULL)) weft__arm_timer(loop, &deadline->timer, when_ns, fire);
  return deadline;
}

weft__deadline_t *weft__deadline_open_soon(weft_loop_t *loop, weft_strand_t *strand, void (*fn)(void *data),
                                           void *data) {
  weft__deadline_t *deadline = new_deadline(loop, strand, fn, data);
  if (deadline != NULL) weft__post(loop, &deadline->item, strand);
  return deadline;
}

bool weft__deadline_close(weft__deadline_t *deadline) {
  if (deadline == NULL) return true;
  if (weft__timers_remove(&deadline->timer)) {
    free_deadline(deadline);
    return true;
  }
  int state = PENDING;
  /* acquire on failure: what fn did before DONE */
  if (atom_cas(&deadline->state, &state, CLOSED, acq_rel, acquire)) return true;
  for (unsigned spins = 0; atom_load(&deadline->state, acquire) != DONE; spins++) {
    if (spins % 64 == 63)
      sched_yield(); /* the runner may be preempted */
    else
      atom_pause();
  }
  free_deadline(deadline);
  return false;
}
