/* word.h: the state word of a future or task, 64 bits, and its transitions. Nobody else touches it.
 *
 *   bits 0-1   outcome     0 pending, 1 result, 2 error, 3 cancelled; leaves 0 once, for ever
 *   bit  2     LOCK        held for a few instructions by whoever reads or changes the node list, the waiting-on link
 *                          or the cancel count; transitions marked (L) wait until it is free
 *   bit  3     NODES       the list of waiters and callbacks is not empty
 *   bit  4     RETRIEVED   somebody looked at the outcome (else a dropped error is reported)
 *   bits 5-7   phase       of a task, below
 *   bit  8     MUST_CANCEL a cancellation was asked for and not delivered yet
 *   bit  9     CANCELLED   the wait that the task is in was ended by cancel()
 *   bit 10     JOINED      a join or detach used the owner's reference up (misuse check)
 *   bits 32-63 references  2^31 aborts
 *
 * Phases of a task:
 *
 *   NEW --start--> RUNNING --yield (L)--> READY
 *   NEW --start--> RUNNING --park (L)--> WAITING --wake (L)--> READY --resume--> RUNNING --finish (L)--> (outcome set)
 *                                          |  \--hop--> HOP --hop's end--> READY
 *                                          \--cancel (L), sets CANCELLED--> READY
 *
 * A task that awaits a child which runs in place, in its own frame, stays RUNNING meanwhile: see weft__task_run_for.
 * NEW, READY and HOP tasks are in exactly one ready queue (a HOP task that is cancelled leaves a stale entry behind, which
 * owns a reference). Whoever makes the transition out of WAITING owns the task until it has queued it: exactly one of
 * completion, cancellation and time-out wins, and the losers touch nothing more. A task becomes WAITING only after its
 * context is saved (on another stack), so its waker may run it at once.
 * cancel() of a NEW, RUNNING or READY task only sets MUST_CANCEL under LOCK. The park waits for LOCK, so it cannot miss
 * the bit: a task never sleeps with MUST_CANCEL set.
 * Orders: every transition is a read-modify-write, acquire and release: the outcome is released with what was written
 * before it (value, record), and every reader of the outcome acquires it. */
#ifndef WEFT_TASK_WORD_H
#define WEFT_TASK_WORD_H

#include <sched.h>

#include "base/atomics.h"
#include "base/base.h"

typedef _Atomic(uint64_t) weft__word_t;

enum weft__outcome { WEFT__PENDING = 0, WEFT__RESULT = 1, WEFT__ERROR = 2, WEFT__CANCELLED = 3 };
enum weft__phase { WEFT__NEW = 0, WEFT__RUNNING = 1, WEFT__WAITING = 2, WEFT__READY = 3, WEFT__HOP = 4 };

#define WEFT__W_OUTCOME UINT64_C(3)
#define WEFT__W_LOCK (UINT64_C(1) << 2)
#define WEFT__W_NODES (UINT64_C(1) << 3)
#define WEFT__W_RETRIEVED (UINT64_C(1) << 4)
#define WEFT__W_PHASE_SHIFT 5
#define WEFT__W_PHASE (UINT64_C(7) << WEFT__W_PHASE_SHIFT)
#define WEFT__W_MUST_CANCEL (UINT64_C(1) << 8)
#define WEFT__W_CANCELLED (UINT64_C(1) << 9)
#define WEFT__W_JOINED (UINT64_C(1) << 10)
#define WEFT__W_REFERENCE (UINT64_C(1) << 32)

static inline enum weft__outcome weft__word_outcome(uint64_t word) {
  return (enum weft__outcome)(word & WEFT__W_OUTCOME);
}
static inline enum weft__phase weft__word_phase(uint64_t word) {
  return (enum weft__phase)((word & WEFT__W_PHASE) >> WEFT__W_PHASE_SHIFT);
}
static inline uint64_t weft__word_with_phase(uint64_t word, enum weft__phase phase) {
  return (word & ~WEFT__W_PHASE) | ((uint64_t)phase << WEFT__W_PHASE_SHIFT);
}

static inline void weft__word_backoff(unsigned *spins) {
  if (++*spins % 64 == 0)
    sched_yield(); /* the holder may be preempted */
  else
    atom_pause();
}

/* The word once nobody holds LOCK. */
static inline uint64_t weft__word_unlocked(weft__word_t *word) {
  unsigned spins = 0;
  uint64_t value = atom_load(word, acquire);
  while (weft__unlikely(value & WEFT__W_LOCK)) {
    weft__word_backoff(&spins);
    value = atom_load(word, acquire);
  }
  return value;
}

/* Takes LOCK; the word as it was, without the bit. */
static inline uint64_t weft__word_lock(weft__word_t *word) {
  for (;;) {
    uint64_t value = weft__word_unlocked(word);
    if (atom_cas_weak(word, &value, value | WEFT__W_LOCK, acquire, relaxed)) return value;
  }
}

/* Gives LOCK back, clearing and setting other bits in the same step. */
static inline void weft__word_unlock(weft__word_t *word, uint64_t clear, uint64_t set) {
  uint64_t value = atom_load(word, relaxed);
  while (!atom_cas_weak(word, &value, (value & ~(clear | WEFT__W_LOCK)) | set, acq_rel, relaxed)) {
  }
}

static inline void weft__word_set(weft__word_t *word, uint64_t bits) {
  if ((atom_load(word, relaxed) & bits) != bits) atom_or(word, bits, acq_rel);
}

/* start: NEW -> RUNNING; answers whether the task was cancelled before, which is consumed. */
static inline bool weft__word_start(weft__word_t *word) {
  uint64_t value = atom_load(word, relaxed);
  while (!atom_cas_weak(word, &value, weft__word_with_phase(value & ~WEFT__W_MUST_CANCEL, WEFT__RUNNING), acq_rel,
                        relaxed)) {
  }
  WEFT__DEBUG_ASSERT(weft__word_phase(value) == WEFT__NEW);
  return (value & WEFT__W_MUST_CANCEL) != 0;
}

/* park (L): RUNNING -> WAITING, or, if a cancellation is pending and `consume`, straight to READY with CANCELLED.
 * Answers the word as it was. */
static inline uint64_t weft__word_park(weft__word_t *word, bool consume) {
  for (;;) {
    uint64_t value = weft__word_unlocked(word), next = weft__word_with_phase(value, WEFT__WAITING);
    if (consume && (value & WEFT__W_MUST_CANCEL))
      next = weft__word_with_phase(value & ~WEFT__W_MUST_CANCEL, WEFT__READY) | WEFT__W_CANCELLED;
    if (atom_cas_weak(word, &value, next, acq_rel, relaxed)) return value;
  }
}

/* yield (L): RUNNING -> READY; the caller queues it. */
static inline void weft__word_yield(weft__word_t *word) {
  uint64_t value = weft__word_unlocked(word);
  while (!atom_cas_weak(word, &value, weft__word_with_phase(value, WEFT__READY), acq_rel, relaxed))
    value = weft__word_unlocked(word);
}

/* A wait that did not come about: WAITING -> RUNNING; a cancellation asked for meanwhile stays pending. */
static inline void weft__word_stop_waiting(weft__word_t *word) {
  uint64_t value = weft__word_unlocked(word);
  while (!atom_cas_weak(word, &value, weft__word_with_phase(value, WEFT__RUNNING), acq_rel, relaxed))
    value = weft__word_unlocked(word);
}

/* wake (L): WAITING -> `to` (READY or HOP). False if somebody else won. */
static inline bool weft__word_wake(weft__word_t *word, enum weft__phase to) {
  for (;;) {
    uint64_t value = weft__word_unlocked(word);
    if (weft__word_phase(value) != WEFT__WAITING) return false;
    if (atom_cas_weak(word, &value, weft__word_with_phase(value, to), acq_rel, relaxed)) return true;
  }
}

/* hop's end: HOP -> READY. False if a cancellation won: the entry is stale. */
static inline bool weft__word_end_hop(weft__word_t *word) {
  for (;;) {
    uint64_t value = weft__word_unlocked(word);
    if (weft__word_phase(value) != WEFT__HOP) return false;
    if (atom_cas_weak(word, &value, weft__word_with_phase(value, WEFT__READY), acq_rel, relaxed)) return true;
  }
}

/* resume: READY -> RUNNING (RUNNING stays, of a child in place that was cancelled unstarted, or its parent). True if a cancellation is delivered by it. */
static inline bool weft__word_resume(weft__word_t *word) {
  for (;;) {
    uint64_t value = weft__word_unlocked(word);
    uint64_t next = weft__word_with_phase(value & ~(WEFT__W_MUST_CANCEL | WEFT__W_CANCELLED), WEFT__RUNNING);
    if (atom_cas_weak(word, &value, next, acq_rel, relaxed))
      return (value & (WEFT__W_MUST_CANCEL | WEFT__W_CANCELLED)) != 0;
  }
}

static inline void weft__word_ref(weft__word_t *word) {
  /* relaxed: whoever adds a reference holds one already */
  uint64_t old = atom_add(word, WEFT__W_REFERENCE, relaxed);
  if (weft__unlikely((old >> 63) != 0)) weft__panic("too many references to one future");
}

/* True when it was the last one: the object is the caller's alone, everything done to it is visible. */
static inline bool weft__word_unref(weft__word_t *word) {
  uint64_t value = atom_load(word, acquire);
  if ((value >> 32) == 1 && (value & WEFT__W_LOCK) == 0) return true; /* nobody else can reach it any more */
  return (atom_sub(word, WEFT__W_REFERENCE, acq_rel) >> 32) == 1;
}

#endif
