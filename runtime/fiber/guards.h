/* guards.h: making memory fault on touch.
 *
 * Linux 6.13 and newer: MADV_GUARD_INSTALL, which needs no mapping of its own, so the number of stacks is bounded by
 * memory alone. Elsewhere, and in locked memory: mprotect, two mappings per stack, and the system's limit on mappings
 * (vm.max_map_count) ends at about 32 000 stacks. */
#ifndef WEFT_FIBER_GUARDS_H
#define WEFT_FIBER_GUARDS_H

#include <stdbool.h>
#include <stddef.h>

/* Makes [low, low + bytes), whole pages of ours, fault. 0, or a negative errno: -ENOMEM when mappings ran out. */
int weft__guard_install(char *low, size_t bytes);

/* Whether guards are light ones: answered by installing one and touching it through a system call, once per process. An
 * emulator may accept the advice and do nothing. */
bool weft__guards_light(void);

/* For tests: false makes every later guard an mprotect; true goes back to what the probe says. */
void weft__guards_allow_light(bool allow);

#endif
