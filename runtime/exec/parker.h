/* parker.h: one thread's bed: it sleeps here until it is rung. A ring that comes before the sleep is remembered. */
#ifndef WEFT_EXEC_PARKER_H
#define WEFT_EXEC_PARKER_H

#include "base/threads.h"

typedef struct weft__parker {
  weft__mutex_t mutex;
  weft__cond_t cond;
  bool rung; /* under mutex */
} weft__parker_t;

static inline int weft__parker_init(weft__parker_t *parker) {
  parker->rung = false;
  int rc = weft__mutex_init(&parker->mutex);
  if (rc < 0) return rc;
  rc = weft__cond_init(&parker->cond);
  if (rc < 0) weft__mutex_destroy(&parker->mutex);
  return rc;
}

static inline void weft__parker_destroy(weft__parker_t *parker) {
  weft__cond_destroy(&parker->cond);
  weft__mutex_destroy(&parker->mutex);
}

/* True: rung. False: the deadline (weft__clock_now's time) passed. */
static inline bool weft__parker_park(weft__parker_t *parker, int64_t deadline) {
  weft__mutex_lock(&parker->mutex);
  bool in_time = true;
  while (!parker->rung && in_time) in_time = weft__cond_wait_until(&parker->cond, &parker->mutex, deadline);
  bool rung = parker->rung;
  parker->rung = false;
  weft__mutex_unlock(&parker->mutex);
  return rung;
}

/* The signal is given under the mutex: the sleeper may end the parker's life as soon as it has it. */
static inline void weft__parker_ring(weft__parker_t *parker) {
  weft__mutex_lock(&parker->mutex);
  parker->rung = true;
  weft__cond_signal(&parker->cond);
  weft__mutex_unlock(&parker->mutex);
}

#endif
