/* test_barrier.c: Barrier: words, distinct indices, reuse, abort, reset, cancellation; on several workers too. */
#include <errno.h>

#include "unit/sync/trace.h"

static WEFT_ASYNC(meets, weft_barrier_t *, const char *);
static int meets(weft_barrier_t *b, const char *name) {
  int rc = weft_barrier_wait(b);
  if (rc < 0)
    mark("%s %s(%s)", name, weft_error_name(rc), weft_error()->message);
  else
    mark("%s%d", name, rc);
  return rc;
}

static WEFT_ASYNC(scenes);
static int scenes(void) {
  weft_barrier_t b;
  int rc = weft_barrier_init(&b, 2);
  weft_task_t *w = weft_create_task(meets_async(&b, "w"));
  weft_ignore(weft_yield());
  mark("%u/%u", weft_barrier_n_waiting(&b), weft_barrier_parties(&b));
  weft_barrier_abort(&b);
  weft_ignore(weft_join(w));
  mark("%d", weft_barrier_broken(&b));
  weft_ignore(meets(&b, "later"));
  weft_barrier_reset(&b);
  mark("%d", weft_barrier_broken(&b));
  w = weft_create_task(meets_async(&b, "w"));
  weft_ignore(weft_yield());
  weft_barrier_reset(&b);
  weft_ignore(weft_join(w));
  w = weft_create_task(meets_async(&b, "w"));
  weft_ignore(weft_yield());
  weft_task_cancel(w, "gone");
  weft_ignore(weft_join(w));
  mark("%u %d", weft_barrier_n_waiting(&b), weft_barrier_broken(&b));
  w = weft_create_task(meets_async(&b, "w"));
  weft_ignore(weft_yield());
  weft_ignore(meets(&b, "m"));
  weft_ignore(weft_join(w));
  return rc;
}

static void abort_reset_cancel(void **state) {
  (void)state;
  assert_int_equal(run1(scenes_async()), 0);
  assert_trace("1/2 w BrokenBarrierError(Abort or reset of barrier) 1 later BrokenBarrierError(Barrier aborted) 0 "
               "w BrokenBarrierError(Abort or reset of barrier) w CancelledError(gone) 0 0 m1 w0");
}

static void misuse(void **state) {
  (void)state;
  weft_barrier_t b;
  assert_int_equal(weft_barrier_init(&b, 0), WEFT_VALUE);
  assert_string_equal(weft_error()->message, "parties must be > 0");
  assert_int_equal(weft_barrier_init(&b, 1), 0);
  assert_int_equal(weft_barrier_wait(&b), -EPERM);
}

/* Each generation: every index once, and nobody is in the next one before all have left this one. */
enum { PARTIES = 5 };
typedef struct shared {
  weft_barrier_t b;
  int generation[PARTIES]; /* of each task */
  int seen[PARTIES];
  int wrong;
} shared_t;

static WEFT_ASYNC(party, shared_t *, int, int);
static int party(shared_t *s, int index, int n) {
  for (int i = 0; i < n; i++) {
    int rc = weft_barrier_wait(&s->b);
    if (rc < 0) return rc;
    __atomic_fetch_add(&s->seen[rc], 1, __ATOMIC_RELAXED);
    __atomic_store_n(&s->generation[index], i + 1, __ATOMIC_RELAXED);
    for (int j = 0; j < PARTIES; j++) {
      int other = __atomic_load_n(&s->generation[j], __ATOMIC_RELAXED);
      if (other < i || other > i + 1) __atomic_fetch_add(&s->wrong, 1, __ATOMIC_RELAXED);
    }
    if ((i + index) % 3 == 0) weft_ignore(weft_yield());
  }
  return 0;
}

static WEFT_ASYNC(generations, shared_t *, int);
static int generations(shared_t *s, int n) {
  int rc = weft_barrier_init(&s->b, PARTIES);
  weft_task_t *tasks[PARTIES];
  for (int i = 0; i < PARTIES; i++) tasks[i] = weft_create_task(party_async(s, i, n));
  for (int i = 0; i < PARTIES; i++) {
    int one = weft_join(tasks[i]);
    if (one < 0) rc = one;
  }
  return rc;
}

static void meets_every_time(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers *= 2) {
    shared_t s = {.wrong = 0};
    int n = scaled(500);
    assert_int_equal(weft_run_with(&(weft_config_t){.workers = workers}, generations_async(&s, n)), 0);
    for (int i = 0; i < PARTIES; i++) assert_int_equal(s.seen[i], n);
    assert_int_equal(s.wrong, 0);
  }
}

/* Cancellations, aborts and resets at any moment: nobody hangs, and afterwards it is usable. */
static WEFT_ASYNC(restless, weft_barrier_t *, int);
static int restless(weft_barrier_t *b, int n) {
  for (int i = 0; i < n; i++) weft_ignore(weft_barrier_wait(b));
  return 0;
}

static WEFT_ASYNC(disturbs, weft_barrier_t *, int);
static int disturbs(weft_barrier_t *b, int n) {
  weft_task_t *tasks[8];
  int rc = weft_barrier_init(b, 3);
  for (int i = 0; i < 8; i++) tasks[i] = weft_create_task(restless_async(b, n));
  for (int i = 0, done = 0; done < 8; i++) {
    weft_ignore(weft_yield());
    weft_task_cancel(tasks[i % 8], NULL);
    if (i % 7 == 0) weft_barrier_abort(b);
    if (i % 7 == 2) weft_barrier_reset(b);
    done = 0;
    for (int j = 0; j < 8; j++) done += weft_task_done(tasks[j]);
  }
  for (int i = 0; i < 8; i++) weft_ignore(weft_join(tasks[i]));
  weft_barrier_reset(b);
  weft_task_t *w[2] = {weft_create_task(weft_barrier_wait_async(b)), weft_create_task(weft_barrier_wait_async(b))};
  int index[3] = {rc == 0 ? weft_barrier_wait(b) : rc, weft_join(w[0]), weft_join(w[1])};
  return index[0] + index[1] + index[2] == 3 ? 0 : weft_fail(WEFT_RUNTIME, "%d %d %d", index[0], index[1], index[2]);
}

static void disturbed(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers *= 2) {
    weft_barrier_t b;
    assert_int_equal(weft_run_with(&(weft_config_t){.workers = workers}, disturbs_async(&b, scaled(500))), 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(abort_reset_cancel),
      cmocka_unit_test(misuse),
      cmocka_unit_test(meets_every_time),
      cmocka_unit_test(disturbed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
