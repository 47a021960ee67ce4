/* test_event.c: Event: who is released, setting from foreign threads, freeing it right after a wait. */
#include <errno.h>
#include <stdlib.h>

#include "base/threads.h"
#include "unit/sync/trace.h"

static WEFT_ASYNC(waits, weft_event_t *, const char *);
static int waits(weft_event_t *event, const char *name) {
  int rc = weft_event_wait(event);
  mark("%s%s", name, rc < 0 ? "!" : "");
  return rc;
}

static WEFT_ASYNC(basics);
static int basics(void) {
  weft_event_t event;
  weft_event_init(&event);
  weft_task_t *tasks[3];
  static const char *const names[] = {"a", "b", "c"};
  for (int i = 0; i < 3; i++) tasks[i] = weft_create_task(waits_async(&event, names[i]));
  weft_ignore(weft_yield());
  weft_task_cancel(tasks[1], NULL);
  weft_event_set(&event); /* releases those who wait, even if cleared at once */
  weft_event_clear(&event);
  mark("%d", weft_event_is_set(&event));
  for (int i = 0; i < 3; i++) weft_ignore(weft_join(tasks[i]));
  weft_event_set(&event);
  weft_event_set(&event);
  mark("%d %d", weft_event_is_set(&event), weft_event_wait(&event)); /* at once */
  weft_event_clear(&event);
  weft_task_t *late = weft_create_task(waits_async(&event, "late"));
  weft_ignore(weft_sleep(0.01));
  mark("%d", weft_task_done(late));
  weft_event_set(&event);
  weft_task_cancel(late, NULL); /* woken and cancelled: cancelled */
  return weft_join(late);
}

static void releases(void **state) {
  (void)state;
  assert_int_equal(run1(basics_async()), WEFT_CANCELLED);
  assert_trace("0 b! a c 1 0 0 late!");
}

/* An event that lives as long as one wait, set by another worker or by a thread outside. */
static int set_it(void *event) {
  weft_event_set(event);
  return 0;
}

static WEFT_ASYNC(set_task, weft_event_t *);
static int set_task(weft_event_t *event) { return set_it(event); }

static WEFT_ASYNC(short_lives, int, bool);
static int short_lives(int n, bool foreign) {
  for (int i = 0; i < n; i++) {
    weft_event_t *event = malloc(sizeof *event);
    weft_event_init(event);
    weft__thread_t thread;
    weft_task_t *task = NULL;
    if (foreign)
      assert_int_equal(weft__thread_start(&thread, set_it, event, NULL), 0);
    else
      task = weft_create_task(set_task_async(event));
    int rc = weft_event_wait(event);
    memset(event, 0xff, sizeof *event);
    free(event);
    if (foreign)
      weft__thread_join(thread);
    else
      weft_ignore(weft_join(task));
    if (rc < 0) return rc;
  }
  return 0;
}

static void freed_after_wait(void **state) {
  (void)state;
  assert_int_equal(run4(short_lives_async(scaled(3000), false)), 0);
  assert_int_equal(run4(short_lives_async(scaled(200), true)), 0);
  assert_int_equal(weft_run_with(&(weft_config_t){.workers = 1}, short_lives_async(scaled(200), true)), 0);
}

/* What was written before set is there after wait. */
typedef struct turns {
  weft_event_t ping, pong;
  long value;
} turns_t;

static WEFT_ASYNC(answers, turns_t *, int);
static int answers(turns_t *t, int n) {
  int rc = 0;
  for (int i = 0; i < n && rc == 0; i++) {
    rc = weft_event_wait(&t->ping);
    weft_event_clear(&t->ping);
    t->value++;
    weft_event_set(&t->pong);
  }
  return rc;
}

static WEFT_ASYNC(asks, turns_t *, int);
static int asks(turns_t *t, int n) {
  weft_event_init(&t->ping);
  weft_event_init(&t->pong);
  weft_task_t *task = weft_create_task(answers_async(t, n));
  int rc = 0;
  for (int i = 0; i < n && rc == 0; i++) {
    t->value++;
    weft_event_set(&t->ping);
    rc = weft_event_wait(&t->pong);
    weft_event_clear(&t->pong);
    if (t->value != 2 * (i + 1)) rc = weft_fail(WEFT_RUNTIME, "lost a write");
  }
  int joined = weft_join(task);
  return rc < 0 ? rc : joined;
}

static void set_happens_before_wait(void **state) {
  (void)state;
  turns_t t = {.value = 0};
  assert_int_equal(run4(asks_async(&t, scaled(3000))), 0);
}

static void foreign_thread(void **state) {
  (void)state;
  weft_event_t event;
  weft_event_init(&event);
  weft_event_set(&event);
  assert_int_equal(weft_event_wait(&event), -EPERM);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(releases),
      cmocka_unit_test(freed_after_wait),
      cmocka_unit_test(set_happens_before_wait),
      cmocka_unit_test(foreign_thread),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
