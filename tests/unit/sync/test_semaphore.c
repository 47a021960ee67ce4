/* test_semaphore.c: Semaphore and BoundedSemaphore: words, the bound on several workers, no permit lost or doubled. */
#include <errno.h>

#include "unit/sync/trace.h"

static void words(void **state) {
  (void)state;
  weft_semaphore_t s;
  assert_int_equal(weft_semaphore_init(&s, -1), WEFT_VALUE);
  assert_string_equal(weft_error()->message, "Semaphore initial value must be >= 0");
  assert_int_equal(weft_bounded_semaphore_init(&s, -5), WEFT_VALUE);
  assert_int_equal(weft_bounded_semaphore_init(&s, 1), 0);
  assert_int_equal(weft_semaphore_release(&s), WEFT_VALUE);
  assert_string_equal(weft_error()->message, "BoundedSemaphore released too many times");
  assert_int_equal(weft_semaphore_init(&s, 0), 0);
  assert_true(weft_semaphore_locked(&s));
  assert_int_equal(weft_semaphore_release(&s), 0); /* not bounded */
  assert_false(weft_semaphore_locked(&s));
  assert_int_equal(weft_semaphore_acquire(&s), -EPERM);
  assert_false(weft_semaphore_locked(&s));
}

static WEFT_ASYNC(enters, weft_semaphore_t *, const char *);
static int enters(weft_semaphore_t *s, const char *name) {
  int rc = weft_semaphore_acquire(s);
  mark("%s%s", name, rc < 0 ? "!" : "");
  return rc;
}

/* A permit that was handed to a waiter which is cancelled goes to the next one; newcomers do not overtake. */
static WEFT_ASYNC(hands_over);
static int hands_over(void) {
  weft_semaphore_t s;
  int rc = weft_semaphore_init(&s, 0);
  static const char *const names[] = {"a", "b", "c"};
  weft_task_t *tasks[3];
  for (int i = 0; i < 3; i++) tasks[i] = weft_create_task(enters_async(&s, names[i]));
  weft_ignore(weft_yield());
  weft_semaphore_release(&s);
  weft_semaphore_release(&s);
  weft_task_cancel(tasks[0], NULL);
  mark("%d", weft_semaphore_locked(&s));
  weft_task_t *late = weft_create_task(enters_async(&s, "late"));
  for (int i = 0; i < 3; i++) weft_ignore(weft_join(tasks[i]));
  mark("%d", weft_semaphore_locked(&s));
  weft_semaphore_release(&s);
  weft_ignore(weft_join(late));
  mark("%d", weft_semaphore_locked(&s));
  return rc;
}

static void handed_and_cancelled(void **state) {
  (void)state;
  assert_int_equal(run1(hands_over_async()), 0);
  assert_trace("1 a! b c 1 late 1");
}

/* There is a free permit, but another one was handed over and not taken yet: newcomers wait behind it. */
static WEFT_ASYNC(one_handed_one_free);
static int one_handed_one_free(void) {
  weft_semaphore_t s;
  int rc = weft_semaphore_init(&s, 0);
  weft_task_t *a = weft_create_task(enters_async(&s, "a"));
  weft_ignore(weft_yield());
  weft_semaphore_release(&s);
  weft_semaphore_release(&s);
  mark("%d", weft_semaphore_locked(&s));
  rc = enters(&s, "main");
  weft_ignore(weft_join(a));
  mark("%d", weft_semaphore_locked(&s));
  return rc;
}

static void no_overtaking(void **state) {
  (void)state;
  assert_int_equal(run1(one_handed_one_free_async()), 0);
  assert_trace("1 a main 1");
}

typedef struct shared {
  weft_semaphore_t s;
  int inside, most, entered;
} shared_t;

static WEFT_ASYNC(hammer, shared_t *, int, int);
static int hammer(shared_t *shared, int seed, int n) {
  for (int i = 0; i < n; i++) {
    int rc = weft_semaphore_acquire(&shared->s);
    if (rc == WEFT_CANCELLED) continue;
    if (rc < 0) return rc;
    int inside = __atomic_add_fetch(&shared->inside, 1, __ATOMIC_RELAXED);
    int most = __atomic_load_n(&shared->most, __ATOMIC_RELAXED);
    while (inside > most &&
           !__atomic_compare_exchange_n(&shared->most, &most, inside, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    if ((i + seed) % 2 == 0) weft_ignore(weft_yield());
    __atomic_fetch_add(&shared->entered, 1, __ATOMIC_RELAXED);
    __atomic_fetch_sub(&shared->inside, 1, __ATOMIC_RELAXED);
    if (weft_semaphore_release(&shared->s) < 0) return WEFT_RUNTIME;
  }
  return 0;
}

static WEFT_ASYNC(stress, shared_t *, int);
static int stress(shared_t *shared, int n) {
  enum { TASKS = 15 };
  int rc = weft_bounded_semaphore_init(&shared->s, 3);
  weft_task_t *tasks[TASKS];
  for (int i = 0; i < TASKS; i++) tasks[i] = weft_create_task(hammer_async(shared, i, n));
  for (int i = 0; i < n; i++) {
    weft_ignore(weft_yield());
    weft_task_cancel(tasks[i % TASKS], NULL);
  }
  for (int i = 0; i < TASKS; i++) {
    int one = weft_join(tasks[i]);
    if (one < 0 && one != WEFT_CANCELLED) rc = one;
  }
  for (int i = 0; i < 3 && rc == 0; i++) {
    if (weft_semaphore_locked(&shared->s)) return weft_fail(WEFT_RUNTIME, "permit %d is missing", i);
    rc = weft_semaphore_acquire(&shared->s);
  }
  return weft_semaphore_locked(&shared->s) ? rc : weft_fail(WEFT_RUNTIME, "one permit too many");
}

static void permits_are_conserved(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers *= 2) {
    shared_t shared = {.inside = 0};
    assert_int_equal(weft_run_with(&(weft_config_t){.workers = workers}, stress_async(&shared, scaled(1000))), 0);
    assert_true(shared.most <= 3);
    assert_int_equal(shared.inside, 0);
    assert_true(shared.entered > 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(words),
      cmocka_unit_test(handed_and_cancelled),
      cmocka_unit_test(no_overtaking),
      cmocka_unit_test(permits_are_conserved),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
