/* test_metrics.c: what the workers count, read from inside and outside while they run; slow steps in debug mode. */
#include "looking.h"

#include <math.h>

#include "base/clock.h"

static weft_loop_metrics_t sum_of(weft_loop_t *loop) {
  weft_loop_metrics_t metrics;
  if (weft_loop_metrics(loop, &metrics) != 0) abort();
  return metrics;
}

static WEFT_ASYNC(yields, int);
static int yields(int times) {
  int rc = 0;
  while (rc == 0 && times-- > 0) rc = weft_yield();
  return rc;
}

static void burn(int64_t ns) {
  int64_t end = weft__clock_now() + ns;
  while (weft__clock_now() < end) {
  }
}
static WEFT_ASYNC(computes, int);
static int computes(int ms) {
  burn((int64_t)ms * 1000 * 1000);
  return 0;
}

/* ---- counts ---- */

static WEFT_ASYNC(counts);
static int counts(void) {
  enum { TASKS = 20, STEPS = 10 };
  weft_loop_t *loop = weft_get_running_loop();
  weft_loop_metrics_t before = sum_of(loop);
  weft_task_t *tasks[TASKS];
  for (int i = 0; i < TASKS; i++) tasks[i] = weft_create_task(yields_async(STEPS));
  int rc = 0;
  for (int i = 0; i < TASKS; i++) {
    int one = weft_join(tasks[i]);
    rc = rc < 0 ? rc : one;
  }
  if (rc < 0) return rc;
  weft_loop_metrics_t after;
  do { /* on a busy machine a sleep may be over before anybody went to sleep */
    if ((rc = weft_sleep(0.002)) < 0) return rc;
    after = sum_of(loop);
  } while (after.parks == before.parks || after.polls == before.polls);
  EXPECT(after.steps - before.steps >= TASKS * (STEPS + 1));
  EXPECT(after.queue_high >= 1 && after.longest_step == 0);
  weft_worker_metrics_t one;
  uint64_t steps = 0, parks = 0, high = 0;
  for (unsigned n = 1; weft_worker_metrics(loop, n, &one) == 0; n++) { /* spares too: a busy machine may want some */
    EXPECT(n > after.workers || one.active);
    steps += one.steps;
    parks += one.parks;
    if (one.queue_high > high) high = one.queue_high;
  }
  EXPECT(steps >= after.steps && parks >= after.parks && high >= after.queue_high);
  return 0;
}

/* One worker: twenty tasks that were made in one step are ready in the next pass. */
static WEFT_ASYNC(queue_high);
static int queue_high(void) {
  weft_task_t *tasks[20];
  for (int i = 0; i < 20; i++) tasks[i] = weft_create_task(yields_async(1));
  weft_worker_metrics_t one;
  EXPECT(weft_worker_metrics(weft_get_running_loop(), 1, &one) == 0);
  EXPECT(one.queue_length == 20 && one.queue_high < 20);
  for (int i = 0; i < 20; i++) {
    int rc = weft_join(tasks[i]);
    if (rc < 0) return rc;
  }
  EXPECT(weft_worker_metrics(weft_get_running_loop(), 1, &one) == 0);
  EXPECT(one.queue_high >= 20 && one.queue_high <= 22 && one.steals == 0);
  return 0;
}

/* What stands in the queue of a worker that computes is taken by the other. */
static WEFT_ASYNC(steals);
static int steals(void) {
  weft_task_t *tasks[8];
  weft_loop_metrics_t metrics;
  time_t limit = time(NULL) + 60;
  do {
    for (int i = 0; i < 8; i++) tasks[i] = weft_create_task(computes_async(2));
    for (int i = 0; i < 8; i++) {
      int rc = weft_join(tasks[i]);
      if (rc < 0) return rc;
    }
    metrics = sum_of(weft_get_running_loop());
  } while (metrics.steals == 0 && time(NULL) < limit);
  EXPECT(metrics.steals > 0);
  return 0;
}

static void test_counts(void **state) {
  (void)state;
  on_1_and_4(counts_async());
  run_on(1, queue_high_async());
  run_on(2, steals_async());
}

/* ---- from outside ---- */

struct watcher {
  weft_loop_t *loop;
  atomic_bool stop;
  atomic_long reads;
};
static int watch(void *argument) {
  struct watcher *watcher = argument;
  uint64_t steps = 0;
  while (!atomic_load(&watcher->stop)) {
    weft_loop_metrics_t metrics = sum_of(watcher->loop);
    if (metrics.steps < steps) abort(); /* they never go back */
    steps = metrics.steps;
    atomic_fetch_add(&watcher->reads, 1);
  }
  return 0;
}
static WEFT_ASYNC(watched);
static int watched(void) {
  struct watcher watcher = {.loop = weft_get_running_loop()};
  weft__thread_t thread;
  EXPECT(weft__thread_start(&thread, watch, &watcher, "watcher") == 0);
  int rc = 0;
  for (int i = 0; rc == 0 && (i < 20 || atomic_load(&watcher.reads) < 10); i++)
    rc = weft_gather(yields_async(scaled(50)), yields_async(scaled(50)), weft_sleep_async(0.0005));
  atomic_store(&watcher.stop, true);
  weft__thread_join(thread);
  return rc;
}

static void test_outside(void **state) {
  (void)state;
  on_1_and_4(watched_async());
}

/* ---- steps ---- */

static WEFT_ASYNC(longest);
static int longest(void) {
  weft_loop_t *loop = weft_get_running_loop();
  EXPECT(weft_await(NULL) == -ENOMEM);
  EXPECT(weft_loop_measure_steps(loop, true) == 0);
  weft_task_t *task = weft_create_task(computes_async(5));
  int rc = weft_yield();
  if (rc == 0) rc = weft_join(task);
  if (rc < 0) return rc;
  EXPECT(sum_of(loop).longest_step >= 0.005);
  EXPECT(weft_loop_measure_steps(loop, true) == 0); /* from 0 again */
  EXPECT(sum_of(loop).longest_step == 0);
  rc = weft_yield();
  if (rc == 0) rc = weft_join(weft_create_task(computes_async(3))); /* in place: a step of its own */
  if (rc < 0) return rc;
  EXPECT(sum_of(loop).longest_step >= 0.003);
  EXPECT(weft_loop_measure_steps(loop, false) == 0);
  return 0;
}

static void test_longest(void **state) {
  (void)state;
  on_1_and_4(longest_async());
}

struct log {
  atomic_int slow, others;
};
static void note_line(int level, const char *message, void *data) {
  struct log *log = data;
  const char *named = strstr(message, "Executing <Task ");
  bool ours = level == WEFT_LOG_WARNING && named == message && strstr(message, "name='slow' coro=<") != NULL &&
              strstr(message, "> took 0.") != NULL;
  atomic_fetch_add(ours ? &log->slow : &log->others, 1);
}
/* In one step, at the end or at a suspension. */
static WEFT_ASYNC(slow_then_sleeps);
static int slow_then_sleeps(void) {
  burn(60 * 1000 * 1000);
  return weft_sleep(0);
}
static WEFT_ASYNC(slow_steps, struct log *);
static int slow_steps(struct log *log) {
  weft_loop_t *loop = weft_get_running_loop();
  weft_task_options_t slow = {.name = "slow"};
  weft_loop_set_logger(loop, note_line, log);
  weft_loop_set_slow_callback_duration(loop, 0.05);
  int rc = weft_join(weft_create_task_with(computes_async(60), &slow));
  if (rc == 0) rc = weft_join(weft_create_task_with(slow_then_sleeps_async(), &slow));
  weft_loop_set_slow_callback_duration(loop, 1000);
  if (rc == 0) rc = weft_join(weft_create_task_with(computes_async(60), &slow));
  weft_loop_set_logger(loop, NULL, NULL);
  return rc;
}

static void test_slow_steps(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers += 3) {
    struct log log = {0};
    weft_config_t config = {.workers = workers, .debug = true};
    assert_int_equal(weft_run_with(&config, slow_steps_async(&log)), 0);
    assert_int_equal(log.slow, 2);
    memset(&log, 0, sizeof log);
    config.debug = false;
    assert_int_equal(weft_run_with(&config, slow_steps_async(&log)), 0);
    assert_int_equal(log.slow + log.others, 0);
  }
}

/* ---- bad input ---- */

static void test_misuse(void **state) {
  (void)state;
  weft_loop_t *loop;
  weft_config_t config = {.workers = 2};
  weft_loop_metrics_t all;
  struct {
    weft_worker_metrics_t known;
    uint64_t later[2];
  } one;
  assert_int_equal(weft_loop_metrics(NULL, &all), -EINVAL);
  assert_int_equal(weft_worker_metrics(NULL, 1, &one.known), -EINVAL);
  assert_int_equal(weft_loop_measure_steps(NULL, true), -EINVAL);
  assert_int_equal(weft_loop_open(&config, &loop), 0);
  assert_int_equal(weft_worker_metrics(loop, 0, &one.known), -EINVAL);
  assert_int_equal(weft_worker_metrics(loop, 3, &one.known), -EINVAL);
  assert_int_equal(weft_loop_metrics(loop, &all), 0);
  assert_int_equal(all.workers, 2);
  assert_int_equal(all.steps, 0);
  /* A program that knows less, and one that knows more. */
  memset(&one, 0xff, sizeof one);
  assert_int_equal(weft_worker_metrics_sized(loop, 1, &one.known, sizeof(uint64_t)), 0);
  assert_int_equal(one.known.steps, 0);
  assert_int_equal(one.known.polls, UINT64_MAX);
  assert_int_equal(weft_worker_metrics_sized(loop, 1, &one.known, sizeof one), 0);
  assert_int_equal(one.later[1], 0);
  weft_loop_t *closed = loop;
  assert_int_equal(weft_loop_close(loop), 0);
  assert_int_equal(weft_loop_metrics(closed, &all), WEFT_RUNTIME);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_counts), cmocka_unit_test(test_outside),
                                     cmocka_unit_test(test_longest), cmocka_unit_test(test_slow_steps),
                                     cmocka_unit_test(test_misuse)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
