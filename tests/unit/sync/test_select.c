/* test_select.c: the first of several operations; exactly one takes effect. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/sync/trace.h"

static int start;

/* Waits by a select of: future, get, put, timer; marks what came. */
static WEFT_ASYNC(chooser, weft_future_t *, weft_queue_t *, weft_queue_t *, double);
static int chooser(weft_future_t *future, weft_queue_t *from, weft_queue_t *to, double seconds) {
  int item = 0, mine = 77;
  weft_select_case_t cases[5] = {{0}};
  if (future != NULL) cases[0] = weft_select_future(future);
  if (from != NULL) cases[1] = weft_select_get(from, &item);
  if (to != NULL) cases[2] = weft_select_put(to, &mine);
  cases[3] = weft_select_timer(seconds);
  cases[4] = weft_select_timer(seconds + 1);
  int rc = weft_select(cases, 5);
  if (rc < 0)
    mark("[%d] %s", ms_now() - start, weft_error_name(rc));
  else
    mark("[%d] %d:%d:%d", ms_now() - start, rc, cases[rc].status, item);
  return rc;
}

static WEFT_ASYNC(at_once);
static int at_once(void) {
  weft_queue_t full, empty;
  start = ms_now();
  assert_int_equal(weft_queue_init(&full, sizeof(int), 1), 0);
  assert_int_equal(weft_queue_init(&empty, sizeof(int), 1), 0);
  weft_future_t *f = weft_future_open(0);
  weft_ignore(weft_queue_put_nowait(&full, &(const int){5}));
  weft_ignore(chooser(f, &full, &empty, 0)); /* the first that can be */
  mark("%zu%zu", weft_queue_qsize(&full), weft_queue_qsize(&empty));
  weft_ignore(chooser(f, &full, &empty, 0)); /* now only the put */
  mark("%zu%zu", weft_queue_qsize(&full), weft_queue_qsize(&empty));
  weft_ignore(chooser(f, &full, &empty, 0)); /* the timer: "default" */
  weft_ignore(weft_future_set_done(f));
  weft_ignore(chooser(f, &empty, &full, 0));
  mark("%zu%zu", weft_queue_qsize(&full), weft_queue_qsize(&empty));
  weft_future_unref(f);
  weft_queue_destroy(&full);
  weft_queue_destroy(&empty);
  return 0;
}

static void the_first_that_can_be_done(void **state) {
  (void)state;
  assert_int_equal(run1(at_once_async()), 0);
  assert_trace("[0] 1:0:5 00 [0] 2:0:0 01 [0] 3:0:0 [0] 0:0:0 01");
}

static WEFT_ASYNC(waits);
static int waits(void) {
  weft_queue_t full, empty;
  start = ms_now();
  assert_int_equal(weft_queue_init(&full, sizeof(int), 1), 0);
  assert_int_equal(weft_queue_init(&empty, sizeof(int), 1), 0);
  weft_ignore(weft_queue_put_nowait(&full, &(const int){5}));
  weft_future_t *f = weft_future_open(0);
  weft_task_t *t = weft_create_task(chooser_async(f, &empty, &full, 1));
  weft_ignore(weft_sleep(0.01));
  weft_ignore(weft_queue_put_nowait(&empty, &(const int){6}));
  weft_ignore(weft_join(t));
  t = weft_create_task(chooser_async(f, &empty, &full, 1));
  weft_ignore(weft_sleep(0.01));
  int item;
  weft_ignore(weft_queue_get_nowait(&full, &item)); /* makes room: the put is done */
  weft_ignore(weft_join(t));
  mark("%zu%zu", weft_queue_qsize(&full), weft_queue_qsize(&empty));
  t = weft_create_task(chooser_async(f, &empty, &full, 0.01));
  weft_ignore(weft_join(t));
  t = weft_create_task(chooser_async(f, &empty, &full, 1));
  weft_ignore(weft_sleep(0.01));
  weft_ignore(weft_future_set_done(f));
  weft_ignore(weft_join(t));
  weft_future_unref(f);
  f = weft_future_open(0);
  t = weft_create_task(chooser_async(f, &empty, &full, 1));
  weft_ignore(weft_sleep(0.01));
  weft_queue_shutdown(&empty, false);
  weft_ignore(weft_join(t));
  t = weft_create_task(chooser_async(f, NULL, &full, 1));
  weft_ignore(weft_sleep(0.01));
  weft_task_cancel(t, NULL);
  weft_ignore(weft_join(t));
  mark("%zu%zu %d", weft_queue_qsize(&full), weft_queue_qsize(&empty), weft_future_done(f));
  weft_future_unref(f);
  weft_queue_destroy(&full);
  weft_queue_destroy(&empty);
  return 0;
}

static void waits_for_each_kind(void **state) {
  (void)state;
  assert_int_equal(run1(waits_async()), 0);
  char expected[200];
  snprintf(expected, sizeof expected,
           "[10] 1:0:6 [20] 2:0:0 10 [30] 3:0:0 [40] 0:0:0 [50] 1:%d:0 [60] CancelledError 10 0", WEFT_QUEUE_SHUTDOWN);
  assert_trace(expected);
}

/* Two queues get an item in one step: one item is taken, the other stays, and goes to the next getter. */
static WEFT_ASYNC(get_one, weft_queue_t *, weft_queue_t *);
static int get_one(weft_queue_t *a, weft_queue_t *b) {
  int item = 0;
  weft_select_case_t cases[2] = {weft_select_get(a, &item), weft_select_get(b, &item)};
  int rc = weft_select(cases, 2);
  mark("%d:%d", rc, item);
  return rc;
}

static WEFT_ASYNC(plain_get, weft_queue_t *, const char *);
static int plain_get(weft_queue_t *q, const char *name) {
  int item = 0, rc = weft_queue_get(q, &item);
  mark("%s%d", name, item);
  return rc;
}

static WEFT_ASYNC(both);
static int both(void) {
  weft_queue_t a, b;
  assert_int_equal(weft_queue_init(&a, sizeof(int), 0), 0);
  assert_int_equal(weft_queue_init(&b, sizeof(int), 0), 0);
  weft_task_t *t = weft_create_task(get_one_async(&a, &b));
  weft_ignore(weft_yield());
  weft_task_t *next = weft_create_task(plain_get_async(&a, "next"));
  weft_ignore(weft_yield());
  weft_ignore(weft_queue_put_nowait(&b, &(const int){2}));
  weft_ignore(weft_queue_put_nowait(&a, &(const int){1})); /* the select is chosen already: goes on to `next` */
  weft_ignore(weft_join(t));
  weft_ignore(weft_wait_for(weft_join_async(next), 1));
  mark("%zu%zu", weft_queue_qsize(&a), weft_queue_qsize(&b));
  /* Chosen, then cancelled: the item goes to the next in line. */
  t = weft_create_task(get_one_async(&a, &b));
  weft_ignore(weft_yield());
  next = weft_create_task(plain_get_async(&a, "next"));
  weft_ignore(weft_yield());
  weft_ignore(weft_queue_put_nowait(&a, &(const int){3}));
  weft_task_cancel(t, NULL);
  assert_int_equal(weft_join(t), WEFT_CANCELLED);
  weft_ignore(weft_wait_for(weft_join_async(next), 1));
  /* Chosen in vain: somebody was faster, it waits again and takes what comes from the other. */
  t = weft_create_task(get_one_async(&a, &b));
  weft_ignore(weft_yield());
  int item;
  weft_ignore(weft_queue_put_nowait(&a, &(const int){4}));
  weft_ignore(weft_queue_get_nowait(&a, &item));
  weft_ignore(weft_sleep(0.001));
  weft_ignore(weft_queue_put_nowait(&b, &(const int){5}));
  weft_ignore(weft_join(t));
  mark("%d %zu%zu", item, weft_queue_qsize(&a), weft_queue_qsize(&b));
  weft_queue_destroy(&a);
  weft_queue_destroy(&b);
  return 0;
}

static void exactly_one_takes_effect(void **state) {
  (void)state;
  assert_int_equal(run1(both_async()), 0);
  assert_trace("1:2 next1 00 -5000:0 next3 1:5 4 00");
}

static WEFT_ASYNC(misuse);
static int misuse(void) {
  weft_queue_t q;
  assert_int_equal(weft_queue_init(&q, sizeof(int), 0), 0);
  long wide;
  weft_future_t *f = weft_future_open(0);
  weft_select_case_t cases[] = {{0},
                                weft_select_get(&q, &wide),
                                weft_select_timer((double)NAN),
                                weft_select_future(NULL),
                                {99, 0, NULL, NULL, 0, 0, -1},
                                weft_select_future(f)};
  mark("%s", weft_error_name(weft_select(NULL, 0)));
  for (int i = 0; i < 5; i++) mark("%s", weft_error_name(weft_select(&cases[i], 1)));
  weft__alloc_fail_after(1);
  mark("%s", weft_error_name(weft_select(&cases[5], 1)));
  cases[4] = weft_select_timer(1);
  weft__alloc_fail_after(2);
  mark("%s", weft_error_name(weft_select(&cases[4], 2)));
  weft__alloc_fail_after(-1);
  weft_future_unref(f);
  weft_queue_destroy(&q);
  return 0;
}

static void misuse_and_memory(void **state) {
  (void)state;
  weft_select_case_t timer = weft_select_timer(0);
  assert_int_equal(weft_select(&timer, 1), -EPERM);
  assert_int_equal(run1(misuse_async()), 0);
  assert_trace("ValueError ValueError EINVAL EINVAL ENOMEM EINVAL ENOMEM ENOMEM");
}

/* ---- several workers: nothing is lost, nothing comes twice ---------------------------------------------------------------- */

enum { QUEUES = 3, WORKERS = 4 };
typedef struct market {
  weft_queue_t queues[QUEUES];
  _Atomic(long) sum, count;
  int items;
} market_t;

static WEFT_ASYNC(producer, market_t *, int);
static int producer(market_t *market, int first) {
  for (int i = 0; i < market->items; i++) {
    int item = first + i, rc;
    weft_select_case_t cases[QUEUES];
    for (int k = 0; k < QUEUES; k++) cases[k] = weft_select_put(&market->queues[(k + i) % QUEUES], &item);
    do {
      rc = i % 7 == 0 ? weft_wait_for(weft_select_async(cases, QUEUES), 30e-6) : weft_select(cases, QUEUES);
    } while (rc == WEFT_TIMEOUT); /* cancelled: nothing was put */
    if (rc < 0) return rc;
  }
  return 0;
}

static WEFT_ASYNC(consumer, market_t *);
static int consumer(market_t *market) {
  for (int i = 0;; i++) {
    int item = -1;
    weft_select_case_t cases[QUEUES + 1];
    for (int k = 0; k < QUEUES; k++) cases[k] = weft_select_get(&market->queues[(k + i) % QUEUES], &item);
    cases[QUEUES] = weft_select_timer(i % 5 == 0 ? 20e-6 : 10);
    int rc = i % 3 == 0 ? weft_wait_for(weft_select_async(cases, QUEUES + 1), 30e-6) : weft_select(cases, QUEUES + 1);
    if (rc == WEFT_TIMEOUT || rc == QUEUES) continue;
    if (rc < 0) return rc;
    if (cases[rc].status == WEFT_QUEUE_SHUTDOWN) return 0;
    if (cases[rc].status != 0 || item < 0) return weft_fail(WEFT_TYPE, "%d %d", cases[rc].status, item);
    atomic_fetch_add(&market->sum, item);
    atomic_fetch_add(&market->count, 1);
  }
}

static WEFT_ASYNC(trade, market_t *);
static int trade(market_t *market) {
  market->items = scaled(3000);
  for (int i = 0; i < QUEUES; i++) weft_ignore(weft_queue_init(&market->queues[i], sizeof(int), 2));
  weft_task_t *consumers[WORKERS];
  weft_call_t producers[WORKERS];
  for (int i = 0; i < WORKERS; i++) {
    consumers[i] = weft_create_task(consumer_async(market));
    producers[i] = producer_async(market, i * market->items);
  }
  int rc = weft_gather_n(producers, WORKERS, NULL, 0);
  for (int i = 0; i < QUEUES; i++)
    while (!weft_queue_empty(&market->queues[i])) weft_ignore(weft_yield());
  for (int i = 0; i < QUEUES; i++) weft_queue_shutdown(&market->queues[i], false);
  for (int i = 0; i < WORKERS; i++) {
    int status = weft_join(consumers[i]);
    if (rc == 0) rc = status;
  }
  for (int i = 0; i < QUEUES; i++) weft_queue_destroy(&market->queues[i]);
  return rc;
}

static void nothing_is_lost_or_doubled(void **state) {
  (void)state;
  market_t market = {0};
  assert_int_equal(run4(trade_async(&market)), 0);
  long n = (long)market.items * WORKERS;
  assert_int_equal(market.count, n);
  assert_int_equal(market.sum, n * (n - 1) / 2);
}

/* ---- descriptors ------------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(writes_later, int, double);
static int writes_later(int fd, double seconds) {
  int rc = weft_sleep(seconds);
  if (rc == 0) assert_int_equal(write(fd, "x", 1), 1);
  return rc;
}

static WEFT_ASYNC(descriptors);
static int descriptors(void) {
  int pair[2], item = 0;
  char bytes[2];
  weft_queue_t q;
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  assert_int_equal(weft_queue_init(&q, sizeof(int), 1), 0);
  weft_select_case_t cases[] = {weft_select_readable(pair[0]), weft_select_get(&q, &item), weft_select_timer(0.01)};
  assert_int_equal(weft_select(cases, 3), 2); /* not readable: the time */
  assert_int_equal(weft_wait_writable(pair[0]), 0);
  for (int round = 0; round < 3; round++) { /* each time it has to be waited for anew */
    weft_task_t *writer = weft_create_task(writes_later_async(pair[1], 0.01));
    assert_int_equal(weft_wait_readable(pair[0]), 0);
    assert_int_equal(read(pair[0], bytes, 2), 1);
    assert_int_equal(weft_join(writer), 0);
  }
  assert_int_equal(weft_queue_put_nowait(&q, &(const int){4}), 0);
  assert_int_equal(write(pair[1], "y", 1), 1);
  cases[2].seconds = 100;
  assert_int_equal(weft_select(cases, 3), 0); /* both: the first, and the item stays */
  assert_int_equal(weft_queue_qsize(&q), 1);
  assert_int_equal(read(pair[0], bytes, 2), 1);
  assert_int_equal(weft_select(cases, 3), 1);
  weft_task_t *waits = weft_create_task(weft_wait_readable_async(pair[0]));
  assert_int_equal(weft_sleep(0.01), 0);
  weft_task_cancel(waits, NULL);
  assert_int_equal(weft_join(waits), WEFT_CANCELLED);
  waits = weft_create_task(weft_wait_readable_async(pair[0]));
  assert_int_equal(weft_sleep(0.01), 0);
  close(pair[1]); /* the end is readable too */
  assert_int_equal(weft_join(waits), 0);
  close(pair[0]);
  assert_int_equal(weft_wait_readable(-1), -EBADF);
  assert_int_equal(weft_wait_readable(pair[0]), -EBADF);
  weft_queue_destroy(&q);
  return 0;
}
static void descriptors_can_be_waited_for(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers += 3) {
    weft_config_t config = {.workers = workers};
    assert_int_equal(weft_run_with(&config, descriptors_async()), 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_first_that_can_be_done), cmocka_unit_test(waits_for_each_kind),
      cmocka_unit_test(exactly_one_takes_effect),   cmocka_unit_test(misuse_and_memory),
      cmocka_unit_test(nothing_is_lost_or_doubled), cmocka_unit_test(descriptors_can_be_waited_for),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
