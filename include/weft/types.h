/* weft/types.h: attributes of declarations, WEFT_FOREVER, and the names of the handle types. The marks and words that
 * the comments of all headers use ([S], [A], borrowed, consumed…) are explained at the top of weft.h. */
#ifndef WEFT_TYPES_H
#define WEFT_TYPES_H
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* WEFT_API: exported by the shared library, which hides everything else. WEFT_NODISCARD: reading the result is a duty;
 * weft_ignore(...) leaves it unread on purpose. */
#if defined __GNUC__
#define WEFT_API __attribute__((visibility("default")))
#define WEFT_NODISCARD __attribute__((warn_unused_result))
#define WEFT_UNUSED __attribute__((unused))
#define WEFT_PRINTF(a, b) __attribute__((format(printf, a, b)))
#else
#define WEFT_API
#define WEFT_NODISCARD
#define WEFT_UNUSED
#define WEFT_PRINTF(a, b)
#endif
#ifdef __cplusplus
#define WEFT_STATIC_ASSERT(cond, text) static_assert(cond, text)
#else
#define WEFT_STATIC_ASSERT(cond, text) _Static_assert(cond, text)
#endif

/* No limit, wherever seconds or a deadline are asked for: asyncio's None. */
#define WEFT_FOREVER INFINITY

/* WEFT_SIZEOF_(pointer): the size of what it points to, for functions that check it; 0, unknown, for NULL and for pointers
 * to void and to characters. Usually through a macro that has a function's name; (weft_x)(…) calls the function itself. */
#ifdef __cplusplus
/* clang-format off */
template <class T> struct weft_pointee_ { enum : size_t { bytes = 0 }; };
template <class T> struct weft_pointee_<T *> { enum : size_t { bytes = sizeof(T) }; };
template <class T> struct weft_pointee_<T *const> : weft_pointee_<T *> {};
template <class T> struct weft_pointee_<T &> : weft_pointee_<T> {};
template <class T, size_t N> struct weft_pointee_<T[N]> : weft_pointee_<T *> {};
template <> struct weft_pointee_<void *> : weft_pointee_<int> {};
template <> struct weft_pointee_<const void *> : weft_pointee_<int> {};
template <> struct weft_pointee_<char *> : weft_pointee_<int> {};
template <> struct weft_pointee_<const char *> : weft_pointee_<int> {};
template <> struct weft_pointee_<signed char *> : weft_pointee_<int> {};
template <> struct weft_pointee_<const signed char *> : weft_pointee_<int> {};
template <> struct weft_pointee_<unsigned char *> : weft_pointee_<int> {};
template <> struct weft_pointee_<const unsigned char *> : weft_pointee_<int> {};
#define WEFT_SIZEOF_(pointer) (static_cast<size_t>(weft_pointee_<decltype(pointer)>::bytes))
/* clang-format on */
#else
/* clang-format off */
#define WEFT_SIZEOF_(pointer)                                                                                          \
  (_Generic((pointer), void *: 0, const void *: 0, int: 0, char *: 0, const char *: 0, signed char *: 0,               \
            const signed char *: 0, unsigned char *: 0, const unsigned char *: 0, default: 1) *                        \
   sizeof *_Generic((pointer), void *: "", const void *: "", int: "", default: (pointer)))
/* clang-format on */
#endif

/* Handles: opaque, in our memory. */
typedef struct weft_loop weft_loop_t;               /* events.h: the whole runtime */
typedef struct weft_runner weft_runner_t;           /* runners.h */
typedef struct weft_future weft_future_t;           /* futures.h */
typedef struct weft_task weft_task_t;               /* tasks.h */
typedef struct weft_strand weft_strand_t;           /* strands.h */
typedef struct weft_contextvars weft_contextvars_t; /* contextvars.h: asyncio's contextvars.Context */
typedef struct weft_gen weft_gen_t;                 /* generators.h */
typedef struct weft_executor weft_executor_t;       /* executors.h */
typedef struct weft_stream weft_stream_t;           /* streams.h */
typedef struct weft_server weft_server_t;           /* server.h */
#endif
