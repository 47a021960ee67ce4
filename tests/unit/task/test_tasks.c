/* Tasks as their owners see them: names, references, results before and after the end, join_status, other loops. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <weft.h>

#define RETURN_UNLESS(condition)                                                                                       \
  do {                                                                                                                 \
    if (!(condition)) return (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), -EILSEQ);                \
  } while (0)

static int run_on(unsigned workers, weft_call_t call) {
  weft_config_t config = {.workers = workers, .virtual_time = true};
  return weft_run_with(&config, call);
}
static void at_one_and_four(weft_call_t call) {
  assert_int_equal(run_on(1, call), 0);
  assert_int_equal(run_on(4, call), 0);
}

static WEFT_ASYNC(answers, int);
static int answers(int rc) { return rc < 0 ? weft_fail(rc, "answer %d", rc) : rc; }

/* ---- names ------------------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(tells_its_name, char *);
static int tells_its_name(char *text) {
  snprintf(text, 32, "%s", weft_task_get_name(weft_current_task()));
  return 0;
}
static WEFT_ASYNC(names);
static int names(void) {
  char text[32], name[] = "given";
  RETURN_UNLESS(strncmp(weft_task_get_name(weft_current_task()), "Task-", 5) == 0);
  weft_task_t *task = weft_create_task(tells_its_name_async(text));
  RETURN_UNLESS(strcmp(weft_task_get_name(task), weft_task_get_name(weft_current_task())) != 0);
  RETURN_UNLESS(weft_task_set_name(task, "renamed") == 0 && weft_task_set_name(task, NULL) == -EINVAL);
  RETURN_UNLESS(weft_join(task) == 0);
  task = weft_create_task_with(tells_its_name_async(text), &(weft_task_options_t){.name = name});
  name[0] = 'd'; /* it was copied */
  RETURN_UNLESS(weft_join(task) == 0 && strcmp(text, "given") == 0);
  return 0;
}
static WEFT_ASYNC(numbers);
static int numbers(void) { /* one worker: the run's first task is number 1 */
  char first[32], second[32];
  weft_task_t *a = weft_create_task(tells_its_name_async(first)), *b = weft_create_task(tells_its_name_async(second));
  RETURN_UNLESS(weft_join(a) == 0 && weft_join(b) == 0);
  RETURN_UNLESS(strcmp(first, "Task-2") == 0 && strcmp(second, "Task-3") == 0);
  return 0;
}
static void tasks_have_names(void **state) {
  (void)state;
  at_one_and_four(names_async());
  assert_int_equal(run_on(1, numbers_async()), 0);
}

/* ---- results ----------------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(results);
static int results(void) {
  weft_task_t *good = weft_create_task(answers_async(7)), *bad = weft_create_task(answers_async(WEFT_VALUE));
  weft_task_t *kept = weft_task_ref(bad);
  weft_task_t *pending = weft_create_task(weft_sleep_async(1));
  RETURN_UNLESS(weft_task_result(pending) == WEFT_INVALID_STATE);
  RETURN_UNLESS(weft_task_error(pending)->code == WEFT_INVALID_STATE && !weft_task_done(pending));
  RETURN_UNLESS(weft_await(good) == 7 && weft_await(good) == 7);
  RETURN_UNLESS(weft_task_done(good) && !weft_task_cancelled(good) && weft_task_result(good) == 7);
  RETURN_UNLESS(weft_task_error(good) == NULL);
  RETURN_UNLESS(weft_await(bad) == WEFT_VALUE && strcmp(weft_error()->message, "answer -5012") == 0);
  RETURN_UNLESS(weft_join(good) == 7 && weft_join(bad) == WEFT_VALUE);
  RETURN_UNLESS(weft_task_result(kept) == WEFT_VALUE && weft_task_error(kept)->code == WEFT_VALUE);
  weft_task_unref(kept);
  weft_task_cancel(pending, "enough");
  RETURN_UNLESS(weft_await(pending) == WEFT_CANCELLED && strcmp(weft_error()->message, "enough") == 0);
  RETURN_UNLESS(weft_task_cancelled(pending) && weft_task_error(pending)->code == WEFT_CANCELLED);
  RETURN_UNLESS(!weft_task_cancel(pending, NULL));
  RETURN_UNLESS(weft_join(pending) == WEFT_CANCELLED && weft_join(NULL) == -ENOMEM && weft_await(NULL) == -ENOMEM);
  return 0;
}
static void results_stay_readable(void **state) {
  (void)state;
  at_one_and_four(results_async());
}

/* ---- join_status ------------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(refuses);
static int refuses(void) { /* to be cancelled */
  int rc = weft_sleep(10);
  return rc == WEFT_CANCELLED ? 5 : rc;
}
static WEFT_ASYNC(joins, weft_task_t *, int *, int *);
static int joins(weft_task_t *task, int *answer, int *status) {
  *answer = weft_join_status(task, status);
  return 0;
}
static int cancel_joiner_of(weft_task_t *task, int *answer, int *status) {
  weft_task_t *joiner = weft_create_task(joins_async(task, answer, status));
  int rc = weft_sleep(0.1);
  weft_task_cancel(joiner, NULL);
  weft_ignore(weft_join(joiner));
  return rc;
}
static WEFT_ASYNC(join_statuses);
static int join_statuses(void) {
  int answer = 1, status = 1;
  RETURN_UNLESS(weft_join_status(weft_create_task(answers_async(9)), &status) == 0 && status == 9);
  RETURN_UNLESS(weft_join_status(weft_create_task(answers_async(WEFT_VALUE)), &status) == 0 && status == WEFT_VALUE);
  weft_task_t *task = weft_create_task(weft_sleep_async(10));
  RETURN_UNLESS(weft_sleep(0.1) == 0);
  weft_task_cancel(task, NULL); /* the task alone, not us */
  RETURN_UNLESS(weft_join_status(task, &status) == 0 && status == WEFT_CANCELLED);
  RETURN_UNLESS(cancel_joiner_of(weft_create_task(refuses_async()), &answer, &status) == 0);
  RETURN_UNLESS(answer == 0 && status == 5); /* what the child made would leak otherwise */
  RETURN_UNLESS(cancel_joiner_of(weft_create_task(weft_sleep_async(10)), &answer, &status) == 0);
  RETURN_UNLESS(answer == WEFT_CANCELLED && status == WEFT_CANCELLED);
  return 0;
}
static void a_joiner_learns_the_childs_status(void **state) {
  (void)state;
  at_one_and_four(join_statuses_async());
}

/* ---- pending requests -------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(asked_before);
static int asked_before(void) { /* no wait begins with a request pending: none of these would end by itself */
  weft_task_t *self = weft_current_task();
  weft_lock_t lock;
  weft_event_t event;
  weft_lock_init(&lock);
  weft_event_init(&event);
  RETURN_UNLESS(weft_lock_acquire(&lock) == 0);
  weft_future_t *future = weft_future_open(0);
  const weft_call_t waits[] = {weft_sleep_async(WEFT_FOREVER), weft_event_wait_async(&event),
                               weft_lock_acquire_async(&lock), weft_await_future_async(future, NULL)};
  for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
    weft_task_cancel(self, "before");
    RETURN_UNLESS(weft_await_call(waits[i]) == WEFT_CANCELLED && strcmp(weft_error()->message, "before") == 0);
  }
  RETURN_UNLESS(weft_task_uncancel(self) == 3 && weft_future_cancelled(future));
  weft_future_unref(future);
  weft_task_cancel(self, NULL);
  RETURN_UNLESS(weft_lock_release(&lock) == 0 &&
                weft_lock_acquire(&lock) == 0); /* nothing suspends: nothing is delivered */
  RETURN_UNLESS(weft_yield() == WEFT_CANCELLED);
  return 0;
}
static void a_pending_request_ends_the_next_wait(void **state) {
  (void)state;
  at_one_and_four(asked_before_async());
}

/* ---- misuse ------------------------------------------------------------------------------------------------------------ */

static WEFT_ASYNC(foreign_handles, weft_future_t *, weft_task_t *);
static int foreign_handles(weft_future_t *future, weft_task_t *task) {
  RETURN_UNLESS(weft_await_future(future, NULL) == WEFT_RUNTIME);
  RETURN_UNLESS(strstr(weft_error()->message, "attached to a different loop") != NULL);
  RETURN_UNLESS(weft_join(task) == WEFT_RUNTIME); /* refused: the handle stays */
  RETURN_UNLESS(weft_join(weft_current_task()) == WEFT_RUNTIME);
  RETURN_UNLESS(strstr(weft_error()->message, "cannot await on itself") != NULL);
  RETURN_UNLESS(weft_create_task((weft_call_t){0}) == NULL && weft_error()->code == WEFT_TYPE);
  return 0;
}
static void other_loops_and_itself_are_refused(void **state) {
  (void)state;
  weft_loop_t *other;
  assert_int_equal(weft_loop_open(&(weft_config_t){.workers = 1}, &other), 0);
  weft_future_t *future = weft_loop_create_future(other, 0);
  weft_task_t *task = weft_loop_create_task(other, answers_async(3));
  at_one_and_four(foreign_handles_async(future, task));
  assert_int_equal(weft_await(task), -EPERM);
  assert_null(weft_create_task(answers_async(1)));
  assert_int_equal(weft_error()->code, WEFT_RUNTIME);
  assert_int_equal(weft_loop_run_until_complete(other, weft_join_async(task)), 3);
  weft_future_unref(future);
  assert_int_equal(weft_loop_close(other), 0);
}

/* ---- calls ------------------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(holed, char, double, short, const char *);
static int holed(char a, double b, short c, const char *d) { return (int)(a + (int)b + c) + (d != NULL); }
/* Upon a stack that is full of something else. */
static __attribute__((noinline)) void dirty(void) {
  volatile unsigned char bytes[1024];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = 0xa5;
}
static __attribute__((noinline)) void make_holed(weft_call_t *out) { *out = holed_async(1, 2.0, 3, "x"); }
static void bytes_between_arguments_are_zero(void **state) {
  (void)state;
  weft_call_t call;
  dirty();
  make_holed(&call);
  for (size_t i = 1; i < sizeof(double); i++) assert_int_equal(call.args.bytes[i], 0);
  for (size_t i = 2 * sizeof(double) + sizeof(short); i < 3 * sizeof(double); i++)
    assert_int_equal(call.args.bytes[i], 0);
  assert_int_equal(call.entry(call.args.bytes), 7);
}

/* ---- PEP 479 ----------------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(stopped);
static int stopped(void) {
  weft_task_t *task = weft_create_task(answers_async(WEFT_STOP));
  RETURN_UNLESS(weft_await(task) == WEFT_RUNTIME && weft_error()->context == WEFT_STOP);
  RETURN_UNLESS(strcmp(weft_error()->message, "coroutine raised StopIteration") == 0);
  RETURN_UNLESS(weft_task_result(task) == WEFT_RUNTIME);
  weft_detach(task);
  RETURN_UNLESS(weft_gather(answers_async(0), answers_async(WEFT_STOP)) == WEFT_RUNTIME);
  return 0;
}
static void a_stop_does_not_leave_a_task(void **state) {
  (void)state;
  at_one_and_four(stopped_async());
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bytes_between_arguments_are_zero),
      cmocka_unit_test(a_stop_does_not_leave_a_task),
      cmocka_unit_test(tasks_have_names),
      cmocka_unit_test(results_stay_readable),
      cmocka_unit_test(a_joiner_learns_the_childs_status),
      cmocka_unit_test(a_pending_request_ends_the_next_wait),
      cmocka_unit_test(other_loops_and_itself_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
