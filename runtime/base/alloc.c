/* alloc.c: the only file that names jemalloc; planned failures and counting for tests.
 *
 * `watch` is zero in production: one relaxed load and a predicted branch per call. Its bits say what a test has turned
 * on. All the rest is counters that publish no other memory, so every access here is relaxed. */
#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#ifdef WEFT_ALLOC_JEMALLOC
#include <jemalloc/jemalloc.h>
#else
#include <malloc.h>
#endif

#include "base/atomics.h"
#include "base/base.h"

#if defined __SANITIZE_ADDRESS__
#define WEFT__EXACT_SIZES 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define WEFT__EXACT_SIZES 1
#endif
#endif

enum { WATCH_FAILURES = 1, WATCH_COUNTS = 2 };
static _Atomic(unsigned) watch;
static _Atomic(long) until_failure; /* allocations left up to and including the failing one */
static _Atomic(bool) fail_forever, failed;
static _Atomic(long) count, live_bytes;

#ifdef WEFT_ALLOC_JEMALLOC
static void *raw_alloc(size_t size) { return mallocx(size, 0); }
static void *raw_alloc_zero(size_t size) { return mallocx(size, MALLOCX_ZERO); }
static void *raw_alloc_aligned(size_t align, size_t size) { return mallocx(size, MALLOCX_ALIGN(align)); }
static void *raw_realloc(void *pointer, size_t size) { return rallocx(pointer, size, 0); }
static void raw_free(void *pointer, size_t size) { sdallocx(pointer, size, 0); }
static void raw_free_aligned(void *pointer, size_t align, size_t size) {
  sdallocx(pointer, size, MALLOCX_ALIGN(align));
}
#else
static void *raw_alloc(size_t size) { return malloc(size); }
static void *raw_alloc_zero(size_t size) { return calloc(1, size); }
static void *raw_alloc_aligned(size_t align, size_t size) {
  void *pointer = NULL;
  if (align < sizeof(void *)) align = sizeof(void *);
  return posix_memalign(&pointer, align, size) == 0 ? pointer : NULL;
}
static void *raw_realloc(void *pointer, size_t size) { return realloc(pointer, size); }
/* A wrong size would corrupt jemalloc's lists; AddressSanitizer knows each block's exact size, so there it is found. */
static void check_size(void *pointer, size_t size) {
#ifdef WEFT__EXACT_SIZES
  size_t actual = malloc_usable_size(pointer);
  if (actual != size) weft__panic("a block of %zu bytes is freed as one of %zu", actual, size);
#else
  WEFT__DEBUG_ASSERT(malloc_usable_size(pointer) >= size);
#endif
}
static void raw_free(void *pointer, size_t size) {
  check_size(pointer, size);
  free(pointer);
}
static void raw_free_aligned(void *pointer, size_t align, size_t size) {
  (void)align;
  raw_free(pointer, size);
}
#endif

/* jemalloc's functions are undefined for 0, malloc may answer NULL. */
static size_t at_least_one(size_t size) { return size != 0 ? size : 1; }
/* Sanitizers end the process where an allocator would say no. */
static bool too_large(size_t size) { return weft__unlikely(size > PTRDIFF_MAX); }

static bool watching(void) { return weft__unlikely(atom_load(&watch, relaxed) != 0); }

/* Whether this allocation is the one that has to fail. */
static WEFT__COLD bool must_fail(void) {
  if ((atom_load(&watch, relaxed) & WATCH_FAILURES) == 0) return false;
  long left = atom_sub(&until_failure, 1, relaxed);
  bool fail = left == 1 || (left < 1 && atom_load(&fail_forever, relaxed));
  if (fail) atom_store(&failed, true, relaxed);
  return fail;
}

static WEFT__COLD void counted(const void *pointer, long bytes, long allocations) {
  if (pointer == NULL || (atom_load(&watch, relaxed) & WATCH_COUNTS) == 0) return;
  atom_add(&count, allocations, relaxed);
  atom_add(&live_bytes, bytes, relaxed);
}

void *weft__alloc(size_t size) {
  size = at_least_one(size);
  if (too_large(size)) return NULL;
  if (!watching()) return raw_alloc(size);
  void *pointer = must_fail() ? NULL : raw_alloc(size);
  counted(pointer, (long)size, 1);
  return pointer;
}

void *weft__alloc_zero(size_t size) {
  size = at_least_one(size);
  if (too_large(size)) return NULL;
  if (!watching()) return raw_alloc_zero(size);
  void *pointer = must_fail() ? NULL : raw_alloc_zero(size);
  counted(pointer, (long)size, 1);
  return pointer;
}

void *weft__alloc_aligned(size_t align, size_t size) {
  size = at_least_one(size);
  if (too_large(size)) return NULL;
  if (!watching()) return raw_alloc_aligned(align, size);
  void *pointer = must_fail() ? NULL : raw_alloc_aligned(align, size);
  counted(pointer, (long)size, 1);
  return pointer;
}

void *weft__realloc(void *pointer, size_t old_size, size_t new_size) {
  if (pointer == NULL) return weft__alloc(new_size);
  old_size = at_least_one(old_size);
  new_size = at_least_one(new_size);
  if (too_large(new_size)) return NULL;
  if (!watching()) return raw_realloc(pointer, new_size);
  void *moved = must_fail() ? NULL : raw_realloc(pointer, new_size);
  counted(moved, (long)new_size - (long)old_size, 1);
  return moved;
}

void weft__free(void *pointer, size_t size) {
  if (pointer == NULL) return;
  size = at_least_one(size);
  if (watching()) counted(pointer, -(long)size, 0);
  raw_free(pointer, size);
}

void weft__free_aligned(void *pointer, size_t align, size_t size) {
  if (pointer == NULL) return;
  size = at_least_one(size);
  if (watching()) counted(pointer, -(long)size, 0);
  raw_free_aligned(pointer, align, size);
}

static void plan_failure(long n, bool forever) {
  atom_and(&watch, ~(unsigned)WATCH_FAILURES, relaxed);
  atom_store(&failed, false, relaxed);
  atom_store(&fail_forever, forever, relaxed);
  atom_store(&until_failure, n, relaxed);
  if (n > 0) atom_or(&watch, WATCH_FAILURES, relaxed);
}

void weft__alloc_fail_after(long n) { plan_failure(n, false); }
void weft__alloc_fail_from(long n) { plan_failure(n, true); }
bool weft__alloc_failed(void) { return atom_load(&failed, relaxed); }
bool weft__alloc_refused(void) { return watching() && must_fail(); }

void weft__alloc_counting(bool on) {
  if (!on) {
    atom_and(&watch, ~(unsigned)WATCH_COUNTS, relaxed);
    return;
  }
  atom_store(&count, 0, relaxed);
  atom_store(&live_bytes, 0, relaxed);
  atom_or(&watch, WATCH_COUNTS, relaxed);
}
long weft__alloc_count(void) { return atom_load(&count, relaxed); }
long weft__alloc_live_bytes(void) { return atom_load(&live_bytes, relaxed); }
