/* stacks.h: where fibers' blocks come from.
 *
 * A block is a power of two in size and aligned to it. From its low end: the guard (32 KiB, faults on touch), the stack,
 * and the fiber's header at the very top, beside the stack's first page, so that a fiber that does little touches one
 * page. Blocks of the default class (128 KiB) are carved from slabs and go through a per-worker cache; larger classes
 * are mapped one by one.
 *
 * A default block is warm (header and touched pages kept), cold (pages given back to the system, guard kept) or fresh
 * (never used). Worker caches hold warm ones only and exchange batches with a shared pool, which lets blocks go cold
 * above a high-water mark. */
#ifndef WEFT_FIBER_STACKS_H
#define WEFT_FIBER_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct weft__fiber weft__fiber_t;

enum {
  /* Address space of the default class, guard and header included. A page of page table serves 2 MiB of it: at 128 KiB
   * each stack of one touched page costs 256 bytes of that, at 256 KiB 512. */
  WEFT__STACK_BLOCK = 128 * 1024,
  WEFT__STACK_GUARD = 32 * 1024,
  WEFT__STACK_HEADER_MAX = 2048, /* header and its placement never take more than this */
  /* A fiber asked for no more than this comes from the default class and the caches. */
  WEFT__FIBER_DEFAULT_USABLE = WEFT__STACK_BLOCK - WEFT__STACK_GUARD - WEFT__STACK_HEADER_MAX
};

/* One per worker; zero is a valid empty cache. No lock: one thread at a time. */
typedef struct weft__stack_cache {
  weft__fiber_t *first; /* newest, linked by next */
  unsigned count;
} weft__stack_cache_t;

void weft__stack_cache_init(weft__stack_cache_t *cache);
/* Hands everything cached to the shared pool: before the cache's memory goes away. */
void weft__stack_cache_flush(weft__stack_cache_t *cache);

/* Each runtime holds the stacks while it is open; the last release unmaps everything. By then every fiber must have been
 * freed and every cache flushed. */
void weft__stacks_retain(void);
void weft__stacks_release(void);

/* Why the last weft__fiber_new in this process answered NULL; a static text, "" if none did. */
const char *weft__stacks_error(void);

typedef struct weft__stack_stats {
  size_t live;       /* default blocks out of the shared pool: running, suspended or in a worker's cache */
  size_t warm;       /* in the shared pool with their pages */
  size_t cold;       /* given back to the system, address space kept */
  size_t large;      /* larger blocks alive */
  size_t mapped;     /* bytes of address space */
  bool light_guards; /* guards need no mapping of their own (MADV_GUARD_INSTALL) */
} weft__stack_stats_t;
void weft__stacks_stats(weft__stack_stats_t *stats);

/* How many idle blocks the pool keeps with their pages, besides half as many as are in use. */
void weft__stacks_keep_warm(size_t least);

/* For the overflow report, async-signal-safe: the block whose guard holds address. */
bool weft__stacks_find_guard(uintptr_t address, uintptr_t *block_low, uintptr_t *block_high);

/* For fiber.c: a warm, cold or fresh block with room for size bytes; *low, *high are the stack's bounds, the header lies
 * at high. NULL when memory or mappings ran out. */
weft__fiber_t *weft__stacks_take(weft__stack_cache_t *cache, size_t size);
void weft__stacks_give(weft__stack_cache_t *cache, weft__fiber_t *fiber);

#endif
