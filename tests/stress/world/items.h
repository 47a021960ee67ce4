/* items.h: operations on queues, selections over them, generators, futures, threads and timers: what is handed over arrives once. */
#ifndef WEFT_TESTS_STRESS_ITEMS_H
#define WEFT_TESTS_STRESS_ITEMS_H

#include "stress/world/world.h"

/* ---- queues ------------------------------------------------------------------------------------------------------------ */

static void count_got(struct world *world, struct store *store, const struct item *item) {
  DEMAND(world, item->check == mix(item->id), "item %llu has other bytes", (unsigned long long)item->id);
  atomic_fetch_add(&store->got, 1);
  atomic_fetch_add(&store->got_sum, item->id);
  int rc = weft_queue_task_done(&store->queue);
  DEMAND(world, rc == 0, "task_done answered %d", rc);
}

static int use_queue(struct world *world, struct lot *lot) {
  struct store *store = &world->stores[draw_below(lot, QUEUES)];
  weft_queue_t *queue = &store->queue;
  struct item item;
  int rc;
  if (one_in(lot, 2)) {
    item.id = atomic_fetch_add(&world->item_ids, 1) + 1;
    item.check = mix(item.id);
    atomic_fetch_add(&store->put, 1); /* before the get that may see it */
    atomic_fetch_add(&store->put_sum, item.id);
    rc = one_in(lot, 3) ? weft_queue_put_nowait(queue, &item)
                        : weft_wait_for(weft_queue_put_async(queue, &item), draw_seconds(world, lot));
    if (rc < 0) {
      atomic_fetch_sub(&store->put, 1);
      atomic_fetch_sub(&store->put_sum, item.id);
    }
    return rc == WEFT_QUEUE_FULL ? 0 : rc;
  }
  rc = one_in(lot, 3) ? weft_queue_get_nowait(queue, &item)
                      : weft_wait_for(weft_queue_get_async(queue, &item), draw_seconds(world, lot));
  if (rc == 0) count_got(world, store, &item);
  return rc == WEFT_QUEUE_EMPTY ? 0 : rc;
}

/* Exactly one of these takes effect: an item that was got or put beside it would be one too many. */
static int use_select(struct world *world, struct lot *lot) {
  struct store *from = &world->stores[draw_below(lot, QUEUES)], *to = &world->stores[draw_below(lot, QUEUES)];
  struct item got, put;
  put.id = atomic_fetch_add(&world->item_ids, 1) + 1;
  put.check = mix(put.id);
  atomic_fetch_add(&to->put, 1);
  atomic_fetch_add(&to->put_sum, put.id);
  weft_select_case_t cases[] = {
      weft_select_get(&from->queue, &got),
      weft_select_put(&to->queue, &put),
      weft_select_timer(draw_seconds(world, lot)),
  };
  if (one_in(lot, 2)) cases[draw_below(lot, 2)].kind = WEFT_SELECT_NONE; /* often there is something to wait for */
  int rc =
      one_in(lot, 4) ? weft_wait_for(weft_select_async(cases, 3), draw_seconds(world, lot)) : weft_select(cases, 3);
  if (rc != 1) {
    atomic_fetch_sub(&to->put, 1);
    atomic_fetch_sub(&to->put_sum, put.id);
  }
  DEMAND(world, rc < 0 || cases[rc].status == 0, "case %d answered %d", rc, cases[rc].status);
  if (rc == 0) count_got(world, from, &got);
  return rc < 0 ? rc : 0;
}

/* ---- generators -------------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(counts_up, struct world *, struct lot);
static int counts_up(struct world *world, struct lot lot) {
  int rc = 0;
  atomic_fetch_add(&world->generators.begun, 1);
  for (int i = 0; i < 6 && rc == 0; i++) {
    rc = linger(&lot);
    int sent = 0;
    if (rc == 0) rc = weft_gen_yield(&i, &sent);
    if (rc == 0 && sent != 0 && sent != -i) rc = WEFT_VALUE;
  }
  atomic_fetch_add(&world->generators.ended, 1);
  return rc;
}

static int use_generator(struct world *world, struct lot *lot) {
  struct lot own = {draw(lot), 0, 0, 0};
  weft_gen_t *generator = weft_gen_open(counts_up_async(world, own), sizeof(int));
  DEMAND(world, generator != NULL, "%s", weft_error()->message);
  int rc = 1, item = -1;
  for (int i = 0, n = (int)draw_below(lot, 9); i < n && rc > 0; i++) {
    int back = -(i - 1);
    rc = i > 0 && one_in(lot, 3) ? weft_gen_send(generator, &back, &item) : weft_gen_next(generator, &item);
    DEMAND(world, rc <= 0 || item == i, "item %d came at %d", item, i);
  }
  if (rc > 0 && one_in(lot, 6)) rc = weft_gen_throw(generator, FAILED_ON_PURPOSE, NULL, NULL);
  if (rc < 0) {
    int after = weft_gen_next(generator, &item);
    DEMAND(world, after == 0, "a generator that failed with %d goes on: %d", rc, after);
  }
  int closed = weft_gen_close(generator);
  DEMAND(world, closed == 0 || closed == WEFT_CANCELLED, "close answered %d", closed);
  return rc < 0 ? rc : closed;
}

/* ---- futures ----------------------------------------------------------------------------------------------------------- */

enum ending { WITH_VALUE, WITH_ERROR, BY_CANCEL };
struct promise {
  weft_future_t *future;
  enum ending ending;
  bool won;
};

static int keep_promise(struct promise *promise) {
  const int answer = 4711;
  switch (promise->ending) {
  case WITH_VALUE: promise->won = weft_future_set_result(promise->future, &answer) == 0; break;
  case WITH_ERROR: promise->won = weft_future_set_error(promise->future, FAILED_ON_PURPOSE, "on purpose") == 0; break;
  case BY_CANCEL: promise->won = weft_future_cancel(promise->future, NULL); break;
  }
  return 0;
}
static WEFT_ASYNC(keep_from_thread, struct promise *);
static int keep_from_thread(struct promise *promise) { return keep_promise(promise); }
static WEFT_ASYNC(keep_later, struct promise *, double, bool);
static int keep_later(struct promise *promise, double seconds, bool thread) {
  weft_ignore(weft_sleep(seconds)); /* cancelled: at once */
  weft_ignore(thread ? weft_to_thread(keep_from_thread_async(promise)) : keep_promise(promise));
  return 0;
}

static int on_done(weft_future_t *future, void *data) {
  struct world *world = data;
  DEMAND(world, weft_future_done(future), "a done callback of a pending future");
  atomic_fetch_add(&world->callbacks.ended, 1);
  return 0;
}
static void watch(struct world *world, struct lot *lot, weft_future_t *future) {
  if (!one_in(lot, 3)) return;
  atomic_fetch_add(&world->callbacks.begun, 1);
  DEMAND(world, weft_future_add_done_callback(future, on_done, world) == 0, "%s", weft_error()->message);
  if (one_in(lot, 4))
    atomic_fetch_sub(&world->callbacks.begun, weft_future_remove_done_callback(future, on_done, world));
}

static int use_future(struct world *world, struct lot *lot) {
  const enum ending endings[] = {WITH_VALUE, WITH_ERROR, BY_CANCEL};
  struct promise promise = {weft_future_open(sizeof(int)), endings[draw_below(lot, 3)], false};
  weft_future_t *future = promise.future;
  DEMAND(world, future != NULL, "%s", weft_error()->message);
  watch(world, lot, future);
  weft_task_t *keeper = weft_create_task(keep_later_async(&promise, draw_seconds(world, lot), one_in(lot, 20)));
  int value = 0, rc;
  switch (draw_below(lot, 4)) {
  case 0: rc = weft_shield(future, &value); break;
  case 1: rc = weft_wait_for_future(future, draw_seconds(world, lot), &value); break;
  case 2: rc = weft_wait_for(weft_shield_async(future, &value), draw_seconds(world, lot)); break;
  default: rc = weft_await_future(future, &value);
  }
  DEMAND(world, rc != 0 || value == 4711, "value %d", value);
  if (one_in(lot, 8)) weft_task_cancel(keeper, NULL);
  int joined;
  int interrupted = weft_join_status(keeper, &joined);
  if (!weft_future_done(future)) { /* cancelled before its first step, or while its job was queued */
    DEMAND(world, joined == WEFT_CANCELLED || !promise.won, "a promise that was kept is pending");
    weft_future_cancel(future, NULL);
  } else {
    int result = weft_future_result(future, &value);
    int meant = promise.ending == WITH_VALUE ? 0 : promise.ending == WITH_ERROR ? FAILED_ON_PURPOSE : WEFT_CANCELLED;
    DEMAND(world, promise.won ? result == meant : result == WEFT_CANCELLED, "result %d, won %d", result, promise.won);
  }
  weft_future_unref(future);
  return rc < 0 ? rc : interrupted;
}

/* ---- threads ----------------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(job, struct world *, struct twig *);
static int job(struct world *world, struct twig *twig) {
  atomic_fetch_add(&world->jobs.begun, 1);
  twig->started++;
  for (volatile int i = 0; i < 100; i++) {
  }
  twig->ended++;
  atomic_fetch_add(&world->jobs.ended, 1);
  return 0;
}
static WEFT_ASYNC(on_thread, struct world *, struct twig *);
static int on_thread(struct world *world, struct twig *twig) { return weft_to_thread(job_async(world, twig)); }
static int use_thread(struct world *world, struct lot *lot) {
  struct twig twig = {0, 0};
  int rc =
      one_in(lot, 2) ? on_thread(world, &twig) : weft_wait_for(on_thread_async(world, &twig), draw_seconds(world, lot));
  DEMAND(world, twig.started == twig.ended && twig.started <= 1, "a job ran %d times", twig.started);
  DEMAND(world, rc < 0 || twig.ended == 1, "to_thread answered %d", rc);
  return rc;
}

/* ---- timers ------------------------------------------------------------------------------------------------------------ */

static int on_timer(void *data) {
  struct world *world = data;
  atomic_fetch_add(&world->timers.ended, 1);
  return 0;
}
static int use_timer(struct world *world, struct lot *lot) {
  weft_loop_t *loop = weft_get_running_loop();
  atomic_fetch_add(&world->timers.begun, 1);
  weft_handle_t handle = one_in(lot, 3) ? weft_call_soon(loop, on_timer, world)
                                        : weft_call_later(loop, draw_seconds(world, lot), on_timer, world);
  int rc = linger(lot);
  if (one_in(lot, 2) && weft_handle_cancel(handle)) {
    DEMAND(world, !weft_handle_cancel(handle), "a handle was cancelled twice");
    atomic_fetch_add(&world->timers.ended, 1);
  }
  return rc;
}

#endif
