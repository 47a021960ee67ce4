/* raw_switch.h: the floor under everything that suspends: the bare switch between two stacks, back and forth.
 *
 * The switch saves what the compiler says is live. Around it there are six values in registers here, as in the textbook's
 * switch of six callee-saved registers: an empty loop, with nothing to save, would be a floor that no program stands on. */
#ifndef WEFT_BENCH_RAW_SWITCH_H
#define WEFT_BENCH_RAW_SWITCH_H

#include <errno.h>
#include <stdlib.h>

#include "fiber/context.h"
#include "harness.h"

#define RAW_LIVE long a = 1, b = 2, c = 3, d = 4, e = 5, f = 6
#define RAW_TOUCH() __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f))

typedef struct raw_pair {
  weft__context_t here, there;
  long visits;
} raw_pair_t;

static void raw_there(void *arg) {
  raw_pair_t *pair = (raw_pair_t *)arg;
  RAW_LIVE;
  for (;;) {
    pair->visits++;
    RAW_TOUCH();
    weft__context_switch(&pair->there, &pair->here);
  }
}

/* run->ops switches. */
static inline int run_raw_switch(bench_run_t *run) {
  enum { STACK = 64 * 1024 };
  raw_pair_t pair = {.visits = 0};
  char *stack = (char *)malloc(STACK);
  if (stack == NULL) return -ENOMEM;
  weft__context_make(&pair.there, stack, stack + STACK, raw_there, &pair);
  long round_trips = (run->ops + 1) / 2;
  RAW_LIVE;
  bench_start(run);
  for (long i = 0; i < round_trips; i++) {
    RAW_TOUCH();
    weft__context_switch(&pair.here, &pair.there);
  }
  bench_stop(run);
  BENCH_CHECK(pair.visits == round_trips);
  run->ops = 2 * round_trips;
  free(stack);
  return 0;
}

#endif
