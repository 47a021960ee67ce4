/* clock.c: see clock.h. */
#include "base/clock.h"

#include <errno.h>
#include <math.h>
#include <time.h>

int64_t weft__clock_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * WEFT__NS_PER_SECOND + now.tv_nsec;
}

int weft__seconds_to_ns(double seconds, int64_t *out) {
  if (isnan(seconds)) return -EINVAL;
  double ns = seconds * 1e9;
  /* 0x1p63 is the first double above INT64_MAX: below it the conversion is defined. */
  if (ns >= 0x1p63)
    *out = WEFT__TIME_NEVER;
  else if (ns <= -0x1p63)
    *out = INT64_MIN;
  else if (ns > 0 && ns < 1)
    *out = 1;
  else
    *out = (int64_t)(ns < 0 ? ns - 0.5 : ns + 0.5);
  return 0;
}

double weft__ns_to_seconds(int64_t ns) { return ns == WEFT__TIME_NEVER ? INFINITY : (double)ns / 1e9; }
