/* stack.h: the frames of a task, as they are found and as they are told. */
#ifndef WEFT_INSPECT_STACK_H
#define WEFT_INSPECT_STACK_H

#include <weft/inspect.h>

#include "inspect/symbols.h"

/* The frames that a user wants to see, newest first, limit at most; *out is filled, an array of *capacity frames to be
 * freed (NULL when there are none). How many, or -ENOMEM. */
int weft__stack_frames(weft_task_t *task, weft__symbols_t *symbols, size_t limit, weft_frame_t **out, size_t *capacity);
/* One address: the function that holds it. */
void weft__frame_at(weft__symbols_t *symbols, const void *address, weft_frame_t *frame);

#endif
