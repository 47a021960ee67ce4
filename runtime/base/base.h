/* base.h: what every file of the runtime may use without asking: hints, container_of, assertions.
 *
 * Public declarations come from include/weft/; this header is internal and is installed nowhere. */
#ifndef WEFT_BASE_BASE_H
#define WEFT_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define weft__likely(x) __builtin_expect(!!(x), 1)
#define weft__unlikely(x) __builtin_expect(!!(x), 0)
#define WEFT__NOINLINE __attribute__((noinline))
#define WEFT__COLD __attribute__((noinline, cold))
#define WEFT__PRINTF(format_index, first_argument) __attribute__((format(printf, format_index, first_argument)))
#define WEFT__CACHE_LINE 64
#define WEFT__CACHE_ALIGNED __attribute__((aligned(WEFT__CACHE_LINE)))

/* The object of type `type` whose member `member` is at `pointer`. */
#define weft__container_of(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define weft__countof(array) (sizeof(array) / sizeof((array)[0]))

/* Ends the process with "weft: " and the text: only for states that cannot be continued from (a broken invariant, or a
 * programmer's misuse that would corrupt memory). The text names the culprit. */
__attribute__((noreturn, cold)) void weft__panic(const char *format, ...) WEFT__PRINTF(1, 2);

/* Kept in every build: an invariant that, once broken, would corrupt somebody else's memory. */
#define WEFT__ASSERT(condition)                                                                                        \
  (weft__likely(condition) ? (void)0                                                                                   \
                           : weft__panic("%s:%d: %s: broken invariant: %s", __FILE__, __LINE__, __func__, #condition))
/* Debug builds only: for hot paths. */
#ifdef WEFT_DEBUG_CHECKS
#define WEFT__DEBUG_ASSERT(condition) WEFT__ASSERT(condition)
#else
#define WEFT__DEBUG_ASSERT(condition) ((void)sizeof(condition))
#endif

#endif
