/* test_queues.c: queues: words, sizes, memory, what is dropped, and on several workers: nothing lost, nothing twice, each
 * producer's items in order, nobody waits for ever. The exact order with one worker: test_transcripts.c. */
#include <errno.h>

#include "unit/sync/trace.h"

static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static int dropped[8], dropped_count;
static void drop(void *item) { dropped[dropped_count++] = *(int *)item; }

static int put(weft_queue_t *q, int item) { return weft_queue_put_nowait(q, &item); }

static void words(void **state) {
  (void)state;
  weft_queue_t q;
  memset(&q, 0, sizeof q);
  weft_queue_destroy(&q);
  assert_int_equal(weft_queue_init(&q, 0, 1), -EINVAL);
  weft_queue_destroy(&q);
  assert_int_equal(weft_queue_init(&q, SIZE_MAX, 1), -EINVAL);
  assert_int_equal(weft_priority_init(&q, 4, 1, NULL), -EINVAL);
  assert_int_equal(weft_queue_init(&q, sizeof(int), 2), 0);
  char byte = 0;
  assert_int_equal(weft_queue_put_nowait(&q, &byte), -EINVAL);
  assert_string_equal(weft_error()->message,
                      "weft_queue_put_nowait: an item of 1 bytes for a queue of items of 4 bytes");
  assert_int_equal(weft_queue_get_nowait(&q, &byte), -EINVAL);
  assert_int_equal(weft_queue_put_nowait_sized(&q, NULL, 4), -EINVAL);
  int item;
  assert_int_equal(weft_queue_get_nowait(&q, &item), WEFT_QUEUE_EMPTY);
  assert_string_equal(weft_error()->message, "");
  assert_true(weft_queue_empty(&q));
  assert_true(put(&q, 1) == 0 && put(&q, 2) == 0);
  assert_true(weft_queue_full(&q) && weft_queue_qsize(&q) == 2 && weft_queue_maxsize(&q) == 2);
  assert_int_equal(put(&q, 3), WEFT_QUEUE_FULL);
  assert_int_equal(weft_queue_get_nowait(&q, &item), 0);
  assert_int_equal(item, 1);
  assert_true(weft_queue_task_done(&q) == 0 && weft_queue_task_done(&q) == 0);
  assert_int_equal(weft_queue_task_done(&q), WEFT_VALUE);
  assert_string_equal(weft_error()->message, "task_done() called too many times");
  assert_int_equal(weft_queue_put(&q, &item), -EPERM);
  assert_int_equal(weft_queue_get(&q, &item), -EPERM);
  assert_int_equal(weft_queue_join(&q), -EPERM);
  weft_queue_shutdown(&q, false);
  assert_int_equal(put(&q, 3), WEFT_QUEUE_SHUTDOWN);
  assert_int_equal(weft_queue_get_nowait(&q, &item), 0);
  assert_int_equal(weft_queue_get_nowait(&q, &item), WEFT_QUEUE_SHUTDOWN);
  weft_queue_destroy(&q);
}

static void what_is_left_is_dropped(void **state) {
  (void)state;
  weft_queue_t q;
  for (int immediate = 0; immediate <= 1; immediate++) {
    dropped_count = 0;
    assert_int_equal(weft_priority_init(&q, sizeof(int), 0, compare), 0);
    weft_queue_set_drop(&q, drop);
    assert_true(put(&q, 3) == 0 && put(&q, 1) == 0 && put(&q, 2) == 0);
    if (immediate) {
      weft_queue_shutdown(&q, true);
      assert_int_equal(weft_queue_task_done(&q), WEFT_VALUE); /* they count as done */
      assert_true(weft_queue_empty(&q));
    }
    weft_queue_destroy(&q);
    assert_int_equal(dropped_count, 3);
    assert_true(dropped[0] == 1 && dropped[1] == 2 && dropped[2] == 3);
  }
}

/* The one that was woken is cancelled before it runs: what it was woken for is the next one's. */
static WEFT_ASYNC(gets, weft_queue_t *, const char *);
static int gets(weft_queue_t *q, const char *name) {
  int item = -1, rc = weft_queue_get(q, &item);
  if (rc < 0)
    mark("%s!", name);
  else
    mark("%s%d", name, item);
  return rc;
}

static WEFT_ASYNC(puts_item, weft_queue_t *, int);
static int puts_item(weft_queue_t *q, int item) {
  int rc = weft_queue_put(q, &item);
  mark(rc < 0 ? "p%d!" : "p%d", item);
  return rc;
}

static WEFT_ASYNC(woken_in_vain);
static int woken_in_vain(void) {
  weft_queue_t q;
  int item, rc = weft_queue_init(&q, sizeof(int), 1);
  weft_task_t *a = weft_create_task(gets_async(&q, "a")), *b = weft_create_task(gets_async(&q, "b"));
  weft_ignore(weft_yield());
  put(&q, 1);
  weft_task_cancel(a, NULL);
  weft_ignore(weft_join(a));
  weft_ignore(weft_join(b));
  put(&q, 2);
  a = weft_create_task(puts_item_async(&q, 3));
  b = weft_create_task(puts_item_async(&q, 4));
  weft_ignore(weft_yield());
  weft_queue_get_nowait(&q, &item);
  weft_task_cancel(a, NULL);
  weft_ignore(weft_join(a));
  weft_ignore(weft_join(b));
  weft_queue_destroy(&q);
  return rc;
}

static void chosen_and_cancelled(void **state) {
  (void)state;
  assert_int_equal(run1(woken_in_vain_async()), 0);
  assert_trace("a! b1 p3! p4");
}

/* ---- several workers --------------------------------------------------------------------------------------------------- */

enum { PRODUCERS = 4, CONSUMERS = 4 };
typedef struct item {
  int producer, number;
} item_t;

typedef struct shared {
  weft_queue_t q;
  int n;
  int produced[PRODUCERS]; /* numbers that are in for certain */
  unsigned char *seen;     /* producer * n + number */
  int last[PRODUCERS];     /* the last number that came out, of queues in order; under `order` */
  weft_lock_t order;
  int got, out_of_order, twice, gave_up;
} shared_t;

static WEFT_ASYNC(produce, shared_t *, int);
static int produce(shared_t *s, int index) {
  for (item_t item = {index, 0}; item.number < s->n;) {
    int rc = weft_queue_put(&s->q, &item);
    if (rc == WEFT_CANCELLED) continue; /* it has put nothing */
    if (rc < 0) return rc;
    s->produced[index] = ++item.number;
    if (item.number % 5 == 0) weft_ignore(weft_yield());
  }
  return 0;
}

static void account(shared_t *s, item_t item) {
  if (__atomic_exchange_n(&s->seen[item.producer * s->n + item.number], 1, __ATOMIC_RELAXED))
    __atomic_fetch_add(&s->twice, 1, __ATOMIC_RELAXED);
  __atomic_fetch_add(&s->got, 1, __ATOMIC_RELAXED);
}

static WEFT_ASYNC(consume, shared_t *, int);
static int consume(shared_t *s, int index) {
  for (int i = 0;; i++) {
    item_t item = {-1, -1};
    int rc = (i + index) % 4 != 0 ? weft_queue_get(&s->q, &item) : weft_queue_get_nowait(&s->q, &item);
    if (rc == WEFT_QUEUE_SHUTDOWN) return 0;
    if (rc == WEFT_CANCELLED || rc == WEFT_QUEUE_EMPTY) {
      __atomic_fetch_add(&s->gave_up, 1, __ATOMIC_RELAXED);
      if (rc == WEFT_QUEUE_EMPTY) weft_ignore(weft_yield());
      continue;
    }
    if (rc < 0) return rc;
    account(s, item);
    if (weft_queue_task_done(&s->q) < 0) return WEFT_VALUE;
  }
}

static WEFT_ASYNC(exchange, shared_t *);
static int exchange(shared_t *s) {
  weft_task_t *producers[PRODUCERS], *consumers[CONSUMERS];
  for (int i = 0; i < PRODUCERS; i++) producers[i] = weft_create_task(produce_async(s, i));
  for (int i = 0; i < CONSUMERS; i++) consumers[i] = weft_create_task(consume_async(s, i));
  weft_ignore(weft_yield());
  weft_ignore(weft_sleep(0.0005)); /* all have begun */
  for (int i = 0; i < s->n; i++) {
    weft_ignore(weft_yield());
    weft_task_cancel(consumers[i % CONSUMERS], NULL);
    if (i % 3 == 0) weft_task_cancel(producers[i % PRODUCERS], NULL);
  }
  int rc = 0;
  for (int i = 0; i < PRODUCERS; i++) {
    int one = weft_join(producers[i]);
    if (one < 0 && one != WEFT_CANCELLED) rc = one;
  }
  int joined = weft_queue_join(&s->q);
  if (weft_queue_qsize(&s->q) != 0) rc = weft_fail(WEFT_RUNTIME, "joined too early");
  weft_queue_shutdown(&s->q, false);
  for (int i = 0; i < CONSUMERS; i++) {
    int one = weft_join(consumers[i]);
    if (one < 0 && one != WEFT_CANCELLED) rc = one;
  }
  return rc < 0 ? rc : joined;
}

static int compare_items(const void *a, const void *b) {
  return ((const item_t *)a)->number - ((const item_t *)b)->number;
}

static void nothing_lost_nothing_twice(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers *= 2) {
    for (int kind = 0; kind < 4; kind++) {
      shared_t s = {.n = scaled(800)};
      s.seen = calloc((size_t)s.n, PRODUCERS);
      if (kind < 2)
        assert_int_equal(weft_queue_init(&s.q, sizeof(item_t), kind == 0 ? 3 : 0), 0);
      else if (kind == 2)
        assert_int_equal(weft_lifo_init(&s.q, sizeof(item_t), 3), 0);
      else
        assert_int_equal(weft_priority_init(&s.q, sizeof(item_t), 3, compare_items), 0);
      assert_int_equal(weft_run_with(&(weft_config_t){.workers = workers}, exchange_async(&s)), 0);
      int produced = 0;
      for (int i = 0; i < PRODUCERS; i++) produced += s.produced[i];
      assert_int_equal(s.twice, 0);
      assert_int_equal(s.got, produced);
      for (int i = 0; i < PRODUCERS; i++)
        for (int j = 0; j < s.produced[i]; j++) assert_int_equal(s.seen[i * s.n + j], 1);
      weft_queue_destroy(&s.q);
      free(s.seen);
    }
  }
}

/* The lock makes taking and noting one step; then every producer's items come out in its order. */
static WEFT_ASYNC(consume_in_order, shared_t *);
static int consume_in_order(shared_t *s) {
  for (;;) {
    item_t item;
    int rc = weft_lock_acquire(&s->order);
    if (rc < 0) return rc;
    rc = weft_queue_get(&s->q, &item);
    if (rc == 0 && item.number != s->last[item.producer]++) s->out_of_order++;
    weft_lock_release(&s->order);
    if (rc < 0) return rc == WEFT_QUEUE_SHUTDOWN ? 0 : rc;
  }
}

static WEFT_ASYNC(exchange_in_order, shared_t *);
static int exchange_in_order(shared_t *s) {
  weft_lock_init(&s->order);
  weft_task_t *producers[PRODUCERS], *consumers[CONSUMERS];
  for (int i = 0; i < CONSUMERS; i++) consumers[i] = weft_create_task(consume_in_order_async(s));
  for (int i = 0; i < PRODUCERS; i++) producers[i] = weft_create_task(produce_async(s, i));
  int rc = 0;
  for (int i = 0; i < PRODUCERS; i++) {
    int one = weft_join(producers[i]);
    if (one < 0) rc = one;
  }
  weft_queue_shutdown(&s->q, false);
  for (int i = 0; i < CONSUMERS; i++) {
    int one = weft_join(consumers[i]);
    if (one < 0) rc = one;
  }
  return rc;
}

static void each_producers_order(void **state) {
  (void)state;
  shared_t s = {.n = scaled(2000)};
  assert_int_equal(weft_queue_init(&s.q, sizeof(item_t), 5), 0);
  assert_int_equal(run4(exchange_in_order_async(&s)), 0);
  assert_int_equal(s.out_of_order, 0);
  for (int i = 0; i < PRODUCERS; i++) assert_int_equal(s.last[i], s.n);
  weft_queue_destroy(&s.q);
}

/* One that was woken keeps its turn on several workers, though another one asks again and again for what it was woken for. */
typedef struct turn {
  weft_queue_t q;
  int rounds, first;
} turn_t;

static WEFT_ASYNC(greedy, turn_t *);
static int greedy(turn_t *t) {
  for (;;) {
    int item, rc = weft_queue_get(&t->q, &item);
    if (rc < 0) return rc == WEFT_QUEUE_SHUTDOWN ? 0 : rc;
  }
}

static WEFT_ASYNC(modest, turn_t *);
static int modest(turn_t *t) {
  for (int i = 0; i < t->rounds; i++) {
    int item, rc = weft_queue_get(&t->q, &item);
    if (rc < 0) return rc;
    if ((rc = weft_yield()) < 0) return rc;
  }
  return 0;
}

static WEFT_ASYNC(feed, turn_t *);
static int feed(turn_t *t) {
  weft_task_t *m = weft_create_task(modest_async(t)), *g[3];
  for (int i = 0; i < 3; i++) g[i] = weft_create_task(greedy_async(t));
  int rc = 0;
  for (int item = 0; !weft_task_done(m) && rc == 0; item++) {
    if (item % 3 == 0) rc = weft_yield();
    if (rc == 0) rc = weft_queue_put(&t->q, &item);
  }
  int joined = weft_join(m);
  weft_queue_shutdown(&t->q, true);
  for (int i = 0; i < 3; i++) weft_ignore(weft_join(g[i]));
  return rc < 0 ? rc : joined;
}

static void nobody_starves(void **state) {
  (void)state;
  turn_t t = {.rounds = scaled(300)};
  assert_int_equal(weft_queue_init(&t.q, sizeof(int), 4), 0);
  assert_int_equal(run4(feed_async(&t)), 0);
  weft_queue_destroy(&t.q);
}

/* ---- memory ------------------------------------------------------------------------------------------------------------ */

static WEFT_ASYNC(memory_fails, weft_queue_t *);
static int memory_fails(weft_queue_t *q) {
  int next = 0;
  for (int i = 0; i < 200; i++) {
    weft__alloc_fail_from(1);
    int rc = weft_queue_put(q, &next);
    bool failed = weft__alloc_failed();
    weft__alloc_fail_from(-1);
    if (rc < 0 && (rc != -ENOMEM || !failed)) return rc;
    if (rc < 0) rc = weft_queue_put(q, &next); /* usable as before */
    if (rc < 0) return rc;
    next++;
  }
  for (int i = 0; i < next; i++) {
    int item, rc = weft_queue_get_nowait(q, &item);
    if (rc < 0 || item != i) return weft_fail(WEFT_RUNTIME, "%d is %d", i, item);
  }
  return 0;
}

static void no_memory(void **state) {
  (void)state;
  weft_queue_t q;
  assert_int_equal(weft_queue_init(&q, sizeof(int), 0), 0);
  assert_int_equal(run1(memory_fails_async(&q)), 0);
  weft_queue_destroy(&q);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(words),
      cmocka_unit_test(what_is_left_is_dropped),
      cmocka_unit_test(chosen_and_cancelled),
      cmocka_unit_test(nothing_lost_nothing_twice),
      cmocka_unit_test(each_producers_order),
      cmocka_unit_test(nobody_starves),
      cmocka_unit_test(no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
