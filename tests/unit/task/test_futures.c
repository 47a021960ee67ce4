/* Futures: exactly one winner, any number of awaiters, callbacks before awaiters, reports of what nobody looked at. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <weft.h>

#include "base/threads.h"

static int scaled(int n) {
  const char *scale = getenv("WEFT_TEST_SCALE");
  int m = (int)(n * (scale != NULL ? atof(scale) : 1.0));
  return m > 2 ? m : 2;
}
static int run_on(unsigned workers, weft_call_t call) {
  weft_config_t config = {.workers = workers};
  return weft_run_with(&config, call);
}

/* ---- exactly one winner ---- */

struct race {
  weft_future_t *future;
  atomic_int winners, losers, woken;
  atomic_int winner; /* 1 result, 2 error, 3 cancelled */
};
static WEFT_ASYNC(racer, struct race *, int);
static int racer(struct race *race, int kind) {
  int rc = weft_sleep(0);
  if (rc < 0) return rc;
  bool won = kind == 1   ? weft_future_set_result(race->future, &kind) == 0
             : kind == 2 ? weft_future_set_error(race->future, WEFT_VALUE, "lost?") == 0
                         : weft_future_cancel(race->future, "raced");
  if (won) atomic_store(&race->winner, kind);
  atomic_fetch_add(won ? &race->winners : &race->losers, 1);
  return 0;
}
static WEFT_ASYNC(waiter, struct race *);
static int waiter(struct race *race) {
  int value = 0;
  int rc = weft_await_future(race->future, &value);
  atomic_fetch_add(&race->woken, 1);
  if (rc == 0) return value == 1 ? 1 : -EILSEQ;
  if (rc == WEFT_VALUE) return strcmp(weft_error()->message, "lost?") == 0 ? 2 : -EILSEQ;
  return rc == WEFT_CANCELLED ? 3 : -EILSEQ;
}
static WEFT_ASYNC(one_race);
static int one_race(void) {
  enum { RACERS = 6, WAITERS = 5 };
  struct race race = {.future = weft_future_open(sizeof(int))};
  if (race.future == NULL) return -ENOMEM;
  weft_task_t *racers[RACERS], *waiters[WAITERS];
  for (int i = 0; i < WAITERS; i++) waiters[i] = weft_create_task(waiter_async(&race));
  for (int i = 0; i < RACERS; i++) racers[i] = weft_create_task(racer_async(&race, 1 + i % 3));
  int bad = 0;
  for (int i = 0; i < RACERS; i++) bad |= weft_join(racers[i]) != 0;
  for (int i = 0; i < WAITERS; i++) {
    int saw = weft_join(waiters[i]);
    bad |= saw != atomic_load(&race.winner);
  }
  bad |= race.winners != 1 || race.losers != RACERS - 1 || race.woken != WAITERS;
  weft_future_unref(race.future);
  return bad ? -EILSEQ : 0;
}
static void exactly_one_winner(void **state) {
  (void)state;
  for (int i = 0; i < scaled(200); i++) assert_int_equal(run_on(1 + (unsigned)i % 4, one_race_async()), 0);
}

/* ---- values, references, misuse ---- */

static WEFT_ASYNC(values);
static int values(void) {
  struct big {
    char bytes[32];
  } big, copy;
  memset(&big, 7, sizeof big);
  weft_future_t *future = weft_future_open(sizeof big);
  if (weft_future_set_result_sized(future, &big, 31) != -EINVAL) return -1;
  if (weft_future_result(future, &copy) != WEFT_INVALID_STATE) return -2;
  if (weft_future_error(future) == NULL || weft_error()->code != WEFT_INVALID_STATE) return -3;
  if (weft_future_set_result(future, &big) != 0) return -4;
  if (weft_future_set_result(future, &big) != WEFT_INVALID_STATE) return -5;
  if (weft_future_cancel(future, NULL)) return -6;
  if (weft_await_future(future, &copy) != 0 || memcmp(&big, &copy, sizeof big) != 0) return -7;
  weft_future_ref(future);
  weft_future_unref(future);
  if (weft_future_result(future, NULL) != 0) return -8;
  weft_future_unref(future);
  if (weft_future_open(33) != NULL || weft_error()->code != -EINVAL) return -9;
  future = weft_future_open(0);
  if (weft_future_set_error(future, 5, "x") != -EINVAL || weft_future_done(future)) return -10;
  if (weft_future_set_error(future, WEFT_STOP, "x") != 0) return -11;
  if (weft_await_future(future, NULL) != WEFT_RUNTIME || weft_error()->context != WEFT_STOP) return -12;
  weft_future_unref(future);
  if (weft_await_future(NULL, NULL) != -ENOMEM || weft_join(NULL) != -ENOMEM) return -13;
  if (weft_future_set_result(weft_task_future(weft_current_task()), &(const int){1}) != WEFT_RUNTIME) return -14;
  if (weft_await(weft_current_task()) != WEFT_RUNTIME || strstr(weft_error()->message, "itself") == NULL) return -15;
  return 0;
}
static void values_are_copied_and_sizes_checked(void **state) {
  (void)state;
  assert_int_equal(run_on(1, values_async()), 0);
  assert_int_equal(run_on(4, values_async()), 0);
}

/* ---- callbacks ---- */

struct log {
  int order[16], n;
};
static struct log *the_log;
static int first(weft_future_t *future, void *data) {
  (void)future;
  the_log->order[the_log->n++] = (int)(intptr_t)data;
  return 0;
}
static WEFT_ASYNC(callbacks);
static int callbacks(void) {
  struct log log = {.n = 0};
  the_log = &log;
  weft_future_t *future = weft_future_open(0);
  for (intptr_t i = 1; i <= 3; i++) weft_ignore(weft_future_add_done_callback(future, first, (void *)i));
  weft_ignore(weft_future_add_done_callback(future, first, (void *)2));
  if (weft_future_remove_done_callback(future, first, (void *)2) != 2) return -1;
  if (weft_future_remove_done_callback(future, first, (void *)9) != 0) return -2;
  weft_ignore(weft_future_set_done(future));
  int rc = weft_sleep(0); /* never inline: by now they have been given their turn */
  if (rc == 0) rc = weft_future_remove_done_callback_sync(future, first, (void *)3);
  if (rc != 0) return -3;
  if (log.n != 2 || log.order[0] != 1 || log.order[1] != 3) return -4;
  weft_ignore(weft_future_add_done_callback(future, first, (void *)4)); /* on a done one: scheduled too */
  if (log.n != 2 && weft_get_running_loop() != NULL) return -5;
  rc = weft_future_remove_done_callback_sync(future, first, (void *)4);
  if (rc < 0 || log.n != 3 - rc) return -6;
  weft_future_unref(future);
  return 0;
}
static void callbacks_run_in_order_and_can_be_removed(void **state) {
  (void)state;
  assert_int_equal(run_on(1, callbacks_async()), 0);
}

/* A callback added before the end has run when an await returns, at any number of workers. */
static int mark(weft_future_t *future, void *data) {
  (void)future;
  atomic_store((atomic_int *)data, 1);
  return 0;
}
static WEFT_ASYNC(ends_soon, int);
static int ends_soon(int yields) {
  for (int i = 0; i < yields; i++) {
    int rc = weft_sleep(0);
    if (rc < 0) return rc;
  }
  return 0;
}
static WEFT_ASYNC(callback_first, int);
static int callback_first(int rounds) {
  for (int i = 0; i < rounds; i++) {
    atomic_int marked = 0;
    weft_task_t *task = weft_create_task(ends_soon_async(i % 3));
    int rc = weft_future_add_done_callback(weft_task_future(task), mark, &marked);
    if (rc == 0) rc = weft_join(task);
    if (rc < 0) return rc;
    if (atomic_load(&marked) != 1 && (i % 3 > 0 || weft_error() == NULL)) return -EILSEQ;
    while (atomic_load(&marked) != 1) { /* i % 3 == 0 on one worker: added before it ran at all */
      rc = weft_sleep(0);
      if (rc < 0) return rc;
    }
  }
  return 0;
}
static void callbacks_run_before_awaits_return(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers++)
    assert_int_equal(run_on(workers, callback_first_async(scaled(2000))), 0);
}

/* ---- reports ---- */

struct reports {
  atomic_int never_retrieved, other; /* the handler is called by whichever worker drops the future */
};
static int collect(weft_loop_t *loop, const weft_error_context_t *context, void *data) {
  (void)loop;
  struct reports *reports = data;
  if (context->error != NULL && context->error->code == WEFT_VALUE &&
      strstr(context->message, "never retrieved") != NULL)
    reports->never_retrieved++;
  else
    reports->other++;
  return 0;
}
static WEFT_ASYNC(fails);
static int fails(void) { return weft_fail(WEFT_VALUE, "nobody looks"); }
static WEFT_ASYNC(drops, struct reports *);
static int drops(struct reports *reports) {
  weft_loop_set_exception_handler(weft_get_running_loop(), collect, reports);
  weft_detach(weft_create_task(fails_async())); /* reported */
  weft_task_t *seen = weft_create_task(fails_async());
  if (weft_join(seen) != WEFT_VALUE) return -1; /* not reported */
  weft_future_t *future = weft_future_open(0);
  weft_ignore(weft_future_set_error(future, WEFT_VALUE, "nobody looks"));
  weft_future_unref(future); /* reported */
  future = weft_future_open(0);
  weft_future_cancel(future, NULL);
  weft_future_unref(future); /* cancelled: not reported */
  return weft_sleep(0.001);
}
static void dropped_errors_are_reported_once(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 2; workers++) {
    struct reports reports;
    atomic_init(&reports.never_retrieved, 0);
    atomic_init(&reports.other, 0);
    assert_int_equal(run_on(workers, drops_async(&reports)), 0);
    assert_int_equal(atomic_load(&reports.never_retrieved), 2);
    assert_int_equal(atomic_load(&reports.other), 0);
  }
}

/* ---- a foreign thread waits ---- */

static weft_future_t *awaited;
static int blocks(void *argument) {
  int value = 0;
  int rc = weft_future_wait_blocking(awaited, 0.01, &value); /* too early */
  if (rc != WEFT_TIMEOUT) return 1;
  atomic_store((atomic_int *)argument, 1);
  rc = weft_future_wait_blocking(awaited, WEFT_FOREVER, &value);
  return rc == 0 && value == 5 ? 0 : 2;
}
static WEFT_ASYNC(completes, atomic_int *);
static int completes(atomic_int *timed_out) {
  while (atomic_load(timed_out) == 0) {
    int rc = weft_sleep(0.001);
    if (rc < 0) return rc;
  }
  if (weft_future_wait_blocking(awaited, 1, NULL) != -EPERM) return -1; /* would block a worker */
  return weft_future_set_result(awaited, &(const int){5});
}
static void foreign_threads_wait_with_a_limit(void **state) {
  (void)state;
  weft_config_t config = {.workers = 2};
  weft_loop_t *loop;
  assert_int_equal(weft_loop_open(&config, &loop), 0);
  awaited = weft_loop_create_future(loop, sizeof(int));
  weft__thread_t thread;
  atomic_int timed_out = 0;
  assert_int_equal(weft__thread_start(&thread, blocks, &timed_out, "waits"), 0);
  assert_int_equal(weft_loop_run_until_complete(loop, completes_async(&timed_out)), 0);
  /* The watch that wakes the thread is a loop's work: one more pass. */
  for (int i = 0; i < 3; i++) {
    weft_loop_stop(loop);
    assert_int_equal(weft_loop_run_forever(loop), 0);
  }
  assert_int_equal(weft__thread_join(thread), 0);
  weft_future_unref(awaited);
  assert_int_equal(weft_loop_close(loop), 0);
}

static WEFT_ASYNC(wrong_places);
static int wrong_places(void) {
  weft_future_t *future = weft_future_open(sizeof(int)), *none = weft_future_open(0);
  int value = 0;
  long large = 5;
  if (future == NULL || none == NULL) return -ENOMEM;
  assert_int_equal(weft_await_future(future, &large), -EINVAL); /* before any waiting */
  assert_int_equal(weft_shield(future, &large), -EINVAL);
  assert_int_equal(weft_wait_for_future(future, 1, &large), -EINVAL);
  assert_int_equal(weft_future_wait_blocking(future, 1, &large), -EINVAL);
  assert_int_equal(weft_gather(weft_await_future_async(future, &large)), -EINVAL);
  assert_int_equal(weft_future_set_result(future, &(int){7}), 0);
  assert_int_equal(weft_future_result(future, &large), -EINVAL);
  assert_int_equal(large, 5);
  assert_int_equal(weft_await_future(future, &value), 0);
  assert_int_equal(value, 7);
  assert_int_equal(weft_future_result(future, (char *)&value), 0);
  assert_int_equal(weft_future_set_done(none), 0);
  assert_int_equal(weft_await_future(none, &large), 0);
  assert_int_equal(large, 5);
  weft_future_unref(future);
  weft_future_unref(none);
  return 0;
}
static void places_are_checked(void **state) {
  (void)state;
  assert_int_equal(run_on(1, wrong_places_async()), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(exactly_one_winner),
      cmocka_unit_test(values_are_copied_and_sizes_checked),
      cmocka_unit_test(places_are_checked),
      cmocka_unit_test(callbacks_run_in_order_and_can_be_removed),
      cmocka_unit_test(callbacks_run_before_awaits_return),
      cmocka_unit_test(dropped_errors_are_reported_once),
      cmocka_unit_test(foreign_threads_wait_with_a_limit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
