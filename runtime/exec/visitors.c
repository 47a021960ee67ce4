/* visitors.c: see visitors.h. */
#include "exec/visitors.h"

#include "sched/loop.h"

static weft__once_t once = WEFT__ONCE_INIT;
static weft__mutex_t mutex;
static weft__cond_t left;
static _Atomic(long) waiting;

static void make(void) {
  WEFT__ASSERT(weft__mutex_init(&mutex) == 0);
  WEFT__ASSERT(weft__cond_init(&left) == 0);
}

void weft__visitor_enter(weft_loop_t *loop) {
  if (loop == NULL) return;
  /* relaxed: announced by somebody inside, whom the clock and the drain see */
  if (loop->config.virtual_time) atom_add(&loop->external, 1, relaxed);
  atom_add(&loop->visitors, 1, relaxed);
}

void weft__visitor_leave(weft_loop_t *loop) {
  if (loop == NULL) return;
  if (loop->config.virtual_time) {
    /* release: what was queued comes before the clock may jump; partner: the loads in sched/idle.c */
    atom_sub(&loop->external, 1, release);
    weft__wake_all(loop);
  }
  if (atom_sub(&loop->visitors, 1, seq_cst) != 1 || atom_load(&waiting, seq_cst) == 0) return;
  weft__once(&once, make);
  weft__mutex_lock(&mutex);
  weft__cond_broadcast(&left);
  weft__mutex_unlock(&mutex);
}

void weft__visitors_drain(weft_loop_t *loop) {
  if (atom_load(&loop->visitors, acquire) == 0) return;
  weft__once(&once, make);
  atom_add(&waiting, 1, seq_cst);
  weft__mutex_lock(&mutex);
  while (atom_load(&loop->visitors, seq_cst) > 0) weft__cond_wait(&left, &mutex);
  weft__mutex_unlock(&mutex);
  atom_sub(&waiting, 1, relaxed); /* only a hint to look at the condition */
}
