/* pinning.c: see pinning.h. */
#include "exec/pinning.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

_Static_assert(sizeof(weft__pin_t) == sizeof(cpu_set_t), "WEFT__PIN_CPUS is not CPU_SETSIZE");

static __thread weft__pinned_t *here; /* NULL: this thread is not pinned */

static int apply(const weft__pin_t *pin) {
  cpu_set_t set;
  memcpy(&set, pin, sizeof set);
  return sched_setaffinity(0, sizeof set, &set) < 0 ? -errno : 0;
}

void weft__pin_set(weft__pin_t *pin, const unsigned cpus[], size_t count) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (size_t i = 0; i < count; i++) CPU_SET(cpus[i], &set);
  memcpy(pin, &set, sizeof set);
}

int weft__pin_enter(weft__pinned_t *pinned, const weft__pin_t *pin) {
  cpu_set_t before;
  if (sched_getaffinity(0, sizeof before, &before) < 0) return -errno;
  memcpy(&pinned->before, &before, sizeof before);
  pinned->now = *pin;
  int rc = apply(pin);
  if (rc == 0) here = pinned;
  return rc;
}

/* Where these fail the new thread is pinned too, or this one is not any more: both still run. */
void weft__pin_lift(void) {
  if (here != NULL) (void)apply(&here->before);
}
void weft__pin_restore(void) {
  if (here != NULL) (void)apply(&here->now);
}
