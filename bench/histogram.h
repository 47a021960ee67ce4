/* histogram.h: counts of nanoseconds in buckets less than 1 % wide, from which percentiles are read. Buckets are relaxed
 * atomics, so that several threads, or two processes that share the memory, may add while a third reads: a reader then sees
 * each bucket a little sooner or later, which percentiles do not mind. All zero is empty. */
#ifndef WEFT_BENCH_HISTOGRAM_H
#define WEFT_BENCH_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_STEPS = 128, HISTOGRAM_BUCKETS = 58 * HISTOGRAM_STEPS }; /* 128 steps to each doubling */

typedef struct histogram {
  _Atomic uint64_t count[HISTOGRAM_BUCKETS];
} histogram_t;

/* Values below 256 have a bucket each; above, bucket = 128 × (doublings past 128) + the value's leading eight bits. */
static inline unsigned histogram_bucket(uint64_t value) {
  if (value < 2 * HISTOGRAM_STEPS) return (unsigned)value;
  unsigned shift = 63u - (unsigned)__builtin_clzll(value) - 7u;
  return shift * HISTOGRAM_STEPS + (unsigned)(value >> shift);
}

static inline double histogram_value(unsigned bucket) { /* the middle of the bucket */
  if (bucket < 2 * HISTOGRAM_STEPS) return bucket;
  unsigned shift = bucket / HISTOGRAM_STEPS - 1;
  uint64_t low = (uint64_t)(bucket - shift * HISTOGRAM_STEPS) << shift;
  return (double)low + (double)((uint64_t)1 << shift) / 2;
}

static inline void histogram_add(histogram_t *histogram, uint64_t value) {
  atomic_fetch_add_explicit(&histogram->count[histogram_bucket(value)], 1, memory_order_relaxed);
}

static inline uint64_t histogram_total(const histogram_t *histogram) {
  uint64_t total = 0;
  for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
    total += atomic_load_explicit(&histogram->count[i], memory_order_relaxed);
  return total;
}

/* The value that the fraction `part` (0.99) of all values does not exceed; 0 when there are none. `before`, which may be
 * NULL, is an earlier copy of the counts that is left out: what came since then. */
static inline double histogram_percentile(const histogram_t *histogram, const histogram_t *before, double part) {
  uint64_t total = histogram_total(histogram) - (before != NULL ? histogram_total(before) : 0), seen = 0;
  if (total == 0) return 0;
  uint64_t wanted = (uint64_t)(part * (double)total);
  if (wanted >= total) wanted = total - 1;
  unsigned last = 0;
  for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
    uint64_t here = atomic_load_explicit(&histogram->count[i], memory_order_relaxed) -
                    (before != NULL ? atomic_load_explicit(&before->count[i], memory_order_relaxed) : 0);
    if (here == 0) continue;
    last = i;
    if ((seen += here) > wanted) break;
  }
  return histogram_value(last);
}

static inline void histogram_copy(histogram_t *to, const histogram_t *from) {
  for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
    atomic_store_explicit(&to->count[i], atomic_load_explicit(&from->count[i], memory_order_relaxed),
                          memory_order_relaxed);
}

#endif
