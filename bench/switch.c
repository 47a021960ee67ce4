/* switch: from one stack to another. "weft": between two fibers, as the scheduler does it; "floor": the bare switch;
 * "ucontext": the C library's swapcontext; "call": a function call and its return. */
#include <ucontext.h>

#include "fiber/fiber.h"
#include "harness.h"
#include "raw_switch.h"

typedef struct fibers {
  weft__fiber_t here, *there;
  long visits;
} fibers_t;

static void fiber_there(void *arg) {
  fibers_t *fibers = arg;
  RAW_LIVE;
  for (;;) {
    fibers->visits++;
    RAW_TOUCH();
    weft__fiber_switch(fibers->there, &fibers->here);
  }
}

static int run_weft(bench_run_t *run) {
  static weft__stack_cache_t cache;
  static fibers_t fibers;
  weft__stacks_retain();
  weft__stack_cache_init(&cache);
  weft__fiber_adopt_thread(&fibers.here);
  fibers.there = weft__fiber_new(&cache, 64 * 1024, fiber_there, &fibers);
  if (fibers.there == NULL) return -ENOMEM;
  long round_trips = (run->ops + 1) / 2;
  RAW_LIVE;
  bench_start(run);
  for (long i = 0; i < round_trips; i++) {
    RAW_TOUCH();
    weft__fiber_switch(&fibers.here, fibers.there);
  }
  bench_stop(run);
  BENCH_CHECK(fibers.visits == round_trips);
  run->ops = 2 * round_trips;
  weft__fiber_free(&cache, fibers.there);
  weft__fiber_leave_thread(&fibers.here);
  weft__stack_cache_flush(&cache);
  weft__stacks_release();
  return 0;
}

static ucontext_t ucontext_here, ucontext_other;
static long ucontext_visits;

static void ucontext_there(void) {
  for (;;) {
    ucontext_visits++;
    swapcontext(&ucontext_other, &ucontext_here);
  }
}

static int run_ucontext(bench_run_t *run) {
  static char stack[64 * 1024];
  if (run->ops > 4000000) run->ops = 4000000; /* a hundred times slower: two system calls each */
  getcontext(&ucontext_other);
  ucontext_other.uc_stack.ss_sp = stack;
  ucontext_other.uc_stack.ss_size = sizeof stack;
  makecontext(&ucontext_other, ucontext_there, 0);
  long round_trips = (run->ops + 1) / 2;
  bench_start(run);
  for (long i = 0; i < round_trips; i++) swapcontext(&ucontext_here, &ucontext_other);
  bench_stop(run);
  BENCH_CHECK(ucontext_visits == round_trips);
  run->ops = 2 * round_trips;
  return 0;
}

__attribute__((noinline)) static void callee(long *count) { ++*count; }

static int run_call(bench_run_t *run) {
  long count = 0;
  bench_start(run);
  for (long i = 0; i < run->ops; i++) {
    callee(&count);
    bench_keep(&count);
  }
  bench_stop(run);
  return 0;
}

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {{"weft", run_weft, BENCH_SERIAL, 1},
                                             {"floor", run_raw_switch, BENCH_SERIAL, 1},
                                             {"ucontext", run_ucontext, BENCH_SERIAL, 1},
                                             {"call", run_call, BENCH_SERIAL, 1},
                                             {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "switch", .ops = 50000000, .runtimes = runtimes});
}
