/* test_watch.c: watch: the latest value, what is news to whom, closing, several workers. */
#include <errno.h>

#include "unit/sync/trace.h"

static WEFT_ASYNC(follows, weft_watch_t *, const char *);
static int follows(weft_watch_t *w, const char *name) {
  uint64_t seen = 0;
  for (;;) {
    int value = 0, rc = weft_watch_next(w, &seen, &value);
    if (rc < 0) {
      mark("%s %s", name, weft_error_name(rc));
      return rc == WEFT_QUEUE_SHUTDOWN ? 0 : rc;
    }
    mark("%s%d", name, value);
  }
}

static int set(weft_watch_t *w, int value) { return weft_watch_send(w, &value); }

static WEFT_ASYNC(scenes);
static int scenes(void) {
  weft_watch_t w;
  int value = 1;
  int rc = weft_watch_init(&w, &value);
  weft_task_t *a = weft_create_task(follows_async(&w, "a")), *b = weft_create_task(follows_async(&w, "b"));
  weft_ignore(weft_yield());
  set(&w, 2);
  set(&w, 3); /* nobody sees 2 */
  weft_ignore(weft_yield());
  set(&w, 4);
  weft_task_cancel(a, NULL); /* woken: it has seen nothing */
  weft_ignore(weft_yield());
  set(&w, 5);
  weft_watch_close(&w);
  weft_ignore(weft_join(a));
  weft_ignore(weft_join(b));
  uint64_t seen = 0;
  mark("%d", weft_watch_get(&w, &seen, &value));
  mark("%d", value);
  mark("%s", weft_error_name(weft_watch_next(&w, &seen, &value)));
  seen = 0;
  mark("%s", weft_error_name(weft_watch_next(&w, &seen, &value))); /* news to a fresh one, though closed */
  mark("%s", weft_error_name(set(&w, 6)));
  weft_watch_destroy(&w);
  return rc;
}

static void news(void **state) {
  (void)state;
  assert_int_equal(run1(scenes_async()), 0);
  assert_trace("a1 b1 a3 b3 a CancelledError b4 b5 b QueueShutDown 0 5 QueueShutDown OK QueueShutDown");
}

static void misuse(void **state) {
  (void)state;
  weft_watch_t w;
  long value = 9;
  int wrong = 0;
  assert_int_equal(weft_watch_init_sized(&w, &value, 0), -EINVAL);
  weft_watch_destroy(&w);
  weft__alloc_fail_after(1);
  assert_int_equal(weft_watch_init(&w, &value), -ENOMEM);
  weft__alloc_fail_after(-1);
  assert_int_equal(weft_watch_init(&w, &value), 0);
  assert_int_equal(weft_watch_send(&w, &wrong), -EINVAL);
  assert_int_equal(weft_watch_get(&w, NULL, &wrong), -EINVAL);
  uint64_t seen = 0;
  assert_int_equal(weft_watch_next(&w, &seen, &value), -EPERM);
  value = 0;
  assert_int_equal(weft_watch_get(&w, NULL, &value), 0);
  assert_int_equal(value, 9);
  weft_watch_destroy(&w);
}

/* Each follower sees rising values, untorn, and the last one. */
typedef struct pair {
  long a, b;
} pair_t;

static WEFT_ASYNC(checks, weft_watch_t *, long);
static int checks(weft_watch_t *w, long last) {
  uint64_t seen = 0;
  pair_t pair, before = {-1, -1};
  for (;;) {
    int rc = weft_watch_next(w, &seen, &pair);
    if (rc == WEFT_QUEUE_SHUTDOWN) return before.a == last ? 0 : weft_fail(WEFT_RUNTIME, "missed the last one");
    if (rc < 0) return rc;
    if (pair.a != pair.b || pair.a <= before.a) return weft_fail(WEFT_RUNTIME, "torn or old");
    before = pair;
  }
}

static WEFT_ASYNC(many, int);
static int many(int n) {
  weft_watch_t w;
  pair_t pair = {0, 0};
  int rc = weft_watch_init(&w, &pair);
  weft_task_t *tasks[6];
  for (int i = 0; i < 6; i++) tasks[i] = weft_create_task(checks_async(&w, n));
  for (long i = 1; i <= n && rc == 0; i++) {
    pair = (pair_t){i, i};
    rc = weft_watch_send(&w, &pair);
    if (i % 3 == 0) weft_ignore(weft_yield());
  }
  weft_watch_close(&w);
  for (int i = 0; i < 6; i++) {
    int one = weft_join(tasks[i]);
    if (one < 0) rc = one;
  }
  weft_watch_destroy(&w);
  return rc;
}

static void many_workers(void **state) {
  (void)state;
  assert_int_equal(run4(many_async(scaled(3000))), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(news), cmocka_unit_test(misuse), cmocka_unit_test(many_workers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
