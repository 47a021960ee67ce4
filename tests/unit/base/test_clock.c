/* test_clock.c: seconds and nanoseconds, at their edges. */
#include "base/clock.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int64_t ns_of(double seconds) {
  int64_t ns = -7;
  assert_int_equal(weft__seconds_to_ns(seconds, &ns), 0);
  return ns;
}

static void test_plain(void **state) {
  (void)state;
  assert_int_equal(ns_of(0), 0);
  assert_int_equal(ns_of(1), 1000000000);
  assert_int_equal(ns_of(0.1), 100000000);
  assert_int_equal(ns_of(0.3), 300000000);
  assert_int_equal(ns_of(1.5e-9), 2);
  assert_int_equal(ns_of(-2.5), -2500000000);
  assert_int_equal(ns_of(-0.0), 0);
}

static void test_positive_stays_positive(void **state) {
  (void)state;
  assert_int_equal(ns_of(1e-12), 1);
  assert_int_equal(ns_of(0x1p-1074), 0 + (0x1p-1074 * 1e9 > 0)); /* the smallest double there is */
}

static void test_saturates(void **state) {
  (void)state;
  assert_true(ns_of(INFINITY) == WEFT__TIME_NEVER);
  assert_true(ns_of(-INFINITY) == INT64_MIN);
  assert_true(ns_of(1e300) == WEFT__TIME_NEVER);
  assert_true(ns_of(-1e300) == INT64_MIN);
  assert_true(ns_of(9223372036.854775807) == WEFT__TIME_NEVER); /* rounds up to 2^63 */
  assert_true(ns_of(9223372036.0) == 9223372036000000000);
  assert_true(ns_of(-9223372036.0) == -9223372036000000000);
}

static void test_nan(void **state) {
  (void)state;
  int64_t ns = 42;
  assert_int_equal(weft__seconds_to_ns(NAN, &ns), -EINVAL);
  assert_int_equal(ns, 42);
}

static void test_back(void **state) {
  (void)state;
  assert_true(weft__ns_to_seconds(1500000000) == 1.5);
  assert_true(weft__ns_to_seconds(-250000000) == -0.25);
  assert_true(isinf(weft__ns_to_seconds(WEFT__TIME_NEVER)));
  for (int64_t ns = 0; ns < 4000000000000; ns += 123456789012) assert_true(ns_of(weft__ns_to_seconds(ns)) == ns);
}

static void test_sum_saturates(void **state) {
  (void)state;
  assert_true(weft__time_add(5, 7) == 12);
  assert_true(weft__time_add(5, WEFT__TIME_NEVER) == WEFT__TIME_NEVER);
  assert_true(weft__time_add(WEFT__TIME_NEVER, WEFT__TIME_NEVER) == WEFT__TIME_NEVER);
  assert_true(weft__time_add(-5, INT64_MIN) == INT64_MIN);
}

static void test_monotonic(void **state) {
  (void)state;
  int64_t last = weft__clock_now();
  assert_true(last > 0);
  for (int i = 0; i < 1000; i++) {
    int64_t now = weft__clock_now();
    assert_true(now >= last);
    last = now;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain),     cmocka_unit_test(test_positive_stays_positive),
      cmocka_unit_test(test_saturates), cmocka_unit_test(test_nan),
      cmocka_unit_test(test_back),      cmocka_unit_test(test_sum_saturates),
      cmocka_unit_test(test_monotonic),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
