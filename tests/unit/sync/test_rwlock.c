/* test_rwlock.c: RWLock: readers together, writers alone, order of arrival, cancellation, several workers. */
#include <errno.h>

#include "unit/sync/trace.h"

static WEFT_ASYNC(reads, weft_rwlock_t *, const char *, double);
static int reads(weft_rwlock_t *rw, const char *name, double ms) {
  int rc = weft_rwlock_acquire_read(rw);
  mark("%s%s", name, rc < 0 ? "!" : "");
  if (rc < 0) return rc;
  rc = weft_sleep(ms / 1000);
  weft_rwlock_release_read(rw);
  return rc;
}

static WEFT_ASYNC(writes, weft_rwlock_t *, const char *, double);
static int writes(weft_rwlock_t *rw, const char *name, double ms) {
  int rc = weft_rwlock_acquire_write(rw);
  mark("%s%s", name, rc < 0 ? "!" : "");
  if (rc < 0) return rc;
  rc = weft_sleep(ms / 1000);
  weft_rwlock_release_write(rw);
  return rc;
}

static WEFT_ASYNC(scenes);
static int scenes(void) {
  weft_rwlock_t rw;
  weft_rwlock_init(&rw);
  weft_task_t *tasks[6] = {
      weft_create_task(reads_async(&rw, "r1", 20)),  weft_create_task(reads_async(&rw, "r2", 10)),
      weft_create_task(writes_async(&rw, "w1", 10)), weft_create_task(reads_async(&rw, "r3", 10)),
      weft_create_task(reads_async(&rw, "r4", 10)),  weft_create_task(writes_async(&rw, "w2", 10)),
  };
  weft_ignore(weft_sleep(0.005));
  mark("[%u %d]", weft_rwlock_readers(&rw), weft_rwlock_locked(&rw));
  weft_ignore(weft_sleep(0.02));
  mark("[%u %d]", weft_rwlock_readers(&rw), weft_rwlock_locked(&rw));
  for (int i = 0; i < 6; i++) weft_ignore(weft_join(tasks[i]));
  mark("[%d]", ms_now());
  return 0;
}

static void in_order_of_arrival(void **state) {
  (void)state;
  assert_int_equal(run1(scenes_async()), 0);
  assert_trace("r1 r2 [2 0] w1 [0 1] r3 r4 w2 [50]");
}

/* A waiting writer that goes away lets the readers behind it in, at once; one that was given the lock passes it on. */
static WEFT_ASYNC(cancels);
static int cancels(void) {
  weft_rwlock_t rw;
  weft_rwlock_init(&rw);
  int rc = weft_rwlock_acquire_read(&rw);
  weft_task_t *w = weft_create_task(writes_async(&rw, "w", 0)), *r = weft_create_task(reads_async(&rw, "r", 0));
  weft_ignore(weft_yield());
  weft_task_cancel(w, NULL);
  weft_ignore(weft_join(w));
  weft_ignore(weft_join(r));
  w = weft_create_task(writes_async(&rw, "w", 0));
  r = weft_create_task(reads_async(&rw, "r", 0));
  weft_ignore(weft_yield());
  weft_rwlock_release_read(&rw);
  mark("%d", weft_rwlock_locked(&rw)); /* given to the writer already */
  weft_task_cancel(w, NULL);
  weft_ignore(weft_join(w));
  weft_ignore(weft_join(r));
  mark("%u %d", weft_rwlock_readers(&rw), weft_rwlock_locked(&rw));
  return rc;
}

static void cancelled(void **state) {
  (void)state;
  assert_int_equal(run1(cancels_async()), 0);
  assert_trace("w! r 1 w! r 0 0");
}

static WEFT_ASYNC(downgrades);
static int downgrades(void) {
  weft_rwlock_t rw;
  weft_rwlock_init(&rw);
  int rc = weft_rwlock_acquire_write(&rw);
  weft_task_t *r = weft_create_task(reads_async(&rw, "r", 0)), *w = weft_create_task(writes_async(&rw, "w", 0));
  weft_ignore(weft_yield());
  weft_rwlock_downgrade(&rw);
  mark("%u %d", weft_rwlock_readers(&rw), weft_rwlock_locked(&rw));
  weft_ignore(weft_join(r));
  mark("held");
  weft_rwlock_release_read(&rw);
  weft_ignore(weft_join(w));
  mark("%d", weft_rwlock_release_read(&rw));
  mark("%s", weft_error()->message);
  mark("%d %d", weft_rwlock_release_write(&rw), weft_rwlock_downgrade(&rw));
  return rc;
}

static void downgrade_and_misuse(void **state) {
  (void)state;
  assert_int_equal(run1(downgrades_async()), 0);
  assert_trace("2 0 r held w -5011 RWLock is not acquired for reading. -5011 -5011");
  weft_rwlock_t rw;
  weft_rwlock_init(&rw);
  assert_int_equal(weft_rwlock_acquire_read(&rw), -EPERM);
  assert_int_equal(weft_rwlock_acquire_write(&rw), -EPERM);
}

typedef struct shared {
  weft_rwlock_t rw;
  int readers, writers, wrong, reads, writes;
  long value; /* plain: ordered by the lock */
} shared_t;

static WEFT_ASYNC(hammer, shared_t *, int, int);
static int hammer(shared_t *s, int seed, int n) {
  for (int i = 0; i < n; i++) {
    bool write = (i * 7 + seed) % 4 == 0;
    int rc = write ? weft_rwlock_acquire_write(&s->rw) : weft_rwlock_acquire_read(&s->rw);
    if (rc == WEFT_CANCELLED) continue;
    if (rc < 0) return rc;
    if (write) {
      if (__atomic_add_fetch(&s->writers, 1, __ATOMIC_RELAXED) != 1 ||
          __atomic_load_n(&s->readers, __ATOMIC_RELAXED) != 0)
        __atomic_fetch_add(&s->wrong, 1, __ATOMIC_RELAXED);
      s->value++;
      s->writes++;
    } else {
      __atomic_fetch_add(&s->readers, 1, __ATOMIC_RELAXED);
      if (__atomic_load_n(&s->writers, __ATOMIC_RELAXED) != 0 || s->value != s->writes)
        __atomic_fetch_add(&s->wrong, 1, __ATOMIC_RELAXED);
      __atomic_fetch_add(&s->reads, 1, __ATOMIC_RELAXED);
    }
    if ((i + seed) % 3 == 0) weft_ignore(weft_yield());
    __atomic_fetch_sub(write ? &s->writers : &s->readers, 1, __ATOMIC_RELAXED);
    rc = write ? weft_rwlock_release_write(&s->rw) : weft_rwlock_release_read(&s->rw);
    if (rc < 0) return rc;
  }
  return 0;
}

static WEFT_ASYNC(stress, shared_t *, int);
static int stress(shared_t *s, int n) {
  enum { TASKS = 12 };
  weft_rwlock_init(&s->rw);
  weft_task_t *tasks[TASKS];
  for (int i = 0; i < TASKS; i++) tasks[i] = weft_create_task(hammer_async(s, i, n));
  for (int i = 0; i < n; i++) {
    weft_ignore(weft_yield());
    weft_task_cancel(tasks[i % TASKS], NULL);
  }
  int rc = 0;
  for (int i = 0; i < TASKS; i++) {
    int one = weft_join(tasks[i]);
    if (one < 0 && one != WEFT_CANCELLED) rc = one;
  }
  if (weft_rwlock_locked(&s->rw) || weft_rwlock_readers(&s->rw) != 0) return weft_fail(WEFT_RUNTIME, "left locked");
  return rc;
}

static void exclusive(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers *= 2) {
    shared_t s = {.wrong = 0};
    assert_int_equal(weft_run_with(&(weft_config_t){.workers = workers}, stress_async(&s, scaled(1500))), 0);
    assert_int_equal(s.wrong, 0);
    assert_true(s.reads > 0 && s.writes > 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(in_order_of_arrival),
      cmocka_unit_test(cancelled),
      cmocka_unit_test(downgrade_and_misuse),
      cmocka_unit_test(exclusive),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
