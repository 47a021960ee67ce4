/* harness.h: what every bench program shares: the command line, the clock and the JSON line.
 *
 * A bench is a table of runtimes ("weft", and the floors that it is compared with), each a function that measures itself:
 *
 *   static int run_weft(bench_run_t *run) {          // run->workers, run->ops are the orders
 *     bench_start(run);
 *     ... do run->ops operations ...
 *     bench_stop(run);
 *     return 0;                                       // or a negative error, which ends the program with words
 *   }
 *   int main(int argc, char *argv[]) {
 *     static const bench_runtime_t runtimes[] = {{"weft", run_weft, 0, 1}, {"floor", run_floor, BENCH_SERIAL, 10}, {0}};
 *     return bench_main(argc, argv, &(const bench_t){.name = "yield", .ops = 2000000, .runtimes = runtimes});
 *   }
 *
 *   bench_yield --runtime weft --workers 2 --ops 1000000     one JSON line
 *   bench_yield --list                                       the runtimes, one per line
 *
 * These programs guard ratios to a floor taken in the same minute on the same machine; absolute figures mean little. */
#ifndef WEFT_BENCH_HARNESS_H
#define WEFT_BENCH_HARNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <weft.h>

typedef struct bench_run {
  unsigned workers;           /* ordered; 1 for a serial floor */
  long ops;                   /* ordered; the function may round it, and leaves what was really done */
  const char *const *options; /* words after "--", for benches with settings of their own; NULL-terminated */
  uint64_t start_ns, stop_ns;
  double ns_per_op;      /* 0: wall × workers / ops; echo sets processor time instead */
  long max_rss_kb;       /* 0: this process's own peak */
  double p50_us, p99_us; /* these two and the next are printed when positive */
  double bytes_per_op;   /* resident memory and page tables */
  double p999_us;        /* likewise; then the latencies are printed in milliseconds */
} bench_run_t;

typedef int (*bench_fn)(bench_run_t *run);

enum {
  BENCH_SERIAL = 1,   /* knows nothing of workers: --workers is ignored, 1 is printed */
  BENCH_UNLISTED = 2, /* wants settings: run when it is named, not in every round */
};

typedef struct bench_runtime {
  const char *name;
  bench_fn run;
  unsigned flags;
  unsigned ops_factor; /* without --ops, times the bench's number: for floors that would be over too soon */
} bench_runtime_t;

typedef struct bench {
  const char *name;
  long ops;                        /* the default: a fraction of a second up to a second or so */
  const bench_runtime_t *runtimes; /* ends with a zero entry; the first is the default */
} bench_t;

int bench_main(int argc, char *argv[], const bench_t *bench);

uint64_t bench_now_ns(void);
/* The most memory that a process ("self" or a process id) has held since it was executed, in KiB; 0: cannot be read. */
long bench_peak_rss_kb(const char *pid);
void bench_start(bench_run_t *run);
void bench_stop(bench_run_t *run);

/* The value of option `name` among the words after "--" ("connections=50"), or `fallback`. */
long bench_option(const bench_run_t *run, const char *name, long fallback);

/* Runs a coroutine on as many workers as ordered. */
static inline int bench_weft(const bench_run_t *run, weft_call_t call) {
  return weft_run_with(&(const weft_config_t){.workers = run->workers}, call);
}

/* Hides a value from the optimizer, which then has to make it. */
static inline void bench_keep(const void *pointer) { __asm__ volatile("" : : "r"(pointer) : "memory"); }

/* Ends the program with words when a result is not what it must be: a bench that computes nonsense measures nothing. */
#define BENCH_CHECK(condition) ((condition) ? (void)0 : bench_broken(__FILE__, __LINE__, #condition))
__attribute__((noreturn, cold)) void bench_broken(const char *file, int line, const char *condition);

/* A small generator for spread-out but repeatable orders (xorshift64). */
static inline uint64_t bench_random(uint64_t *state) {
  uint64_t x = *state;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return *state = x;
}

#endif
