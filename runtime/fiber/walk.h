/* walk.h: the frames of a suspended fiber, or of the caller, by the compilers' unwind information. */
#ifndef WEFT_FIBER_WALK_H
#define WEFT_FIBER_WALK_H

#include "fiber/fiber.h"

/* One frame: where it goes on, and where its function (as the unwind information cuts it) begins. False: enough. */
typedef bool (*weft__frame_fn)(uintptr_t pc, uintptr_t function, void *data);

/* Innermost first, as far as there is unwind information, at most to the fiber's start. The fiber is suspended, and the
 * caller keeps it so. False: it came to the start (or to frames of unknown code), true: fn said so. Nothing is walked where
 * the switch is the C library's. */
bool weft__fiber_walk(const weft__fiber_t *fiber, weft__frame_fn fn, void *data);
/* The same from the caller's own frame outwards. */
bool weft__walk_here(weft__frame_fn fn, void *data);

#endif
