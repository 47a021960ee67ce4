/* test_invariants.c: what must hold however many workers there are: counters, racers, storms, starving, many at once. */
#include "transcript.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* A plain int: the tasks run one at a time, between suspensions nobody else looks. */
static WEFT_ASYNC(c265_count, int *);
static int c265_count(int *n) {
  for (int i = 0; i < 500; i++) {
    int x = *n;
    *n = x + 1;
    TRY(weft_sleep(0));
  }
  return 0;
}
CASE(265, inv_unlocked_counter_atomic_between_awaits, SINGLE, VIRTUAL) {
  weft_call_t calls[20];
  int n = 0;
  for (int i = 0; i < 20; i++) calls[i] = c265_count_async(&n);
  TRY(weft_gather_n(calls, 20, NULL, 0));
  P("%d", n);
  return 0;
}

/* Callbacks of the loop run one at a time: their counters are plain. */
struct c269 {
  weft_loop_t *loop;
  weft_future_t *future, *end;
  int wins, losses, winner;
};
struct c269_racer {
  struct c269 *race;
  int i;
};
static int c269_try_set(void *data) {
  struct c269_racer *racer = data;
  struct c269 *race = racer->race;
  int rc = weft_future_set_result(race->future, &racer->i);
  if (rc == 0) {
    race->wins++;
    race->winner = racer->i;
  } else if (rc == WEFT_INVALID_STATE) {
    race->losses++;
  }
  return race->wins + race->losses == 8 ? weft_future_set_done(race->end) : 0;
}
static void *c269_thread(void *data) {
  struct c269_racer *racer = data;
  weft_call_soon(racer->race->loop, c269_try_set, racer);
  return NULL;
}
CASE(269, inv_future_set_once_by_racers, CAUSAL, REAL) {
  struct c269 race = {weft_get_running_loop(), weft_future_open(sizeof(int)), weft_future_open(0), 0, 0, 0};
  struct c269_racer racers[8];
  pthread_t threads[8];
  int value = -1;
  for (int i = 0; i < 8; i++) {
    racers[i] = (struct c269_racer){&race, i};
    if (pthread_create(&threads[i], NULL, c269_thread, &racers[i]) != 0) abort();
  }
  TRY(weft_await_future(race.future, &value));
  TRY(weft_await_future(race.end, NULL));
  for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
  P("%d %d %s", race.wins, race.losses, repr_bool(race.winner == value));
  weft_future_unref(race.future);
  weft_future_unref(race.end);
  return 0;
}

struct c271 {
  weft_event_t event;
  weft_lock_t lock;
  weft_queue_t queue;
  atomic_int cleaned;
};
static int c271_block(struct c271 *c, int how) {
  if (how == 0) return S(10000);
  if (how == 1) return weft_event_wait(&c->event);
  if (how == 2) return weft_lock_acquire(&c->lock);
  if (how == 3) return weft_queue_get(&c->queue, &how);
  weft_future_t *never = weft_future_open(0);
  int rc = weft_await_future(never, NULL);
  weft_future_unref(never);
  return rc;
}
static WEFT_ASYNC(c271_t, struct c271 *, int);
static int c271_t(struct c271 *c, int i) {
  int rc = c271_block(c, i % 5);
  atomic_fetch_add(&c->cleaned, 1);
  return rc;
}
CASE(271, inv_cancel_storm, CAUSAL, VIRTUAL) {
  enum { TASKS = 500 };
  struct c271 c = {.cleaned = 0};
  weft_task_t *tasks[TASKS];
  int statuses[TASKS], cancelled = 0, item = 0;
  weft_event_init(&c.event);
  weft_lock_init(&c.lock);
  TRY(weft_queue_init(&c.queue, sizeof(int), 0));
  TRY(weft_lock_acquire(&c.lock));
  for (int i = 0; i < TASKS; i++) tasks[i] = weft_create_task(c271_t_async(&c, i));
  TRY(S(10));
  for (int i = 0; i < TASKS; i++) weft_task_cancel(tasks[i], NULL);
  TRY(weft_gather_tasks(tasks, TASKS, statuses, WEFT_RETURN_EXCEPTIONS));
  for (int i = 0; i < TASKS; i++) {
    cancelled += statuses[i] == WEFT_CANCELLED;
    weft_detach(tasks[i]);
  }
  P("%d %d", cancelled, atomic_load(&c.cleaned));
  weft_lock_release(&c.lock);
  TRY(weft_lock_acquire(&c.lock));
  weft_lock_release(&c.lock);
  weft_queue_put_nowait(&c.queue, &(const int){1});
  TRY(weft_queue_get(&c.queue, &item));
  P("%d", item);
  weft_event_set(&c.event);
  P("%s", repr_bool(weft_event_wait(&c.event) == 0));
  weft_queue_destroy(&c.queue);
  return 0;
}

static int c274_fire(void *fired) {
  atomic_store((atomic_bool *)fired, true);
  return 0;
}
/* With one worker the timer fires within the 20000 yields. With several the callback may be another worker's to run, whose
 * thread the system may keep waiting for longer than that; then main yields until it has run, which it never would if
 * yielding starved the timers. */
CASE(274, inv_cpu_bound_does_not_starve_timers, CAUSAL, VIRTUAL) {
  atomic_bool fired = false;
  bool seen = false, alone = case_config()->workers == 1;
  weft_call_later(weft_get_running_loop(), 0.001, c274_fire, &fired);
  for (int i = 0; i < 20000 || !(alone || seen); i++) {
    TRY(weft_sleep(0));
    seen = seen || atomic_load(&fired);
  }
  P("timer before the end %s", repr_bool(seen));
  return 0;
}

static WEFT_ASYNC(c275_t, int);
static int c275_t(int i) {
  for (int k = 0; k < i % 3; k++) TRY(weft_sleep(0));
  return i;
}
CASE(275, inv_gather_10000, CAUSAL, VIRTUAL) {
  enum { TASKS = 10000 };
  weft_call_t *calls = calloc(TASKS, sizeof *calls);
  int *statuses = calloc(TASKS, sizeof *statuses);
  if (calls == NULL || statuses == NULL) abort();
  for (int i = 0; i < TASKS; i++) calls[i] = c275_t_async(i);
  int rc = weft_gather_n(calls, TASKS, statuses, 0);
  bool in_order = true;
  for (int i = 0; i < TASKS; i++) in_order = in_order && statuses[i] == i;
  P("%s", repr_bool(in_order));
  free(calls);
  free(statuses);
  return rc;
}
