/* reactor_core.h: what readiness objects and the reactors behind them share. */
#ifndef WEFT_LOOP_REACTOR_CORE_H
#define WEFT_LOOP_REACTOR_CORE_H

#include "loop/ready_table.h"

/* The first member of every implementation's reactor. References: one of whoever opened it, one of each open readiness
 * object, so that an object that is closed after the reactor meets memory. */
struct weft__reactor {
  _Atomic(uint32_t) references;
  _Atomic(unsigned) registered; /* open readiness objects */
  _Atomic(unsigned) waiting;    /* waiters linked in them */
  _Atomic(bool) closed;
  _Atomic(bool) has_uv; /* a libuv loop was made: it may wait too */
  weft__ready_table_t table;
};

/* False: weft__reactor_waiting is 0. Without a call, for the scheduler's fast path. */
static inline bool weft__reactor_may_wait(const weft__reactor_t *reactor) {
  return atom_load(&reactor->waiting, relaxed) > 0 || atom_load(&reactor->has_uv, relaxed);
}

/* What an event carries: the generation above, the index below. Indices from RESERVED on are the reactor's own. */
#define WEFT__EVENT_RESERVED UINT32_C(0xFFFFFF00)
static inline uint64_t weft__event_data(uint32_t generation, uint32_t index) {
  return (uint64_t)generation << 32 | index;
}

/* ready.c, for the implementations. */
void weft__reactor_core_init(weft__reactor_t *reactor);
/* Marks every open object dead. */
void weft__reactor_core_close(weft__reactor_t *reactor);
/* An event for the object that data names: sets the bits and wakes. False: that object is gone. */
bool weft__ready_deliver(weft__reactor_t *reactor, uint64_t data, uint64_t bits);

/* A hint: that object's event is delivered soon. */
static inline void weft__ready_prefetch(const weft__reactor_t *reactor, uint64_t data) {
  if ((uint32_t)data < WEFT__EVENT_RESERVED)
    __builtin_prefetch(weft__ready_table_at(&reactor->table, (uint32_t)data), 1);
}

/* By the implementation, for ready.c. */
int weft__reactor_register(weft__reactor_t *reactor, weft__ready_t *ready, uint64_t data); /* 0 or a negative errno */
void weft__reactor_unregister(weft__reactor_t *reactor, weft__ready_t *ready);
/* A bit of the object's word was cleared: its next event is wanted. Any thread. */
void weft__reactor_rearm(weft__reactor_t *reactor, weft__ready_t *ready);
void weft__reactor_free(weft__reactor_t *reactor); /* the last reference is gone */

#endif
