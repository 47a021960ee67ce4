/* test_locks.c: Lock: words, FIFO on several workers, cancellation of who waits and of who was just woken, the end of a
 * lock's life right after a release. Its exact order with one worker: test_transcripts.c. */
#include <errno.h>
#include <stdlib.h>

#include "unit/sync/trace.h"

static WEFT_ASYNC(words);
static int words(void) {
  weft_lock_t lock;
  weft_lock_init(&lock);
  int rc = weft_lock_release(&lock);
  mark("%s: %s", weft_error_name(rc), weft_error()->message);
  mark("%d", weft_lock_locked(&lock));
  rc = weft_lock_acquire(&lock);
  mark("%d %d", rc, weft_lock_locked(&lock));
  return weft_lock_release(&lock);
}

static void misuse(void **state) {
  (void)state;
  assert_int_equal(run1(words_async()), 0);
  assert_trace("RuntimeError: Lock is not acquired. 0 0 1");
}

/* ---- cancellation ------------------------------------------------------------------------------------------------------ */

static WEFT_ASYNC(takes, weft_lock_t *, const char *);
static int takes(weft_lock_t *lock, const char *name) {
  int rc = weft_lock_acquire(lock);
  mark("%s%s", name, rc < 0 ? "!" : "");
  return rc < 0 ? rc : weft_lock_release(lock);
}

/* which: a waiter that is cancelled after the release woke the first one. */
static WEFT_ASYNC(cancel_after_release, int);
static int cancel_after_release(int which) {
  weft_lock_t lock;
  weft_lock_init(&lock);
  int rc = weft_lock_acquire(&lock);
  static const char *const names[] = {"a", "b", "c"};
  weft_task_t *tasks[3];
  for (int i = 0; i < 3; i++) tasks[i] = weft_create_task(takes_async(&lock, names[i]));
  weft_ignore(weft_yield());
  weft_lock_release(&lock);
  mark("%d", weft_lock_locked(&lock));
  mark("%d", weft_task_cancel(tasks[which], NULL));
  for (int i = 0; i < 3; i++) weft_ignore(weft_join(tasks[i]));
  mark("%d", weft_lock_locked(&lock));
  return rc;
}

static void woken_then_cancelled(void **state) {
  (void)state;
  assert_int_equal(run1(cancel_after_release_async(0)), 0);
  assert_trace("0 1 a! b c 0");
  assert_int_equal(run1(cancel_after_release_async(1)), 0);
  assert_trace("0 1 a b! c 0");
}

/* ---- several workers --------------------------------------------------------------------------------------------------- */

typedef struct shared {
  weft_lock_t lock;
  long inside, count, acquired, cancelled;
  int order[64];
  int arrived;
} shared_t;

static WEFT_ASYNC(queue_up, shared_t *, int);
static int queue_up(shared_t *s, int index) {
  int rc = weft_lock_acquire(&s->lock);
  if (rc < 0) return rc;
  s->order[s->arrived++] = index;
  return weft_lock_release(&s->lock);
}

static WEFT_ASYNC(fifo, shared_t *);
static int fifo(shared_t *s) {
  weft_lock_init(&s->lock);
  int rc = weft_lock_acquire(&s->lock);
  weft_task_t *tasks[32];
  for (int i = 0; i < 32; i++) {
    tasks[i] = weft_create_task(queue_up_async(s, i));
    weft_ignore(weft_sleep(0.002)); /* it waits by then */
  }
  weft_lock_release(&s->lock);
  for (int i = 0; i < 32 && rc == 0; i++) rc = weft_join(tasks[i]);
  return rc;
}

static void first_come_first_served(void **state) {
  (void)state;
  shared_t s = {.count = 0};
  assert_int_equal(weft_run_with(&(weft_config_t){.workers = 4, .virtual_time = true}, fifo_async(&s)), 0);
  for (int i = 0; i < 32; i++) assert_int_equal(s.order[i], i);
}

static WEFT_ASYNC(hammer, shared_t *, int, int);
static int hammer(shared_t *s, int seed, int n) {
  for (int i = 0; i < n; i++) {
    int rc = weft_lock_acquire(&s->lock);
    if (rc == WEFT_CANCELLED) {
      __atomic_fetch_add(&s->cancelled, 1, __ATOMIC_RELAXED);
      continue;
    }
    if (rc < 0) return rc;
    s->inside++; /* no atomics: the lock is what orders them */
    if (s->inside != 1) return weft_fail(WEFT_RUNTIME, "two inside");
    s->count++;
    if ((i + seed) % 3 == 0) {
      rc = weft_yield();
      if (rc == WEFT_CANCELLED) __atomic_fetch_add(&s->cancelled, 1, __ATOMIC_RELAXED);
    }
    s->inside--;
    if (weft_lock_release(&s->lock) < 0) return WEFT_RUNTIME;
    __atomic_fetch_add(&s->acquired, 1, __ATOMIC_RELAXED);
    if ((i + seed) % 5 == 0) weft_ignore(weft_yield());
  }
  return 0;
}

static WEFT_ASYNC(stress, shared_t *, int);
static int stress(shared_t *s, int n) {
  enum { TASKS = 12 };
  weft_lock_init(&s->lock);
  weft_task_t *tasks[TASKS];
  for (int i = 0; i < TASKS; i++) tasks[i] = weft_create_task(hammer_async(s, i, n));
  for (int i = 0; i < n; i++) {
    weft_task_cancel(tasks[i % TASKS], NULL);
    weft_ignore(weft_yield());
  }
  int rc = 0;
  for (int i = 0; i < TASKS; i++) {
    int one = weft_join(tasks[i]);
    if (one < 0 && one != WEFT_CANCELLED) rc = one; /* a late request is for the task, or came before its first step */
  }
  if (weft_lock_locked(&s->lock)) return weft_fail(WEFT_RUNTIME, "left locked");
  return rc;
}

static void exclusive_and_complete(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers *= 2) {
    shared_t s = {.count = 0};
    int n = scaled(1500);
    assert_int_equal(weft_run_with(&(weft_config_t){.workers = workers}, stress_async(&s, n)), 0);
    assert_int_equal(s.count, s.acquired);
    assert_true(s.count > 0);
  }
}

/* The one who gets the lock frees it: the one who released it must be through with it by then. */
static WEFT_ASYNC(release_it, weft_lock_t *);
static int release_it(weft_lock_t *lock) { return weft_lock_release(lock); }

static WEFT_ASYNC(short_lives, int);
static int short_lives(int n) {
  for (int i = 0; i < n; i++) {
    weft_lock_t *lock = malloc(sizeof *lock);
    weft_lock_init(lock);
    int rc = weft_lock_acquire(lock);
    weft_task_t *task = weft_create_task(release_it_async(lock));
    if (rc == 0) rc = weft_lock_acquire(lock);
    memset(lock, 0xff, sizeof *lock);
    free(lock);
    int joined = weft_join(task);
    if (rc < 0 || joined < 0) return rc < 0 ? rc : joined;
  }
  return 0;
}

static void freed_after_acquire(void **state) {
  (void)state;
  assert_int_equal(run4(short_lives_async(scaled(3000))), 0);
}

static void foreign_thread(void **state) {
  (void)state;
  weft_lock_t lock;
  weft_lock_init(&lock);
  assert_int_equal(weft_lock_acquire(&lock), -EPERM);
  assert_non_null(strstr(weft_error()->message, "weft_lock_acquire"));
  assert_false(weft_lock_locked(&lock));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(misuse),
      cmocka_unit_test(woken_then_cancelled),
      cmocka_unit_test(first_come_first_served),
      cmocka_unit_test(exclusive_and_complete),
      cmocka_unit_test(freed_after_acquire),
      cmocka_unit_test(foreign_thread),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
