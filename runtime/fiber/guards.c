/* guards.c: see guards.h. */
#include "fiber/guards.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/atomics.h"
#include "base/threads.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

static weft__once_t probe_once = WEFT__ONCE_INIT;
static bool probed_light; /* written once, inside weft__once, which orders it before every reader */
static _Atomic(bool) heavy_only;

/* A write(2) from the guarded page: the kernel answers EFAULT where touching the page would be a SIGSEGV. */
static void probe(void) {
  long page = sysconf(_SC_PAGESIZE);
  int ends[2];
  if (page <= 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return;
  char *memory = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory != MAP_FAILED) {
    *memory = 1;
    bool readable = write(ends[1], memory, 1) == 1;
    bool advised = madvise(memory, (size_t)page, MADV_GUARD_INSTALL) == 0;
    probed_light = readable && advised && write(ends[1], memory, 1) == -1 && errno == EFAULT;
    munmap(memory, (size_t)page);
  }
  close(ends[0]);
  close(ends[1]);
}

bool weft__guards_light(void) {
  weft__once(&probe_once, probe);
  return probed_light && !atom_load(&heavy_only, relaxed);
}

void weft__guards_allow_light(bool allow) { atom_store(&heavy_only, !allow, relaxed); }

int weft__guard_install(char *low, size_t bytes) {
  if (weft__guards_light() && madvise(low, bytes, MADV_GUARD_INSTALL) == 0) return 0;
  if (weft__alloc_refused()) return -ENOMEM;
  return mprotect(low, bytes, PROT_NONE) == 0 ? 0 : -errno;
}
