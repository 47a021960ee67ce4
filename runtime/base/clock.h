/* clock.h: time inside the runtime: int64 nanoseconds of the monotonic clock; and the way from and to seconds. */
#ifndef WEFT_BASE_CLOCK_H
#define WEFT_BASE_CLOCK_H

#include <stdint.h>

#define WEFT__NS_PER_SECOND INT64_C(1000000000)
#define WEFT__TIME_NEVER INT64_MAX

int64_t weft__clock_now(void);

/* To the nearest nanosecond, but a positive time stays positive. Out of range saturates, so that INFINITY becomes
 * WEFT__TIME_NEVER. -EINVAL for NaN (*out is then untouched), else 0. */
int weft__seconds_to_ns(double seconds, int64_t *out);
/* WEFT__TIME_NEVER becomes INFINITY. */
double weft__ns_to_seconds(int64_t ns);

/* Saturating sum: a deadline that never comes stays so. */
static inline int64_t weft__time_add(int64_t time, int64_t ns) {
  int64_t sum;
  if (__builtin_add_overflow(time, ns, &sum)) return ns < 0 ? INT64_MIN : WEFT__TIME_NEVER;
  return sum;
}

#endif
