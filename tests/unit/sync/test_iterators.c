/* test_iterators.c: generators out of generators: items, order, laziness, errors, closing from outside in, memory. */
#include <errno.h>
#include <math.h>

#include "unit/sync/trace.h"

static int yield_int(int item) { return weft_gen_yield(&item, NULL); }

/* 1, 2, …, n, after `ms` each; then ends with `status`. */
static WEFT_ASYNC(numbers, const char *, int, double, int);
static int numbers(const char *name, int n, double ms, int status) {
  int rc = 0;
  for (int i = 1; i <= n && rc == 0; i++) {
    if (ms > 0) rc = weft_sleep(ms / 1000);
    if (rc == 0) rc = yield_int(i);
  }
  mark("%s%s", name, rc == WEFT_CANCELLED ? "!" : ".");
  if (rc < 0) return rc;
  return status < 0 ? weft_fail(status, "%s", name) : 0;
}

static weft_gen_t *source(const char *name, int n, double ms, int status) {
  return weft_gen_open(numbers_async(name, n, ms, status), sizeof(int));
}

/* All of it, or the first n items; then closes it. */
static int drain_some(weft_gen_t *gen, int n) {
  int item, rc = 0;
  while (n-- > 0 && (rc = weft_gen_next(gen, &item)) > 0) mark("%d", item);
  if (rc < 0) mark("%s(%s)", weft_error_name(rc), weft_error()->message);
  int closed = weft_gen_close(gen);
  if (closed < 0) mark("close %s", weft_error_name(closed));
  return rc < 0 ? rc : closed;
}

static int drain(weft_gen_t *gen) { return drain_some(gen, 1 << 20); }

static int square(const void *item, void *out, void *data) {
  int value = *(const int *)item;
  if (data != NULL && value == *(int *)data) return weft_fail(WEFT_VALUE, "no %d", value);
  *(int *)out = value * value;
  return 0;
}

static int odd(const void *item, void *data) {
  (void)data;
  int value = *(const int *)item;
  return value < 0 ? weft_fail(WEFT_VALUE, "negative") : value % 2;
}

static int count_to_three(void *data, void *item) {
  int *at = data;
  *(int *)item = ++*at;
  return *at <= 3;
}

static WEFT_ASYNC(plain);
static int plain(void) {
  int at = 0, bad = 3;
  weft_ignore(drain(weft_gen_iterate(count_to_three, &at, sizeof(int))));
  weft_ignore(drain(weft_gen_map(source("s", 3, 0, 0), sizeof(int), square, NULL)));
  weft_ignore(drain(weft_gen_filter(source("s", 5, 0, 0), odd, NULL)));
  weft_ignore(drain(weft_gen_take(source("s", 5, 0, 0), 2)));
  weft_ignore(drain(weft_gen_take(source("s", 2, 0, 0), 5)));
  weft_ignore(drain(weft_gen_take(source("s", 2, 0, 0), 0)));
  weft_ignore(drain(weft_gen_map(source("s", 9, 0, 0), sizeof(int), square, &bad)));
  weft_ignore(drain(weft_gen_filter(source("s", 1, 0, WEFT_TYPE), odd, NULL)));
  weft_ignore(drain_some(
      weft_gen_take(weft_gen_map(weft_gen_filter(source("s", 9, 0, 0), odd, NULL), sizeof(int), square, NULL), 4), 2));
  weft_ignore(weft_gen_close(weft_gen_take(source("s", 5, 0, 0), 2))); /* nothing runs */
  return 0;
}

static void one_by_one(void **state) {
  (void)state;
  assert_int_equal(run1(plain_async()), 0);
  assert_trace("1 2 3 1 4 9 s. 1 3 5 s. 1 2 s! 1 2 s. 1 4 ValueError(no 3) s! 1 s. TypeError(s) 1 9 s!");
}

static WEFT_ASYNC(limits);
static int limits(void) {
  weft_ignore(drain(weft_gen_timeout(source("s", 2, 10, 0), 0.02)));
  mark("[%d]", ms_now());
  weft_ignore(drain(weft_gen_timeout(source("s", 2, 30, 0), 0.02)));
  mark("[%d]", ms_now());
  assert_null(weft_gen_timeout(source("s", 2, 30, 0), NAN));
  return weft_error()->code;
}

static void timed(void **state) {
  (void)state;
  assert_int_equal(run1(limits_async()), -EINVAL);
  assert_trace("1 2 s. [20] s! TimeoutError() [40]");
}

/* ---- merge and buffered ------------------------------------------------------------------------------------------------ */

static WEFT_ASYNC(merges);
static int merges(void) {
  weft_gen_t *two[2] = {source("a", 3, 10, 0), source("b", 2, 25, 0)};
  weft_ignore(drain(weft_gen_merge(two, 2)));
  mark("[%d]", ms_now());
  weft_gen_t *failing[3] = {source("a", 9, 10, 0), source("b", 2, 8, WEFT_VALUE), source("c", 9, 100, 0)};
  weft_ignore(drain(weft_gen_merge(failing, 3)));
  mark("[%d]", ms_now());
  weft_gen_t *stopped[2] = {source("a", 9, 10, 0), source("b", 9, 25, 0)};
  weft_ignore(drain_some(weft_gen_merge(stopped, 2), 3));
  mark("[%d]", ms_now());
  weft_ignore(drain(weft_gen_merge(NULL, 0)));
  weft_gen_t *missing[2] = {source("a", 9, 10, 0), NULL};
  assert_null(weft_gen_merge(missing, 2));
  mark("%s", weft_error_name(weft_error()->code));
  weft_gen_t *uneven[2] = {source("a", 9, 10, 0), weft_gen_open(numbers_async("b", 1, 0, 0), sizeof(char))};
  assert_null(weft_gen_merge(uneven, 2));
  mark("%s", weft_error_name(weft_error()->code));
  return 0;
}

static void merged(void **state) {
  (void)state;
  assert_int_equal(run1(merges_async()), 0);
  assert_trace("1 2 1 a. 3 b. 2 [50] 1 1 b. 2 ValueError(b) a! c! [66] 1 2 1 a! b! [91] ENOMEM EINVAL");
}

/* Takes longer the smaller the item is. */
static int slow_square(const void *item, void *out, void *data) {
  int value = *(const int *)item;
  if (value == 2) mark("<%d>", value);
  int rc = weft_sleep((10 - value) * 0.01);
  if (rc < 0) mark("x%d", value);
  return rc < 0 ? rc : square(item, out, data);
}

static WEFT_ASYNC(buffers);
static int buffers(void) {
  int bad = 3;
  weft_ignore(drain(weft_gen_buffered(source("s", 4, 0, 0), 4, sizeof(int), slow_square, NULL)));
  mark("[%d]", ms_now());
  weft_ignore(drain(weft_gen_buffered(source("s", 4, 0, 0), 2, sizeof(int), slow_square, NULL)));
  mark("[%d]", ms_now());
  weft_ignore(drain(weft_gen_buffered(source("s", 9, 0, 0), 3, sizeof(int), slow_square, &bad)));
  weft_ignore(drain_some(weft_gen_buffered(source("s", 9, 0, 0), 3, sizeof(int), slow_square, NULL), 1));
  weft_ignore(drain(weft_gen_buffered(source("s", 1, 0, WEFT_TYPE), 3, sizeof(int), slow_square, NULL)));
  /* a slow source holds up nothing that is done */
  weft_ignore(drain(weft_gen_buffered(source("s", 2, 50, 0), 5, sizeof(int), square, NULL)));
  assert_null(weft_gen_buffered(source("s", 1, 0, 0), 0, sizeof(int), square, NULL));
  return weft_error()->code;
}

static void buffered(void **state) {
  (void)state;
  assert_int_equal(run1(buffers_async()), -EINVAL);
  assert_trace(
      "<2> 1 4 9 16 s. [90] <2> 1 4 9 16 s. [250] <2> 1 4 ValueError(no 3) s! <2> 1 s! s. 1 TypeError(s) 1 s. 4");
}

/* ---- what the run closes, cancellation, several workers, memory --------------------------------------------------------- */

static WEFT_ASYNC(leaves);
static int leaves(void) {
  int item;
  weft_gen_t *two[2] = {source("a", 9, 10, 0), source("b", 9, 25, 0)};
  weft_gen_t *gen = weft_gen_map(weft_gen_merge(two, 2), sizeof(int), square, NULL);
  int rc = weft_gen_next(gen, &item);
  weft_gen_t *other = weft_gen_buffered(weft_gen_take(source("c", 9, 5, 0), 8), 3, sizeof(int), slow_square, NULL);
  if (rc > 0) rc = weft_gen_next(other, &item);
  weft_gen_t *unstarted = weft_gen_take(source("d", 9, 5, 0), 8);
  return rc > 0 && unstarted != NULL ? 0 : rc;
}

static void left_open(void **state) {
  (void)state;
  assert_int_equal(run1(leaves_async()), 0);
  assert_int_equal(run4(leaves_async()), 0);
  trace();
}

static WEFT_ASYNC(consume, weft_gen_t *);
static int consume(weft_gen_t *gen) {
  int item, rc;
  while ((rc = weft_gen_next(gen, &item)) > 0) {
  }
  return rc;
}

static WEFT_ASYNC(cancels);
static int cancels(void) {
  weft_gen_t *two[2] = {source("a", 9, 10, 0), source("b", 9, 25, 0)};
  weft_gen_t *gens[3] = {weft_gen_merge(two, 2),
                         weft_gen_buffered(source("c", 9, 5, 0), 3, sizeof(int), slow_square, NULL),
                         weft_gen_timeout(source("d", 9, 20, 0), 5)};
  for (int i = 0; i < 3; i++) {
    weft_task_t *task = weft_create_task(consume_async(gens[i]));
    weft_ignore(weft_sleep(0.012));
    weft_task_cancel(task, NULL);
    mark("%s", weft_error_name(weft_join(task)));
    int item;
    mark("%d", weft_gen_next(gens[i], &item));
    mark("%d", weft_gen_close(gens[i]));
  }
  return 0;
}

static void cancelled(void **state) {
  (void)state;
  assert_int_equal(run1(cancels_async()), 0);
  assert_trace("CancelledError 0 a! b! 0 <2> x1 CancelledError 0 c! x2 0 d! CancelledError 0 0");
}

static WEFT_ASYNC(sums, int, long *);
static int sums(int n, long *sum) {
  weft_gen_t *four[4];
  for (int i = 0; i < 4; i++) four[i] = weft_gen_map(source("s", n, 0, 0), sizeof(int), square, NULL);
  weft_gen_t *gen = weft_gen_buffered(weft_gen_merge(four, 4), 5, sizeof(int), square, NULL);
  int item, rc;
  while ((rc = weft_gen_next(gen, &item)) > 0) *sum += item;
  int closed = weft_gen_close(gen);
  return rc < 0 ? rc : closed;
}

static void many_workers(void **state) {
  (void)state;
  long sum = 0, expected = 0;
  int n = scaled(150) > 150 ? 150 : scaled(150);
  for (long i = 1; i <= n; i++) expected += 4 * i * i * i * i;
  assert_int_equal(run4(sums_async(n, &sum)), 0);
  assert_int_equal(sum, expected);
  trace();
}

static WEFT_ASYNC(memory_fails, int);
static int memory_fails(int kind) {
  for (long n = 1; n < 200; n++) {
    weft__alloc_fail_after(n);
    weft_gen_t *two[2] = {source("a", 2, 0, 0), source("b", 2, 0, 0)};
    weft_gen_t *gen = kind == 0   ? weft_gen_merge(two, 2)
                      : kind == 1 ? weft_gen_buffered(two[0], 2, sizeof(int), square, NULL)
                                  : weft_gen_map(weft_gen_take(two[0], 2), sizeof(int), square, NULL);
    if (kind != 0) weft_ignore(weft_gen_close(two[1]));
    int item, rc = gen == NULL ? -ENOMEM : 1;
    while (rc > 0) rc = weft_gen_next(gen, &item);
    int closed = weft_gen_close(gen);
    bool failed = weft__alloc_failed();
    weft__alloc_fail_after(-1);
    trace();
    if (rc == 0 && closed == 0 && !failed) return 0;
    if (rc < 0 && rc != -ENOMEM) return rc;
  }
  return weft_fail(WEFT_RUNTIME, "never without a failure");
}

static void no_memory(void **state) {
  (void)state;
  for (int kind = 0; kind < 3; kind++) assert_int_equal(run1(memory_fails_async(kind)), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_by_one),   cmocka_unit_test(timed),     cmocka_unit_test(merged),
      cmocka_unit_test(buffered),     cmocka_unit_test(left_open), cmocka_unit_test(cancelled),
      cmocka_unit_test(many_workers), cmocka_unit_test(no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
