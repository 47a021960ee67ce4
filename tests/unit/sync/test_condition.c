/* test_condition.c: Condition: words, whose lock, what a cancelled waiter does, hand-over on several workers. */
#include <errno.h>

#include "unit/sync/trace.h"

static void show(int rc) { mark("%s: %s", weft_error_name(rc), weft_error()->message); }

static WEFT_ASYNC(words);
static int words(void) {
  weft_condition_t c;
  weft_condition_init(&c, NULL);
  show(weft_condition_wait(&c));
  show(weft_condition_notify(&c, 1));
  show(weft_condition_notify_all(&c));
  show(weft_condition_release(&c));
  return 0;
}

static void misuse(void **state) {
  (void)state;
  assert_int_equal(run1(words_async()), 0);
  assert_trace("RuntimeError: cannot wait on un-acquired lock RuntimeError: cannot notify on un-acquired lock "
               "RuntimeError: cannot notify on un-acquired lock RuntimeError: Lock is not acquired.");
  weft_condition_t c;
  weft_condition_init(&c, NULL);
  assert_int_equal(weft_condition_acquire(&c), -EPERM);
  assert_int_equal(weft_condition_wait(&c), -EPERM);
  assert_int_equal(weft_condition_wait_for(&c, NULL, NULL), -EPERM);
}

static WEFT_ASYNC(waits, weft_condition_t *, const char *);
static int waits(weft_condition_t *c, const char *name) {
  int rc = weft_condition_acquire(c);
  if (rc < 0) return rc;
  rc = weft_condition_wait(c);
  mark("%s%s%d", name, rc < 0 ? "!" : "", weft_condition_locked(c)); /* held, whatever happened */
  weft_condition_release(c);
  return rc;
}

/* Two conditions share a lock; a waiter that is cancelled while it re-acquires gets it first. */
static WEFT_ASYNC(shares);
static int shares(void) {
  weft_lock_t lock;
  weft_condition_t c, other;
  weft_lock_init(&lock);
  weft_condition_init(&c, &lock);
  weft_condition_init(&other, &lock);
  weft_task_t *a = weft_create_task(waits_async(&c, "a")), *b = weft_create_task(waits_async(&other, "b"));
  weft_ignore(weft_yield());
  int rc = weft_lock_acquire(&lock);
  weft_condition_notify(&c, 1);
  weft_ignore(weft_yield()); /* a waits for the lock now */
  weft_task_cancel(a, "once");
  weft_ignore(weft_yield());
  weft_task_cancel(a, "twice");
  weft_ignore(weft_yield());
  mark("%d%d", weft_task_done(a), weft_task_done(b));
  weft_condition_notify_all(&other);
  weft_lock_release(&lock);
  show(weft_join(a));
  mark("%d", weft_join(b));
  return rc;
}

static void shared_lock(void **state) {
  (void)state;
  assert_int_equal(run1(shares_async()), 0);
  assert_trace("00 a!1 b1 CancelledError: twice 0");
}

/* Case: the one notified is cancelled in the same step; the next one is notified in its place. */
static WEFT_ASYNC(passes_on);
static int passes_on(void) {
  weft_condition_t c;
  weft_condition_init(&c, NULL);
  weft_task_t *a = weft_create_task(waits_async(&c, "a")), *b = weft_create_task(waits_async(&c, "b"));
  weft_ignore(weft_yield());
  int rc = weft_condition_acquire(&c);
  weft_condition_notify(&c, 1);
  weft_task_cancel(a, NULL);
  weft_condition_release(&c);
  weft_ignore(weft_join(a));
  weft_ignore(weft_join(b));
  return rc;
}

static void notified_and_cancelled(void **state) {
  (void)state;
  assert_int_equal(run1(passes_on_async()), 0);
  assert_trace("a!1 b1");
}

static WEFT_ASYNC(counts);
static int counts(void) {
  weft_condition_t c;
  weft_condition_init(&c, NULL);
  static const char *const names[] = {"a", "b", "c", "d"};
  weft_task_t *tasks[4];
  for (int i = 0; i < 4; i++) tasks[i] = weft_create_task(waits_async(&c, names[i]));
  weft_ignore(weft_yield());
  static const size_t numbers[] = {0, 1, 2, SIZE_MAX};
  int rc = 0;
  for (int i = 0; i < 4 && rc == 0; i++) {
    rc = weft_condition_acquire(&c);
    weft_condition_notify(&c, numbers[i]);
    weft_condition_release(&c);
    weft_ignore(weft_sleep(0.001));
    mark("|");
  }
  for (int i = 0; i < 4; i++) weft_ignore(weft_join(tasks[i]));
  return rc;
}

static void notifies_so_many(void **state) {
  (void)state;
  assert_int_equal(run1(counts_async()), 0);
  assert_trace("| a1 | b1 c1 | d1 |");
}

/* ---- several workers: a bounded buffer, with cancellations ------------------------------------------------------------- */

typedef struct buffer {
  weft_condition_t c;
  int level, produced, consumed, wanted, cancelled;
} buffer_t;

static bool has_room(void *data) { return ((buffer_t *)data)->level < 3; }
static bool has_some(void *data) {
  buffer_t *b = data;
  return b->level > 0 || b->produced == b->wanted;
}

static WEFT_ASYNC(produce, buffer_t *);
static int produce(buffer_t *b) {
  for (bool more = true; more;) {
    int rc = weft_condition_acquire(&b->c);
    if (rc == WEFT_CANCELLED) continue;
    if (rc < 0) return rc;
    rc = weft_condition_wait_for(&b->c, has_room, b);
    if (rc == 0 && b->produced < b->wanted) {
      b->produced++;
      b->level++;
    }
    if (rc == WEFT_CANCELLED) b->cancelled++;
    more = b->produced < b->wanted;
    weft_condition_notify(&b->c, 1); /* one producer or consumer, so all take part in passing it on */
    if (!more) weft_condition_notify_all(&b->c);
    weft_condition_release(&b->c);
    if (rc < 0 && rc != WEFT_CANCELLED) return rc;
  }
  return 0;
}

static WEFT_ASYNC(consume, buffer_t *);
static int consume(buffer_t *b) {
  for (bool more = true; more;) {
    int rc = weft_condition_acquire(&b->c);
    if (rc == WEFT_CANCELLED) continue;
    if (rc < 0) return rc;
    rc = weft_condition_wait_for(&b->c, has_some, b);
    if (rc == 0 && b->level > 0) {
      b->level--;
      b->consumed++;
    }
    if (rc == WEFT_CANCELLED) b->cancelled++;
    more = b->consumed < b->wanted;
    weft_condition_notify_all(&b->c);
    weft_condition_release(&b->c);
    if (rc < 0 && rc != WEFT_CANCELLED) return rc;
  }
  return 0;
}

static WEFT_ASYNC(exchange, buffer_t *);
static int exchange(buffer_t *b) {
  weft_condition_init(&b->c, NULL);
  weft_task_t *tasks[6];
  for (int i = 0; i < 6; i++) {
    tasks[i] = weft_create_task(i % 2 ? consume_async(b) : produce_async(b));
    weft_ignore(weft_yield());
  }
  for (int i = 0; i < b->wanted / 4; i++) {
    weft_ignore(weft_yield());
    weft_task_cancel(tasks[i % 6], NULL);
  }
  int rc = 0;
  for (int i = 0; i < 6; i++) {
    int one = weft_join(tasks[i]);
    if (one < 0 && one != WEFT_CANCELLED) rc = one;
  }
  return rc;
}

static void nothing_is_lost(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers *= 2) {
    buffer_t b = {.wanted = scaled(1500)};
    assert_int_equal(weft_run_with(&(weft_config_t){.workers = workers}, exchange_async(&b)), 0);
    assert_int_equal(b.produced, b.wanted);
    assert_true(b.consumed == b.wanted && b.level == 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(misuse),           cmocka_unit_test(shared_lock),     cmocka_unit_test(notified_and_cancelled),
      cmocka_unit_test(notifies_so_many), cmocka_unit_test(nothing_is_lost),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
