/* burn.h: computing for a while, in processor time, so that a busy machine does not make the work any less. */
#ifndef WEFT_BENCH_BURN_H
#define WEFT_BENCH_BURN_H

#include <stdint.h>
#include <time.h>

#include "harness.h"

static inline void burn_ms(double ms) {
  struct timespec begin, now;
  uint64_t state = 88172645463325252u;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
  do {
    for (int i = 0; i < 20000; i++) bench_random(&state);
    bench_keep(&state);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  } while ((double)(now.tv_sec - begin.tv_sec) * 1e3 + (double)(now.tv_nsec - begin.tv_nsec) / 1e6 < ms);
}

#endif
