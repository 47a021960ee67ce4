/* test_gather.c: gather over calls, tasks and futures. Transcripts of what asyncio has are asyncio 3.13's own. */
#include <errno.h>

#include "unit/sync/trace.h"

static WEFT_ASYNC(child, const char *, int, int);
static int child(const char *name, int yields, int status) {
  mark("%s", name);
  for (int i = 0; i < yields; i++) {
    int rc = weft_yield();
    if (rc < 0) {
      mark("%s!", name);
      return rc;
    }
  }
  mark("/%s", name);
  return status < 0 ? weft_fail(status, "%s", name) : status;
}

static WEFT_ASYNC(quiet, int, int);
static int quiet(int yields, int status) {
  for (int i = 0; i < yields; i++) {
    int rc = weft_yield();
    if (rc < 0) return rc;
  }
  return status < 0 ? weft_fail(status, "quiet") : status;
}

/* ---- order -------------------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(hops);
static int hops(void) {
  weft_detach(weft_create_task(ticker_async("t", 10)));
  int st[3];
  mark("G");
  int rc =
      weft_gather_n((weft_call_t[]){child_async("a", 0, 0), child_async("b", 2, 7), child_async("c", 1, 0)}, 3, st, 0);
  mark("G=%d:%d,%d,%d", rc, st[0], st[1], st[2]);
  weft_task_t *tasks[3] = {weft_create_task(child_async("d", 1, 0)), weft_create_task(child_async("e", 2, 0)),
                           weft_create_task(child_async("f", 0, WEFT_VALUE))};
  rc = weft_gather_tasks(tasks, 3, st, 0);
  mark("H=%s:%d,%d,%d", weft_error_name(rc), st[0], st[1], st[2]);
  rc = weft_gather_tasks(tasks, 3, st, WEFT_RETURN_EXCEPTIONS); /* all done: no suspension */
  mark("I=%d:%d,%d,%s", rc, st[0], st[1], weft_error_name(st[2]));
  for (int i = 0; i < 3; i++) weft_ignore(weft_join(tasks[i]));
  return 0;
}

static void order_is_asyncios(void **state) {
  (void)state;
  assert_int_equal(run1(hops_async()), 0);
  const char *expected = "G t0 a /a b c t1 /c t2 /b t3 t4 G=0:0,7,0 t5 d e f /f t6 /d t7 /e H=ValueError:0,0,-5012 "
                         "I=0:0,0,ValueError";
  assert_memory_equal(trace(), expected, strlen(expected)); /* what the run's end adds is not gather's */
}

/* Run in place, a and b are, because they are next; but then t is ready, and has two turns before the gather's waiter. */
static WEFT_ASYNC(starter, const char *);
static int starter(const char *name) {
  mark("%s", name);
  weft_detach(weft_create_task(ticker_async("t", 4)));
  return 0;
}

static WEFT_ASYNC(in_turn);
static int in_turn(void) {
  weft_call_t calls[] = {starter_async("a"), child_async("b", 0, 0)};
  int rc = weft_gather_n(calls, 2, NULL, 0);
  mark("G=%d", rc);
  weft_task_t *other = weft_create_task(child_async("o", 0, 0)); /* is next: not c */
  rc = weft_gather_n((weft_call_t[]){child_async("c", 0, 0), child_async("d", 1, 0)}, 2, NULL, 0);
  mark("H=%d", rc);
  return rc < 0 ? rc : weft_join(other);
}

static void those_in_place_are_in_order(void **state) {
  (void)state;
  assert_int_equal(run1(in_turn_async()), 0);
  assert_trace("a b /b t0 t1 G=0 t2 o /o c /c d t3 /d H=0");
}

/* The n-th of many children runs in place while the others end elsewhere, and fail there. */
static WEFT_ASYNC(in_place_of_many, int);
static int in_place_of_many(int rounds) {
  enum { MANY = 40 };
  weft_call_t calls[MANY];
  int statuses[MANY], rc = 0;
  for (int r = 0; r < rounds && rc == 0; r++) {
    for (int i = 0; i < MANY; i++) calls[i] = quiet_async((i + r) % 4, i == r % MANY && r % 3 == 0 ? WEFT_VALUE : i);
    int all = weft_gather_n(calls, MANY, statuses, 0);
    if (all != (r % 3 == 0 ? WEFT_VALUE : 0)) rc = weft_fail(WEFT_USER, "round %d: %d", r, all);
    for (int i = 0; i < MANY; i++)
      if (statuses[i] != i && (r % 3 != 0 || (statuses[i] != WEFT_CANCELLED && statuses[i] != WEFT_VALUE)))
        rc = weft_fail(WEFT_USER, "round %d, child %d: %d", r, i, statuses[i]);
  }
  return rc;
}

static void children_end_on_all_workers(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers *= 2)
    assert_int_equal(weft_run_with(&(weft_config_t){.workers = workers}, in_place_of_many_async(60)), 0);
}

static WEFT_ASYNC(twice);
static int twice(void) {
  weft_future_t *f = weft_future_open(sizeof(int));
  weft_task_t *t = weft_create_task(child_async("x", 1, 4));
  weft_future_t *all[] = {f, weft_task_future(t), f, weft_task_future(t)};
  assert_int_equal(weft_future_set_result(f, &(int){3}), 0);
  int st[4];
  mark("%d", weft_gather_futures(all, 4, st, 0));
  mark("%d,%d,%d,%d", st[0], st[1], st[2], st[3]);
  mark("%d", weft_gather_futures(NULL, 0, NULL, 0));
  mark("%d", weft_gather_n(NULL, 0, NULL, 0));
  weft_future_unref(f);
  return weft_join(t);
}

static void duplicates_and_nothing(void **state) {
  (void)state;
  assert_int_equal(run1(twice_async()), 4);
  assert_trace("x /x 0 0,4,0,4 0 0");
}

/* ---- errors over tasks -------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(collects);
static int collects(void) {
  weft_task_t *tasks[3] = {weft_create_task(sleeper_async("a", 20, 5)), weft_create_task(sleeper_async("b", 100, 0)),
                           weft_create_task(sleeper_async("c", 10, WEFT_VALUE))};
  weft_call_t call = weft_gather_tasks_async(tasks, 3, NULL, WEFT_RETURN_EXCEPTIONS);
  weft_task_t *gather = weft_create_task(call);
  weft_ignore(weft_sleep(0.005));
  weft_task_cancel(tasks[1], "why");
  int rc = weft_join(gather), st[3];
  assert_int_equal(rc, 0);
  rc = weft_gather_tasks(tasks, 3, st, 0);
  mark("[%d] %s:%d,%s,%s", ms_now() % 1000, weft_error_name(rc), st[0], weft_error_name(st[1]), weft_error_name(st[2]));
  mark("(%s)", weft_error()->message);
  for (int i = 0; i < 3; i++) weft_ignore(weft_join(tasks[i]));
  return 0;
}

static void return_exceptions(void **state) {
  (void)state;
  assert_int_equal(run1(collects_async()), 0);
  const char *text = trace();
  assert_non_null(strstr(text, "b! c a ["));
  assert_non_null(strstr(text, "CancelledError:5,CancelledError,ValueError (why)"));
}

static WEFT_ASYNC(cancelled_child);
static int cancelled_child(void) {
  weft_task_t *tasks[2] = {weft_create_task(sleeper_async("a", 30, 0)), weft_create_task(sleeper_async("b", 20, 0))};
  weft_ignore(weft_yield());
  weft_task_cancel(tasks[0], NULL);
  int st[2], rc = weft_gather_tasks(tasks, 2, st, 0);
  mark("%s %d %s %s", weft_error_name(rc), weft_task_cancelling(weft_current_task()), weft_error_name(st[0]),
       weft_error_name(st[1]));
  weft_ignore(weft_join(tasks[0]));
  return weft_join(tasks[1]);
}

static void cancelled_child_is_an_error(void **state) {
  (void)state;
  assert_int_equal(run1(cancelled_child_async()), 0);
  assert_trace("a! CancelledError 0 CancelledError InvalidStateError b");
}

/* ---- cancelling --------------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(gather_them, weft_task_t **, int, int *, unsigned);
static int gather_them(weft_task_t **tasks, int n, int *st, unsigned flags) {
  int rc = weft_gather_tasks(tasks, (size_t)n, st, flags);
  mark("G=%s(%s)", rc < 0 ? weft_error_name(rc) : "0", rc < 0 ? weft_error()->message : "");
  return rc;
}

static WEFT_ASYNC(outer_cancel, unsigned, int);
static int outer_cancel(unsigned flags, int on_cancel) {
  int st[3];
  weft_task_t *tasks[3] = {weft_create_task(sleeper_async("a", 100, 0)),
                           weft_create_task(stubborn_async("b", 100, 10, on_cancel)),
                           weft_create_task(sleeper_async("c", 100, 0))};
  weft_task_t *gather = weft_create_task(gather_them_async(tasks, 3, st, flags));
  weft_ignore(weft_sleep(0.01));
  assert_true(weft_task_cancel(gather, "stop"));
  int rc = weft_join(gather);
  mark("%s", weft_error_name(rc));
  for (int i = 0; i < 3; i++) weft_ignore(weft_join(tasks[i]));
  return 0;
}

static void cancelling_cancels_the_children(void **state) {
  (void)state;
  assert_int_equal(run1(outer_cancel_async(0, 0)), 0);
  assert_trace("a! b! c! G=CancelledError(stop) CancelledError b.");
  assert_int_equal(run1(outer_cancel_async(WEFT_RETURN_EXCEPTIONS, 0)), 0);
  assert_trace("a! b! c! b. G=CancelledError(stop) CancelledError");
  assert_int_equal(run1(outer_cancel_async(WEFT_RETURN_EXCEPTIONS, 9)), 0);
  assert_trace("a! b! c! b. G=CancelledError(stop) CancelledError");
}

static WEFT_ASYNC(all_swallow);
static int all_swallow(void) {
  int st[2];
  weft_task_t *tasks[2] = {weft_create_task(stubborn_async("a", 100, 5, 8)),
                           weft_create_task(stubborn_async("b", 100, 10, 9))};
  weft_task_t *gather = weft_create_task(gather_them_async(tasks, 2, st, 0));
  weft_ignore(weft_sleep(0.01));
  assert_true(weft_task_cancel(gather, NULL));
  assert_int_equal(weft_join(gather), WEFT_CANCELLED);
  mark("%d %d", weft_join(tasks[0]), weft_join(tasks[1]));
  return 0;
}

static void a_swallowed_cancellation_still_cancels_the_gather(void **state) {
  (void)state;
  assert_int_equal(run1(all_swallow_async()), 0);
  assert_trace("a! b! a. b. G=CancelledError() 8 9");
}

/* The children have ended, their callbacks have not run: nobody is left to be cancelled but the waiter. */
static WEFT_ASYNC(late);
static int late(void) {
  weft_future_t *f = weft_future_open(0);
  weft_task_t *tasks[1] = {(weft_task_t *)f};
  int st[1];
  weft_task_t *gather = weft_create_task(gather_them_async(tasks, 1, st, 0));
  weft_ignore(weft_yield());
  assert_int_equal(weft_future_set_done(f), 0);
  assert_true(weft_task_cancel(gather, "late"));
  assert_int_equal(weft_join(gather), WEFT_CANCELLED);
  assert_int_equal(weft_future_result(f, NULL), 0);
  weft_future_unref(f);
  return 0;
}

static void cancelled_between_end_and_callback(void **state) {
  (void)state;
  assert_int_equal(run1(late_async()), 0);
  assert_trace("G=CancelledError(late)");
}

static WEFT_ASYNC(unstarted);
static int unstarted(void) {
  weft_task_cancel(weft_current_task(), "self");
  int rc = weft_gather(child_async("never", 0, 0), child_async("never", 0, 0));
  mark("%s(%s)", weft_error_name(rc), weft_error()->message);
  return 0;
}

static void pending_cancellation_ends_children_unstarted(void **state) {
  (void)state;
  assert_int_equal(run1(unstarted_async()), 0);
  assert_trace("CancelledError(self)");
}

/* ---- over calls --------------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(structured, unsigned);
static int structured(unsigned flags) {
  int st[4], start = ms_now();
  weft_call_t calls[4] = {sleeper_async("a", 5, 3), sleeper_async("b", 10, WEFT_VALUE),
                          stubborn_async("c", 100, 20, WEFT_TYPE), sleeper_async("d", 100, 0)};
  int rc = weft_gather_n(calls, 4, st, flags);
  mark("[%d] %s(%s)", ms_now() - start, rc < 0 ? weft_error_name(rc) : "0", rc < 0 ? weft_error()->message : "");
  mark("%d %s %s %s", st[0], weft_error_name(st[1]), weft_error_name(st[2]), weft_error_name(st[3]));
  return 0;
}

static void first_error_cancels_the_rest_and_waits(void **state) {
  (void)state;
  assert_int_equal(run1(structured_async(0)), 0);
  assert_trace("a b c! d! c. [30] ValueError(b) 3 ValueError TypeError CancelledError");
  assert_int_equal(run1(structured_async(WEFT_RETURN_EXCEPTIONS)), 0);
  assert_trace("a b c d [100] 0() 3 ValueError OK OK");
}

static WEFT_ASYNC(structured_waiter, int *);
static int structured_waiter(int *st) {
  weft_call_t calls[2] = {stubborn_async("a", 100, 10, 6), sleeper_async("b", 100, 0)};
  int rc = weft_gather_n(calls, 2, st, 0);
  mark("%s", weft_error_name(rc));
  return rc;
}

static WEFT_ASYNC(structured_cancel);
static int structured_cancel(void) {
  int st[2];
  weft_task_t *task = weft_create_task(structured_waiter_async(st));
  weft_ignore(weft_sleep(0.01));
  assert_true(weft_task_cancel(task, NULL));
  assert_int_equal(weft_join(task), WEFT_CANCELLED);
  mark("%d %s", st[0], weft_error_name(st[1]));
  return 0;
}

static void cancelled_it_waits_for_all_calls(void **state) {
  (void)state;
  assert_int_equal(run1(structured_cancel_async()), 0);
  assert_trace("a! b! a. CancelledError 6 CancelledError");
}

/* A chain of gathers in tasks in gathers, long enough to overflow any stack that a recursive cancellation would use. */
static WEFT_ASYNC(chain, int);
static int chain(int depth) {
  if (depth == 0) return weft_sleep(1000);
  weft_call_t call = chain_async(depth - 1);
  return weft_gather_n(&call, 1, NULL, 0);
}

static WEFT_ASYNC(deep);
static int deep(void) {
  weft_task_t *task = weft_create_task(chain_async(scaled(5000)));
  weft_ignore(weft_sleep(0.01));
  assert_true(weft_task_cancel(task, NULL));
  return weft_join(task);
}

static void long_chains_are_cancelled(void **state) {
  (void)state;
  assert_int_equal(run1(deep_async()), WEFT_CANCELLED);
}

/* ---- misuse and memory -------------------------------------------------------------------------------------------------- */

static int in_callback(void *data) {
  weft_call_t call = child_async("never", 0, 0);
  *(int *)data = weft_gather_n(&call, 1, NULL, 0);
  return 0;
}

static WEFT_ASYNC(misuse);
static int misuse(void) {
  weft_call_t none = {0};
  mark("%s", weft_error_name(weft_gather_n(&none, 1, NULL, 0)));
  mark("%s", weft_error_name(weft_gather_n(&none, 1, NULL, 64)));
  mark("%s", weft_error_name(weft_gather_futures((weft_future_t *[]){NULL}, 1, NULL, 0)));
  int rc = 0;
  weft_call_soon(weft_get_running_loop(), in_callback, &rc);
  weft_ignore(weft_sleep(0.001));
  mark("%s", weft_error_name(rc));
  return 0;
}

static void misuse_is_an_error(void **state) {
  (void)state;
  weft_call_t call = child_async("never", 0, 0);
  assert_int_equal(weft_gather_n(&call, 1, NULL, 0), -EPERM);
  assert_int_equal(run1(misuse_async()), 0);
  assert_trace("TypeError EINVAL ENOMEM EPERM");
}

static WEFT_ASYNC(starved, int *);
static int starved(int *st) {
  for (long n = 1;; n++) {
    weft__alloc_fail_after(n);
    st[0] = st[1] = st[2] = 77;
    int rc = weft_gather_n(
        (weft_call_t[]){sleeper_async(NULL, 1, 1), sleeper_async(NULL, -1, 2), sleeper_async(NULL, 2, 3)}, 3, st, 0);
    bool failed = weft__alloc_failed();
    weft__alloc_fail_after(-1);
    if (!failed) {
      assert_int_equal(rc, 0);
      assert_int_equal(st[0] * 100 + st[1] * 10 + st[2], 123);
      return 0;
    }
    if (rc == 0) continue; /* something that can do without */
    assert_int_equal(rc, -ENOMEM);
    assert_int_equal(weft_error()->code, -ENOMEM);
    assert_int_equal(weft_all_tasks(weft_get_running_loop(), NULL, 0), 1); /* nobody is left behind */
  }
}

static void memory_runs_out(void **state) {
  (void)state;
  int st[3];
  assert_int_equal(run1(starved_async(st)), 0);
}

/* ---- several workers ---------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(leaf, int);
static int leaf(int i) {
  for (int k = 0; k < i % 4; k++) {
    int rc = weft_yield();
    if (rc < 0) return rc;
  }
  return i % 17 == 16 ? weft_fail(WEFT_VALUE, "leaf") : i;
}

static WEFT_ASYNC(bush, int);
static int bush(int seed) {
  weft_call_t calls[8];
  int st[8];
  for (int i = 0; i < 8; i++) calls[i] = leaf_async(seed + i);
  int rc = weft_gather_n(calls, 8, st, seed % 2 ? WEFT_RETURN_EXCEPTIONS : 0);
  for (int i = 0; i < 8; i++)
    if (st[i] != seed + i && st[i] != WEFT_VALUE && st[i] != WEFT_CANCELLED) return weft_fail(WEFT_TYPE, "%d", st[i]);
  return rc;
}

static WEFT_ASYNC(forest);
static int forest(void) {
  int cancelled = 0, failed = 0;
  for (int round = 0; round < scaled(300); round++) {
    weft_task_t *tasks[4];
    for (int i = 0; i < 4; i++) tasks[i] = weft_create_task(bush_async(round + i));
    if (round % 3 == 0) weft_ignore(weft_yield());
    weft_task_cancel(tasks[round % 4], NULL);
    for (int i = 0; i < 4; i++) {
      int rc = weft_join(tasks[i]);
      assert_true(rc == 0 || rc == WEFT_CANCELLED || rc == WEFT_VALUE);
      cancelled += rc == WEFT_CANCELLED;
      failed += rc == WEFT_VALUE;
    }
  }
  assert_true(failed > 0);
  assert_true(cancelled > 0);
  assert_int_equal(weft_all_tasks(weft_get_running_loop(), NULL, 0), 1);
  return 0;
}

static void on_several_workers(void **state) {
  (void)state;
  assert_int_equal(run4(forest_async()), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(order_is_asyncios),
      cmocka_unit_test(those_in_place_are_in_order),
      cmocka_unit_test(children_end_on_all_workers),
      cmocka_unit_test(duplicates_and_nothing),
      cmocka_unit_test(return_exceptions),
      cmocka_unit_test(cancelled_child_is_an_error),
      cmocka_unit_test(cancelling_cancels_the_children),
      cmocka_unit_test(a_swallowed_cancellation_still_cancels_the_gather),
      cmocka_unit_test(cancelled_between_end_and_callback),
      cmocka_unit_test(pending_cancellation_ends_children_unstarted),
      cmocka_unit_test(first_error_cancels_the_rest_and_waits),
      cmocka_unit_test(cancelled_it_waits_for_all_calls),
      cmocka_unit_test(long_chains_are_cancelled),
      cmocka_unit_test(misuse_is_an_error),
      cmocka_unit_test(memory_runs_out),
      cmocka_unit_test(on_several_workers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
