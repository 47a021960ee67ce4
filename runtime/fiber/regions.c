/* regions.c: see regions.h.
 *
 * The registry is a list that only grows, at its head, until unmap_all. A node is complete before the release store of
 * the head that links it, which find's acquire load meets. Afterwards its mapping may go (low = 0) and another may come:
 * bytes and block are written while low is 0, and the release store of low is met by find's acquire load. find runs in
 * a handler that met a fault *inside* a mapping that is in use, so a node that changes under it is another one.
 * unmap_all unlinks the list, then waits for walkers that may have loaded the old head. */
#include "fiber/regions.h"

#include <sys/mman.h>

#include "base/alloc.h"
#include "base/base.h"
#include "base/spin.h"

static _Atomic(weft__region_t *) registry;
static _Atomic(unsigned) walkers;
static _Atomic(size_t) mapped;
static weft__spin_t lock;    /* writers of the registry; the list of idle nodes */
static weft__region_t *idle; /* regions without a mapping */

static char *map_aligned(size_t bytes, size_t align, uintptr_t hint) {
  enum { PROTECTION = PROT_READ | PROT_WRITE, FLAGS = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE };
  size_t more;
  if (weft__alloc_refused() || __builtin_add_overflow(bytes, align, &more)) return NULL;
  char *low = mmap((void *)hint, bytes, PROTECTION, FLAGS, -1, 0);
  if (low == MAP_FAILED) return NULL;
  if (((uintptr_t)low & (align - 1)) != 0) {
    munmap(low, bytes);
    low = mmap(NULL, more, PROTECTION, FLAGS, -1, 0);
    if (low == MAP_FAILED) return NULL;
    size_t before = (size_t)(-(uintptr_t)low & (align - 1));
    if (before != 0) munmap(low, before);
    low += before;
    munmap(low + bytes, align - before); /* before < align */
  }
  /* Huge pages would fill a stack's memory at its first touch. Kernels without them answer EINVAL. */
  madvise(low, bytes, MADV_NOHUGEPAGE);
  return low;
}

weft__region_t *weft__region_map(size_t bytes, size_t block, uintptr_t hint) {
  char *low = map_aligned(bytes, block, hint);
  if (low == NULL) return NULL;
  weft__spin_lock(&lock);
  weft__region_t *region = idle;
  if (region != NULL) idle = region->idle;
  weft__spin_unlock(&lock);
  bool linked = region != NULL;
  if (!linked) region = weft__alloc_zero(sizeof *region);
  if (region == NULL) {
    munmap(low, bytes);
    return NULL;
  }
  region->next_open = NULL;
  region->cold = 0;
  region->fresh = region->blocks = 0;
  region->open = false;
  atom_store(&region->bytes, bytes, relaxed);
  atom_store(&region->block, block, relaxed);
  atom_store(&region->low, (uintptr_t)low, release); /* the three are complete: meets find's acquire load of low */
  atom_add(&mapped, bytes, relaxed);
  if (!linked) {
    weft__spin_lock(&lock);
    region->next = atom_load(&registry, relaxed); /* the lock orders writers */
    atom_store(&registry, region, release);       /* meets find's load of the head */
    weft__spin_unlock(&lock);
  }
  return region;
}

void weft__region_unmap(weft__region_t *region) {
  size_t bytes = atom_load(&region->bytes, relaxed);
  uintptr_t low = atom_xchg(&region->low, 0, relaxed);
  munmap((void *)low, bytes);
  atom_sub(&mapped, bytes, relaxed);
  weft__spin_lock(&lock);
  region->idle = idle;
  idle = region;
  weft__spin_unlock(&lock);
}

void weft__regions_unmap_all(void) {
  /* seq_cst, as in find: either a walker is counted before the count is read below, or it finds the list empty. */
  weft__region_t *region = atom_xchg(&registry, NULL, seq_cst);
  while (atom_load(&walkers, seq_cst) != 0) sched_yield();
  idle = NULL;
  while (region != NULL) {
    weft__region_t *next = region->next;
    uintptr_t low = atom_load(&region->low, relaxed);
    size_t bytes = atom_load(&region->bytes, relaxed);
    if (low != 0) {
      munmap((void *)low, bytes);
      atom_sub(&mapped, bytes, relaxed);
    }
    weft__free(region, sizeof *region);
    region = next;
  }
}

size_t weft__regions_mapped(void) { return atom_load(&mapped, relaxed); }

bool weft__regions_find(uintptr_t address, uintptr_t *block_low, uintptr_t *block_high) {
  bool found = false;
  atom_add(&walkers, 1, seq_cst); /* before the load of the head, in the order that unmap_all shares */
  for (weft__region_t *region = atom_load(&registry, seq_cst); region != NULL && !found; region = region->next) {
    uintptr_t low = atom_load(&region->low, acquire);
    size_t bytes = atom_load(&region->bytes, relaxed), block = atom_load(&region->block, relaxed);
    if (low == 0 || address < low || address - low >= bytes) continue;
    *block_low = address & ~(uintptr_t)(block - 1);
    *block_high = *block_low + block;
    found = true;
  }
  atom_sub(&walkers, 1, release); /* what was read was read before the list is freed */
  return found;
}
