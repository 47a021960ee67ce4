/* test_exitstack.c: weft_with and exit stacks. */
#include <errno.h>

#include "unit/sync/trace.h"

typedef struct manager {
  const char *name;
  int enter, exit; /* exit: 0 passes the status on, 1 swallows it, < 0 replaces it */
  double ms;
} manager_t;

static int enter(void *data) {
  manager_t *m = data;
  if (m->ms > 0) weft_ignore(weft_sleep(m->ms / 1000));
  mark("+%s", m->name);
  return m->enter < 0 ? weft_fail(m->enter, "enter") : m->enter;
}

static int leave(void *data, int body) {
  manager_t *m = data;
  if (m->ms > 0) {
    int rc = weft_sleep(m->ms / 1000);
    if (rc < 0) mark("(%s)", weft_error_name(rc));
    weft_ignore(weft_fail(WEFT_TYPE, "in passing"));
  }
  mark("-%s:%s", m->name, body < 0 ? weft_error_name(body) : "0");
  return m->exit < 0 ? weft_fail(m->exit, "%s", m->name) : m->exit > 0 ? 0 : body;
}

static int good(void *data) {
  (void)data;
  mark("body");
  return 5;
}
static int bad(void *data) {
  (void)data;
  mark("body");
  return weft_fail(WEFT_VALUE, "v");
}
static int slow(void *data) {
  (void)data;
  mark("body");
  return weft_sleep(1);
}

static void mark_status(int rc) {
  if (rc < 0)
    mark("=%s(%s)", weft_error_name(rc), weft_error()->message);
  else
    mark("=%d", rc);
}

static WEFT_ASYNC(withs);
static int withs(void) {
  manager_t m = {"m", 0, 0, 10};
  mark_status(weft_with(enter, good, leave, &m));
  mark_status(weft_with(enter, bad, leave, &m)); /* the record is the body's, whatever exit did meanwhile */
  m.exit = 1;
  mark_status(weft_with(enter, bad, leave, &m));
  m = (manager_t){"m", 0, WEFT_RUNTIME, 0};
  mark_status(weft_with(NULL, bad, leave, &m));
  mark("<%s", weft_error_name(weft_error()->context));
  m.enter = WEFT_STOP;
  mark_status(weft_with(enter, good, leave, &m));
  mark_status(weft_with(enter, NULL, leave, &m));
  return 0;
}

static void exit_always_runs(void **state) {
  (void)state;
  assert_int_equal(run1(withs_async()), 0);
  assert_trace("+m body -m:0 =5 +m body -m:ValueError =ValueError(v) +m body -m:ValueError =0 "
               "body -m:ValueError =RuntimeError(m) <ValueError +m =StopIteration(enter) "
               "=EINVAL(weft_with: no body or no exit)");
}

static WEFT_ASYNC(cancelled_body, manager_t *);
static int cancelled_body(manager_t *m) { return weft_with(enter, slow, leave, m); }

static WEFT_ASYNC(cancelled);
static int cancelled(void) {
  manager_t m = {"m", 0, 0, 1};
  weft_task_t *task = weft_create_task(cancelled_body_async(&m));
  weft_ignore(weft_sleep(0.01));
  weft_task_cancel(task, "stop");
  int rc = weft_join(task);
  mark_status(rc);
  return rc;
}

static void exit_may_await_after_a_cancellation(void **state) {
  (void)state;
  assert_int_equal(run1(cancelled_async()), WEFT_CANCELLED);
  assert_trace("+m body -m:CancelledError =CancelledError(stop)");
}

static WEFT_ASYNC(stacks);
static int stacks(void) {
  manager_t m[4] = {{"a", 0, 0, 1}, {"b", 3, 0, 0}, {"c", 0, 1, 0}, {"d", WEFT_TYPE, 0, 0}};
  weft_exitstack_t stack, other = {0};
  weft_exitstack_enter(&stack);
  mark("%d", weft_exitstack_push(&stack, leave, &m[0]));
  mark("%d", weft_exitstack_enter_with(&stack, enter, leave, &m[1]));
  mark_status(weft_exitstack_exit(&stack, 4));
  mark_status(weft_exitstack_exit(&stack, 6)); /* empty now */
  for (int i = 0; i < 3; i++) weft_ignore(weft_exitstack_enter_with(&stack, enter, leave, &m[i]));
  mark_status(weft_exitstack_exit(&stack, weft_fail(WEFT_VALUE, "v"))); /* c swallows it, b and a see that */
  m[1].exit = WEFT_RUNTIME;
  for (int i = 0; i < 2; i++) weft_ignore(weft_exitstack_push(&stack, leave, &m[i]));
  int rc = weft_exitstack_enter_with(&stack, enter, leave, &m[3]); /* failed to enter: no exit */
  mark_status(rc);
  weft_exitstack_pop_all(&stack, &other);
  mark_status(weft_exitstack_exit(&stack, rc));
  mark_status(weft_exitstack_exit(&other, rc)); /* b replaces it */
  return 0;
}

static void stacks_unwind_in_reverse(void **state) {
  (void)state;
  assert_int_equal(run1(stacks_async()), 0);
  assert_trace("0 +b 3 -b:0 -a:0 =4 =6 +a +b +c -c:ValueError -b:0 -a:0 =0 +d =TypeError(enter) "
               "=TypeError(enter) -b:TypeError -a:RuntimeError =RuntimeError(b)");
}

static WEFT_ASYNC(starved);
static int starved(void) {
  manager_t m = {"m", 0, 0, 0};
  weft_exitstack_t stack = {0};
  weft__alloc_fail_after(1);
  int rc = weft_exitstack_push(&stack, leave, &m);
  weft__alloc_fail_after(-1);
  mark("%s", weft_error_name(rc));
  mark("%s", weft_error_name(weft_exitstack_push(&stack, NULL, &m)));
  return weft_exitstack_exit(&stack, 0);
}

static void without_memory_an_exit_runs_at_once(void **state) {
  (void)state;
  assert_int_equal(run1(starved_async()), 0);
  assert_trace("-m:ENOMEM ENOMEM EINVAL");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(exit_always_runs),
      cmocka_unit_test(exit_may_await_after_a_cancellation),
      cmocka_unit_test(stacks_unwind_in_reverse),
      cmocka_unit_test(without_memory_an_exit_runs_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
