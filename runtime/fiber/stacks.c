/* stacks.c: blocks from slabs, the shared pool and the caches of workers. See stacks.h.
 *
 * The pool is guarded by one spin lock, under which no system call is made: what has to be mapped, guarded or given back
 * is first taken out of the lists, so that one thread alone knows it.
 *
 * A default block is fresh (index >= its slab's `fresh`), cold (its bit in `cold`), warm (in pool.warm or a cache) or in
 * use; being guarded and given back it is in no list. Its header is valid while warm or in use. */
#include "fiber/stacks.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "base/atomics.h"
#include "base/base.h"
#include "base/spin.h"
#include "fiber/fiber.h"
#include "fiber/guards.h"
#include "fiber/regions.h"

enum {
  SLAB_BLOCKS = 64, /* 8 MiB; one bit each in a region's `cold` */
  CACHE_MAX = 64,
  CACHE_BATCH = 16, /* fibers a worker keeps, and how many it takes from the pool at once */
  KEEP_WARM = 4096, /* 16 MiB and more */
  LARGE_CLASSES = 6,
  LARGE_KEPT = 4,         /* 256 KiB to 8 MiB: idle ones kept of each */
  LARGE_WARM = 64 * 1024, /* bytes of such a one's stack that keep their pages */
#ifdef WEFT_CONTEXT_UCONTEXT
  COLOURS = 1, /* its header is large */
#else
  COLOURS = 16,
#endif
};

/* The tops of blocks are congruent modulo 128 KiB and would meet in a handful of cache sets: each header, and the stack
 * below it, is moved down by a number of lines taken from the block's address. */
#define HEADER_BYTES ((sizeof(weft__fiber_t) + WEFT__CACHE_LINE - 1) / WEFT__CACHE_LINE * WEFT__CACHE_LINE)
_Static_assert(HEADER_BYTES + (COLOURS - 1) * WEFT__CACHE_LINE <= WEFT__STACK_HEADER_MAX, "stacks.h promises this");

static struct {
  weft__spin_t lock;
  unsigned holders;
  weft__fiber_t *warm;
  weft__region_t *open; /* slabs with cold or fresh blocks */
  uintptr_t hint;       /* below the newest slab: the next one joins it, and one mapping serves all */
  weft__fiber_t *large[LARGE_CLASSES];
  unsigned large_kept[LARGE_CLASSES];
  size_t keep_warm;
  weft__stack_stats_t stats;
} pool = {.keep_warm = KEEP_WARM};
static _Atomic(const char *) last_error;

/* Static texts, so release and acquire carry nothing but the pointer's target. */
const char *weft__stacks_error(void) {
  const char *why = atom_load(&last_error, acquire);
  return why != NULL ? why : "";
}
static WEFT__COLD void fail(const char *why) { atom_store(&last_error, why, release); }
static WEFT__COLD void fail_map(void) {
  fail("no memory for another stack: address space ran out (see ulimit -v and vm.overcommit_memory)");
}

/* The header of a block that was never used or went cold, and its guard if it has none yet. NULL: no guard, no stack. */
static weft__fiber_t *make_block(weft__region_t *region, char *low, size_t block, bool guarded) {
  if (!guarded && weft__guard_install(low, WEFT__STACK_GUARD) < 0) {
    fail("no memory for another stack's guard: the limit on mappings is reached; raise vm.max_map_count, or use "
         "Linux 6.13 or newer, where guards need no mappings");
    return NULL;
  }
  size_t colour = ((uintptr_t)low / WEFT__STACK_BLOCK) % COLOURS;
  weft__fiber_t *fiber = (weft__fiber_t *)(void *)(low + block - HEADER_BYTES - colour * WEFT__CACHE_LINE);
  fiber->stack_low = low + WEFT__STACK_GUARD;
  fiber->stack_high = (char *)fiber;
  fiber->size = (size_t)(fiber->stack_high - fiber->stack_low);
  fiber->region = region;
  return fiber;
}

static char *block_of(const weft__fiber_t *fiber) { return fiber->stack_low - WEFT__STACK_GUARD; }
static size_t block_index(const weft__region_t *slab, const char *low) {
  return ((uintptr_t)low - atom_load(&slab->low, relaxed)) / WEFT__STACK_BLOCK;
}

/* ---- default blocks ---- */

/* Under the lock. */
static void open_slab(weft__region_t *slab) {
  if (slab->open) return;
  slab->open = true;
  slab->next_open = pool.open;
  pool.open = slab;
}

/* A slab with fewer blocks where the address space is short. */
static bool add_slab(void) {
  for (unsigned blocks = SLAB_BLOCKS; blocks != 0; blocks /= 8) {
    size_t bytes = (size_t)blocks * WEFT__STACK_BLOCK;
    weft__spin_lock(&pool.lock);
    uintptr_t hint = pool.hint > bytes ? pool.hint - bytes : 0;
    weft__spin_unlock(&pool.lock);
    weft__region_t *slab = weft__region_map(bytes, WEFT__STACK_BLOCK, hint);
    if (slab == NULL) continue;
    slab->blocks = blocks;
    weft__spin_lock(&pool.lock);
    pool.hint = atom_load(&slab->low, relaxed);
    open_slab(slab);
    weft__spin_unlock(&pool.lock);
    return true;
  }
  fail_map();
  return false;
}

/* A block that is not warm; under the lock. NULL: no slab has one. */
static char *pick_block(weft__region_t **slab, bool *guarded) {
  weft__region_t *first = pool.open;
  if (first == NULL) return NULL;
  size_t index;
  *guarded = first->cold != 0;
  if (*guarded) {
    index = (size_t)__builtin_ctzll(first->cold);
    first->cold &= first->cold - 1;
    pool.stats.cold--;
  } else {
    index = first->fresh++;
  }
  if (first->cold == 0 && first->fresh == first->blocks) {
    pool.open = first->next_open;
    first->open = false;
  }
  *slab = first;
  return (char *)atom_load(&first->low, relaxed) + index * WEFT__STACK_BLOCK;
}

/* A block whose guard could not be installed goes back: as fresh if it is the last of those handed out, else it is lost
 * until all stacks are unmapped, which happens at the limit of mappings only. */
static void unpick_block(weft__region_t *slab, const char *low) {
  weft__spin_lock(&pool.lock);
  if (block_index(slab, low) + 1 == slab->fresh) {
    slab->fresh--;
    open_slab(slab);
  }
  pool.stats.live--;
  weft__spin_unlock(&pool.lock);
}

/* One fiber for the caller, and with a cache up to a batch of warm ones for it. */
static WEFT__NOINLINE weft__fiber_t *take_shared(weft__stack_cache_t *cache) {
  weft__region_t *slab = NULL;
  char *low = NULL;
  bool guarded = false;
  if (weft__alloc_refused()) {
    fail_map();
    return NULL;
  }
  for (;;) {
    weft__spin_lock(&pool.lock);
    weft__fiber_t *fiber = pool.warm;
    if (fiber != NULL) {
      unsigned wanted = cache != NULL ? CACHE_BATCH : 1, taken = 1;
      weft__fiber_t *last = fiber;
      while (taken < wanted && last->next != NULL) last = last->next, taken++;
      pool.warm = last->next;
      pool.stats.warm -= taken;
      pool.stats.live += taken;
      weft__spin_unlock(&pool.lock);
      last->next = NULL;
      if (cache != NULL) cache->first = fiber->next, cache->count = taken - 1;
      return fiber;
    }
    low = pick_block(&slab, &guarded);
    if (low != NULL) pool.stats.live++;
    weft__spin_unlock(&pool.lock);
    if (low != NULL) break;
    if (!add_slab()) return NULL;
  }
  weft__fiber_t *fiber = make_block(slab, low, WEFT__STACK_BLOCK, guarded);
  if (fiber == NULL) unpick_block(slab, low);
  return fiber;
}

/* n fibers from first on, linked by next, go to the pool; those beyond the mark go cold. */
static WEFT__NOINLINE void give_shared(weft__fiber_t *first, unsigned n) {
  weft__fiber_t *last = first;
  for (unsigned i = 1; i < n; i++) last = last->next;
  weft__spin_lock(&pool.lock);
  last->next = pool.warm;
  pool.warm = first;
  pool.stats.live -= n;
  pool.stats.warm += n;
  size_t mark = pool.keep_warm + pool.stats.live / 2;
  weft__fiber_t *excess = NULL;
  while (pool.stats.warm > mark) {
    weft__fiber_t *fiber = pool.warm;
    pool.warm = fiber->next;
    pool.stats.warm--;
    fiber->next = excess;
    excess = fiber;
  }
  weft__spin_unlock(&pool.lock);
  while (excess != NULL) {
    weft__fiber_t *fiber = excess;
    excess = fiber->next;
    weft__region_t *slab = fiber->region;
    char *low = block_of(fiber);
    size_t index = block_index(slab, low);
    madvise(low + WEFT__STACK_GUARD, WEFT__STACK_BLOCK - WEFT__STACK_GUARD, MADV_DONTNEED); /* the header too */
    weft__spin_lock(&pool.lock);
    slab->cold |= UINT64_C(1) << index;
    pool.stats.cold++;
    open_slab(slab);
    weft__spin_unlock(&pool.lock);
  }
}

/* ---- larger blocks ---- */

/* Its index among the kept classes, or LARGE_CLASSES. */
static unsigned large_class(size_t block) {
  unsigned index = (unsigned)__builtin_ctzll(block / (2 * WEFT__STACK_BLOCK));
  return index < LARGE_CLASSES ? index : LARGE_CLASSES;
}

static WEFT__COLD weft__fiber_t *take_large(size_t size) {
  size_t least, block = 2 * (size_t)WEFT__STACK_BLOCK;
  if (__builtin_add_overflow(size, (size_t)WEFT__STACK_GUARD + WEFT__STACK_HEADER_MAX, &least) ||
      least > SIZE_MAX / 4) {
    fail("the stack asked for is larger than the address space");
    return NULL;
  }
  while (block < least) block *= 2;
  unsigned class = large_class(block);
  weft__spin_lock(&pool.lock);
  pool.stats.large++;
  weft__fiber_t *fiber = class < LARGE_CLASSES ? pool.large[class] : NULL;
  if (fiber != NULL) {
    pool.large[class] = fiber->next;
    pool.large_kept[class]--;
  }
  weft__spin_unlock(&pool.lock);
  if (fiber != NULL) return fiber;
  weft__region_t *region = weft__region_map(block, block, 0);
  if (region == NULL)
    fail_map();
  else if ((fiber = make_block(region, (char *)atom_load(&region->low, relaxed), block, false)) == NULL)
    weft__region_unmap(region);
  if (fiber != NULL) return fiber;
  weft__spin_lock(&pool.lock);
  pool.stats.large--;
  weft__spin_unlock(&pool.lock);
  return NULL;
}

static WEFT__COLD void give_large(weft__fiber_t *fiber) {
  weft__region_t *region = fiber->region;
  unsigned class = large_class(atom_load(&region->block, relaxed));
  char *warm = fiber->stack_high - LARGE_WARM;
  warm -= (uintptr_t)warm % LARGE_WARM;
  madvise(fiber->stack_low, (size_t)(warm - fiber->stack_low), MADV_DONTNEED);
  weft__spin_lock(&pool.lock);
  pool.stats.large--;
  bool keep = class < LARGE_CLASSES && pool.large_kept[class] < LARGE_KEPT;
  if (keep) {
    fiber->next = pool.large[class];
    pool.large[class] = fiber;
    pool.large_kept[class]++;
  }
  weft__spin_unlock(&pool.lock);
  if (!keep) weft__region_unmap(region);
}

/* ---- the interface ---- */

weft__fiber_t *weft__stacks_take(weft__stack_cache_t *cache, size_t size) {
  if (weft__unlikely(size > WEFT__FIBER_DEFAULT_USABLE)) return take_large(size);
  weft__fiber_t *fiber = cache != NULL ? cache->first : NULL;
  if (weft__unlikely(fiber == NULL)) return take_shared(cache);
  cache->first = fiber->next;
  cache->count--;
  return fiber;
}

void weft__stacks_give(weft__stack_cache_t *cache, weft__fiber_t *fiber) {
  if (weft__unlikely((size_t)(fiber->stack_high - block_of(fiber)) > WEFT__STACK_BLOCK)) {
    give_large(fiber);
    return;
  }
  if (cache == NULL) {
    give_shared(fiber, 1);
    return;
  }
  fiber->next = cache->first;
  cache->first = fiber;
  if (weft__likely(++cache->count <= CACHE_MAX)) return;
  /* The newest half stays, in this processor's cache; the older half goes. */
  weft__fiber_t *kept = cache->first;
  for (unsigned i = 1; i < CACHE_MAX / 2; i++) kept = kept->next;
  weft__fiber_t *older = kept->next;
  kept->next = NULL;
  unsigned n = cache->count - CACHE_MAX / 2;
  cache->count = CACHE_MAX / 2;
  give_shared(older, n);
}

void weft__stack_cache_init(weft__stack_cache_t *cache) { *cache = (weft__stack_cache_t){NULL, 0}; }

void weft__stack_cache_flush(weft__stack_cache_t *cache) {
  if (cache->first != NULL) give_shared(cache->first, cache->count);
  weft__stack_cache_init(cache);
}

void weft__stacks_retain(void) {
  weft__spin_lock(&pool.lock);
  pool.holders++;
  weft__spin_unlock(&pool.lock);
}

void weft__stacks_release(void) {
  weft__spin_lock(&pool.lock);
  WEFT__ASSERT(pool.holders != 0);
  bool last = --pool.holders == 0;
  if (last && (pool.stats.live != 0 || pool.stats.large != 0))
    weft__panic("the last runtime closes while %zu stacks are in use", pool.stats.live + pool.stats.large);
  if (last) {
    /* Emptied under the lock, for once with system calls: whoever opens a runtime now waits, then starts afresh. */
    pool.warm = NULL;
    pool.open = NULL;
    pool.hint = 0;
    for (unsigned i = 0; i < LARGE_CLASSES; i++) pool.large[i] = NULL, pool.large_kept[i] = 0;
    pool.stats = (weft__stack_stats_t){0};
    weft__regions_unmap_all();
  }
  weft__spin_unlock(&pool.lock);
}

void weft__stacks_keep_warm(size_t least) {
  weft__spin_lock(&pool.lock);
  pool.keep_warm = least;
  weft__spin_unlock(&pool.lock);
}

void weft__stacks_stats(weft__stack_stats_t *stats) {
  weft__spin_lock(&pool.lock);
  *stats = pool.stats;
  weft__spin_unlock(&pool.lock);
  stats->mapped = weft__regions_mapped();
  stats->light_guards = weft__guards_light();
}

bool weft__stacks_find_guard(uintptr_t address, uintptr_t *block_low, uintptr_t *block_high) {
  return weft__regions_find(address, block_low, block_high) && address - *block_low < WEFT__STACK_GUARD;
}
