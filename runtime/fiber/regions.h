/* regions.h: the address space that stacks lie in, and a registry of it that a signal handler may read. */
#ifndef WEFT_FIBER_REGIONS_H
#define WEFT_FIBER_REGIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomics.h"

/* A slab of equal blocks, or one larger block by itself. */
typedef struct weft__region weft__region_t;
struct weft__region {
  weft__region_t *next;   /* in the registry; never changes once linked */
  weft__region_t *idle;   /* while its mapping is gone: the next such region */
  _Atomic(uintptr_t) low; /* 0: the mapping is gone */
  _Atomic(size_t) bytes, block;
  /* For a slab's owner (stacks.c), under its lock. */
  weft__region_t *next_open;
  uint64_t cold;          /* blocks used before, without pages now: one bit each */
  unsigned fresh, blocks; /* blocks from `fresh` on were never used */
  bool open;              /* in the list of slabs with cold or fresh blocks */
};

/* Address space of the given size, readable and writable, aligned to block, a power of two. hint (0: none) is where it
 * would best lie. NULL when memory or address space ran out. */
weft__region_t *weft__region_map(size_t bytes, size_t block, uintptr_t hint);
/* Gives the address space back; the node may be used again by the next map. */
void weft__region_unmap(weft__region_t *region);

/* Unmaps everything that is mapped. Nobody may use any of it, nor call map or unmap meanwhile; find may run. */
void weft__regions_unmap_all(void);
size_t weft__regions_mapped(void); /* bytes */

/* Async-signal-safe: the block that address lies in. */
bool weft__regions_find(uintptr_t address, uintptr_t *block_low, uintptr_t *block_high);

#endif
