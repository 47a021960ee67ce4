/* queues.h: queues, for select. */
#ifndef WEFT_SYNC_QUEUES_H
#define WEFT_SYNC_QUEUES_H

#include <weft/queues.h>

#include "sync/selection.h"

enum weft__queue_step {
  WEFT__QUEUE_WAIT, /* it cannot be done now; the node is in the queue's list */
  WEFT__QUEUE_DONE, /* claimed and done; *status */
  WEFT__QUEUE_LOST  /* it could be done, but another case was chosen meanwhile */
};

/* One case of a select: does the operation if it can be done and the claim is won; else puts the node among the waiters,
 * unless it is there. node NULL: a first look, nothing waits and nothing has to be claimed. A node that was chosen
 * (wait.woken) has the claim: it is given back before it waits again. */
enum weft__queue_step weft__queue_select(weft_queue_t *queue, bool put, void *item, weft__select_node_t *node,
                                         int *status);
/* Takes the node out. One that was chosen and is not used passes its turn on. */
void weft__queue_unselect(weft_queue_t *queue, bool put, weft__select_node_t *node);
/* 0, or -EINVAL with words. */
int weft__queue_check(weft_queue_t *queue, const void *item, size_t size, const char *what);

#endif
