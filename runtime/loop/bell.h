/* bell.h: a worker's doorbell: who rings, who sleeps, and when a ring costs a system call. What it rings is a descriptor
 * of the reactor's; this is the protocol alone.
 *
 *   owner, before it blocks:  AWAKE -> ASLEEP by compare-and-swap; if it finds RUNG it does not block     (lie_down)
 *   owner, after it:          RUNG or ASLEEP -> AWAKE by exchange, and only then looks at its queues      (get_up)
 *   ring, anybody:            any -> RUNG by exchange; writes the descriptor only if it found ASLEEP      (ring)
 * So a ring costs a system call only for a sleeper, and two rings cost one. Happens-before: whoever publishes work and
 * rings is ordered before the owner's look at its queues, because the owner's exchange reads the ring's, or a later one
 * in the same chain of read-modify-writes, which are all acquire and release. A ring that finds RUNG is in that chain too.
 * A ring between get_up's first look, which is relaxed, and its end stays RUNG: the next sleep does not happen. */
#ifndef WEFT_LOOP_BELL_H
#define WEFT_LOOP_BELL_H

#include <stdbool.h>

#include "base/atomics.h"

enum weft__bell_state { WEFT__BELL_AWAKE, WEFT__BELL_ASLEEP, WEFT__BELL_RUNG };
typedef _Atomic(int) weft__bell_t; /* enum weft__bell_state */

/* Owner: true, it may block until the descriptor is written. False: it was rung. */
static inline bool weft__bell_lie_down(weft__bell_t *bell) {
  int awake = WEFT__BELL_AWAKE;
  return atom_cas(bell, &awake, WEFT__BELL_ASLEEP, acq_rel, acquire);
}

static inline void weft__bell_get_up(weft__bell_t *bell) {
  if (atom_load(bell, relaxed) != WEFT__BELL_AWAKE) atom_xchg(bell, WEFT__BELL_AWAKE, acq_rel);
}

/* Anybody: true, the owner is asleep, or about to be: write the descriptor. */
static inline bool weft__bell_ring(weft__bell_t *bell) {
  return atom_xchg(bell, WEFT__BELL_RUNG, acq_rel) == WEFT__BELL_ASLEEP;
}

#endif
