/* guards.h: operations on locks, semaphores, conditions, events, barriers and strands. Whoever is inside counts, so that two
 * at once, a lost permit and a lost release show. */
#ifndef WEFT_TESTS_STRESS_GUARDS_H
#define WEFT_TESTS_STRESS_GUARDS_H

#include "stress/world/world.h"

/* One at a time, suspensions included, unless `released` by them. */
static int occupy(struct world *world, struct lot *lot, struct cell *cell, bool released, const char *what) {
  DEMAND(world, cell->inside == 0, "two are inside of %s", what);
  cell->inside = 1;
  cell->sum++;
  atomic_fetch_add_explicit(&cell->expected, 1, memory_order_relaxed);
  if (released) cell->inside = 0;
  int rc = linger(lot);
  if (released) return rc;
  DEMAND(world, cell->inside == 1, "somebody else was inside of %s", what);
  cell->inside = 0;
  return rc;
}

static int use_lock(struct world *world, struct lot *lot) {
  unsigned i = draw_below(lot, LOCKS);
  weft_lock_t *lock = &world->locks[i];
  int rc =
      one_in(lot, 2) ? weft_lock_acquire(lock) : weft_wait_for(weft_lock_acquire_async(lock), draw_seconds(world, lot));
  if (rc < 0) return rc;
  DEMAND(world, weft_lock_locked(lock), "acquire answered 0");
  rc = occupy(world, lot, &world->locked[i], false, "a lock");
  int released = weft_lock_release(lock);
  DEMAND(world, released == 0, "release of a held lock answered %d", released);
  return rc;
}

static int use_semaphore(struct world *world, struct lot *lot) {
  unsigned i = draw_below(lot, SEMAPHORES);
  weft_semaphore_t *semaphore = &world->semaphores[i];
  int rc = one_in(lot, 2) ? weft_semaphore_acquire(semaphore)
                          : weft_wait_for(weft_semaphore_acquire_async(semaphore), draw_seconds(world, lot));
  if (rc < 0) return rc;
  int out = atomic_fetch_add(&world->permits_out[i], 1);
  DEMAND(world, out < (int)i + 2, "%d permits are out of a semaphore of %u", out + 1, i + 2);
  rc = linger(lot);
  atomic_fetch_sub(&world->permits_out[i], 1);
  int released = weft_semaphore_release(semaphore);
  DEMAND(world, released == 0, "release of a taken permit answered %d", released);
  return rc;
}

static bool is_even(void *sum) { return *(long *)sum % 2 == 0; }

static int use_condition(struct world *world, struct lot *lot) {
  unsigned i = draw_below(lot, CONDITIONS);
  weft_condition_t *condition = &world->conditions[i];
  struct cell *cell = &world->conditioned[i];
  int rc = weft_condition_acquire(condition);
  if (rc < 0) return rc;
  rc = occupy(world, lot, cell, false, "a condition");
  double seconds = draw_seconds(world, lot);
  switch (draw_below(lot, 4)) {
  case 0: DEMAND(world, weft_condition_notify(condition, 1 + draw_below(lot, 2)) == 0, "the lock is held"); break;
  case 1: DEMAND(world, weft_condition_notify_all(condition) == 0, "the lock is held"); break;
  case 2: rc = weft_wait_for(weft_condition_wait_async(condition), seconds); break;
  default:
    rc = weft_wait_for(weft_condition_wait_for_async(condition, is_even, &cell->sum), seconds);
    DEMAND(world, rc < 0 || cell->sum % 2 == 0, "wait_for answered 0");
  }
  DEMAND(world, cell->inside == 0, "the lock is not held after %d", rc);
  cell->sum++;
  atomic_fetch_add_explicit(&cell->expected, 1, memory_order_relaxed);
  int released = weft_condition_release(condition);
  DEMAND(world, released == 0, "release of a condition answered %d", released);
  return rc;
}

static int use_event(struct world *world, struct lot *lot) {
  weft_event_t *event = &world->events[draw_below(lot, EVENTS)];
  switch (draw_below(lot, 4)) {
  case 0: weft_event_set(event); return 0;
  case 1: weft_event_clear(event); return 0;
  default: return weft_wait_for(weft_event_wait_async(event), draw_seconds(world, lot));
  }
}

static int use_barrier(struct world *world, struct lot *lot) {
  unsigned i = draw_below(lot, BARRIERS);
  weft_barrier_t *barrier = &world->barriers[i];
  if (one_in(lot, 16)) return weft_barrier_abort(barrier);
  if (one_in(lot, 4)) return weft_barrier_reset(barrier);
  int rc = weft_wait_for(weft_barrier_wait_async(barrier), draw_seconds(world, lot));
  DEMAND(world, rc < (int)weft_barrier_parties(barrier), "index %d", rc);
  return rc == WEFT_BROKEN_BARRIER || rc > 0 ? 0 : rc;
}

static WEFT_ASYNC(in_strand, struct world *, unsigned, uint64_t);
static int in_strand(struct world *world, unsigned i, uint64_t dice) {
  struct lot lot = {dice, 0, 0, 0};
  int rc = 0;
  for (unsigned n = draw_below(&lot, 3) + 1; n > 0 && rc == 0; n--)
    rc = occupy(world, &lot, &world->stranded[i], true, "a strand");
  return rc;
}

static int use_strand(struct world *world, struct lot *lot) {
  unsigned i = draw_below(lot, STRANDS);
  if (one_in(lot, 2)) return weft_strand_run(world->strands[i], in_strand_async(world, i, draw(lot)));
  weft_task_options_t options = {.strand = world->strands[i]};
  weft_task_t *task = weft_create_task_with(in_strand_async(world, i, draw(lot)), &options);
  DEMAND(world, task != NULL, "%s", weft_error()->message);
  int rc = one_in(lot, 2) ? weft_yield() : 0;
  if (one_in(lot, 6)) weft_task_cancel(task, NULL);
  int joined = weft_join(task);
  return joined < 0 && joined != WEFT_CANCELLED ? joined : rc;
}

#endif
