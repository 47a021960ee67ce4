/* spares.c: workers that stand in while the permanent ones are stuck. Several workers, real time.
 *
 * A spare is a worker like the others: it owns a ring, steals, sleeps, may be the lookout. What differs (rule 15): no
 * descriptor, timer or pinned task is its own. Tasks that it runs register theirs with its `home`, a permanent worker,
 * whoever looks after that one; its own reactor serves its sleep alone.
 *
 * States of a slot, under spares.mutex but for the reading of `active`:
 *   absent -> retired      opened at the first need; the memory stays until the loop is closed, thieves may always look
 *   retired -> active      weft__spare_activate: the monitor, or a worker that enters a blocking section
 *   active -> retired      by itself between passes, when redundant or when the loop stops: what is left in its ring goes
 *                          to the injection queue. Its thread waits for the next activation, and ends with the run
 * loop->active counts the workers and the active spares; a spare counts from its activation until its ring is empty, so
 * nobody takes the loop for idle while one holds work.
 *
 * Redundant (found by the spare's own look around, idle.c): a permanent worker is idle or gets on, and no announced
 * blocking section is left that this spare makes up for. An idle spare retires also when another sleeper is lookout. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "sched/loop.h"

static unsigned opened(const weft_loop_t *loop) { return atom_load(&loop->slots, relaxed) - loop->worker_count; }

unsigned weft__spares_active(const weft_loop_t *loop) {
  return atom_load(&loop->active, seq_cst) - loop->worker_count; /* partner: the counting in activate and retire */
}

int weft__spares_init(weft_loop_t *loop) {
  atom_init(&loop->slots, loop->worker_count);
  atom_init(&loop->active, loop->worker_count);
  int rc = weft__mutex_init(&loop->spares.mutex);
  if (rc < 0) return rc;
  rc = weft__cond_init(&loop->spares.wake);
  if (rc < 0) weft__mutex_destroy(&loop->spares.mutex);
  loop->spares.closing = true; /* until a run begins */
  return rc;
}

void weft__spares_destroy(weft_loop_t *loop) {
  for (unsigned i = 0; i < opened(loop); i++) {
    weft__worker_t *spare = atom_load(&loop->spares.slot[i], relaxed);
    weft__worker_close(spare);
    weft__free_aligned(spare, WEFT__CACHE_LINE, sizeof *spare);
  }
  atom_store(&loop->slots, loop->worker_count, relaxed);
  weft__cond_destroy(&loop->spares.wake);
  weft__mutex_destroy(&loop->spares.mutex);
}

/* ---- the spare's thread -------------------------------------------------------------------------------------------------- */

static bool await_activation(weft__worker_t *spare) {
  weft__spares_t *spares = &spare->loop->spares;
  weft__mutex_lock(&spares->mutex);
  while (!atom_load(&spare->active, relaxed) && !spares->closing) weft__cond_wait(&spares->wake, &spares->mutex);
  bool active = atom_load(&spare->active, relaxed);
  weft__mutex_unlock(&spares->mutex);
  return active;
}

/* What it was given while it made up its mind runs elsewhere. */
static void retire(weft__worker_t *spare) {
  weft_loop_t *loop = spare->loop;
  weft__entry_t entry;
  while ((entry = weft__take(spare)) != 0) weft__inject(loop, (weft__item_t *)(entry & ~WEFT__ENTRY_HOP));
  if (spare->searching) weft__found_work(spare);
  weft__worker_rest(spare);
  weft__mutex_lock(&loop->spares.mutex);
  atom_store(&spare->active, false, release);
  atom_sub(&loop->active, 1, seq_cst);
  atom_add(&loop->spares.retirements, 1, relaxed);
  weft__mutex_unlock(&loop->spares.mutex);
}

static int spare_thread(void *argument) {
  weft__worker_t *spare = argument;
  weft__worker_enter_thread(spare);
  while (await_activation(spare)) {
    spare->redundant = false;
    weft__relieve_all(spare);
    weft__worker_run(spare);
    retire(spare);
  }
  weft__worker_leave_thread(spare);
  return 0;
}

/* ---- activation ---------------------------------------------------------------------------------------------------------- */

/* Under the mutex, as the next two. */
static weft__worker_t *open_slot(weft_loop_t *loop) {
  unsigned n = opened(loop);
  if (n == WEFT__SPARES_MAX) return NULL;
  weft__worker_t *spare = weft__alloc_aligned(WEFT__CACHE_LINE, sizeof *spare);
  if (spare == NULL) return NULL;
  memset(spare, 0, sizeof *spare);
  if (weft__worker_open(spare, loop, loop->worker_count + n) < 0) {
    weft__free_aligned(spare, WEFT__CACHE_LINE, sizeof *spare);
    return NULL;
  }
  spare->home = &loop->workers[n % loop->worker_count];
  atom_store(&spare->active, false, relaxed);
  atom_store(&loop->spares.slot[n], spare, release); /* partner: weft__worker_at */
  atom_store(&loop->slots, loop->worker_count + n + 1, release);
  return spare;
}

static weft__worker_t *retired_slot(weft_loop_t *loop) {
  for (unsigned i = 0; i < opened(loop); i++) {
    weft__worker_t *spare = atom_load(&loop->spares.slot[i], relaxed);
    if (!atom_load(&spare->active, relaxed)) return spare;
  }
  return NULL;
}

static bool ensure_thread(weft__worker_t *spare) {
  weft_loop_t *loop = spare->loop;
  unsigned n = spare->index - loop->worker_count;
  if (loop->spares.has_thread[n]) return true;
  char name[16];
  snprintf(name, sizeof name, "weft-spare-%u", n % 1000);
  loop->spares.has_thread[n] = weft__thread_start(&spare->thread, spare_thread, spare, name) == 0;
  return loop->spares.has_thread[n];
}

bool weft__spare_activate(weft_loop_t *loop) {
  weft__spares_t *spares = &loop->spares;
  weft__mutex_lock(&spares->mutex);
  weft__worker_t *spare = NULL;
  if (!spares->closing) {
    spare = retired_slot(loop);
    if (spare == NULL) spare = open_slot(loop);
    if (spare != NULL && !ensure_thread(spare)) spare = NULL;
  }
  if (spare != NULL) {
    atom_store(&spare->active, true, relaxed); /* its own thread reads it under the mutex; for others it is a hint */
    atom_add(&loop->active, 1, seq_cst);       /* partner: the lookout that is about to doze compares it */
    atom_add(&spares->activations, 1, relaxed);
    weft__cond_broadcast(&spares->wake);
  }
  weft__mutex_unlock(&spares->mutex);
  return spare != NULL;
}

/* ---- a run --------------------------------------------------------------------------------------------------------------- */

void weft__spares_begin_run(weft_loop_t *loop) {
  weft__mutex_lock(&loop->spares.mutex);
  loop->spares.closing = false;
  weft__mutex_unlock(&loop->spares.mutex);
}

void weft__spares_end_run(weft_loop_t *loop) {
  weft__spares_t *spares = &loop->spares;
  weft__mutex_lock(&spares->mutex);
  spares->closing = true;
  weft__cond_broadcast(&spares->wake);
  weft__mutex_unlock(&spares->mutex);
  weft__wake_all(loop);
  for (unsigned i = 0; i < opened(loop); i++) { /* closing: nobody else opens, starts or ends one now */
    if (spares->has_thread[i]) weft__thread_join(atom_load(&spares->slot[i], relaxed)->thread);
    spares->has_thread[i] = false;
  }
}
