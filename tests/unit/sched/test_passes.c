/* One worker: asyncio's order, step by step: what a pass holds, when timers have their turn, what an await lets go first. The
 * same in a serial run of four workers. Everything here runs one at a time and writes letters into one line. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <weft.h>

static char line[64];

static void writes(char letter) {
  size_t n = strlen(line);
  if (n + 1 < sizeof line) line[n] = letter, line[n + 1] = '\0';
}
static int says(void *letter) {
  writes(*(const char *)letter);
  return 0;
}
static void soon(const char *letter) { weft_call_soon(weft_get_running_loop(), says, (void *)(uintptr_t)letter); }

static void expect(weft_call_t call, const char *expected, bool serial) {
  weft_config_t config = {.workers = serial ? 4 : 1, .virtual_time = true, .serial = serial};
  line[0] = '\0';
  assert_int_equal(weft_run_with(&config, call), 0);
  assert_string_equal(line, expected);
}
static void expect_both(weft_call_t call, const char *expected) {
  expect(call, expected, false);
  expect(call, expected, true);
}

/* ---- passes ------------------------------------------------------------------------------------------------------------ */

static int second(void *data) {
  writes('b');
  soon("c");
  return data != NULL;
}
static int first(void *data) {
  writes('a');
  weft_call_soon(weft_get_running_loop(), second, data);
  return weft_loop_advance(weft_get_running_loop(), 1); /* the timer is due from now on */
}
static WEFT_ASYNC(a_timer_among_callbacks);
static int a_timer_among_callbacks(void) {
  weft_call_later(weft_get_running_loop(), 0.5, says, (void *)(uintptr_t) "t");
  weft_call_soon(weft_get_running_loop(), first, NULL);
  return weft_sleep(5);
}
/* b runs in the next pass, in which the timer is due too; c, made ready by b, belongs to the one after. */
static void a_pass_is_what_was_ready_at_its_start(void **state) {
  (void)state;
  expect_both(a_timer_among_callbacks_async(), "abtc");
}

/* ---- awaiting a child -------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(child, char, const char *);
static int child(char letter, const char *callback) {
  writes(letter);
  if (callback != NULL) soon(callback);
  return 0;
}

static WEFT_ASYNC(child_makes_ready);
static int child_makes_ready(void) {
  int rc = weft_join(weft_create_task(child_async('c', "x")));
  writes('m');
  return rc;
}
static void what_the_child_made_ready_goes_first(void **state) {
  (void)state;
  expect_both(child_makes_ready_async(), "cxm");
}

static WEFT_ASYNC(something_is_ready);
static int something_is_ready(void) {
  soon("x");
  int rc = weft_join(weft_create_task(child_async('c', NULL)));
  writes('m');
  return rc;
}
static WEFT_ASYNC(two_children);
static int two_children(void) {
  weft_task_t *a = weft_create_task(child_async('a', "x")), *b = weft_create_task(child_async('b', NULL));
  int rc = weft_join(b); /* the younger one first */
  writes('m');
  return rc < 0 ? rc : weft_join(a);
}
static void what_was_ready_before_the_child_goes_first(void **state) {
  (void)state;
  expect_both(something_is_ready_async(), "xcm");
  expect_both(two_children_async(), "abxm");
}

static WEFT_ASYNC(cancelled_parent);
static int cancelled_parent(void) {
  weft_task_cancel(weft_current_task(), NULL);
  int rc = weft_join(weft_create_task(child_async('c', NULL)));
  writes(rc == WEFT_CANCELLED ? 'm' : '?');
  return 0;
}
static void a_cancelled_parents_child_never_starts(void **state) {
  (void)state;
  expect_both(cancelled_parent_async(), "m");
}

/* ---- turns ------------------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(takes_turns, char, int);
static int takes_turns(char letter, int times) {
  int rc = 0;
  for (int i = 0; i < times && rc == 0; i++) {
    writes(letter);
    rc = weft_yield();
  }
  return rc;
}
static WEFT_ASYNC(three_in_turn);
static int three_in_turn(void) {
  return weft_gather(takes_turns_async('a', 3), takes_turns_async('b', 2), takes_turns_async('c', 3));
}
static void tasks_take_turns(void **state) {
  (void)state;
  expect_both(three_in_turn_async(), "abcabcac");
}

static WEFT_ASYNC(sleeps, char, double);
static int sleeps(char letter, double seconds) {
  int rc = weft_sleep(seconds);
  writes(letter);
  return rc;
}
static WEFT_ASYNC(sleepers);
static int sleepers(void) {
  return weft_gather(sleeps_async('c', 3), sleeps_async('a', 1), sleeps_async('b', 2), sleeps_async('d', 3.5));
}
static void sleepers_wake_in_order_of_their_times(void **state) {
  (void)state;
  expect_both(sleepers_async(), "abcd");
}

static WEFT_ASYNC(sleep_and_callback);
static int sleep_and_callback(void) {
  weft_task_t *sleeper = weft_create_task(sleeps_async('s', 1));
  int rc = weft_yield(); /* its timer is the earlier one */
  weft_call_later(weft_get_running_loop(), 1, says, (void *)(uintptr_t) "t");
  if (rc == 0) rc = weft_loop_advance(weft_get_running_loop(), 5);
  return rc < 0 ? rc : weft_join(sleeper);
}
/* What expires is a handle, which readies the sleeper: its step comes after the pass's other handles. */
static void an_expired_sleep_takes_a_hop(void **state) {
  (void)state;
  expect_both(sleep_and_callback_async(), "ts");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_pass_is_what_was_ready_at_its_start),
      cmocka_unit_test(what_the_child_made_ready_goes_first),
      cmocka_unit_test(what_was_ready_before_the_child_goes_first),
      cmocka_unit_test(a_cancelled_parents_child_never_starts),
      cmocka_unit_test(tasks_take_turns),
      cmocka_unit_test(an_expired_sleep_takes_a_hop),
      cmocka_unit_test(sleepers_wake_in_order_of_their_times),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
