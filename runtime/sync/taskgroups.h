/* taskgroups.h: the inside of weft_taskgroup_t. */
#ifndef WEFT_SYNC_TASKGROUPS_H
#define WEFT_SYNC_TASKGROUPS_H

#include <weft/taskgroups.h>

#include "base/list.h"
#include "base/spin.h"
#include "sync/awaiter.h"

typedef struct weft__group_child weft__group_child_t;

typedef struct weft__taskgroup {
  weft_task_t *parent; /* who entered; NULL: not entered */
  weft__spin_t lock;   /* guards what follows */
  unsigned unfinished; /* children whose end was not taken in yet, and creations under way */
  unsigned errors;
  unsigned shields;                           /* the parent's at entry */
  weft__awaiter_t completed;                  /* unfinished has become 0 */
  weft__group_child_t *children, **tail;      /* in order of creation, until exit */
  weft__group_child_t *late;                  /* created while the group began to shut down */
  weft__group_child_t *failed, **failed_tail; /* in order of failing */
  weft__group_child_t *base;                  /* the first that ended by WEFT_EXIT or WEFT_INTERRUPT */
  weft__record_t *not_created;                /* why the first task that could not be made was not, owned */
  /* Not beside the lock: gcc reads neighbouring flags as one word, which ThreadSanitizer takes for a race with it. */
  bool exiting, finished, aborting, parent_cancelled;
  bool no_task; /* entered outside of a task */
} weft__taskgroup_t;

_Static_assert(sizeof(weft__taskgroup_t) <= sizeof(weft_taskgroup_t), "weft_taskgroup_t is too small");

#endif
