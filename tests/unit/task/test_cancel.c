/* Cancellation at every moment of a task's life, on 1 and on 4 workers: one request is one delivery, what is true of the
 * answer is true of the end, and nothing is lost or left over. */
#include "cancelling.h"

#include "base/alloc.h"
#include "base/threads.h"

/* ---- what is cancelled -------------------------------------------------------------------------------------------------- */

typedef struct log {
  atomic_int started, cancelled, ended;
} log_t;

static int note(log_t *log, int rc) {
  if (rc == WEFT_CANCELLED) atomic_fetch_add(&log->cancelled, 1);
  atomic_fetch_add(&log->ended, 1);
  return rc;
}

static WEFT_ASYNC(sleeps, log_t *);
static int sleeps(log_t *log) {
  atomic_fetch_add(&log->started, 1);
  return note(log, weft_sleep(1000));
}

static WEFT_ASYNC(yields, log_t *);
static int yields(log_t *log) {
  atomic_fetch_add(&log->started, 1);
  int rc;
  do rc = weft_yield();
  while (rc == 0);
  return note(log, rc);
}

static WEFT_ASYNC(awaits_future, log_t *, weft_future_t *);
static int awaits_future(log_t *log, weft_future_t *future) {
  atomic_fetch_add(&log->started, 1);
  return note(log, weft_await_future(future, NULL));
}

static WEFT_ASYNC(awaits_task, log_t *, weft_task_t *);
static int awaits_task(log_t *log, weft_task_t *task) {
  atomic_fetch_add(&log->started, 1);
  return note(log, weft_await(task));
}

static int until_started(log_t *log, int n) {
  int rc = 0;
  while (rc == 0 && atomic_load(&log->started) < n) rc = weft_sleep(0.0005);
  if (rc == 0) rc = weft_sleep(0.002); /* and most likely suspended, where that is the moment meant */
  return rc;
}

/* ---- before the first step, queued, suspended --------------------------------------------------------------------------- */

static WEFT_ASYNC(before_first_step);
static int before_first_step(void) {
  for (int i = 0; i < 100; i++) {
    log_t log = {0, 0, 0};
    weft_task_t *task = weft_create_task(sleeps_async(&log));
    EXPECT(weft_task_cancel(task, "early"));
    EXPECT(!alone() || !weft_task_done(task));
    EXPECT(weft_join_status(weft_task_ref(task), NULL) == 0);
    EXPECT(weft_task_cancelled(task) && weft_task_cancelling(task) == 1);
    EXPECT(strcmp(weft_task_error(task)->message, "early") == 0);
    if (alone()) EXPECT(log.started == 0); /* no line of the body */
    EXPECT(log.started == log.ended && log.cancelled == log.ended);
    weft_task_unref(task);
  }
  return 0;
}

static WEFT_ASYNC(while_queued);
static int while_queued(void) {
  log_t log = {0, 0, 0};
  weft_task_t *task = weft_create_task(yields_async(&log));
  int rc = until_started(&log, 1);
  EXPECT(rc == 0 && weft_task_cancel(task, "queued"));
  EXPECT(weft_await(task) == WEFT_CANCELLED && said("queued"));
  EXPECT(log.cancelled == 1 && log.ended == 1 && weft_task_cancelling(task) == 1);
  EXPECT(weft_join(task) == WEFT_CANCELLED);
  return 0;
}

static WEFT_ASYNC(in_plain_wait);
static int in_plain_wait(void) {
  log_t log = {0, 0, 0};
  weft_task_t *task = weft_create_task(sleeps_async(&log));
  EXPECT(until_started(&log, 1) == 0 && weft_task_cancel(task, "asleep"));
  EXPECT(weft_await(task) == WEFT_CANCELLED && said("asleep"));
  EXPECT(log.cancelled == 1 && log.ended == 1);
  EXPECT(!weft_task_cancel(task, "late"));
  EXPECT(weft_join(task) == WEFT_CANCELLED && said("asleep"));
  return 0;
}

static WEFT_ASYNC(on_future);
static int on_future(void) {
  log_t log = {0, 0, 0};
  weft_future_t *future = weft_future_open(0);
  weft_task_t *one = weft_create_task(awaits_future_async(&log, future));
  weft_task_t *other = weft_create_task(awaits_future_async(&log, future));
  EXPECT(until_started(&log, 2) == 0 && weft_task_cancel(one, "stop"));
  /* The future is cancelled with it, and so its other waiter is, which nobody asked. */
  EXPECT(weft_await(one) == WEFT_CANCELLED && said("stop"));
  EXPECT(weft_await(other) == WEFT_CANCELLED);
  EXPECT(weft_future_cancelled(future) && weft_task_cancelling(one) == 1 && weft_task_cancelling(other) == 0);
  EXPECT(weft_future_set_done(future) == WEFT_INVALID_STATE);
  EXPECT(log.cancelled == 2 && log.ended == 2);
  weft_detach(one);
  weft_detach(other);
  weft_future_unref(future);
  return 0;
}

/* ---- down a chain ---- */

static WEFT_ASYNC(on_child);
static int on_child(void) {
  enum { LENGTH = 20 };
  log_t log = {0, 0, 0};
  weft_task_t *tasks[LENGTH];
  tasks[0] = weft_create_task(sleeps_async(&log));
  for (int i = 1; i < LENGTH; i++) tasks[i] = weft_create_task(awaits_task_async(&log, tasks[i - 1]));
  EXPECT(until_started(&log, LENGTH) == 0 && weft_task_cancel(tasks[LENGTH - 1], "down"));
  for (int i = LENGTH - 1; i >= 0; i--) {
    EXPECT(weft_await(tasks[i]) == WEFT_CANCELLED && said("down"));
    EXPECT(weft_task_cancelling(tasks[i]) == 1);
    weft_detach(tasks[i]);
  }
  EXPECT(log.cancelled == LENGTH && log.ended == LENGTH);
  return 0;
}

static WEFT_ASYNC(swallows, log_t *);
static int swallows(log_t *log) { return sleeps(log) == WEFT_CANCELLED ? 7 : -1; }

static WEFT_ASYNC(child_swallows);
static int child_swallows(void) {
  log_t log = {0, 0, 0};
  weft_task_t *child = weft_create_task(swallows_async(&log));
  weft_task_t *parent = weft_create_task(awaits_task_async(&log, child));
  EXPECT(until_started(&log, 2) == 0 && weft_task_cancel(parent, NULL));
  EXPECT(weft_join(parent) == 7); /* the parent is not cancelled */
  EXPECT(weft_join(child) == 7);
  EXPECT(log.cancelled == 1 && log.ended == 2);
  return 0;
}

static WEFT_ASYNC(gathers, log_t *);
static int gathers(log_t *log) { return weft_gather(sleeps_async(log), yields_async(log), swallows_async(log)); }

static WEFT_ASYNC(in_gather);
static int in_gather(void) {
  log_t log = {0, 0, 0};
  weft_task_t *task = weft_create_task(gathers_async(&log));
  EXPECT(until_started(&log, 3) == 0 && weft_task_cancel(task, NULL));
  EXPECT(weft_join(task) == WEFT_CANCELLED);    /* although one of the three swallowed its own */
  EXPECT(log.cancelled == 3 && log.ended == 3); /* and all of them have ended */
  return 0;
}

static WEFT_ASYNC(joins_new_child, log_t *);
static int joins_new_child(log_t *log) { /* with nothing else ready the child runs in place, on this task's stack */
  return note(log, weft_join(weft_create_task(sleeps_async(log))));
}

static WEFT_ASYNC(in_place);
static int in_place(void) {
  log_t log = {0, 0, 0};
  weft_task_t *task = weft_create_task(joins_new_child_async(&log));
  EXPECT(until_started(&log, 1) == 0 && weft_task_cancel(task, "both"));
  EXPECT(weft_await(task) == WEFT_CANCELLED && said("both"));
  EXPECT(log.cancelled == 2 && log.ended == 2);
  weft_detach(task);
  return 0;
}

/* ---- while it runs ------------------------------------------------------------------------------------------------------ */

/* A thread outside asks `times` times as soon as the task runs, and lets it go on. */
typedef struct asker {
  weft_task_t *task;
  atomic_int running, asked;
  int times, answers;
} asker_t;

static int asks(void *argument) {
  asker_t *asker = argument;
  if (spin_until(&asker->running) < 0) return -1;
  for (int i = 0; i < asker->times; i++) asker->answers += weft_task_cancel(asker->task, i == 0 ? "first" : "second");
  atomic_store(&asker->asked, 1);
  return 0;
}

static int computes(asker_t *asker) {
  atomic_store(&asker->running, 1);
  return spin_until(&asker->asked);
}

static WEFT_ASYNC(suspends_afterwards, asker_t *, log_t *);
static int suspends_afterwards(asker_t *asker, log_t *log) {
  int rc = computes(asker);
  EXPECT(rc == 0);
  rc = weft_sleep(1000); /* delivered here, once */
  EXPECT(rc == WEFT_CANCELLED && weft_task_cancelling(weft_current_task()) == asker->times);
  EXPECT(weft_sleep(0.001) == 0 && weft_yield() == 0); /* and not again: clean-up is undisturbed */
  return note(log, rc);
}

static WEFT_ASYNC(ends_afterwards, asker_t *, int);
static int ends_afterwards(asker_t *asker, int status) {
  int rc = computes(asker);
  return rc < 0 ? rc : status < 0 ? weft_fail(status, "its own") : status;
}

static WEFT_ASYNC(in_place_afterwards, asker_t *, log_t *);
static int in_place_afterwards(asker_t *asker, log_t *log) {
  return weft_join(weft_create_task(suspends_afterwards_async(asker, log)));
}

static int run_asked(weft_call_t call, asker_t *asker, int times, weft_task_t **out) {
  weft__thread_t thread;
  asker->times = times;
  asker->answers = 0;
  atomic_store(&asker->running, 0);
  atomic_store(&asker->asked, 0);
  asker->task = weft_create_task(call);
  EXPECT(asker->task != NULL && weft__thread_start(&thread, asks, asker, "asker") == 0);
  int rc = weft_await(asker->task);
  weft__thread_join(thread);
  EXPECT(asker->answers == times);
  *out = asker->task;
  return rc;
}

static WEFT_ASYNC(while_running);
static int while_running(void) {
  log_t log = {0, 0, 0};
  asker_t asker;
  weft_task_t *task;
  for (int times = 1; times <= 2; times++) { /* two requests before the delivery are one delivery */
    EXPECT(run_asked(suspends_afterwards_async(&asker, &log), &asker, times, &task) == WEFT_CANCELLED);
    EXPECT(said(times == 1 ? "first" : "second") && log.cancelled == times);
    EXPECT(weft_task_cancelling(task) == times);
    weft_detach(task);
  }
  EXPECT(run_asked(ends_afterwards_async(&asker, 5), &asker, 1, &task) ==
         WEFT_CANCELLED); /* it never got it: cancelled */
  EXPECT(said("first") && weft_task_cancelled(task));
  weft_detach(task);
  EXPECT(run_asked(ends_afterwards_async(&asker, WEFT_VALUE), &asker, 1, &task) == WEFT_VALUE); /* an error wins */
  EXPECT(said("its own") && !weft_task_cancelled(task));
  weft_detach(task);
  return 0;
}

static WEFT_ASYNC(while_in_place);
static int while_in_place(void) {
  log_t log = {0, 0, 0};
  asker_t asker;
  weft_task_t *task;
  EXPECT(run_asked(in_place_afterwards_async(&asker, &log), &asker, 1, &task) == WEFT_CANCELLED);
  EXPECT(said("first") && log.cancelled == 1);
  weft_detach(task);
  return 0;
}

/* ---- twice, by itself, afterwards, taken back ---------------------------------------------------------------------------- */

static WEFT_ASYNC(sleeps_twice, log_t *);
static int sleeps_twice(log_t *log) {
  int first = sleeps(log), second = sleeps(log);
  return first == WEFT_CANCELLED ? second : first;
}

static WEFT_ASYNC(again_after_delivery);
static int again_after_delivery(void) {
  log_t log = {0, 0, 0};
  weft_task_t *task = weft_create_task(sleeps_twice_async(&log));
  EXPECT(until_started(&log, 1) == 0 && weft_task_cancel(task, "one"));
  EXPECT(until_started(&log, 2) == 0 && weft_task_cancel(task, "two"));
  EXPECT(weft_await(task) == WEFT_CANCELLED && said("two"));
  EXPECT(log.cancelled == 2 && weft_task_cancelling(task) == 2);
  weft_detach(task);
  return 0;
}

static WEFT_ASYNC(cancels_itself, int);
static int cancels_itself(int how) {
  weft_task_t *self = weft_current_task();
  EXPECT(weft_task_cancel(self, "myself"));
  weft_future_t *future = weft_future_open(0);
  switch (how) {
  case 0: /* returns first */ weft_future_unref(future); return 3;
  case 1: /* fails first */ weft_future_unref(future); return weft_fail(WEFT_VALUE, "failed");
  case 2: /* an await that does not suspend does not deliver, the next one does */
    EXPECT(weft_future_set_done(future) == 0 && weft_await_future(future, NULL) == 0);
    EXPECT(weft_yield() == WEFT_CANCELLED && said("myself"));
    EXPECT(weft_yield() == 0);
    break;
  case 3: /* on a pending future: the request goes to the future */
    EXPECT(weft_await_future(future, NULL) == WEFT_CANCELLED && said("myself"));
    EXPECT(weft_future_cancelled(future) && weft_yield() == 0);
    break;
  default: /* taken back in time */
    EXPECT(weft_task_cancelling(self) == 1 && weft_task_uncancel(self) == 0);
    EXPECT(weft_yield() == 0 && weft_sleep(0.001) == 0);
    EXPECT(weft_task_uncancel(self) == 0); /* never below nothing */
  }
  weft_future_unref(future);
  return 3;
}

static WEFT_ASYNC(from_itself);
static int from_itself(void) {
  static const int expected[] = {WEFT_CANCELLED, WEFT_VALUE, 3, 3, 3};
  for (int how = 0; how < 5; how++) {
    weft_task_t *task = weft_create_task(cancels_itself_async(how));
    EXPECT(task != NULL);
    int rc = weft_join(task);
    if (rc != expected[how]) return rc == WEFT_RUNTIME ? rc : weft_fail(WEFT_RUNTIME, "way %d: %d", how, rc);
  }
  return 0;
}

static WEFT_ASYNC(returns, int);
static int returns(int status) { return status; }

static WEFT_ASYNC(after_done);
static int after_done(void) {
  weft_task_t *task = weft_create_task(returns_async(4));
  EXPECT(weft_await(task) == 4);
  EXPECT(!weft_task_cancel(task, "late") && weft_task_cancelling(task) == 0);
  EXPECT(!weft_task_cancelled(task) && weft_task_result(task) == 4);
  EXPECT(weft_join(task) == 4);
  EXPECT(!weft_task_cancel(NULL, NULL));
  return 0;
}

static WEFT_ASYNC(catches_and_uncancels, log_t *);
static int catches_and_uncancels(log_t *log) {
  weft_task_t *self = weft_current_task();
  int rc = sleeps(log);
  EXPECT(rc == WEFT_CANCELLED && weft_task_cancelling(self) == 1);
  EXPECT(weft_task_uncancel(self) == 0 && weft_task_cancelling(self) == 0);
  return sleeps(log);
}

static WEFT_ASYNC(uncancelled);
static int uncancelled(void) {
  log_t log = {0, 0, 0};
  weft_task_t *task = weft_create_task(catches_and_uncancels_async(&log));
  EXPECT(until_started(&log, 1) == 0 && weft_task_cancel(task, NULL));
  EXPECT(until_started(&log, 2) == 0 && weft_task_cancel(task, NULL));
  EXPECT(weft_await(task) == WEFT_CANCELLED && log.cancelled == 2 && weft_task_cancelling(task) == 1);
  weft_detach(task);
  return 0;
}

/* ---- at any moment: nothing is lost -------------------------------------------------------------------------------------- */

enum { KINDS = 6 };
typedef struct crowd {
  log_t log;
  weft_future_t *never;
  atomic_int next, answers;
  weft_task_t **tasks;
  int count;
} crowd_t;

static weft_call_t one_of(crowd_t *crowd, int kind) {
  switch (kind % KINDS) {
  case 0: return sleeps_async(&crowd->log);
  case 1: return yields_async(&crowd->log);
  case 2: return joins_new_child_async(&crowd->log);
  case 3: return gathers_async(&crowd->log);
  case 4: return sleeps_twice_async(&crowd->log); /* swallows one, and so is asked twice */
  default: return awaits_future_async(&crowd->log, crowd->never);
  }
}

/* Shared out among several askers; each task that must end is asked until it has. */
static void ask_them_all(crowd_t *crowd) {
  int i;
  while ((i = atomic_fetch_add(&crowd->next, 1)) < crowd->count) {
    unsigned spin = (unsigned)i * 2654435761u % 3000;
    for (volatile unsigned k = 0; k < spin; k++) {
    }
    atomic_fetch_add(&crowd->answers, weft_task_cancel(crowd->tasks[i], NULL));
  }
}
static int asks_from_outside(void *crowd) {
  ask_them_all(crowd);
  return 0;
}
static WEFT_ASYNC(asks_from_inside, crowd_t *);
static int asks_from_inside(crowd_t *crowd) {
  ask_them_all(crowd);
  return 0;
}

static WEFT_ASYNC(at_any_moment);
static int at_any_moment(void) {
  crowd_t crowd;
  memset(&crowd, 0, sizeof crowd);
  crowd.count = scaled(600);
  crowd.never = weft_future_open(0);
  crowd.tasks = calloc((size_t)crowd.count, sizeof *crowd.tasks);
  EXPECT(crowd.never != NULL && crowd.tasks != NULL);
  for (int i = 0; i < crowd.count; i++) {
    crowd.tasks[i] = weft_create_task(one_of(&crowd, i));
    EXPECT(crowd.tasks[i] != NULL);
    if (i % 50 == 0) weft_ignore(weft_yield()); /* some have run, some not */
  }
  weft__thread_t thread;
  EXPECT(weft__thread_start(&thread, asks_from_outside, &crowd, "asker") == 0);
  weft_task_t *inside[2] = {weft_create_task(asks_from_inside_async(&crowd)),
                            weft_create_task(asks_from_inside_async(&crowd))};
  for (int i = 0; i < 2; i++) weft_ignore(weft_join(inside[i]));
  weft__thread_join(thread);
  /* The future's waiters fall together, so some of them had ended when they were asked. */
  EXPECT(atomic_load(&crowd.answers) <= crowd.count &&
         atomic_load(&crowd.answers) >= crowd.count - crowd.count / KINDS - 1);
  int ended = 0;
  for (int i = 0; i < crowd.count; i++) {
    while (i % KINDS == 4 && !weft_task_done(crowd.tasks[i])) {
      weft_task_cancel(crowd.tasks[i], NULL);
      weft_ignore(weft_yield());
    }
    ended += weft_join(crowd.tasks[i]) == WEFT_CANCELLED;
  }
  EXPECT(ended == crowd.count); /* asked and true: none ends otherwise */
  free(crowd.tasks);
  weft_future_unref(crowd.never);
  int left = weft_all_tasks(weft_get_running_loop(), NULL, 0);
  for (int i = 0; left > 1 && i < 1000; i++) { /* gathered children have ended, but may be on their way out */
    weft_ignore(weft_sleep(0.001));
    left = weft_all_tasks(weft_get_running_loop(), NULL, 0);
  }
  EXPECT(left == 1);
  return 0;
}

static void nothing_is_left_over(void **state) {
  (void)state;
  on_1_and_4(at_any_moment_async()); /* first: what is kept for good is there */
  for (unsigned workers = 1; workers <= 4; workers += 3) {
    weft_config_t config = {.workers = workers};
    weft__alloc_counting(true);
    int rc = weft_run_with(&config, at_any_moment_async());
    long left = weft__alloc_live_bytes();
    weft__alloc_counting(false);
    assert_int_equal(rc, 0);
    assert_int_equal(left, 0);
  }
}

#define CASE(name)                                                                                                     \
  static void name##_(void **state) {                                                                                  \
    (void)state;                                                                                                       \
    on_1_and_4(name##_async());                                                                                        \
  }
CASE(before_first_step)
CASE(while_queued)
CASE(in_plain_wait)
CASE(on_future)
CASE(on_child)
CASE(child_swallows)
CASE(in_gather)
CASE(in_place)
CASE(while_running)
CASE(while_in_place)
CASE(again_after_delivery)
CASE(from_itself)
CASE(after_done)
CASE(uncancelled)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(before_first_step_),
      cmocka_unit_test(while_queued_),
      cmocka_unit_test(in_plain_wait_),
      cmocka_unit_test(on_future_),
      cmocka_unit_test(on_child_),
      cmocka_unit_test(child_swallows_),
      cmocka_unit_test(in_gather_),
      cmocka_unit_test(in_place_),
      cmocka_unit_test(while_running_),
      cmocka_unit_test(while_in_place_),
      cmocka_unit_test(again_after_delivery_),
      cmocka_unit_test(from_itself_),
      cmocka_unit_test(after_done_),
      cmocka_unit_test(uncancelled_),
      cmocka_unit_test(nothing_is_left_over),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
