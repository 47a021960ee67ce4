/* test_scopes.c: level-triggered cancel scopes, as Trio's. */
#include <errno.h>

#include "task/task.h"
#include "unit/sync/trace.h"

static double loop_time(void) { return weft_loop_time(weft_get_running_loop()); }
static void mark_sleep(double ms) { mark("%s", weft_error_name(weft_sleep(ms / 1000))); }

/* ---- level-triggered ---------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(level);
static int level(void) {
  weft_scope_t scope;
  weft_scope_enter(&scope, WEFT_FOREVER, false);
  mark_sleep(1);
  weft_scope_cancel(&scope);
  weft_scope_cancel(&scope);
  mark_sleep(1);
  mark_sleep(0);
  mark("%s", weft_error_name(weft_yield()));
  weft_future_t *f = weft_future_open(0);
  mark("%s", weft_error_name(weft_wait_for_future(f, 1, NULL)));
  mark("%d", weft_future_cancelled(f));
  weft_future_unref(f);
  weft_task_t *child = weft_create_task(sleeper_async("child", 1, 3));
  mark("%s", weft_error_name(weft_await(child)));
  weft_ignore(weft_join(child));
  mark("%d", weft_scope_exit(&scope, WEFT_CANCELLED));
  mark("%d%d %d", weft_scope_cancel_called(&scope), weft_scope_cancelled_caught(&scope),
       weft_task_cancelling(weft_current_task()));
  mark_sleep(1);
  return 0;
}

static void every_suspension_is_cancelled_until_exit(void **state) {
  (void)state;
  assert_int_equal(run1(level_async()), 0);
  assert_trace("OK CancelledError CancelledError CancelledError CancelledError 1 CancelledError 0 11 0 OK");
}

static WEFT_ASYNC(unused);
static int unused(void) {
  weft_scope_t scope;
  weft_scope_enter(&scope, WEFT_FOREVER, false);
  weft_scope_cancel(&scope); /* never suspends: nothing of it is left behind */
  int rc = weft_scope_exit(&scope, 4);
  mark("%d %d%d", rc, weft_scope_cancel_called(&scope), weft_scope_cancelled_caught(&scope));
  mark_sleep(1);
  weft_scope_enter(&scope, WEFT_FOREVER, false);
  weft_scope_cancel(&scope);
  rc = weft_sleep(1);
  rc = weft_scope_exit(&scope, weft_fail(WEFT_VALUE, "v")); /* other errors pass */
  mark("%s %d%d", weft_error_name(rc), weft_scope_cancel_called(&scope), weft_scope_cancelled_caught(&scope));
  mark_sleep(1);
  weft_scope_enter(&scope, WEFT_FOREVER, false);
  rc = weft_scope_exit(&scope, weft_sleep(0.001));
  mark("%d %d%d", rc, weft_scope_cancel_called(&scope), weft_scope_cancelled_caught(&scope));
  return 0;
}

static void only_its_own_cancellation_ends_there(void **state) {
  (void)state;
  assert_int_equal(run1(unused_async()), 0);
  assert_trace("4 10 OK ValueError 10 OK 0 00");
}

/* ---- deadlines ---------------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(deadlines);
static int deadlines(void) {
  weft_scope_t scope;
  int start = ms_now();
  weft_scope_enter(&scope, loop_time() + 0.02, false);
  int rc = weft_sleep(0.1);
  mark("%s", weft_error_name(rc));
  mark_sleep(10);
  mark("%d", weft_scope_exit(&scope, rc));
  mark("[%d] %d", ms_now() - start, weft_scope_cancelled_caught(&scope));
  weft_scope_enter_after(&scope, 0.02, false);
  rc = weft_scope_exit(&scope, weft_sleep(0.1));
  mark("[%d] %d %d", ms_now() - start, rc, weft_scope_cancelled_caught(&scope));
  weft_scope_enter_after(&scope, 0.05, false);
  rc = weft_scope_exit(&scope, weft_sleep(0.02));
  mark("[%d] %d %d", ms_now() - start, rc, weft_scope_cancel_called(&scope));
  weft_scope_enter(&scope, 0, false); /* past */
  rc = weft_scope_exit(&scope, weft_sleep(0.02));
  mark("[%d] %d %d", ms_now() - start, rc, weft_scope_cancelled_caught(&scope));
  weft_scope_enter(&scope, WEFT_FOREVER, false);
  mark("%d", weft_scope_reschedule_at(&scope, loop_time() + 0.05));
  mark("%d", weft_scope_reschedule_at(&scope, loop_time() + 0.01));
  rc = weft_scope_exit(&scope, weft_sleep(0.1));
  mark("[%d] %d %d", ms_now() - start, rc, weft_scope_cancelled_caught(&scope));
  weft_scope_enter_after(&scope, 0.01, false);
  mark("%d", weft_scope_reschedule_at(&scope, WEFT_FOREVER));
  rc = weft_scope_exit(&scope, weft_sleep(0.02));
  mark("[%d] %d %d", ms_now() - start, rc, weft_scope_cancel_called(&scope));
  return weft_sleep(0.1);
}

static void deadlines_cancel(void **state) {
  (void)state;
  assert_int_equal(run1(deadlines_async()), 0);
  assert_trace("CancelledError CancelledError 0 [20] 1 [40] 0 1 [60] 0 0 [60] 0 1 0 0 [70] 0 1 0 [90] 0 0");
}

/* ---- nesting and shields ------------------------------------------------------------------------------------------------ */

static WEFT_ASYNC(nested);
static int nested(void) {
  weft_scope_t outer, inner;
  weft_scope_enter(&outer, WEFT_FOREVER, false);
  weft_scope_enter(&inner, WEFT_FOREVER, false);
  weft_scope_cancel(&inner);
  int rc = weft_scope_exit(&inner, weft_sleep(1));
  mark("%d %s", rc, weft_error_name(weft_sleep(0.001)));
  weft_scope_enter(&inner, WEFT_FOREVER, false);
  weft_scope_cancel(&inner);
  weft_scope_cancel(&outer);
  rc = weft_scope_exit(&inner, weft_sleep(1)); /* reaches further: passes */
  mark("%s %d", weft_error_name(rc), weft_scope_cancelled_caught(&inner));
  weft_scope_enter(&inner, WEFT_FOREVER, true); /* clean-up behind a shield */
  mark_sleep(1);
  mark_sleep(1);
  rc = weft_scope_exit(&inner, 0);
  mark("%d", rc);
  mark_sleep(1);
  weft_scope_enter(&inner, WEFT_FOREVER, true);
  weft_scope_cancel(&inner);
  mark_sleep(1);
  mark("%d", weft_scope_exit(&inner, WEFT_CANCELLED)); /* its own, though the outer one is cancelled too */
  mark("%d", weft_scope_exit(&outer, WEFT_CANCELLED));
  mark_sleep(1);
  return 0;
}

static void nesting_and_shields(void **state) {
  (void)state;
  assert_int_equal(run1(nested_async()), 0);
  assert_trace("0 OK CancelledError 0 OK OK 0 CancelledError CancelledError 0 0 OK");
}

static WEFT_ASYNC(shielded, weft_scope_t *);
static int shielded(weft_scope_t *outer) {
  weft_scope_enter(outer, WEFT_FOREVER, false);
  weft_scope_t shield;
  weft_scope_enter(&shield, WEFT_FOREVER, true);
  mark_sleep(20);
  mark_sleep(20);
  mark("(%d", weft_task_cancelling(weft_current_task()));
  weft_timeout_t limit; /* a limit inside the shield works */
  weft_timeout_enter(&limit, 0.01);
  int rc = weft_timeout_exit(&limit, weft_sleep(1));
  mark("%s)", weft_error_name(rc));
  weft_ignore(weft_scope_exit(&shield, 0));
  rc = weft_sleep(1);
  mark("%s", weft_error_name(rc));
  rc = weft_scope_exit(outer, rc);
  mark("%s", rc < 0 ? weft_error_name(rc) : "0");
  mark_sleep(1);
  return rc;
}

static WEFT_ASYNC(from_outside, bool);
static int from_outside(bool request) {
  weft_scope_t outer;
  weft_task_t *task = weft_create_task(shielded_async(&outer));
  weft_ignore(weft_sleep(0.01));
  if (request)
    assert_true(weft_task_cancel(task, "why"));
  else
    weft_scope_cancel(&outer);
  return weft_join(task);
}

static void a_shield_keeps_scopes_and_requests_away(void **state) {
  (void)state;
  assert_int_equal(run1(from_outside_async(false)), 0);
  assert_trace("OK OK (0 TimeoutError) CancelledError 0 OK");
  assert_int_equal(run1(from_outside_async(true)), WEFT_CANCELLED);
  assert_trace("OK OK (1 TimeoutError) CancelledError CancelledError OK");
}

static WEFT_ASYNC(limited_outside);
static int limited_outside(void) {
  weft_timeout_t limit;
  weft_scope_t shield;
  weft_timeout_enter(&limit, 0.01);
  weft_scope_enter(&shield, WEFT_FOREVER, true);
  mark_sleep(20); /* the limit strikes, and waits */
  mark("%d", weft_timeout_expired(&limit));
  weft_ignore(weft_scope_exit(&shield, 0));
  int rc = weft_sleep(1);
  mark("%s", weft_error_name(rc));
  mark("%s", weft_error_name(weft_timeout_exit(&limit, rc)));
  mark("%d", weft_task_cancelling(weft_current_task()));
  weft_timeout_enter(&limit, 0.01);
  weft_scope_enter(&shield, WEFT_FOREVER, true);
  mark_sleep(20);
  weft_ignore(weft_scope_exit(&shield, 0));
  mark("%d", weft_timeout_exit(&limit, 0)); /* no suspension between: nothing is left behind */
  mark_sleep(1);
  return 0;
}

static void a_limit_outside_waits_for_the_shield(void **state) {
  (void)state;
  assert_int_equal(run1(limited_outside_async()), 0);
  assert_trace("OK 1 CancelledError TimeoutError 0 OK 0 OK");
}

static WEFT_ASYNC(both, weft_scope_t *);
static int both(weft_scope_t *scope) {
  weft_scope_enter(scope, WEFT_FOREVER, false);
  int rc = weft_scope_exit(scope, weft_sleep(1));
  mark("%s %d", weft_error_name(rc), weft_scope_cancelled_caught(scope));
  mark_sleep(1);
  return rc;
}

static WEFT_ASYNC(both_strike, bool);
static int both_strike(bool scope_first) {
  weft_scope_t scope;
  weft_task_t *task = weft_create_task(both_async(&scope));
  weft_ignore(weft_yield());
  if (scope_first) weft_scope_cancel(&scope);
  weft_task_cancel(task, NULL);
  if (!scope_first) weft_scope_cancel(&scope);
  return weft_join(task);
}

static void a_request_of_others_passes_through(void **state) {
  (void)state;
  assert_int_equal(run1(both_strike_async(false)), WEFT_CANCELLED);
  assert_trace("CancelledError 0 OK");
  assert_int_equal(run1(both_strike_async(true)), WEFT_CANCELLED);
  assert_trace("CancelledError 0 OK");
}

/* ---- waits that go on to the end ---------------------------------------------------------------------------------------- */

static WEFT_ASYNC(group_inside);
static int group_inside(void) {
  weft_scope_t scope;
  int start = ms_now();
  weft_scope_enter_after(&scope, 0.01, false);
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  weft_taskgroup_create_task(&group, stubborn_async("a", 100, 20, 0));
  weft_taskgroup_create_task(&group, sleeper_async("b", 100, 0));
  int rc = weft_sleep(1);
  rc = weft_taskgroup_exit(&group, rc);
  mark("[%d] %s", ms_now() - start, weft_error_name(rc));
  rc = weft_gather(sleeper_async("never", 10, 0));
  mark("%s", weft_error_name(rc));
  rc = weft_scope_exit(&scope, rc);
  mark("%d", rc);
  return rc;
}

static void a_group_inside_waits_for_its_children(void **state) {
  (void)state;
  assert_int_equal(run1(group_inside_async()), 0);
  assert_trace("a! b! a. [30] CancelledError CancelledError 0");
}

static WEFT_ASYNC(holder, weft_condition_t *);
static int holder(weft_condition_t *condition) {
  int rc = weft_condition_acquire(condition);
  if (rc == 0) rc = weft_sleep(0.03); /* a timer: whoever spins meanwhile stops the virtual clock */
  weft_ignore(weft_condition_release(condition));
  return rc;
}

static weft__hush_t asks;
static int asked;
static void count_asks(weft_task_t *task) {
  if (++asked < 1000) asks(task); /* whoever asks for ever is let go */
}

static WEFT_ASYNC(condition_inside);
static int condition_inside(void) {
  weft_condition_t condition;
  weft_condition_init(&condition, NULL);
  weft_scope_t scope;
  int start = ms_now();
  weft_scope_enter_after(&scope, 0.01, false);
  asks = weft_current_task()->before_suspend;
  weft_current_task()->before_suspend = count_asks;
  weft_ignore(weft_condition_acquire(&condition));
  weft_task_t *task = weft_create_task(holder_async(&condition));
  int rc = weft_condition_wait(&condition);
  mark("[%d] %s %d", ms_now() - start, weft_error_name(rc), weft_condition_locked(&condition));
  weft_ignore(weft_condition_release(&condition));
  rc = weft_scope_exit(&scope, rc);
  weft_ignore(weft_join(task));
  return rc;
}

static void a_condition_inside_gets_its_lock_again(void **state) {
  (void)state;
  assert_int_equal(run1(condition_inside_async()), 0);
  assert_trace("[30] CancelledError 1");
  assert_in_range(asked, 1, 3); /* it sleeps, it does not ask over and over */
}

/* ---- misuse and memory -------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(stranger, weft_scope_t *);
static int stranger(weft_scope_t *scope) { return weft_scope_exit(scope, 0); }

static int in_callback(void *data) {
  weft_scope_t scope;
  weft_scope_enter(&scope, 1, true);
  weft_scope_cancel(&scope);
  *(int *)data = weft_scope_exit(&scope, 0);
  return 0;
}

static WEFT_ASYNC(misuse);
static int misuse(void) {
  weft_scope_t scope = {0}, inner;
  mark("%s", weft_error_name(weft_scope_exit(&scope, 0)));
  mark("%s", weft_error_name(weft_scope_reschedule_at(&scope, 1)));
  weft_scope_enter(&scope, WEFT_FOREVER, false);
  weft_scope_enter(&inner, WEFT_FOREVER, false);
  mark("%s", weft_error_name(weft_scope_exit(&scope, 0)));
  mark("%s", weft_error_name(weft_join(weft_create_task(stranger_async(&inner)))));
  mark("%d", weft_scope_exit(&inner, 1));
  mark("%d", weft_scope_exit(&scope, 2));
  mark("%s", weft_error_name(weft_scope_exit(&scope, 0)));
  weft_scope_enter(&scope, (double)NAN, false);
  int rc = weft_sleep(1);
  mark("%s", weft_error_name(weft_scope_exit(&scope, rc)));
  rc = 0;
  weft_call_soon(weft_get_running_loop(), in_callback, &rc);
  mark_sleep(1);
  mark("%s", weft_error_name(rc));
  weft__alloc_fail_after(1);
  weft_scope_enter_after(&scope, 1, false);
  weft__alloc_fail_after(-1);
  rc = weft_sleep(0.5);
  mark("%s", weft_error_name(rc));
  mark("%s", weft_error_name(weft_scope_exit(&scope, rc)));
  weft_scope_enter_after(&scope, 0.02, false);
  weft__alloc_fail_after(1);
  mark("%s", weft_error_name(weft_scope_reschedule_at(&scope, loop_time() + 1)));
  weft__alloc_fail_after(-1);
  mark("%d", weft_scope_exit(&scope, weft_sleep(0.5)));
  mark_sleep(1);
  return 0;
}

static void misuse_and_memory(void **state) {
  (void)state;
  assert_int_equal(run1(misuse_async()), 0);
  assert_trace("RuntimeError RuntimeError RuntimeError RuntimeError 1 2 RuntimeError EINVAL OK RuntimeError "
               "CancelledError ENOMEM ENOMEM 0 OK");
}

/* ---- several workers ---------------------------------------------------------------------------------------------------- */

typedef struct spinning {
  weft_scope_t scope;
  weft_event_t entered, over;
} spinning_t;

static WEFT_ASYNC(spin, spinning_t *);
static int spin(spinning_t *spinning) {
  weft_scope_enter(&spinning->scope, WEFT_FOREVER, false);
  weft_event_set(&spinning->entered);
  int rc = 0, seen = 0;
  while (rc == 0) rc = weft_yield();
  for (int i = 0; i < 3; i++) seen += weft_yield() == WEFT_CANCELLED;
  weft_scope_t shield;
  weft_scope_enter(&shield, WEFT_FOREVER, true);
  if (weft_event_wait(&spinning->over) != 0) seen = -1; /* until the canceller is done with the scope */
  weft_ignore(weft_scope_exit(&shield, 0));
  rc = weft_scope_exit(&spinning->scope, rc);
  if (rc != 0 || seen != 3 || !weft_scope_cancelled_caught(&spinning->scope))
    return weft_fail(WEFT_TYPE, "%d %d", rc, seen);
  return weft_yield();
}

static WEFT_ASYNC(brink, int);
static int brink(int rounds) {
  for (int i = 0; i < rounds; i++) {
    weft_scope_t scope;
    weft_scope_enter_after(&scope, 20e-6, i % 2);
    int rc = 0;
    for (int k = 0; k < i % 20 && rc == 0; k++) rc = weft_yield();
    rc = weft_scope_exit(&scope, rc);
    if (rc != 0) return rc;
    if (weft_yield() != 0) return weft_fail(WEFT_TYPE, "cancelled after the block");
  }
  return 0;
}

static WEFT_ASYNC(threads);
static int threads(void) {
  for (int round = 0; round < scaled(300); round++) {
    spinning_t spinning;
    weft_event_init(&spinning.entered);
    weft_event_init(&spinning.over);
    weft_task_t *task = weft_create_task(spin_async(&spinning));
    weft_ignore(weft_event_wait(&spinning.entered));
    if (round % 3 == 0) weft_ignore(weft_yield());
    weft_scope_cancel(&spinning.scope);
    weft_event_set(&spinning.over);
    int rc = weft_join(task);
    if (rc != 0) return rc;
  }
  weft_call_t calls[4];
  for (int i = 0; i < 4; i++) calls[i] = brink_async(scaled(1000));
  return weft_gather_n(calls, 4, NULL, 0);
}

static void on_several_workers(void **state) {
  (void)state;
  assert_int_equal(run4(threads_async()), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_suspension_is_cancelled_until_exit),
      cmocka_unit_test(only_its_own_cancellation_ends_there),
      cmocka_unit_test(deadlines_cancel),
      cmocka_unit_test(nesting_and_shields),
      cmocka_unit_test(a_shield_keeps_scopes_and_requests_away),
      cmocka_unit_test(a_limit_outside_waits_for_the_shield),
      cmocka_unit_test(a_request_of_others_passes_through),
      cmocka_unit_test(a_group_inside_waits_for_its_children),
      cmocka_unit_test(a_condition_inside_gets_its_lock_again),
      cmocka_unit_test(misuse_and_memory),
      cmocka_unit_test(on_several_workers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
