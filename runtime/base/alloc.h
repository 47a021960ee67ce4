/* alloc.h: the runtime's one door to memory. Everything Weft allocates goes through these functions.
 *
 * Built with WEFT_ALLOC_JEMALLOC they are jemalloc's, else libc's malloc: sanitizers and Valgrind see only what goes
 * through malloc. Frees are sized: the size (and alignment) given back must be the one that was asked for.
 * All functions may be called from any thread. Asking for 0 bytes gives a pointer that may be freed with size 0. */
#ifndef WEFT_BASE_ALLOC_H
#define WEFT_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* Each returns NULL when memory ran out. */
__attribute__((malloc, warn_unused_result)) void *weft__alloc(size_t size);
__attribute__((malloc, warn_unused_result)) void *weft__alloc_zero(size_t size);
/* align is a power of two; what comes back is ended by weft__free_aligned alone. */
__attribute__((malloc, warn_unused_result)) void *weft__alloc_aligned(size_t align, size_t size);
/* pointer may be NULL (then old_size is 0). On NULL the old block is untouched. */
__attribute__((warn_unused_result)) void *weft__realloc(void *pointer, size_t old_size, size_t new_size);
void weft__free(void *pointer, size_t size); /* NULL does nothing */
void weft__free_aligned(void *pointer, size_t align, size_t size);

/* For tests: counting and planned failures. While neither is on, an allocation pays one relaxed load for them. */

/* The n-th allocation from now fails (1: the next one), once; n < 0 turns it off. */
void weft__alloc_fail_after(long n);
/* The n-th and every one after it fail, until turned off. */
void weft__alloc_fail_from(long n);
/* Whether a planned failure has struck since it was planned. */
bool weft__alloc_failed(void);
/* For memory that comes from elsewhere (mappings): takes part in the planned failures; true: this one must fail. */
bool weft__alloc_refused(void);
/* Starts at zero each time it is turned on. Live bytes count what was allocated and freed since, and so may be negative. */
void weft__alloc_counting(bool on);
long weft__alloc_count(void);
long weft__alloc_live_bytes(void);

#endif
