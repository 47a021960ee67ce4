/* world.h: the world of stress_world.c: what its tasks share, what is counted, the dice, and how a failure is told.
 *
 * A run is many rounds; each is a runtime of its own with a tree of some thousand operations, drawn from the round's seed
 * alone: two rounds of one seed draw the same programs. Counters are atomic where tasks on several workers write them and
 * plain where a lock, a strand or a completion must order them: there ThreadSanitizer watches the order too. */
#ifndef WEFT_TESTS_STRESS_WORLD_H
#define WEFT_TESTS_STRESS_WORLD_H

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

enum { LOCKS = 3, SEMAPHORES = 2, CONDITIONS = 2, EVENTS = 3, QUEUES = 3, STRANDS = 2, BARRIERS = 2, ROSTER = 32 };
enum { FAILED_ON_PURPOSE = WEFT_USER - 77 };

/* Things made and things ended, which must be equal when the round is over. */
struct tally {
  atomic_long begun, ended;
};

struct cell { /* guarded by one lock, condition or strand: plain on purpose */
  int inside;
  long sum;
  atomic_long expected; /* what sum must be */
};

struct item {
  uint64_t id, check;
};
struct store {
  weft_queue_t queue;
  atomic_long put, got;
  atomic_ullong put_sum, got_sum;
};

struct seat { /* a task that somebody may cancel */
  atomic_flag taken;
  weft_task_t *task;
};

struct world {
  uint64_t seed;
  long operations; /* of this round */
  unsigned workers;
  bool real;
  atomic_long steps, cancels, detached;
  struct tally tasks, callbacks, timers, jobs, generators;
  atomic_ulong item_ids;
  weft_lock_t locks[LOCKS];
  struct cell locked[LOCKS];
  weft_semaphore_t semaphores[SEMAPHORES];
  atomic_int permits_out[SEMAPHORES];
  weft_condition_t conditions[CONDITIONS];
  struct cell conditioned[CONDITIONS];
  weft_event_t events[EVENTS];
  weft_barrier_t barriers[BARRIERS];
  struct store stores[QUEUES];
  atomic_long dropped;
  atomic_ullong dropped_sum;
  weft_strand_t *strands[STRANDS];
  struct cell stranded[STRANDS];
  struct seat roster[ROSTER];
};

/* A task's part of the tree: its own dice, how many operations it may spend, and how deep it is. */
struct lot {
  uint64_t dice;
  int quota;
  short depth;  /* of blocks within this task: bounded by its stack */
  short pinned; /* 1 + the worker it must be on, or 0 */
};

/* What a task writes for whoever waits for its end: plain on purpose, its completion orders it. */
struct twig {
  int started, ended;
};

/* ---- failing ----------------------------------------------------------------------------------------------------------- */

#define DEMAND(world, condition, ...)                                                                                  \
  do {                                                                                                                 \
    if (!(condition)) world_broken((world), __FILE__, __LINE__, #condition, __VA_ARGS__);                              \
  } while (0)

static void world_name(const struct world *world, FILE *to) {
  fprintf(to, "--seed %llu --operations %ld --workers %u%s", (unsigned long long)world->seed, world->operations,
          world->workers, world->real ? " --real" : "");
}

__attribute__((noreturn, format(printf, 5, 6))) static void world_broken(struct world *world, const char *file,
                                                                         int line, const char *condition,
                                                                         const char *format, ...) {
  va_list arguments;
  fprintf(stderr, "%s:%d: broken at step %ld: %s: ", file, line, atomic_load(&world->steps), condition);
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fprintf(stderr, "\n  again: stress_world ");
  world_name(world, stderr);
  fprintf(stderr, "\n");
  abort();
}

/* ---- dice -------------------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t x) { /* splitmix64 (Steele, Lea, Flood 2014) */
  x += UINT64_C(0x9E3779B97F4A7C15);
  x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
  return x ^ (x >> 31);
}
static uint64_t draw(struct lot *lot) { return lot->dice = mix(lot->dice); }
static unsigned draw_below(struct lot *lot, unsigned n) { return (unsigned)((draw(lot) >> 11) % n); }
static bool one_in(struct lot *lot, unsigned n) { return draw_below(lot, n) == 0; }

/* A short time: of the world's clock. */
static double draw_seconds(const struct world *world, struct lot *lot) {
  unsigned n = draw_below(lot, 8);
  if (n == 0) return 0;
  return (double)n * (world->real ? 40e-6 : 1e-3);
}

/* A part of what is left for a child. */
static struct lot draw_lot(struct lot *lot, unsigned shares) {
  struct lot child = {draw(lot), 0, 0, 0};
  child.quota = (int)(lot->quota * 2 / (int)(shares * 3));
  lot->quota -= child.quota;
  return child;
}

/* ---- what may come back ------------------------------------------------------------------------------------------------ */

/* Every end that a drawn program can have; anything else is the runtime's mistake. */
static bool is_expected(int rc) {
  return rc >= 0 || rc == WEFT_CANCELLED || rc == WEFT_TIMEOUT || rc == WEFT_GROUP || rc == FAILED_ON_PURPOSE ||
         rc == WEFT_BROKEN_BARRIER;
}
static int expect(struct world *world, int rc, const char *where) {
  DEMAND(world, is_expected(rc), "%s answered %s: %s", where, weft_error_name(rc), weft_error()->message);
  return rc;
}

/* A few instructions or a suspension: what a guarded section does. */
static int linger(struct lot *lot) {
  if (one_in(lot, 3)) return weft_yield();
  if (one_in(lot, 12)) return weft_sleep(1e-5);
  return 0;
}

static WEFT_ASYNC(node, struct world *, struct lot, struct twig *);

#endif
