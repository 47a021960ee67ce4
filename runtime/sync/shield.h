/* shield.h: waiting for a future, two hops after its end, in such a way that cancelling the waiter leaves it alone. */
#ifndef WEFT_SYNC_SHIELD_H
#define WEFT_SYNC_SHIELD_H

#include "task/future.h"

/* 0 when the future is done; WEFT_CANCELLED when the waiting task was cancelled; -ENOMEM. cancel: the future is asked to
 * end once the wait is set up. what: the public function, for messages. */
int weft__wait_shielded(weft_future_t *future, bool cancel, const char *what);

#endif
