/* spin.h: a lock for a handful of instructions, never held across a system call or a call into user code.
 *
 * States: 0 free, 1 held. acquire: exchange 0 -> 1 (acquire), which meets the release store of the last unlock, so the
 * new holder sees everything the last one wrote. A holder may be preempted: after a short spin the waiter yields its
 * processor, so that on a machine with as many runnable threads as cores the holder gets on. A lock may be taken on one
 * fiber and released on another of the same thread (the scheduler does so around a switch). */
#ifndef WEFT_BASE_SPIN_H
#define WEFT_BASE_SPIN_H

#include <sched.h>
#include <stdbool.h>

#include "base/atomics.h"

typedef struct weft__spin {
  _Atomic(unsigned char) held;
} weft__spin_t;

static inline void weft__spin_init(weft__spin_t *lock) { atom_init(&lock->held, 0); }

static inline bool weft__spin_trylock(weft__spin_t *lock) {
  return atom_load(&lock->held, relaxed) == 0 && atom_xchg(&lock->held, 1, acquire) == 0;
}

static inline void weft__spin_lock(weft__spin_t *lock) {
  unsigned spins = 0;
  while (!weft__spin_trylock(lock)) {
    if (++spins % 64 == 0)
      sched_yield();
    else
      atom_pause();
  }
}

static inline void weft__spin_unlock(weft__spin_t *lock) { atom_store(&lock->held, 0, release); }

#endif
