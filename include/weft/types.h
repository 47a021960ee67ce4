/* weft/types.h: attributes of declarations, WEFT_FOREVER, and the names of the handle types. */
#ifndef WEFT_TYPES_H
#define WEFT_TYPES_H
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

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
#define WEFT_FOREVER INFINITY

typedef struct weft_loop weft_loop_t;
typedef struct weft_future weft_future_t;
typedef struct weft_task weft_task_t;
typedef struct weft_strand weft_strand_t;
typedef struct weft_contextvars weft_contextvars_t;
typedef struct weft_gen weft_gen_t;
typedef struct weft_executor weft_executor_t;
typedef struct weft_stream weft_stream_t;
typedef struct weft_server weft_server_t;
#endif
