/* pinning.h: threads of a pool that may run on certain processors only.
 *
 * A thread inherits where it may run from the one that starts it. A job of a pinned pool that submits to another pool, or
 * opens one of processes, would pin those as well; so its thread lifts its own pin around that. */
#ifndef WEFT_EXEC_PINNING_H
#define WEFT_EXEC_PINNING_H

#include <stddef.h>

enum { WEFT__PIN_CPUS = 1024 }; /* as many as the kernel's fixed set has */

typedef struct weft__pin {
  unsigned long bits[WEFT__PIN_CPUS / (8 * sizeof(unsigned long))];
} weft__pin_t;

typedef struct weft__pinned {
  weft__pin_t before, now;
} weft__pinned_t;

/* Each cpu is below WEFT__PIN_CPUS. */
void weft__pin_set(weft__pin_t *pin, const unsigned cpus[], size_t count);
/* Pins the calling thread for the rest of its life; pinned is kept. 0; -EINVAL: it may run on none of them. */
int weft__pin_enter(weft__pinned_t *pinned, const weft__pin_t *pin);
/* The calling thread may run where it might before it was pinned; it is not pinned: nothing. */
void weft__pin_lift(void);
void weft__pin_restore(void);

#endif
