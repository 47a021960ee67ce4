/* test_broadcast.c: broadcast: every item to everybody, what the slow ones miss, closing, several workers. */
#include <errno.h>

#include "unit/sync/trace.h"

static int send_int(weft_broadcast_t *b, int item) { return weft_broadcast_send(b, &item); }

static WEFT_ASYNC(listens, weft_broadcast_t *, const char *, uint64_t);
static int listens(weft_broadcast_t *b, const char *name, uint64_t at) {
  for (;;) {
    int item = 0, rc = weft_broadcast_recv(b, &at, &item);
    if (rc < 0) {
      mark("%s %s", name, weft_error_name(rc));
      return rc;
    }
    if (rc > 0)
      mark("%s missed %d", name, rc);
    else
      mark("%s%d", name, item);
  }
}

static WEFT_ASYNC(scenes);
static int scenes(void) {
  weft_broadcast_t b;
  int rc = weft_broadcast_init(&b, sizeof(int), 3);
  uint64_t early = weft_broadcast_subscribe(&b);
  send_int(&b, 1);
  weft_task_t *x = weft_create_task(listens_async(&b, "x", early));
  weft_task_t *y = weft_create_task(listens_async(&b, "y", weft_broadcast_subscribe(&b)));
  weft_ignore(weft_yield());
  send_int(&b, 2);
  weft_ignore(weft_yield());
  for (int i = 3; i <= 7; i++) send_int(&b, i);
  weft_task_cancel(y, NULL);
  weft_ignore(weft_join(y));
  int item;
  mark("%d", weft_broadcast_try_recv(&b, &early, &item));
  mark("%d", weft_broadcast_try_recv(&b, &early, &item));
  mark("%d", item);
  weft_broadcast_close(&b);
  weft_ignore(weft_join(x));
  mark("%s", weft_error_name(send_int(&b, 8)));
  uint64_t late = weft_broadcast_subscribe(&b);
  mark("%s", weft_error_name(weft_broadcast_try_recv(&b, &late, &item)));
  weft_broadcast_destroy(&b);
  return rc;
}

static void to_everybody(void **state) {
  (void)state;
  assert_int_equal(run1(scenes_async()), 0);
  assert_trace("x1 x2 y2 x missed 2 x5 x6 x7 y CancelledError 4 0 5 x QueueShutDown QueueShutDown QueueShutDown");
}

static void misuse(void **state) {
  (void)state;
  weft_broadcast_t b;
  assert_int_equal(weft_broadcast_init(&b, 0, 3), -EINVAL);
  assert_int_equal(weft_broadcast_init(&b, 4, 0), -EINVAL);
  assert_int_equal(weft_broadcast_init(&b, 4, SIZE_MAX / 2), -ENOMEM);
  weft_broadcast_destroy(&b);
  assert_int_equal(weft_broadcast_init(&b, sizeof(int), 2), 0);
  uint64_t at = weft_broadcast_subscribe(&b);
  long wrong = 0;
  int item;
  assert_int_equal(weft_broadcast_send(&b, &wrong), -EINVAL);
  assert_int_equal(weft_broadcast_try_recv(&b, &at, &wrong), -EINVAL);
  assert_int_equal(weft_broadcast_try_recv(&b, &at, &item), WEFT_QUEUE_EMPTY);
  assert_int_equal(weft_broadcast_recv(&b, &at, &item), -EPERM);
  weft_broadcast_destroy(&b);
}

/* Every receiver gets or misses every item, in order. */
static WEFT_ASYNC(counts, weft_broadcast_t *, long);
static int counts(weft_broadcast_t *b, long total) {
  uint64_t at = 0;
  long next = 0, item;
  for (;;) {
    int rc = weft_broadcast_recv(b, &at, &item);
    if (rc == WEFT_QUEUE_SHUTDOWN) return next == total ? 0 : weft_fail(WEFT_RUNTIME, "%ld of %ld", next, total);
    if (rc < 0) return rc;
    if (rc == 0 && item != next) return weft_fail(WEFT_RUNTIME, "%ld instead of %ld", item, next);
    next += rc == 0 ? 1 : rc;
    if (next % 50 == 7) weft_ignore(weft_yield());
  }
}

static WEFT_ASYNC(many, int);
static int many(int n) {
  weft_broadcast_t b;
  int rc = weft_broadcast_init(&b, sizeof(long), 16);
  weft_task_t *tasks[6];
  for (int i = 0; i < 6; i++) tasks[i] = weft_create_task(counts_async(&b, n));
  for (long i = 0; i < n && rc == 0; i++) {
    rc = weft_broadcast_send(&b, &i);
    if (i % 8 == 0) weft_ignore(weft_yield());
  }
  weft_broadcast_close(&b);
  for (int i = 0; i < 6; i++) {
    int one = weft_join(tasks[i]);
    if (one < 0) rc = one;
  }
  weft_broadcast_destroy(&b);
  return rc;
}

static void many_workers(void **state) {
  (void)state;
  assert_int_equal(run4(many_async(scaled(5000))), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(to_everybody), cmocka_unit_test(misuse),
                                     cmocka_unit_test(many_workers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
