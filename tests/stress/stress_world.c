/* stress_world.c: drawn trees of tasks over everything there is, with cancellations at drawn moments. At the end of each
 * round: every task ended once, every callback ran once, and no permit, lock, item, timer, job, stack or byte is lost.
 * ctest: timeout=300
 *
 * usage: stress_world [--seed S] [--operations N] [--workers W] [--real]
 * Without arguments: small sizes (times WEFT_TEST_SCALE) at 1, 2, 4 and 8 workers, virtual time and real. A failure prints
 * the round's own seed and size: as arguments they draw that round alone. */
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "fiber/stacks.h"
#include "sched/loop.h"
#include "stress/world/guards.h"
#include "stress/world/trees.h"

enum { ROUND = 2000, HANG_SECONDS = 250 };

/* ---- a task ------------------------------------------------------------------------------------------------------------ */

static int use_anything(struct world *world, struct lot *lot) {
  bool room = lot->quota > 4, shallow = lot->depth < DEPTH_MAX;
  unsigned pick = draw_below(lot, room ? 32 : 20);
  switch (pick) {
  case 0: return weft_yield();
  case 1: return weft_sleep(draw_seconds(world, lot));
  case 2:
  case 3: return use_lock(world, lot);
  case 4:
  case 5: return use_semaphore(world, lot);
  case 6: return use_condition(world, lot);
  case 7:
  case 8: return use_event(world, lot);
  case 9: return use_barrier(world, lot);
  case 10:
  case 11:
  case 12: return use_queue(world, lot);
  case 13: return use_strand(world, lot);
  case 14: return use_generator(world, lot);
  case 15: return use_future(world, lot);
  case 16: return one_in(lot, 20) ? use_thread(world, lot) : 0;
  case 17: return use_timer(world, lot);
  case 18: cancel_somebody(world, lot); return 0;
  case 19: return one_in(lot, 2) ? use_select(world, lot) : (cancel_somebody(world, lot), 0);
  case 20:
  case 21: return use_tasks(world, lot);
  case 22:
  case 23: return use_gather(world, lot);
  case 24:
  case 25: return use_group(world, lot);
  case 26: return use_detached(world, lot);
  case 27: return use_shield(world, lot);
  case 28: return shallow ? use_timeout(world, lot) : 0;
  case 29: return shallow ? use_wait_for(world, lot) : 0;
  default: return shallow ? use_scope(world, lot) : 0;
  }
}

/* Up to `limit` operations; 0: all there are. Errors end it, now and then, as in people's programs. */
static int spend(struct world *world, struct lot *lot, int limit) {
  int rc = 0;
  lot->depth++;
  for (int i = 0; lot->quota > 0 && rc == 0 && (limit == 0 || i < limit); i++) {
    lot->quota--;
    atomic_fetch_add_explicit(&world->steps, 1, memory_order_relaxed);
    rc = expect(world, use_anything(world, lot), "an operation");
    DEMAND(world, lot->pinned == 0 || weft__worker()->index + 1 == (unsigned)lot->pinned,
           "a task of worker %d is on %u", lot->pinned, weft__worker()->index + 1);
    if (rc > 0 || (rc < 0 && rc != WEFT_CANCELLED) || (rc == WEFT_CANCELLED && one_in(lot, 3))) rc = 0;
    if (rc == 0 && one_in(lot, 100)) rc = weft_fail(FAILED_ON_PURPOSE, "on purpose");
  }
  lot->depth--;
  return rc;
}

static weft_contextvar_t mark = WEFT_CONTEXTVAR("mark", NULL);

static int node(struct world *world, struct lot lot, struct twig *twig) {
  bool task = twig == NULL || lot.depth == 0; /* else called in another's */
  if (twig != NULL) twig->started++;
  atomic_fetch_add(&world->tasks.begun, 1);
  bool marks = task && one_in(&lot, 8);
  if (marks) DEMAND(world, weft_contextvar_set(&mark, &lot) == 0, "%s", weft_error()->message);
  if (task) sit_down(world, &lot);
  int rc = spend(world, &lot, 0);
  DEMAND(world, !marks || weft_contextvar_get(&mark) == &lot, "a child changed its parent's context");
  atomic_fetch_add(&world->tasks.ended, 1);
  if (twig != NULL) twig->ended++;
  return rc;
}

/* ---- a round ----------------------------------------------------------------------------------------------------------- */

static int compare_items(const void *a, const void *b) {
  uint64_t x = ((const struct item *)a)->id, y = ((const struct item *)b)->id;
  return x < y ? -1 : x > y;
}

static struct world *the_world; /* for what has no argument to carry it */

static void on_drop(void *data) {
  const struct item *item = data;
  DEMAND(the_world, item->check == mix(item->id), "item %llu has other bytes", (unsigned long long)item->id);
  atomic_fetch_add(&the_world->dropped, 1);
  atomic_fetch_add(&the_world->dropped_sum, item->id);
}

static void furnish(struct world *world) {
  for (int i = 0; i < LOCKS; i++) weft_lock_init(&world->locks[i]);
  for (int i = 0; i < CONDITIONS; i++) weft_condition_init(&world->conditions[i], NULL);
  for (int i = 0; i < EVENTS; i++) weft_event_init(&world->events[i]);
  int rc = 0;
  for (int i = 0; i < SEMAPHORES; i++)
    rc |=
        i == 0 ? weft_bounded_semaphore_init(&world->semaphores[i], 2) : weft_semaphore_init(&world->semaphores[i], 3);
  for (unsigned i = 0; i < BARRIERS; i++) rc |= weft_barrier_init(&world->barriers[i], 2 + i);
  rc |= weft_queue_init(&world->stores[0].queue, sizeof(struct item), 2);
  rc |= weft_lifo_init(&world->stores[1].queue, sizeof(struct item), 0);
  rc |= weft_priority_init(&world->stores[2].queue, sizeof(struct item), 4, compare_items);
  for (int i = 0; i < QUEUES; i++) weft_queue_set_drop(&world->stores[i].queue, on_drop);
  for (int i = 0; i < STRANDS; i++) world->strands[i] = weft_strand_open();
  DEMAND(world, rc == 0 && world->strands[STRANDS - 1] != NULL, "%s", weft_error()->message);
}

static bool equal(struct tally *tally) { return atomic_load(&tally->begun) == atomic_load(&tally->ended); }

/* Until detached tasks, callbacks and timers have had their turn. */
static void settle(struct world *world) {
  for (int i = 0; i < 100000; i++) {
    bool others = weft_all_tasks(weft_get_running_loop(), NULL, 0) > 1;
    if (!others && equal(&world->callbacks) && equal(&world->timers)) return;
    DEMAND(world, weft_sleep(1e-3) == 0, "%s", weft_error()->message);
  }
}

static void empty_store(struct world *world, struct store *store, bool at_once) {
  struct item item;
  if (at_once)
    weft_queue_shutdown(&store->queue, true);
  else
    while (weft_queue_get_nowait(&store->queue, &item) == 0) count_got(world, store, &item);
  DEMAND(world, weft_wait_for(weft_queue_join_async(&store->queue), 10) == 0, "a queue's items are not all done");
  DEMAND(world, weft_queue_empty(&store->queue), "%zu items are left", weft_queue_qsize(&store->queue));
}

static void check_furniture(struct world *world, struct lot *lot) {
  for (int i = 0; i < LOCKS; i++) {
    DEMAND(world, !weft_lock_locked(&world->locks[i]), "lock %d is held by nobody", i);
    DEMAND(world, world->locked[i].sum == atomic_load(&world->locked[i].expected), "lock %d: an update is lost", i);
  }
  for (int i = 0; i < CONDITIONS; i++) {
    DEMAND(world, !weft_condition_locked(&world->conditions[i]), "condition %d is held by nobody", i);
    DEMAND(world, world->conditioned[i].sum == atomic_load(&world->conditioned[i].expected), "condition %d", i);
  }
  for (int i = 0; i < STRANDS; i++)
    DEMAND(world, world->stranded[i].sum == atomic_load(&world->stranded[i].expected), "strand %d: an update is lost",
           i);
  for (int i = 0; i < SEMAPHORES; i++) {
    weft_semaphore_t *semaphore = &world->semaphores[i];
    DEMAND(world, atomic_load(&world->permits_out[i]) == 0, "permits are out");
    for (int n = 0; n < i + 2; n++)
      DEMAND(world, weft_wait_for(weft_semaphore_acquire_async(semaphore), 10) == 0, "permit %d is lost", n);
    DEMAND(world, weft_semaphore_locked(semaphore), "semaphore %d has a permit too many", i);
    for (int n = 0; n < i + 2; n++) DEMAND(world, weft_semaphore_release(semaphore) == 0, "a permit is not taken back");
  }
  for (unsigned i = 0; i < BARRIERS; i++)
    DEMAND(world, weft_barrier_n_waiting(&world->barriers[i]) == 0, "somebody stands at barrier %u", i);
  long put = 0, got = 0;
  unsigned long long put_sum = 0, got_sum = 0;
  for (int i = 0; i < QUEUES; i++) {
    struct store *store = &world->stores[i];
    empty_store(world, store, one_in(lot, 2));
    put += atomic_load(&store->put);
    put_sum += atomic_load(&store->put_sum);
    got += atomic_load(&store->got);
    got_sum += atomic_load(&store->got_sum);
  }
  got += atomic_load(&world->dropped);
  got_sum += atomic_load(&world->dropped_sum);
  DEMAND(world, put == got && put_sum == got_sum, "%ld items were put, %ld came out", put, got);
}

static void report_nothing(int level, const char *message, void *data) { (void)level, (void)message, (void)data; }

static void check_loop(struct world *world, weft_loop_t *loop) {
  int tasks = weft_all_tasks(loop, NULL, 0);
  DEMAND(world, tasks == 1, "%d tasks are left", tasks - 1);
  for (unsigned i = 0; i < loop->worker_count; i++)
    DEMAND(world, weft__timers_next(&loop->workers[i].timers) == INT64_MAX, "worker %u has timers", i);
}

static WEFT_ASYNC(whole, struct world *);
static int whole(struct world *world) {
  weft_loop_set_logger(weft_get_running_loop(), report_nothing, NULL);
  furnish(world);
  struct lot lot = {mix(world->seed), (int)world->operations, 0, 0};
  struct twig twigs[CHILDREN];
  while (lot.quota > 0) { /* a few trees at a time, until the operations are spent */
    weft_task_t *tasks[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
      twigs[i] = (struct twig){0, 0};
      struct lot own = {draw(&lot), lot.quota / (CHILDREN - i), 0, 0};
      lot.quota -= own.quota;
      tasks[i] = weft_create_task(node_async(world, own, &twigs[i]));
    }
    for (int i = 0; i < CHILDREN; i++) {
      int status;
      int rc = weft_join_status(tasks[i], &status);
      DEMAND(world, rc == 0, "main's join answered %d", rc);
      check_ended(world, &twigs[i], status);
    }
    lot.quota = (int)(world->operations - atomic_load(&world->steps)); /* what failures left over */
  }
  settle(world);
  for (int i = 0; i < ROSTER; i++) weft_task_unref(swap_seat(&world->roster[i], NULL, true));
  DEMAND(world, equal(&world->tasks), "%ld tasks began, %ld ended", world->tasks.begun, world->tasks.ended);
  DEMAND(world, equal(&world->callbacks), "%ld done callbacks, %ld ran", world->callbacks.begun,
         world->callbacks.ended);
  DEMAND(world, equal(&world->timers), "%ld timers, %ld ended", world->timers.begun, world->timers.ended);
  DEMAND(world, equal(&world->jobs), "%ld jobs began, %ld ended", world->jobs.begun, world->jobs.ended);
  DEMAND(world, equal(&world->generators), "%ld generators began, %ld ended", world->generators.begun,
         world->generators.ended);
  check_furniture(world, &lot);
  check_loop(world, weft_get_running_loop());
  for (int i = 0; i < QUEUES; i++) weft_queue_destroy(&world->stores[i].queue);
  for (int i = 0; i < STRANDS; i++) weft_strand_unref(world->strands[i]);
  return weft_loop_shutdown_default_executor(weft_get_running_loop());
}

/* One round; *live: the bytes that it has not given back. */
static void run_round(struct world *world, long *live) {
  weft_config_t config = {.workers = world->workers, .virtual_time = !world->real};
  the_world = world;
  alarm(HANG_SECONDS);
  weft__alloc_counting(true);
  int rc = weft_run_with(&config, whole_async(world));
  *live = weft__alloc_live_bytes();
  weft__alloc_counting(false);
  DEMAND(world, rc == 0, "the round answered %d: %s", rc, weft_error()->message);
  weft__stack_stats_t stacks;
  weft__stacks_stats(&stacks);
  DEMAND(world, stacks.live == 0 && stacks.large == 0, "%zu stacks are left", stacks.live + stacks.large);
}

/* What is kept for good (names of threads, a first record) is there after the first rounds of a process: then every round
 * gives back whatever it took. */
static void run_and_weigh(struct world *world, bool first) {
  long live;
  run_round(world, &live);
  DEMAND(world, first || live == 0, "%ld bytes are lost", live);
}

static struct world world;

static void on_alarm(int signal_number) {
  (void)signal_number;
  fprintf(stderr,
          "stress_world hangs at step %ld: ", atomic_load(&world.steps)); /* not safe in a handler, but the end */
  world_name(&world, stderr);
  fprintf(stderr, "\n");
  abort();
}

static void run_rounds(uint64_t seed, long operations, unsigned workers, bool real) {
  long left = operations, steps = 0, tasks = 0, cancels = 0, rounds = 0;
  for (; left > 0; rounds++) {
    memset(&world, 0, sizeof world);
    world.seed = rounds == 0 ? seed : mix(seed + (uint64_t)rounds);
    world.operations = left < ROUND ? left : ROUND;
    world.workers = workers;
    world.real = real;
    left -= world.operations;
    run_and_weigh(&world, rounds == 0);
    steps += atomic_load(&world.steps);
    tasks += atomic_load(&world.tasks.begun);
    cancels += atomic_load(&world.cancels);
  }
  printf(
      "stress_world --seed %llu --operations %ld --workers %u%s: %ld rounds, %ld steps, %ld tasks, %ld cancellations\n",
      (unsigned long long)seed, operations, workers, real ? " --real" : "", rounds, steps, tasks, cancels);
  fflush(stdout);
}

int main(int argc, char **argv) {
  uint64_t seed = (uint64_t)time(NULL);
  long operations = 0;
  unsigned workers = 0;
  bool real = false;
  for (int i = 1; i < argc; i++) {
    const char *value = i + 1 < argc ? argv[i + 1] : "";
    if (strcmp(argv[i], "--real") == 0) {
      real = true;
      continue;
    }
    if (strcmp(argv[i], "--seed") == 0)
      seed = strtoull(value, NULL, 10);
    else if (strcmp(argv[i], "--operations") == 0)
      operations = atol(value);
    else if (strcmp(argv[i], "--workers") == 0)
      workers = (unsigned)atoi(value);
    else {
      fprintf(stderr, "usage: stress_world [--seed S] [--operations N] [--workers W] [--real]\n");
      return 2;
    }
    i++;
  }
  signal(SIGALRM, on_alarm);
  const char *scale = getenv("WEFT_TEST_SCALE");
  double factor = scale != NULL ? atof(scale) : 1;
  if (operations > 0 || workers > 0) {
    run_rounds(seed, operations > 0 ? operations : 100000, workers > 0 ? workers : 1, real);
    return 0;
  }
  for (unsigned w = 1; w <= 8; w *= 2) {
    run_rounds(seed, (long)(60000 * factor) + 200, w, false);
    run_rounds(seed, (long)(6000 * factor) + 200, w, true);
  }
  return 0;
}
