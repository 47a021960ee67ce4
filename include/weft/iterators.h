/* weft/iterators.h: generators out of generators: map, filter, take, time limit, several at once, merged.
 *
 *     gen = weft_gen_map(weft_gen_take(weft_gen_open(numbers_async(), sizeof(int)), 10), sizeof(double), root, NULL);
 *     while ((rc = weft_gen_next(gen, &x)) > 0) …
 *     weft_ignore(weft_gen_close(gen));
 *
 * Each function consumes its sources (also on failure) and answers a generator of its own, to be closed by its owner,
 * which closes the sources too. A source of NULL gives NULL, so calls nest without checks. An error of a source or of a
 * function of yours ends it. Nothing is asked of a source before the first item is asked of the result. */
#ifndef WEFT_ITERATORS_H
#define WEFT_ITERATORS_H
#include <weft/generators.h>
#ifdef __cplusplus
extern "C" {
#endif

/* An async iterator's __anext__. May suspend. 1: item is filled; 0: the end; < 0: an error. */
typedef int (*weft_next_fn)(void *data, void *item);

/* Makes out from item. May suspend. < 0: an error. */
typedef int (*weft_map_fn)(const void *item, void *out, void *data);

/* Whether item is kept: > 0. May suspend. 0: dropped; < 0: an error. */
typedef int (*weft_filter_fn)(const void *item, void *data);

/* weft_gen_iterate: a generator out of an iterator; data is kept until it is closed. NULL: -ENOMEM, -EINVAL. */
WEFT_API WEFT_NODISCARD weft_gen_t *weft_gen_iterate(weft_next_fn next, void *data, size_t item_size);

/* weft_gen_map: fn of every item, one after the other; results have item_size bytes. data is kept until it is closed. */
WEFT_API WEFT_NODISCARD weft_gen_t *weft_gen_map(weft_gen_t *source, size_t item_size, weft_map_fn fn, void *data);

/* weft_gen_buffered: the same with up to n items at once, each in a task of its own; results in the items' order. */
WEFT_API WEFT_NODISCARD weft_gen_t *weft_gen_buffered(weft_gen_t *source, size_t n, size_t item_size, weft_map_fn fn,
                                                      void *data);

/* weft_gen_filter: the items that fn keeps. data is kept until it is closed. */
WEFT_API WEFT_NODISCARD weft_gen_t *weft_gen_filter(weft_gen_t *source, weft_filter_fn fn, void *data);

/* weft_gen_take: the first n items; the next one is not even asked for. */
WEFT_API WEFT_NODISCARD weft_gen_t *weft_gen_take(weft_gen_t *source, size_t n);

/* weft_gen_timeout: the same items; WEFT_TIMEOUT when one takes longer than seconds: the source is cancelled then. */
WEFT_API WEFT_NODISCARD weft_gen_t *weft_gen_timeout(weft_gen_t *source, double seconds);

/* weft_gen_merge: the items of n sources as they come, each source's in its order. The sources run in tasks of their own, a
 * few items ahead. All items have the same size (-EINVAL). The first error of any ends it, after what came before. */
WEFT_API WEFT_NODISCARD weft_gen_t *weft_gen_merge(weft_gen_t *const sources[], size_t n);
#ifdef __cplusplus
}
#endif
#endif
