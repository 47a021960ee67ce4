/* taskgroups.h: the inside of weft_taskgroup_t. */
#ifndef WEFT_SYNC_TASKGROUPS_H
#define WEFT_SYNC_TASKGROUPS_H

#include <weft/taskgroups.h>

#include "base/list.h"
#include "base/spin.h"
#include "sync/awaiter.h"

typedef struct weft__taskgroup {
  weft_task_t *parent; /* who entered; NULL: not entered */
  weft__spin_t lock;   /* guards what follows */
  unsigned unfinished; /* children whose end was not taken in yet, and creations under way */
  unsigned errors;
  unsigned shields;         /* the parent's at entry */
  weft__awaiter_t progress; /* what the parent waits for: unfinished is 0, or another child has ended */
  weft__list_t running; /* in order of creation; while the group shuts down those that were asked to cancel are last */
  weft__list_t ended;   /* in order of their ends, until exit or until they are handed out */
  weft__list_t failed;  /* likewise, by their second link */
  weft__record_t *base; /* of the first that ended by WEFT_EXIT or WEFT_INTERRUPT, owned */
  weft__record_t *not_created; /* why the first task that could not be made was not, owned */
  /* Not beside the lock: gcc reads neighbouring flags as one word, which ThreadSanitizer takes for a race with it. */
  bool exiting, finished, aborting, parent_cancelled;
  bool no_task;       /* entered outside of a task */
  bool collect;       /* a child that fails does not abort the group */
  bool waits_for_any; /* the parent is in weft_taskgroup_next */
} weft__taskgroup_t;

_Static_assert(sizeof(weft__taskgroup_t) <= sizeof(weft_taskgroup_t), "weft_taskgroup_t is too small");

#endif
