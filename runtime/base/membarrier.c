/* membarrier.c: membarrier(2), MEMBARRIER_CMD_PRIVATE_EXPEDITED. */
#include "base/membarrier.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomics.h"
#include "base/base.h"

static _Atomic(bool) forbidden;

static int call(int command) { return (int)syscall(SYS_membarrier, command, 0, 0); }

#ifdef WEFT__ATOM_THREAD_SANITIZER
bool weft__membarrier_available(void) { return false; } /* it cannot see one */
#else
bool weft__membarrier_available(void) {
  enum { UNKNOWN, YES, NO };
  static _Atomic(int) answer; /* two threads may ask at once, and find the same */
  if (atom_load(&forbidden, relaxed)) return false;
  int known = atom_load(&answer, relaxed);
  if (weft__unlikely(known == UNKNOWN)) {
    int commands = call(MEMBARRIER_CMD_QUERY);
    bool has = commands > 0 && (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0 &&
               call(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
    known = has ? YES : NO;
    atom_store(&answer, known, relaxed);
  }
  return known == YES;
}
#endif

void weft__membarrier(void) { WEFT__ASSERT(call(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0); }

void weft__membarrier_allow(bool allow) { atom_store(&forbidden, !allow, relaxed); }
