/* timeouts.h: the inside of weft_timeout_t, for wait_for, which has one on its own frame. */
#ifndef WEFT_SYNC_TIMEOUTS_H
#define WEFT_SYNC_TIMEOUTS_H

#include <weft/timeouts.h>

#include "sched/deadline.h"
#include "task/task.h"

typedef struct weft__timeout {
  weft_task_t *task;          /* whose scope it is; NULL: not entered */
  weft__deadline_t *deadline; /* NULL: none, or over */
  _Atomic(int) state;         /* see timeouts.c */
  int cancelling;             /* the task's requests at entry */
  unsigned shields;           /* the task's at entry */
  int64_t when;               /* the limit asked for, on the loop's clock */
  int failure;                /* why there is no limit, though one was asked for; 0: there is */
} weft__timeout_t;

_Static_assert(sizeof(weft__timeout_t) <= sizeof(weft_timeout_t), "weft_timeout_t is too small");

/* when: on the loop's clock, WEFT__TIME_NEVER for no limit; soon: at once, whatever when says. 0, or -ENOMEM: then the
 * scope is not entered. In a task. */
int weft__timeout_open(weft__timeout_t *scope, int64_t when, bool soon);
int weft__timeout_close(weft__timeout_t *scope, int body);

#endif
