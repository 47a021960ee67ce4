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
