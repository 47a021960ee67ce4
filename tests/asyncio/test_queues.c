/* test_queues.c: queues: order, limits, cancelled getters and putters, priorities, join. */
#include "transcript.h"

#include <stdatomic.h>

#define PUT_NOW(queue, type, value) weft_queue_put_nowait(queue, &(const type){value})

CASE(203, queue_fifo_and_limits, CAUSAL, VIRTUAL) {
  weft_queue_t q, u;
  int first, second, third = 3;
  TRY(weft_queue_init(&q, sizeof(int), 2));
  TRY(weft_queue_put(&q, &(const int){1}));
  TRY(weft_queue_put(&q, &(const int){2}));
  P("%s %zu %d", repr_bool(weft_queue_qsize(&q) == 2), weft_queue_qsize(&q), 2);
  if (weft_queue_put_nowait(&q, &third) == WEFT_QUEUE_FULL) P("%s", weft_error()->name);
  TRY(weft_queue_get(&q, &first));
  TRY(weft_queue_get(&q, &second));
  P("%d %d %s", first, second, repr_bool(weft_queue_qsize(&q) == 0));
  if (weft_queue_get_nowait(&q, &third) == WEFT_QUEUE_EMPTY) P("%s", weft_error()->name);
  weft_queue_destroy(&q);

  bool full = false;
  TRY(weft_queue_init(&u, sizeof(int), 0));
  for (int i = 0; i < 1000; i++) full = full || weft_queue_put_nowait(&u, &i) != 0;
  P("%s %zu", repr_bool(full), weft_queue_qsize(&u));
  weft_queue_destroy(&u);
  return 0;
}

static WEFT_ASYNC(c205_getter, weft_queue_t *, const char *, double);
static int c205_getter(weft_queue_t *q, const char *name, double ms) {
  int item;
  TRY(S(ms));
  TRY(weft_queue_get(q, &item));
  T("%s %d", name, item);
  return 0;
}
CASE(205, queue_getters_fifo, CAUSAL, VIRTUAL) {
  weft_queue_t q;
  TRY(weft_queue_init(&q, sizeof(int), 0));
  weft_task_t *tasks[] = {weft_create_task(c205_getter_async(&q, "A", 30)),
                          weft_create_task(c205_getter_async(&q, "B", 20)),
                          weft_create_task(c205_getter_async(&q, "C", 10))};
  TRY(S(30));
  for (int i = 1; i <= 3; i++) {
    TRY(S(10));
    weft_queue_put_nowait(&q, &i);
  }
  TRY(weft_gather_tasks(tasks, 3, NULL, 0));
  for (int i = 0; i < 3; i++) weft_detach(tasks[i]);
  weft_queue_destroy(&q);
  return 0;
}

static WEFT_ASYNC(c206_putter, weft_queue_t *, int);
static int c206_putter(weft_queue_t *q, int i) {
  TRY(S(10 * (4 - i)));
  return weft_queue_put(q, &i);
}
CASE(206, queue_putters_fifo, CAUSAL, VIRTUAL) {
  weft_queue_t q;
  weft_task_t *tasks[3];
  TRY(weft_queue_init(&q, sizeof(int), 1));
  PUT_NOW(&q, int, 0);
  for (int i = 0; i < 3; i++) tasks[i] = weft_create_task(c206_putter_async(&q, i + 1));
  TRY(S(40));
  for (int i = 0; i < 4; i++) {
    int item;
    TRY(S(10));
    TRY(weft_queue_get(&q, &item));
    T("%d", item);
  }
  TRY(weft_gather_tasks(tasks, 3, NULL, 0));
  for (int i = 0; i < 3; i++) weft_detach(tasks[i]);
  weft_queue_destroy(&q);
  return 0;
}

CASE(208, queue_cancel_put, CAUSAL, VIRTUAL) {
  weft_queue_t q;
  const char *a = "a", *item, *p1_item = "p1", *p2_item = "p2";
  TRY(weft_queue_init(&q, sizeof item, 1));
  weft_queue_put_nowait(&q, &a);
  weft_task_t *p1 = weft_create_task(weft_queue_put_async(&q, &p1_item));
  weft_task_t *p2 = weft_create_task(weft_queue_put_async(&q, &p2_item));
  TRY(S(10));
  weft_task_cancel(p1, NULL);
  outcome(weft_join(p1), "P1", NONE);
  TRY(S(10));
  TRY(weft_queue_get(&q, &item));
  P("%s", item);
  TRY(S(10));
  TRY(weft_queue_get(&q, &item));
  P("%s %s %s", item, repr_bool(weft_task_done(p2)), repr_bool(weft_queue_qsize(&q) == 0));
  weft_detach(p2);
  weft_queue_destroy(&q);
  return 0;
}

CASE(209, queue_wait_for_get_timeout, CAUSAL, VIRTUAL) {
  weft_queue_t q;
  const char *item = NULL, *x = "x";
  TRY(weft_queue_init(&q, sizeof item, 0));
  outcome(weft_wait_for(weft_queue_get_async(&q, &item), 0.01), NULL, repr_str(item));
  TRY(S(10));
  TRY(weft_queue_put(&q, &x));
  outcome(weft_wait_for(weft_queue_get_async(&q, &item), 0.01), NULL, repr_str(item));
  weft_queue_destroy(&q);
  return 0;
}

struct c211_item {
  int priority;
  char name;
};
static int c211_compare(const void *a, const void *b) {
  return ((const struct c211_item *)a)->priority - ((const struct c211_item *)b)->priority;
}
CASE(211, queue_priority_and_lifo, CAUSAL, VIRTUAL) {
  static const struct c211_item items[] = {{3, 'c'}, {1, 'a'}, {2, 'b'}, {5, 'e'}};
  weft_queue_t p, l;
  struct c211_item item;
  const char *names[3];
  int numbers[3];
  TRY(weft_priority_init(&p, sizeof item, 0, c211_compare));
  for (int i = 0; i < 3; i++) weft_queue_put_nowait(&p, &items[i]);
  for (int i = 0; i < 3; i++) {
    TRY(weft_queue_get(&p, &item));
    names[i] = text("%c", item.name);
  }
  P("%s", repr_strs(names, 3));
  TRY(weft_lifo_init(&l, sizeof(int), 0));
  for (int i = 1; i <= 3; i++) weft_queue_put_nowait(&l, &i);
  for (int i = 0; i < 3; i++) TRY(weft_queue_get(&l, &numbers[i]));
  P("%s", repr_ints(numbers, 3));
  weft_task_t *g = weft_create_task(weft_queue_get_async(&p, &item));
  TRY(S(10));
  weft_queue_put_nowait(&p, &items[3]);
  TRY(weft_join(g));
  T("(%d, '%c')", item.priority, item.name);
  weft_queue_destroy(&p);
  weft_queue_destroy(&l);
  return 0;
}

static int c212_compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
CASE(212, queue_priority_woken_getter_sees_best, SINGLE, VIRTUAL) {
  weft_queue_t p;
  int got = 0, left = 0;
  TRY(weft_priority_init(&p, sizeof(int), 0, c212_compare));
  weft_task_t *g = weft_create_task(weft_queue_get_async(&p, &got));
  TRY(S(10));
  PUT_NOW(&p, int, 5);
  PUT_NOW(&p, int, 1);
  TRY(weft_join(g));
  weft_queue_get_nowait(&p, &left);
  P("%d %d", got, left);
  weft_queue_destroy(&p);
  return 0;
}

struct c214 {
  weft_queue_t q;
  int out[9];
  atomic_int n;
};
static WEFT_ASYNC(c214_worker, struct c214 *);
static int c214_worker(struct c214 *c) {
  int item;
  for (;;) {
    TRY(weft_queue_get(&c->q, &item));
    TRY(S(10));
    c->out[atomic_fetch_add(&c->n, 1)] = item;
    weft_queue_task_done(&c->q);
  }
}
CASE(214, queue_worker_pool, CAUSAL, VIRTUAL) {
  struct c214 c = {.n = 0};
  weft_task_t *workers[3];
  int statuses[3];
  const char *kinds[3];
  TRY(weft_queue_init(&c.q, sizeof(int), 0));
  for (int i = 0; i < 3; i++) workers[i] = weft_create_task(c214_worker_async(&c));
  for (int i = 0; i < 9; i++) weft_queue_put_nowait(&c.q, &i);
  TRY(weft_queue_join(&c.q));
  sort_ints(c.out, 9);
  T("%s", repr_ints(c.out, 9));
  for (int i = 0; i < 3; i++) weft_task_cancel(workers[i], NULL);
  TRY(weft_gather_tasks(workers, 3, statuses, WEFT_RETURN_EXCEPTIONS));
  for (int i = 0; i < 3; i++) {
    kinds[i] = kind(statuses[i]);
    weft_detach(workers[i]);
  }
  P("%s", repr_strs(kinds, 3));
  weft_queue_destroy(&c.q);
  return 0;
}

static WEFT_ASYNC(c215_getter, weft_queue_t *, const char *, double);
static int c215_getter(weft_queue_t *q, const char *name, double ms) {
  const char *item = NULL;
  TRY(S(ms));
  outcome(weft_queue_get(q, &item), name, repr_str(item));
  return 0;
}
CASE(215, queue_cancel_get_timed, CAUSAL, VIRTUAL) {
  weft_queue_t q;
  const char *x = "x";
  TRY(weft_queue_init(&q, sizeof x, 0));
  weft_task_t *a = weft_create_task(c215_getter_async(&q, "A", 10));
  weft_task_t *b = weft_create_task(c215_getter_async(&q, "B", 20));
  TRY(S(30));
  weft_task_cancel(a, NULL);
  TRY(S(10));
  weft_queue_put_nowait(&q, &x);
  TRY(weft_join(b));
  P("%zu", weft_queue_qsize(&q));
  weft_detach(a);
  weft_queue_destroy(&q);
  return 0;
}

/* Time limits race with puts all the time: every item is got once or left. */
struct c268 {
  weft_queue_t q;
  atomic_bool stop;
  atomic_int got[200], n;
};
static WEFT_ASYNC(c268_consumer, struct c268 *, double);
static int c268_consumer(struct c268 *c, double ms) {
  int item = 0;
  while (!atomic_load(&c->stop)) {
    int rc = weft_wait_for(weft_queue_get_async(&c->q, &item), ms / 1000);
    if (rc == WEFT_TIMEOUT) continue;
    TRY(rc);
    atomic_fetch_add(&c->got[item], 1);
    atomic_fetch_add(&c->n, 1);
  }
  return 0;
}
CASE(268, inv_queue_timeout_storm, CAUSAL, VIRTUAL) {
  struct c268 c = {.n = 0};
  TRY(weft_queue_init(&c.q, sizeof(int), 0));
  weft_task_t *tasks[] = {weft_create_task(c268_consumer_async(&c, 10)), weft_create_task(c268_consumer_async(&c, 7)),
                          weft_create_task(c268_consumer_async(&c, 3))};
  for (int i = 0; i < 200; i++) {
    weft_queue_put_nowait(&c.q, &i);
    TRY(S(case_config()->virtual_time ? 10 : 1));
  }
  atomic_store(&c.stop, true);
  TRY(weft_gather_tasks(tasks, 3, NULL, 0));
  bool once = true;
  for (int i = 0; i < 200; i++) once = once && atomic_load(&c.got[i]) <= 1;
  P("%d %s", atomic_load(&c.n) + (int)weft_queue_qsize(&c.q), repr_bool(once));
  for (int i = 0; i < 3; i++) weft_detach(tasks[i]);
  weft_queue_destroy(&c.q);
  return 0;
}
