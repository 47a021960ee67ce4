/* test_as_completed.c: futures in the order of their ends. Transcripts are asyncio 3.13's. */
#include <errno.h>

#include "unit/sync/trace.h"

static WEFT_ASYNC(yielder, const char *, int);
static int yielder(const char *name, int n) {
  for (int i = 0; i < n; i++) weft_ignore(weft_yield());
  mark("/%s", name);
  return 0;
}

static void join_all(weft_task_t *tasks[], int n) {
  for (int i = 0; i < n; i++) weft_ignore(weft_join(tasks[i]));
}

static int drain(weft_as_completed_t *it) {
  size_t index;
  int rc;
  while ((rc = weft_as_completed_next(it, &index)) > 0) mark("%zu", index);
  return rc;
}

static WEFT_ASYNC(hops);
static int hops(void) {
  weft_detach(weft_create_task(ticker_async("t", 12)));
  weft_task_t *tasks[4] = {weft_create_task(yielder_async("a", 3)), weft_create_task(yielder_async("b", 1)),
                           weft_create_task(yielder_async("c", 2)), weft_create_task(yielder_async("d", 3))};
  weft_as_completed_t it;
  weft_as_completed_init(&it, (weft_future_t **)tasks, 4, WEFT_FOREVER);
  mark("=%d", drain(&it));
  weft_as_completed_destroy(&it);
  weft_as_completed_init(&it, (weft_future_t **)tasks, 4, 5);
  mark("=%d", drain(&it));
  weft_as_completed_destroy(&it);
  join_all(tasks, 4);
  return 0;
}

static void order_is_asyncios(void **state) {
  (void)state;
  assert_int_equal(run1(hops_async()), 0);
  const char *expected = "t0 t1 /b t2 /c t3 /a 1 /d t4 2 0 t5 3 =0 t6 t7 0 1 2 3 =0";
  assert_memory_equal(trace(), expected, strlen(expected));
}

static WEFT_ASYNC(timed);
static int timed(void) {
  int start = ms_now();
  weft_task_t *tasks[3] = {weft_create_task(sleeper_async("c", 60, 0)), weft_create_task(sleeper_async("a", 10, 0)),
                           weft_create_task(sleeper_async("b", 50, 0))};
  weft_as_completed_t it;
  weft_as_completed_init(&it, (weft_future_t **)tasks, 3, 0.03);
  for (int i = 0; i < 5; i++) {
    size_t index = 9;
    int rc = weft_as_completed_next(&it, &index);
    mark("[%d] %s %zu", ms_now() - start, rc < 0 ? weft_error_name(rc) : rc > 0 ? "1" : "0", index);
  }
  weft_as_completed_destroy(&it);
  join_all(tasks, 3);
  return 0;
}

static void timeout_ends_the_rest_and_cancels_nothing(void **state) {
  (void)state;
  assert_int_equal(run1(timed_async()), 0);
  assert_trace("a [10] 1 1 [30] TimeoutError 9 [30] TimeoutError 9 [30] 0 9 [30] 0 9 b c");
}

static WEFT_ASYNC(twice);
static int twice(void) {
  weft_task_t *x = weft_create_task(sleeper_async("x", 20, 0)), *y = weft_create_task(sleeper_async("y", 10, 0));
  weft_future_t *all[] = {NULL, weft_task_future(x), weft_task_future(y), weft_task_future(x)};
  weft_as_completed_t it;
  weft_as_completed_init(&it, all, 4, WEFT_FOREVER);
  weft_ignore(weft_sleep(0.03));
  mark("=%d", drain(&it));
  weft_as_completed_destroy(&it);
  weft_as_completed_destroy(&it);
  weft_as_completed_init(&it, NULL, 0, 1);
  mark("=%d", drain(&it));
  weft_as_completed_destroy(&it);
  weft_future_t *many[300];
  for (int i = 0; i < 300; i++) many[i] = all[1 + i % 2];
  weft_as_completed_init(&it, many, 300, WEFT_FOREVER);
  mark("=%d", drain(&it));
  weft_as_completed_destroy(&it);
  weft_ignore(weft_join(x));
  return weft_join(y);
}

static void duplicates_and_nothing(void **state) {
  (void)state;
  assert_int_equal(run1(twice_async()), 0);
  assert_trace("y x 2 1 =0 =0 0 1 =0");
}

static WEFT_ASYNC(consumer, weft_as_completed_t *, const char *);
static int consumer(weft_as_completed_t *it, const char *name) {
  size_t index;
  int rc = weft_as_completed_next(it, &index);
  if (rc > 0)
    mark("%s%zu", name, index);
  else
    mark("%s%s", name, rc < 0 ? weft_error_name(rc) : "0");
  return rc;
}

/* A cancelled next takes nothing, neither an end nor the wake-up that announces one. */
static WEFT_ASYNC(cancelled);
static int cancelled(void) {
  weft_future_t *f[2] = {weft_future_open(0), weft_future_open(0)};
  weft_as_completed_t it;
  weft_as_completed_init(&it, f, 2, WEFT_FOREVER);
  weft_task_t *a = weft_create_task(consumer_async(&it, "a")), *b = weft_create_task(consumer_async(&it, "b"));
  weft_ignore(weft_yield());
  weft_ignore(weft_future_set_done(f[1]));
  weft_ignore(weft_yield()); /* the callback has woken a */
  weft_task_cancel(a, NULL);
  assert_int_equal(weft_join(a), WEFT_CANCELLED);
  assert_int_equal(weft_wait_for(weft_join_async(b), 1), 1);
  weft_ignore(weft_future_set_done(f[0]));
  assert_int_equal(consumer(&it, "c"), 1);
  assert_int_equal(consumer(&it, "d"), 0);
  weft_as_completed_destroy(&it);
  weft_future_unref(f[0]);
  weft_future_unref(f[1]);
  return 0;
}

static void cancelled_next_takes_nothing(void **state) {
  (void)state;
  assert_int_equal(run1(cancelled_async()), 0);
  assert_trace("aCancelledError b1 c0 d0");
}

static WEFT_ASYNC(left_early);
static int left_early(void) {
  weft_future_t *f[2] = {weft_future_open(0), weft_future_open(0)};
  weft_as_completed_t it;
  weft_as_completed_init(&it, f, 2, 5);
  weft_ignore(weft_future_set_done(f[0])); /* its callback is queued, f[1] is pending */
  weft_as_completed_destroy(&it);
  weft_future_unref(f[0]);
  weft_future_unref(f[1]);
  return weft_yield();
}

static void destroyed_early(void **state) {
  (void)state;
  assert_int_equal(run1(left_early_async()), 0);
}

static WEFT_ASYNC(misuse);
static int misuse(void) {
  weft_future_t *f = weft_future_open(0);
  assert_int_equal(weft_future_set_done(f), 0);
  weft_as_completed_t it;
  weft_as_completed_init(&it, &f, 1, (double)NAN);
  mark("%s", weft_error_name(weft_as_completed_next(&it, NULL)));
  weft_as_completed_destroy(&it);
  it = (weft_as_completed_t){0};
  mark("%d", weft_as_completed_next(&it, NULL));
  for (long n = 1;; n++) {
    weft__alloc_fail_after(n);
    weft_as_completed_init(&it, &f, 1, 5);
    bool failed = weft__alloc_failed();
    weft__alloc_fail_after(-1);
    int rc = weft_as_completed_next(&it, NULL);
    weft_as_completed_destroy(&it);
    if (!failed) {
      mark("%d", rc);
      break;
    }
    assert_int_equal(rc, -ENOMEM);
  }
  weft_future_unref(f);
  return 0;
}

static void misuse_and_memory(void **state) {
  (void)state;
  assert_int_equal(run1(misuse_async()), 0);
  assert_trace("EINVAL 0 1");
}

static WEFT_ASYNC(races);
static int races(void) {
  for (int round = 0; round < scaled(500); round++) {
    weft_task_t *tasks[6];
    for (int i = 0; i < 6; i++) tasks[i] = weft_create_task(sleeper_async(NULL, (round + i) % 3 ? -1 : 0.001, i));
    weft_as_completed_t it;
    weft_as_completed_init(&it, (weft_future_t **)tasks, 6, 20);
    unsigned seen = 0;
    size_t index;
    while (weft_as_completed_next(&it, &index) > 0) {
      assert_true(weft_task_done(tasks[index]));
      assert_int_equal(seen & 1u << index, 0);
      seen |= 1u << index;
    }
    assert_int_equal(seen, 63);
    weft_as_completed_destroy(&it);
    join_all(tasks, 6);
  }
  return 0;
}

static void on_several_workers(void **state) {
  (void)state;
  assert_int_equal(run4(races_async()), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(order_is_asyncios),      cmocka_unit_test(timeout_ends_the_rest_and_cancels_nothing),
      cmocka_unit_test(duplicates_and_nothing), cmocka_unit_test(cancelled_next_takes_nothing),
      cmocka_unit_test(destroyed_early),        cmocka_unit_test(misuse_and_memory),
      cmocka_unit_test(on_several_workers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
