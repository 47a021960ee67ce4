/* membarrier.h: a full fence on every running thread of this process, paid by the one who asks for it: so that the other
 * side of a store-then-load race needs no fence of its own. 12 to 15 microseconds with a busy thread elsewhere. */
#ifndef WEFT_BASE_MEMBARRIER_H
#define WEFT_BASE_MEMBARRIER_H

#include <stdbool.h>

/* Whether the system has it (Linux 4.14, not forbidden by a seccomp filter); asked once, and this process registered. */
bool weft__membarrier_available(void);
/* Only if available. Afterwards every thread sees what this one wrote before, and what they wrote before is seen here. */
void weft__membarrier(void);

/* For tests: false makes it unavailable; true goes back to what the system says. */
void weft__membarrier_allow(bool allow);

#endif
