/* Scheduled callbacks and their handles: order, times, cancelling, stale handles, errors, slow ones. */
#include <errno.h>
#include <math.h>
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

static int run_on(unsigned workers, bool debug, weft_call_t call) {
  weft_config_t config = {.workers = workers, .virtual_time = !debug, .debug = debug};
  return weft_run_with(&config, call);
}
static void at_one_and_four(weft_call_t call) {
  assert_int_equal(run_on(1, false, call), 0);
  assert_int_equal(run_on(4, false, call), 0);
}

/* Callbacks run one at a time, in order: plain memory will do. */
struct line {
  char text[32];
};
struct letter {
  struct line *line;
  char letter;
};
static int writes(void *data) {
  struct letter *letter = data;
  size_t n = strlen(letter->line->text);
  letter->line->text[n] = letter->letter;
  return 0;
}

static WEFT_ASYNC(times);
static int times(void) {
  struct line line = {""};
  struct letter a = {&line, 'a'}, b = {&line, 'b'}, c = {&line, 'c'}, d = {&line, 'd'}, e = {&line, 'e'};
  weft_loop_t *loop = weft_get_running_loop();
  double now = weft_loop_time(loop);
  weft_handle_t at = weft_call_at(loop, now + 3, writes, &c);
  weft_call_later(loop, 2, writes, &b);
  weft_call_at(loop, now + 3, writes, &d); /* equal deadlines: in order of scheduling */
  weft_call_later(loop, 4, writes, &e);
  weft_handle_t soon = weft_call_soon(loop, writes, &a);
  RETURN_UNLESS(fabs(weft_handle_when(at) - (now + 3)) < 1e-6 && isnan(weft_handle_when(soon)));
  RETURN_UNLESS(weft_sleep(5) == 0);
  RETURN_UNLESS(strcmp(line.text, "abcde") == 0);
  RETURN_UNLESS(isnan(weft_handle_when(at)) && !weft_handle_cancel(at) && !weft_handle_cancel(soon));
  return 0;
}
static void in_order_of_their_times(void **state) {
  (void)state;
  at_one_and_four(times_async());
}

static WEFT_ASYNC(cancelled);
static int cancelled(void) {
  struct line line = {""};
  struct letter a = {&line, 'a'}, b = {&line, 'b'};
  weft_loop_t *loop = weft_get_running_loop();
  weft_handle_t later = weft_call_later(loop, 1, writes, &a), none = {{0, 0}};
  RETURN_UNLESS(weft_handle_cancel(later) && !weft_handle_cancel(later) && isnan(weft_handle_when(later)));
  weft_handle_t next = weft_call_later(loop, 1, writes, &b); /* may use the same memory */
  RETURN_UNLESS(!weft_handle_cancel(later));                 /* a stale one means nobody else */
  RETURN_UNLESS(!weft_handle_cancel(none) && isnan(weft_handle_when(none)));
  RETURN_UNLESS(weft_sleep(2) == 0);
  RETURN_UNLESS(strcmp(line.text, "b") == 0 && !weft_handle_cancel(next));
  return 0;
}
static WEFT_ASYNC(cancelled_soon);
static int cancelled_soon(void) { /* one worker: it cannot have run yet */
  struct line line = {""};
  struct letter a = {&line, 'a'};
  weft_handle_t handle = weft_call_soon(weft_get_running_loop(), writes, &a);
  RETURN_UNLESS(weft_handle_cancel(handle) && !weft_handle_cancel(handle));
  RETURN_UNLESS(weft_sleep(1) == 0 && line.text[0] == '\0' && !weft_handle_cancel(handle));
  return 0;
}
static void a_cancelled_one_does_not_run(void **state) {
  (void)state;
  at_one_and_four(cancelled_async());
  assert_int_equal(run_on(1, false, cancelled_soon_async()), 0);
}

static int does_nothing(void *data) {
  (void)data;
  return 0;
}
static WEFT_ASYNC(remembered);
static int remembered(void) {
  weft_loop_t *loop = weft_get_running_loop();
  weft_handle_t ran = weft_call_later(loop, 1, does_nothing, NULL),
                never = weft_call_later(loop, 1, does_nothing, NULL), none = {{0, 0}};
  RETURN_UNLESS(!weft_handle_cancelled(ran) && !weft_handle_cancelled(never) && !weft_handle_cancelled(none));
  RETURN_UNLESS(weft_handle_cancel(never) && weft_handle_cancelled(never) && !weft_handle_cancelled(ran));
  for (int i = 0; i < 30; i++) { /* the same memory again and again */
    weft_handle_t other = weft_call_later(loop, 1, does_nothing, NULL);
    RETURN_UNLESS(!weft_handle_cancelled(other) && weft_handle_cancel(other) && weft_handle_cancelled(other));
  }
  RETURN_UNLESS(weft_handle_cancelled(never));
  RETURN_UNLESS(weft_sleep(2) == 0 && !weft_handle_cancelled(ran));
  RETURN_UNLESS(!weft_handle_cancel(ran) && weft_handle_cancelled(ran)); /* too late, but it was asked for */
  for (int i = 0; i < 64 * 3; i++) RETURN_UNLESS(weft_handle_cancel(weft_call_later(loop, 1, does_nothing, NULL)));
  for (int i = 0; i < 64; i++) RETURN_UNLESS(!weft_handle_cancelled(weft_call_later(loop, 1, does_nothing, NULL)));
  return weft_sleep(2);
}
static void cancelled_is_remembered(void **state) {
  (void)state;
  at_one_and_four(remembered_async());
}

static WEFT_ASYNC(past);
static int past(void) {
  struct line line = {""};
  struct letter a = {&line, 'a'}, b = {&line, 'b'}, c = {&line, 'c'};
  weft_loop_t *loop = weft_get_running_loop();
  weft_call_later(loop, 0, writes, &c);
  weft_call_later(loop, -1, writes, &b);
  weft_call_later(loop, -2, writes, &a);
  RETURN_UNLESS(weft_sleep(1) == 0);
  RETURN_UNLESS(strcmp(line.text, "abc") == 0);
  return 0;
}
static void past_times_have_an_order_too(void **state) {
  (void)state;
  assert_int_equal(run_on(1, false, past_async()), 0);
}

static WEFT_ASYNC(bad_input);
static int bad_input(void) {
  weft_loop_t *loop = weft_get_running_loop();
  struct line line = {""};
  struct letter a = {&line, 'a'};
  weft_handle_t handle = weft_call_later(loop, NAN, writes, &a);
  RETURN_UNLESS(handle.opaque_[0] == 0 && weft_error()->code == -EINVAL);
  handle = weft_call_at(loop, NAN, writes, &a);
  RETURN_UNLESS(handle.opaque_[0] == 0 && weft_error()->code == -EINVAL);
  handle = weft_call_soon(loop, NULL, NULL);
  RETURN_UNLESS(handle.opaque_[0] == 0 && weft_error()->code == -EINVAL);
  handle = weft_call_later(loop, -1, writes, &a); /* in the next pass */
  RETURN_UNLESS(weft_sleep(1) == 0 && strcmp(line.text, "a") == 0);
  return 0;
}
static void bad_input_is_told(void **state) {
  (void)state;
  at_one_and_four(bad_input_async());
}

/* ---- reports ----------------------------------------------------------------------------------------------------------- */

struct reports {
  int count, code, cannot;
  char message[128];
};
static int note(weft_loop_t *loop, const weft_error_context_t *context, void *data) {
  (void)loop;
  struct reports *reports = data;
  reports->count++;
  reports->code = context->error != NULL ? context->error->code : 0;
  snprintf(reports->message, sizeof reports->message, "%s", context->message);
  return 0;
}
static int fails_after_trying(void *data) {
  struct reports *reports = data;
  reports->cannot = weft_sleep(1); /* a callback cannot suspend */
  return weft_fail(WEFT_VALUE, "on purpose");
}
static WEFT_ASYNC(failing);
static int failing(void) {
  weft_loop_t *loop = weft_get_running_loop();
  struct reports reports = {0, 0, 0, ""};
  weft_loop_set_exception_handler(loop, note, &reports);
  weft_call_soon(loop, fails_after_trying, &reports);
  int rc = weft_sleep(1);
  weft_loop_set_exception_handler(loop, NULL, NULL);
  RETURN_UNLESS(rc == 0 && reports.count == 1 && reports.code == WEFT_VALUE && reports.cannot == -EPERM);
  RETURN_UNLESS(strstr(reports.message, "callback") != NULL);
  return 0;
}
static void errors_go_to_the_handler(void **state) {
  (void)state;
  at_one_and_four(failing_async());
}

static int breaks(weft_loop_t *loop, const weft_error_context_t *context, void *data) {
  (void)loop;
  (void)context;
  ++*(int *)data;
  return weft_fail(WEFT_VALUE, "in the handler");
}
static void keep_line(int level, const char *message, void *data) {
  (void)level;
  snprintf(data, 64, "%s", message);
}
static WEFT_ASYNC(handlers);
static int handlers(void) {
  weft_loop_t *loop = weft_get_running_loop();
  struct reports reports = {0, 0, 0, ""};
  int broken = 0;
  char line[64] = "";
  void *data = &line;
  RETURN_UNLESS(weft_loop_get_exception_handler(loop, &data) == NULL && data == NULL);
  weft_loop_set_logger(loop, keep_line, line);
  weft_loop_set_exception_handler(loop, note, &reports);
  RETURN_UNLESS(weft_loop_get_exception_handler(loop, &data) == note && data == &reports);
  weft_loop_default_exception_handler(loop, &(weft_error_context_t){.message = "straight"});
  RETURN_UNLESS(strcmp(line, "straight") == 0 && reports.count == 0);
  weft_loop_set_exception_handler(loop, breaks, &broken);
  weft_loop_call_exception_handler(loop, &(weft_error_context_t){.message = "x"});
  RETURN_UNLESS(broken == 1 && strncmp(line, "Unhandled error in exception handler", 36) == 0);
  weft_loop_set_exception_handler(loop, NULL, NULL);
  RETURN_UNLESS(weft_loop_get_exception_handler(loop, NULL) == NULL);
  weft_loop_set_logger(loop, NULL, NULL);
  return 0;
}
static void handlers_are_told_and_broken_ones_replaced(void **state) {
  (void)state;
  at_one_and_four(handlers_async());
}

static weft_task_t *factory(weft_loop_t *loop, weft_call_t call, const weft_task_options_t *options) {
  (void)loop;
  return weft_create_task_with(call, options);
}
static void settings_are_answered(void **state) {
  (void)state;
  weft_loop_t *loop;
  assert_int_equal(weft_loop_open(&(weft_config_t){.workers = 1}, &loop), 0);
  assert_null(weft_loop_get_task_factory(loop));
  weft_loop_set_task_factory(loop, factory);
  assert_true(weft_loop_get_task_factory(loop) == factory);
  bool debug = weft_loop_get_debug(loop);
  weft_loop_set_debug(loop, !debug);
  assert_int_equal(weft_loop_get_debug(loop), !debug);
  assert_int_equal(weft_loop_close(loop), 0);
}

struct log {
  int lines, slow;
};
static void log_line(int level, const char *message, void *data) {
  struct log *log = data;
  log->lines++;
  if (level == WEFT_LOG_WARNING && strstr(message, "took") != NULL) log->slow++;
}
static int takes_long(void *data) {
  volatile long *sum = data;
  for (int i = 0; i < 2000000; i++) *sum += i; /* longer than the limit of the one run, shorter than the other's */
  return 0;
}
static WEFT_ASYNC(slow, double, struct log *);
static int slow(double limit, struct log *log) {
  weft_loop_t *loop = weft_get_running_loop();
  long sum = 0;
  weft_loop_set_logger(loop, log_line, log);
  weft_loop_set_slow_callback_duration(loop, limit);
  weft_loop_set_slow_callback_duration(loop, NAN);
  weft_loop_set_slow_callback_duration(loop, -1);
  weft_call_soon(loop, takes_long, &sum);
  int rc = weft_sleep(1);
  weft_loop_set_logger(loop, NULL, NULL);
  return rc;
}
static void slow_ones_are_logged_in_debug_mode(void **state) {
  (void)state;
  struct log log = {0, 0};
  assert_int_equal(run_on(1, true, slow_async(1e-6, &log)), 0);
  assert_true(log.slow >= 1);
  log = (struct log){0, 0};
  assert_int_equal(run_on(1, true, slow_async(1e6, &log)), 0);
  assert_int_equal(log.slow, 0);
  assert_int_equal(run_on(1, false, slow_async(1e-6, &log)), 0);
  assert_int_equal(log.slow, 0);
  weft_loop_t *loop;
  assert_int_equal(weft_loop_open(&(weft_config_t){.workers = 1, .virtual_time = false}, &loop), 0);
  weft_loop_set_debug(loop, true);
  assert_int_equal(weft_loop_run_until_complete(loop, slow_async(1e-6, &log)), 0);
  assert_true(log.slow >= 1);
  assert_int_equal(weft_loop_close(loop), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(in_order_of_their_times),
      cmocka_unit_test(a_cancelled_one_does_not_run),
      cmocka_unit_test(cancelled_is_remembered),
      cmocka_unit_test(past_times_have_an_order_too),
      cmocka_unit_test(bad_input_is_told),
      cmocka_unit_test(errors_go_to_the_handler),
      cmocka_unit_test(handlers_are_told_and_broken_ones_replaced),
      cmocka_unit_test(settings_are_answered),
      cmocka_unit_test(slow_ones_are_logged_in_debug_mode),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
