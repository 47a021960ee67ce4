/* trees.h: operations that make children or open blocks: tasks, gather, groups, wait, timeouts, scopes, shields. */
#ifndef WEFT_TESTS_STRESS_TREES_H
#define WEFT_TESTS_STRESS_TREES_H

#include "stress/world/items.h"

enum { CHILDREN = 5, DEPTH_MAX = 5 };

static int spend(struct world *world, struct lot *lot, int limit);

/* A task that has ended: its body ran to its end once, or never began because it was cancelled before. */
static void check_ended(struct world *world, const struct twig *twig, int status) {
  DEMAND(world, twig->started == twig->ended && twig->ended <= 1, "started %d times, ended %d times", twig->started,
         twig->ended);
  DEMAND(world, twig->ended == 1 || status == WEFT_CANCELLED, "never ran, but ended with %d", status);
  expect(world, status, "a task");
}

/* ---- the roster: who may be cancelled by anybody ----------------------------------------------------------------------- */

static weft_task_t *swap_seat(struct seat *seat, weft_task_t *task, bool take) {
  while (atomic_flag_test_and_set_explicit(&seat->taken, memory_order_acquire)) {
  }
  weft_task_t *old = take ? seat->task : weft_task_ref(seat->task);
  if (take) seat->task = task;
  atomic_flag_clear_explicit(&seat->taken, memory_order_release);
  return old;
}
static void sit_down(struct world *world, struct lot *lot) {
  if (!one_in(lot, 4)) return;
  weft_task_unref(swap_seat(&world->roster[draw_below(lot, ROSTER)], weft_task_ref(weft_current_task()), true));
}
static void cancel_somebody(struct world *world, struct lot *lot) {
  weft_task_t *task = swap_seat(&world->roster[draw_below(lot, ROSTER)], NULL, false);
  if (task != NULL && weft_task_cancel(task, one_in(lot, 2) ? "by lot" : NULL)) atomic_fetch_add(&world->cancels, 1);
  weft_task_unref(task);
}

/* ---- children ---------------------------------------------------------------------------------------------------------- */

static weft_task_t *plant(struct world *world, struct lot *lot, unsigned shares, struct twig *twig) {
  *twig = (struct twig){0, 0};
  struct lot child = draw_lot(lot, shares);
  weft_task_options_t options = {.eager = one_in(lot, 10)};
  if (!options.eager && one_in(lot, 10)) {
    options.worker = 1 + draw_below(lot, world->workers);
    child.pinned = (short)options.worker;
  }
  weft_task_t *task = weft_create_task_with(node_async(world, child, twig), &options);
  DEMAND(world, task != NULL, "%s", weft_error()->message);
  watch(world, lot, weft_task_future(task));
  return task;
}

static int use_tasks(struct world *world, struct lot *lot) {
  struct twig twigs[CHILDREN];
  weft_task_t *tasks[CHILDREN];
  unsigned n = 1 + draw_below(lot, CHILDREN);
  int rc = 0, status, first = 0;
  for (unsigned i = 0; i < n; i++) tasks[i] = plant(world, lot, n, &twigs[i]);
  if (one_in(lot, 2)) rc = linger(lot);
  for (unsigned i = 0; i < n; i++)
    if (one_in(lot, 5) && weft_task_cancel(tasks[i], NULL)) atomic_fetch_add(&world->cancels, 1);
  bool done[CHILDREN];
  switch (rc < 0 ? 3u : draw_below(lot, 5)) {
  case 0:
    rc = weft_wait_tasks(tasks, n, (int)draw_below(lot, 3), draw_seconds(world, lot), done);
    for (unsigned i = 0; rc >= 0 && i < n; i++)
      DEMAND(world, !done[i] || weft_task_done(tasks[i]), "wait says that task %u is done", i);
    break;
  case 1: rc = weft_gather_tasks(tasks, n, NULL, one_in(lot, 2) ? WEFT_RETURN_EXCEPTIONS : 0); break;
  case 2: {
    weft_future_t *futures[CHILDREN];
    for (unsigned i = 0; i < n; i++) futures[i] = weft_task_future(tasks[i]);
    weft_as_completed_t it;
    weft_as_completed_init(&it, futures, n, one_in(lot, 2) ? WEFT_FOREVER : draw_seconds(world, lot));
    size_t index, seen = 0;
    while ((rc = weft_as_completed_next(&it, &index)) > 0) {
      DEMAND(world, weft_task_done(tasks[index]), "task %zu is not done", index);
      seen++;
    }
    DEMAND(world, rc < 0 || seen == n, "%zu of %u came", seen, n);
    weft_as_completed_destroy(&it);
    break;
  }
  default: break;
  }
  for (unsigned i = 0; i < n; i++) {
    int asked = weft_join_status(tasks[i], &status);
    DEMAND(world, asked == 0 || asked == WEFT_CANCELLED, "join_status answered %d", asked);
    check_ended(world, &twigs[i], status);
    if (first == 0 && (asked < 0 || status == FAILED_ON_PURPOSE)) first = asked < 0 ? asked : status;
  }
  return rc < 0 ? rc : first;
}

static int use_gather(struct world *world, struct lot *lot) {
  struct twig twigs[CHILDREN] = {{0, 0}};
  weft_call_t calls[CHILDREN];
  int statuses[CHILDREN];
  unsigned n = 1 + draw_below(lot, CHILDREN);
  for (unsigned i = 0; i < n; i++) calls[i] = node_async(world, draw_lot(lot, n), &twigs[i]);
  unsigned flags = one_in(lot, 2) ? WEFT_RETURN_EXCEPTIONS : 0;
  int rc = weft_gather_n(calls, n, statuses, flags);
  bool all_well = true;
  for (unsigned i = 0; i < n; i++) {
    check_ended(world, &twigs[i], statuses[i]);
    all_well = all_well && statuses[i] >= 0;
  }
  DEMAND(world, all_well || rc < 0 || flags != 0, "gather answered 0 over a failure");
  return rc;
}

static int use_group(struct world *world, struct lot *lot) {
  struct twig twigs[CHILDREN] = {{0, 0}};
  unsigned n = 1 + draw_below(lot, CHILDREN), planted = 0;
  weft_taskgroup_t group;
  bool collect = one_in(lot, 3);
  weft_taskgroup_enter_with(&group, collect ? WEFT_TASKGROUP_COLLECT : 0);
  int rc = 0;
  for (unsigned i = 0; i < n && rc == 0; i++) {
    if (weft_taskgroup_create_task(&group, node_async(world, draw_lot(lot, n), &twigs[i])) != NULL) planted = i + 1;
    rc = linger(lot);
  }
  weft_task_t *task;
  while (rc == 0 && one_in(lot, 2) && (rc = weft_taskgroup_next(&group, &task)) == 1) {
    DEMAND(world, weft_task_done(task), "the next task of a group is not done");
    weft_ignore(weft_join(task));
    rc = 0;
  }
  if (rc == 0 && one_in(lot, 4)) rc = weft_fail(FAILED_ON_PURPOSE, "a body's failure");
  rc = weft_taskgroup_exit(&group, rc);
  for (unsigned i = 0; i < planted; i++)
    DEMAND(world, twigs[i].started == twigs[i].ended && twigs[i].ended <= 1, "task %u of a group is alive after it", i);
  return rc;
}

/* On its own from here on: ended by itself or by the end of the run. */
static int use_detached(struct world *world, struct lot *lot) {
  weft_task_t *task = weft_create_task(node_async(world, draw_lot(lot, 4), NULL));
  DEMAND(world, task != NULL, "%s", weft_error()->message);
  atomic_fetch_add(&world->detached, 1);
  watch(world, lot, weft_task_future(task));
  weft_detach(task);
  return 0;
}

/* Shielded from what strikes its waiter; joined all the same, for its twig is here. */
static int use_shield(struct world *world, struct lot *lot) {
  struct twig twig;
  weft_task_t *task = plant(world, lot, 2, &twig);
  int value, status;
  int rc = one_in(lot, 2) ? weft_shield(weft_task_future(task), &value)
                          : weft_wait_for(weft_shield_async(weft_task_future(task), &value), draw_seconds(world, lot));
  int asked = weft_join_status(task, &status);
  check_ended(world, &twig, status);
  return rc < 0 ? rc : asked;
}

/* ---- blocks ------------------------------------------------------------------------------------------------------------ */

static int use_timeout(struct world *world, struct lot *lot) {
  weft_timeout_t limit;
  if (one_in(lot, 4))
    weft_timeout_at_enter(&limit, weft_loop_time(weft_get_running_loop()) + draw_seconds(world, lot));
  else
    weft_timeout_enter(&limit, draw_seconds(world, lot));
  int body = spend(world, lot, 4);
  if (one_in(lot, 4))
    weft_ignore(weft_timeout_reschedule(&limit, one_in(lot, 2) ? WEFT_FOREVER : draw_seconds(world, lot)));
  if (body == 0) body = linger(lot);
  int rc = weft_timeout_exit(&limit, body);
  DEMAND(world, rc == body || (rc == WEFT_TIMEOUT && body == WEFT_CANCELLED && weft_timeout_expired(&limit)),
         "a limit made %d of %d", rc, body);
  return rc;
}

static int use_wait_for(struct world *world, struct lot *lot) {
  struct twig twig = {0, 0};
  struct lot child = draw_lot(lot, 2);
  child.depth = lot->depth + 1;
  child.pinned = lot->pinned;
  int rc = weft_wait_for(node_async(world, child, &twig), draw_seconds(world, lot));
  DEMAND(world, twig.started == twig.ended, "wait_for answered %d before its call had ended", rc);
  return rc;
}

static int use_scope(struct world *world, struct lot *lot) {
  weft_scope_t scope;
  bool shield = one_in(lot, 4);
  weft_scope_enter_after(&scope, one_in(lot, 3) ? WEFT_FOREVER : draw_seconds(world, lot), shield);
  int body = spend(world, lot, 3);
  if (one_in(lot, 3)) {
    weft_scope_cancel(&scope);
    int rc = weft_yield(), again = weft_yield();
    DEMAND(world, rc == WEFT_CANCELLED && again == WEFT_CANCELLED, "in a cancelled scope: %d, then %d", rc, again);
    body = again;
  }
  int rc = weft_scope_exit(&scope, body);
  DEMAND(world, rc == body || (rc == 0 && body == WEFT_CANCELLED && weft_scope_cancelled_caught(&scope)),
         "a scope made %d of %d", rc, body);
  return rc;
}

#endif
