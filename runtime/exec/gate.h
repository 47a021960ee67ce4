/* gate.h: something that happens once, and that tasks and threads outside may wait for. */
#ifndef WEFT_EXEC_GATE_H
#define WEFT_EXEC_GATE_H

#include "base/list.h"
#include "base/spin.h"

typedef struct weft__gate {
  weft__spin_t lock;
  bool open;            /* under lock */
  weft__list_t tasks;   /* under lock: waiting tasks */
  weft__list_t threads; /* under lock: waiting threads */
} weft__gate_t;

void weft__gate_init(weft__gate_t *gate);
/* From any thread; once. The waiters may end the gate's life at once. */
void weft__gate_open(weft__gate_t *gate);
/* A task suspends: 0, or WEFT_CANCELLED. Any other thread is blocked: 0 or -ENOMEM. In a callback: -EPERM. */
int weft__gate_wait(weft__gate_t *gate, const char *what);
/* The same for so many seconds at most: WEFT_TIMEOUT; -EINVAL: NaN. */
int weft__gate_wait_within(weft__gate_t *gate, double seconds, const char *what);
/* The same, but neither a cancellation nor lack of memory ends the wait: 0, or WEFT_CANCELLED after the end. */
int weft__gate_wait_anyway(weft__gate_t *gate);

#endif
