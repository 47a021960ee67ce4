/* model_fork.c: forks and joins in a task's slots (weft/fork.h, runtime/sched/fork*.c): thieves that take, ask and revoke
 * by membarrier while the owner joins. Stolen forks are tasks on the task floor's own sources (tasks.h).
 * ctest: timeout=300 */
#undef WEFT_DEBUG_CHECKS /* the header's checks are plain reads of what others may hold in their buffers */
#include <weft/fork.h>
#define WEFT_DEBUG_CHECKS 1
#include "sched/loop.h"

static weft_loop_t real_loop;
static void *before_park(void);
static void after_park(void *forks);
#define MODEL_LOOP (&real_loop)
#define MODEL_BEFORE_PARK before_park
#define MODEL_AFTER_PARK after_park
#define MODEL_FORKS
#include "model/tasks.h"

/* Decks come from here: fresh ones are zero, as the system's are. */
#include <sys/mman.h>
static void *reserve(size_t bytes) {
  return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}
static void *model_map(void);
#define mmap(address, bytes, protection, flags, fd, offset) model_map()
#define munmap(address, bytes) ((void)(address))
#define madvise(address, bytes, advice) ((void)(address))
#include "sched/fork.c"
#include "sched/fork_decks.c"
#include "sched/fork_steal.c"

enum { WORKERS = 3, DECKS = 3, LEAVES = 8, TOUCHED = 4096 };

static weft__worker_t workers[WORKERS];
static weft__fiber_t fiber; /* of no limits */
static char *deck_memory;   /* reserved once; only the decks' beginnings are ever touched */
static unsigned decks_used[WORKERS];
static weft_task_t *root;
static weft_task_t *stolen_by[MODEL_THREADS];
static unsigned rounds[WORKERS];      /* of the thieves */
static _Atomic(unsigned) in_the_tree; /* before that they would find nothing */
static unsigned runs[LEAVES];
static long result;
static int status;
static int64_t clock_of[MODEL_THREADS];

/* The first thief is held up after its barrier until the second one, which comes then, has asked or found nothing. */
static bool delays;
static _Atomic(unsigned) barrier_over, second_over;

/* ---- what they stand on ------------------------------------------------------------------------------------------------- */

/* Aligned as decks want it, and room for what is cut off. */
#define STRIDE ((size_t)4 * WEFT_FORK_DECK_BYTES_)

static void reserve_decks(void) {
  if (deck_memory != NULL) return;
  char *memory = reserve((WORKERS * DECKS + 1) * STRIDE);
  MODEL_CHECK(memory != (char *)MAP_FAILED);
  deck_memory = memory + (-(uintptr_t)memory & (STRIDE - 1));
}

static void *model_map(void) {
  unsigned self = model_self();
  MODEL_CHECK(self < WORKERS && decks_used[self] < DECKS);
  char *memory = deck_memory + (self * DECKS + decks_used[self]++) * STRIDE;
  memset(memory, 0, TOUCHED); /* no model goes further */
  return memory;
}
weft__worker_t *weft__worker(void) { return model_self() < WORKERS ? &workers[model_self()] : NULL; }
/* Every look at the clock is late enough for the next step. */
int64_t weft__clock_now(void) { return clock_of[model_self()] += BETWEEN_REVOCATIONS_NS + PATIENCE_NS; }
bool weft__membarrier_available(void) { return true; }
void weft__membarrier(void) {
  model_membarrier();
  if (!delays) return;
  atom_store(&barrier_over, 1, release);
  model_sleep_while(&second_over, 0);
}
void weft__wake_one(weft_loop_t *loop) { (void)loop; }
bool weft__alloc_refused(void) { return false; }
void *weft__realloc(void *pointer, size_t old_size, size_t new_size) {
  model_fail("no fork overflows here: %p %zu %zu", pointer, old_size, new_size);
}
weft_contextvars_t *weft__context_of_new_task(void) { return NULL; }
weft_contextvars_t *weft__context_ref(weft_contextvars_t *context) { return context; }
const char *weft__stacks_error(void) { return ""; }
weft__fiber_t *weft__running_fiber(void) { return NULL; }
weft__fiber_t *weft__loop_fiber_new(size_t size, void (*entry)(void *), void *argument) {
  model_fail("stacks are large enough here: %zu %p %p", size, (void *)(uintptr_t)entry, argument);
}
void weft__loop_fiber_free(weft__fiber_t *unused) { (void)unused; }
void weft__switch_fiber(weft__fiber_t *to) { (void)to; }

weft_task_t *weft__stolen_task_new(weft__worker_t *worker, int (*entry)(void *), size_t args_size) {
  (void)worker;
  weft_task_t *task = model_create(entry);
  task->args_size = (uint8_t)args_size;
  task->ending = true;
  return task;
}
void weft__stolen_task_start(weft__worker_t *worker, weft_task_t *task) { stolen_by[worker->index] = task; }

static void *before_park(void) { return weft__forks_pause(weft__worker()); }
static void after_park(void *forks) { weft__forks_go_on(weft__worker(), forks); }

/* ---- the tree ------------------------------------------------------------------------------------------------------------ */

static WEFT_FORKS(long, leaf, long);
static WEFT_FORKS(long, pair, long);
static WEFT_FORKS(long, again, long);
static WEFT_FORKS(long, nested, long);

/* Nobody else runs this leaf: two of them race. */
static long leaf(WEFT_HEAD, long n) {
  MODEL_CHECK(runs[n]++ == 0);
  return 10 + n;
}
static long pair(WEFT_HEAD, long n) {
  atom_store(&in_the_tree, 1, release);
  WEFT_FORK(leaf, n);
  WEFT_FORK(leaf, n + 1);
  long c = WEFT_CALL(leaf, n + 2);
  long b = WEFT_JOIN(leaf);
  return b + c + WEFT_JOIN(leaf);
}
/* The same slots over and over: an old request meets a newer fork. */
static long again(WEFT_HEAD, long n) {
  atom_store(&in_the_tree, 1, release);
  long sum = 0;
  for (long i = 0; i < 2; i++) {
    WEFT_FORK(leaf, n + i);
    sum += WEFT_JOIN(leaf);
  }
  return sum;
}
static long nested(WEFT_HEAD, long n) {
  atom_store(&in_the_tree, 1, release);
  WEFT_FORK(pair, n);
  long c = WEFT_CALL(leaf, n + 3);
  return c + WEFT_JOIN(pair);
}

static int run_pair(void *arguments) {
  (void)arguments;
  return status = WEFT_FORK_RUN(&result, pair, 1);
}
static int run_again(void *arguments) {
  (void)arguments;
  return status = WEFT_FORK_RUN(&result, again, 1);
}
static int run_nested(void *arguments) {
  (void)arguments;
  return status = WEFT_FORK_RUN(&result, nested, 1);
}

static void setup(int (*entry)(void *arguments)) {
  reserve_decks();
  model_reset_tasks();
  memset(&real_loop, 0, sizeof real_loop);
  memset(workers, 0, sizeof workers);
  memset(stolen_by, 0, sizeof stolen_by);
  memset(runs, 0, sizeof runs);
  memset(clock_of, 0, sizeof clock_of);
  memset(decks_used, 0, sizeof decks_used);
  status = 1;
  result = 0;
  real_loop.workers = workers;
  real_loop.worker_count = WORKERS;
  atom_init(&real_loop.slots, WORKERS);
  weft__list_init(&real_loop.listed_decks);
  for (unsigned i = 0; i < WORKERS; i++) {
    workers[i].loop = &real_loop;
    workers[i].index = i;
    workers[i].home = &workers[i];
    workers[i].fiber = &fiber;
  }
  root = model_create(entry);
  delays = false;
  atom_init(&barrier_over, 0);
  atom_init(&second_over, 0);
  atom_init(&in_the_tree, 0);
  rounds[1] = 3;
  rounds[2] = 2;
}
static void setup_pair(void) { setup(run_pair); }
/* One thief asks and revokes, the other only asks. */
static void setup_again(void) {
  setup(run_again);
  rounds[1] = 2;
  rounds[2] = 1;
}
static void setup_delayed(void) {
  setup_again();
  delays = true;
}
static void setup_nested(void) { setup(run_nested); }

static void run(unsigned index) {
  weft__worker_t *worker = &workers[index];
  if (index == 0) {
    worker->current = root;
    model_run_task(root);
    worker->current = NULL;
    return;
  }
  model_sleep_while(&in_the_tree, 0);
  if (delays && index == 2) model_sleep_while(&barrier_over, 0);
  for (unsigned i = 0; i < rounds[index]; i++) {
    if (!weft__forks_steal(worker)) continue;
    worker->current = stolen_by[index];
    model_run_task(stolen_by[index]);
    worker->current = NULL;
  }
  if (index == 2) atom_store(&second_over, 1, release);
}

static void check_sum(unsigned leaves) {
  long sum = 0;
  for (unsigned i = 1; i <= leaves; i++) {
    MODEL_CHECK(runs[i] == 1);
    sum += 10 + (long)i;
  }
  MODEL_CHECK(status == 0 && result == sum);
  weft_task_unref(root);
  MODEL_CHECK(weft__alloc_count() == 0);
}
static void check_two(void) { check_sum(2); }
static void check_three(void) { check_sum(3); }
static void check_four(void) { check_sum(4); }

const model_scenario_t model_scenarios[] = {
    {.name = "fork.pair",
     .property = "every fork runs once, its join has its value; one thief takes, asks, revokes",
     .threads = 2,
     .setup = setup_pair,
     .run = run,
     .check = check_three,
     .bound = 3},
    {.name = "fork.delayed",
     .property = "an old barrier validates no newer request (generations)",
     .threads = 3,
     .setup = setup_delayed,
     .run = run,
     .check = check_two,
     .may_rest = true,
     .bound = 2},
    {.name = "fork.again",
     .property = "two thieves ask and revoke while the slots are used again",
     .threads = 3,
     .setup = setup_again,
     .run = run,
     .check = check_two,
     .bound = 1},
    {.name = "fork.nested",
     .property = "the same with forks of stolen forks",
     .threads = 3,
     .setup = setup_nested,
     .run = run,
     .check = check_four,
     .bound = 1},
    {.name = NULL},
};
