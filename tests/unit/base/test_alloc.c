/* test_alloc.c: sizes, alignment, planned failures, counting. */
#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "base/threads.h"

static int off(void **state) {
  (void)state;
  weft__alloc_fail_after(-1);
  weft__alloc_counting(false);
  return 0;
}

static void test_basics(void **state) {
  (void)state;
  for (size_t size = 0; size < 5000; size = size * 2 + 1) {
    unsigned char *plain = weft__alloc(size), *zero = weft__alloc_zero(size);
    assert_non_null(plain);
    assert_non_null(zero);
    for (size_t i = 0; i < size; i++) assert_int_equal(zero[i], 0);
    memset(plain, 0xa5, size);
    unsigned char *grown = weft__realloc(plain, size, size + 3000);
    assert_non_null(grown);
    for (size_t i = 0; i < size; i++) assert_int_equal(grown[i], 0xa5);
    weft__free(grown, size + 3000);
    weft__free(zero, size);
  }
  weft__free(NULL, 0);
  weft__free_aligned(NULL, 64, 10);
  void *fresh = weft__realloc(NULL, 0, 10);
  assert_non_null(fresh);
  weft__free(fresh, 10);
}

static void test_aligned(void **state) {
  (void)state;
  for (size_t align = 1; align <= 8192; align *= 2)
    for (size_t size = 1; size < 3 * align; size = size * 3 + 1) {
      void *pointer = weft__alloc_aligned(align, size);
      assert_non_null(pointer);
      assert_int_equal((uintptr_t)pointer % align, 0);
      memset(pointer, 1, size);
      weft__free_aligned(pointer, align, size);
    }
}

/* A size as a negative number becomes: no memory, not a small block. */
static void test_absurd_sizes(void **state) {
  (void)state;
  volatile size_t absurd = SIZE_MAX - 7;
  assert_null(weft__alloc(absurd));
  assert_null(weft__alloc_zero(absurd));
  assert_null(weft__alloc_aligned(64, absurd));
  char *kept = weft__alloc(8);
  assert_non_null(kept);
  memcpy(kept, "survive", 8);
  assert_null(weft__realloc(kept, 8, absurd));
  assert_string_equal(kept, "survive");
  weft__free(kept, 8);
}

static void test_nth_fails_once(void **state) {
  (void)state;
  weft__alloc_fail_after(3);
  void *a = weft__alloc(10), *b = weft__alloc_zero(10);
  assert_non_null(a);
  assert_non_null(b);
  assert_false(weft__alloc_failed());
  assert_null(weft__alloc_aligned(64, 10));
  assert_true(weft__alloc_failed());
  void *c = weft__alloc(10);
  assert_non_null(c);
  weft__free(a, 10);
  weft__free(b, 10);
  weft__free(c, 10);
}

static void test_realloc_fails(void **state) {
  (void)state;
  char *text = weft__alloc(6);
  memcpy(text, "hello", 6);
  weft__alloc_fail_after(1);
  assert_null(weft__realloc(text, 6, 600));
  assert_string_equal(text, "hello");
  text = weft__realloc(text, 6, 600);
  assert_string_equal(text, "hello");
  weft__free(text, 600);
}

static void test_all_fail_from(void **state) {
  (void)state;
  weft__alloc_fail_from(2);
  void *a = weft__alloc(10);
  assert_non_null(a);
  for (int i = 0; i < 10; i++) assert_null(weft__alloc(10));
  assert_true(weft__alloc_refused());
  weft__alloc_fail_from(-1);
  assert_false(weft__alloc_refused());
  void *b = weft__alloc(10);
  assert_non_null(b);
  weft__free(a, 10);
  weft__free(b, 10);
}

static void test_counting(void **state) {
  (void)state;
  void *before = weft__alloc(100);
  weft__alloc_counting(true);
  assert_int_equal(weft__alloc_count(), 0);
  void *a = weft__alloc(10), *b = weft__alloc_aligned(64, 100);
  assert_int_equal(weft__alloc_count(), 2);
  assert_int_equal(weft__alloc_live_bytes(), 110);
  a = weft__realloc(a, 10, 30);
  assert_int_equal(weft__alloc_live_bytes(), 130);
  weft__free(before, 100);
  assert_int_equal(weft__alloc_live_bytes(), 30);
  weft__free(a, 30);
  weft__free_aligned(b, 64, 100);
  assert_int_equal(weft__alloc_live_bytes(), -100);
  weft__alloc_fail_after(1);
  assert_null(weft__alloc(10));
  assert_int_equal(weft__alloc_live_bytes(), -100);
  weft__alloc_counting(false);
  weft__free(weft__alloc(10), 10);
  weft__alloc_counting(true);
  assert_int_equal(weft__alloc_count(), 0);
}

enum { THREADS = 4, ROUNDS = 2000 };
static int churn(void *arg) {
  (void)arg;
  int failed = 0;
  for (size_t i = 1; i <= ROUNDS; i++) {
    void *block = weft__alloc(i);
    if (block == NULL)
      failed++;
    else
      weft__free(block, i);
  }
  return failed;
}

/* Exactly one allocation of all threads is the n-th, and nothing is counted twice. */
static void test_threads(void **state) {
  (void)state;
  weft__alloc_counting(true);
  weft__thread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) assert_int_equal(weft__thread_start(&threads[i], churn, NULL, "churn"), 0);
  weft__alloc_fail_after(ROUNDS / 2);
  int failed = 0;
  for (int i = 0; i < THREADS; i++) failed += weft__thread_join(threads[i]);
  assert_int_equal(failed, weft__alloc_failed());
  assert_true(failed <= 1);
  assert_int_equal(weft__alloc_live_bytes(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_basics, off),        cmocka_unit_test_teardown(test_aligned, off),
      cmocka_unit_test_teardown(test_absurd_sizes, off),  cmocka_unit_test_teardown(test_nth_fails_once, off),
      cmocka_unit_test_teardown(test_realloc_fails, off), cmocka_unit_test_teardown(test_all_fail_from, off),
      cmocka_unit_test_teardown(test_counting, off),      cmocka_unit_test_teardown(test_threads, off),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
