/* test_generators.c: generators: next, send, throw, close, yield from, misuse, context managers. What suspends inside of
 * them, and who runs them: test_generator.c. */
#include <errno.h>

#include "unit/sync/trace.h"

enum { KEY_ERROR = WEFT_USER - 1 };

/* Shows what an operation on a generator of ints answered. */
static void show(const char *what, int rc, int item) {
  if (rc == 1)
    mark("%s=%d", what, item);
  else if (rc == 0)
    mark("%s end", what);
  else
    mark("%s %s(%s)", what, weft_error_name(rc), weft_error()->code == rc ? weft_error()->message : "?");
}

static void next(weft_gen_t *gen) {
  int item = -1;
  int rc = weft_gen_next(gen, &item);
  show("next", rc, item);
}

static void send_int(weft_gen_t *gen, int value) {
  int item = -1;
  int rc = weft_gen_send(gen, &value, &item);
  show("send", rc, item);
}

static void throw_code(weft_gen_t *gen, int code, const char *message) {
  int item = -1;
  int rc = weft_gen_throw(gen, code, message, &item);
  show("throw", rc, item);
}

static int yield_int(int item, int *sent) { return weft_gen_yield(&item, sent); }

static WEFT_ASYNC(countdown, int);
static int countdown(int from) {
  int rc = 0;
  for (; from > 0 && rc == 0; from--) rc = yield_int(from, NULL);
  mark("fin");
  return rc;
}

static WEFT_ASYNC(basics);
static int basics(void) {
  weft_gen_t *gen = weft_gen_open(countdown_async(2), sizeof(int));
  next(gen);
  next(gen);
  next(gen);
  next(gen); /* the end is sticky */
  mark("close %d", weft_gen_close(gen));
  gen = weft_gen_open(countdown_async(2), sizeof(int));
  next(gen);
  mark("close %d", weft_gen_close(gen));
  gen = weft_gen_open(countdown_async(2), sizeof(int));
  mark("close %d", weft_gen_close(gen)); /* never started: nothing runs */
  return weft_gen_next(NULL, NULL);
}

static void next_and_close(void **state) {
  (void)state;
  assert_int_equal(run1(basics_async()), -ENOMEM);
  assert_trace("next=2 next=1 fin next end next end close 0 next=2 fin close 0 close 0");
}

static WEFT_ASYNC(echo);
static int echo(void) {
  int got = 0;
  for (int i = 1;; i++) {
    int rc = yield_int(i * 10 + got, &got);
    if (rc < 0) return rc;
  }
}

static WEFT_ASYNC(sends);
static int sends(void) {
  weft_gen_t *gen = weft_gen_open(echo_async(), sizeof(int));
  send_int(gen, 3); /* not started: it stays as it was */
  next(gen);
  send_int(gen, 7);
  next(gen); /* sends nothing: zero */
  mark("close %d", weft_gen_close(gen));
  return 0;
}

static void send_values(void **state) {
  (void)state;
  assert_int_equal(run1(sends_async()), 0);
  assert_trace("send TypeError(can't send non-None value to a just-started generator) next=10 send=27 next=30 close 0");
}

static WEFT_ASYNC(catcher);
static int catcher(void) {
  int rc = yield_int(1, NULL);
  if (rc == WEFT_VALUE) {
    mark("caught %s", weft_error()->message);
    rc = yield_int(2, NULL);
  }
  mark("fin");
  return rc < 0 ? rc : yield_int(3, NULL);
}

static WEFT_ASYNC(throws);
static int throws(void) {
  weft_gen_t *gen = weft_gen_open(catcher_async(), sizeof(int));
  next(gen);
  throw_code(gen, WEFT_VALUE, "a");
  next(gen);
  throw_code(gen, KEY_ERROR, "k"); /* not caught: comes out, once */
  next(gen);
  throw_code(gen, KEY_ERROR, "late");
  mark("close %d", weft_gen_close(gen));
  gen = weft_gen_open(catcher_async(), sizeof(int));
  throw_code(gen, WEFT_VALUE, "early"); /* never started: the body never runs */
  next(gen);
  mark("close %d", weft_gen_close(gen));
  gen = weft_gen_open(catcher_async(), sizeof(int));
  throw_code(gen, 5, "x");
  return weft_gen_close(gen);
}

static void throw_in(void **state) {
  (void)state;
  assert_int_equal(weft_error_register(KEY_ERROR, "KeyError"), 0);
  assert_int_equal(run1(throws_async()), 0);
  assert_trace("next=1 caught a throw=2 fin next=3 throw KeyError(k) next end throw KeyError(late) close 0 "
               "throw ValueError(early) next end close 0 throw EINVAL(weft_gen_throw: 5 is no error)");
}

/* Ends as told when it is closed. */
static WEFT_ASYNC(closing, int);
static int closing(int how) {
  int rc = yield_int(1, NULL);
  if (how == 0) return rc;
  if (how == 1) return 0;
  if (how == 2) return weft_fail(WEFT_VALUE, "from finally");
  if (how == 3) return yield_int(2, NULL);
  if (how == 4) { /* a failure on the way that does not matter */
    weft_ignore(weft_fail(WEFT_VALUE, "ignored"));
    return rc;
  }
  return weft_fail(WEFT_STOP, NULL);
}

static WEFT_ASYNC(closes);
static int closes(void) {
  weft_ignore(weft_fail(WEFT_TYPE, "before"));
  for (int how = 0; how <= 5; how++) {
    weft_gen_t *gen = weft_gen_open(closing_async(how), sizeof(int));
    next(gen);
    int rc = weft_gen_close(gen);
    if (rc == 0)
      mark("ok %s", weft_error()->message);
    else
      show("close", rc, 0);
    if (rc < 0) weft_ignore(weft_fail(WEFT_TYPE, "before"));
  }
  weft_gen_t *gen = weft_agen_open(closing_async(3), sizeof(int));
  next(gen);
  show("close", weft_gen_close(gen), 0);
  return 0;
}

static void close_answers(void **state) {
  (void)state;
  assert_int_equal(run1(closes_async()), 0);
  assert_trace(
      "next=1 ok before next=1 ok before next=1 close ValueError(from finally) next=1 close "
      "RuntimeError(generator ignored GeneratorExit) next=1 ok before next=1 close RuntimeError(generator raised "
      "StopIteration) next=1 close RuntimeError(async generator ignored GeneratorExit)");
}

static WEFT_ASYNC(stops);
static int stops(void) { return weft_fail(WEFT_STOP, "inner"); }

static WEFT_ASYNC(pep479);
static int pep479(void) {
  weft_gen_t *gen = weft_gen_open(stops_async(), sizeof(int));
  next(gen);
  mark("%s", weft_error_name(weft_error()->context));
  next(gen);
  weft_ignore(weft_gen_close(gen));
  gen = weft_agen_open(stops_async(), sizeof(int));
  next(gen);
  return weft_gen_close(gen);
}

static void stop_becomes_runtime(void **state) {
  (void)state;
  assert_int_equal(run1(pep479_async()), 0);
  assert_trace("next RuntimeError(generator raised StopIteration) StopIteration next end "
               "next RuntimeError(async generator raised StopAsyncIteration)");
}

/* ---- delegation -------------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(inner);
static int inner(void) {
  int got;
  int rc = yield_int(1, &got);
  if (rc == WEFT_CANCELLED) mark("inner exit");
  if (rc < 0) return rc;
  mark("inner got %d", got);
  rc = yield_int(2, NULL);
  if (rc == WEFT_VALUE) mark("inner caught");
  return rc == WEFT_VALUE || rc == 0 ? yield_int(3, NULL) : rc;
}

static WEFT_ASYNC(outer, weft_gen_t *);
static int outer(weft_gen_t *from) {
  int rc = weft_gen_yield_from(from);
  if (rc == WEFT_CANCELLED) mark("outer exit");
  mark("outer got %d", rc);
  return rc < 0 ? rc : yield_int(9, NULL);
}

static void close_both(weft_gen_t *out, weft_gen_t *in) {
  int rc = weft_gen_close(out);
  mark("close %d %d", rc, weft_gen_close(in));
}

static WEFT_ASYNC(delegates);
static int delegates(void) {
  weft_gen_t *in = weft_gen_open(inner_async(), sizeof(int));
  weft_gen_t *out = weft_gen_open(outer_async(in), sizeof(int));
  next(out);
  send_int(out, 5);
  throw_code(out, WEFT_VALUE, "v");
  next(out);
  next(out);
  close_both(out, in);
  in = weft_gen_open(inner_async(), sizeof(int));
  out = weft_gen_open(outer_async(in), sizeof(int));
  next(out);
  close_both(out, in);
  in = weft_gen_open(countdown_async(1), sizeof(int));
  out = weft_gen_open(outer_async(in), sizeof(int));
  next(out);
  throw_code(out, KEY_ERROR, "k");
  close_both(out, in);
  in = weft_gen_open(countdown_async(1), sizeof(char));
  out = weft_gen_open(outer_async(in), sizeof(int));
  next(out);
  weft_ignore(weft_gen_close(out));
  return weft_gen_close(in);
}

static void yield_from(void **state) {
  (void)state;
  assert_int_equal(run1(delegates_async()), 0);
  char expected[600];
  snprintf(expected, sizeof expected,
           "next=1 inner got 5 send=2 inner caught throw=3 outer got 0 next=9 next end close 0 0 next=1 inner exit "
           "outer exit outer got %d close 0 0 next=1 fin outer got %d throw KeyError(k) close 0 0 outer got %d next "
           "EINVAL(weft_gen_yield_from: items of 1 bytes in a generator of items of 4 bytes)",
           WEFT_CANCELLED, KEY_ERROR, -EINVAL);
  assert_trace(expected);
}

/* ---- misuse --------------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(self_next, weft_gen_t **);
static int self_next(weft_gen_t **self) {
  int rc = weft_gen_next(*self, NULL);
  mark("%s: %s", weft_error_name(rc), weft_error()->message);
  rc = weft_gen_close(*self);
  mark("%s", weft_error_name(rc));
  return yield_int(1, NULL);
}

static WEFT_ASYNC(yields_elsewhere);
static int yields_elsewhere(void) {
  int rc = weft_gen_yield(NULL, NULL);
  mark("%s: %s", weft_error_name(rc), weft_error()->message);
  return 0;
}

/* A task that is awaited in a body, perhaps on the body's stack, is not the body. */
static WEFT_ASYNC(awaits_child);
static int awaits_child(void) {
  weft_ignore(weft_join(weft_create_task(yields_elsewhere_async())));
  return yield_int(4, NULL);
}

static WEFT_ASYNC(misuses);
static int misuses(void) {
  weft_gen_t *gen = NULL;
  gen = weft_gen_open(self_next_async(&gen), sizeof(int));
  next(gen);
  weft_ignore(weft_gen_close(gen));
  weft_ignore(yields_elsewhere());
  gen = weft_gen_open(awaits_child_async(), sizeof(int));
  next(gen);
  weft_ignore(weft_gen_close(gen));
  assert_null(weft_gen_open((weft_call_t){0}, 4));
  return weft_error()->code;
}

static void misuse(void **state) {
  (void)state;
  assert_int_equal(run1(misuses_async()), -EINVAL);
  assert_trace(
      "ValueError: generator already executing ValueError next=1 RuntimeError: weft_gen_yield: not in a generator "
      "RuntimeError: weft_gen_yield: not in a generator next=4");
  assert_int_equal(weft_gen_close(NULL), 0);
}

/* ---- context managers -------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(manager, int);
static int manager(int kind) {
  if (kind == 3) return 0;
  int rc = yield_int(42, NULL);
  mark("exit %d", rc);
  if (kind == 1) return 0; /* swallows */
  if (kind == 2) return yield_int(1, NULL);
  return rc;
}

static WEFT_ASYNC(managers);
static int managers(void) {
  for (int kind = 0; kind <= 3; kind++) {
    for (int body = -1; body <= 1; body++) {
      weft_gen_t *gen = weft_gen_open(manager_async(kind), sizeof(int));
      int value = 0;
      int rc = weft_gen_enter(gen, &value);
      if (rc < 0) {
        mark("%s", weft_error()->message);
        weft_ignore(weft_gen_close(gen));
        break;
      }
      rc = weft_gen_exit(gen, body < 0 ? weft_fail(WEFT_VALUE, "body") : body);
      if (rc < 0)
        mark("%d %s(%s)", value, weft_error_name(rc), weft_error()->message);
      else
        mark("%d %d", value, rc);
    }
  }
  return 0;
}

static void enter_and_exit(void **state) {
  (void)state;
  assert_int_equal(run1(managers_async()), 0);
  char expected[600];
  snprintf(
      expected, sizeof expected,
      "exit %d 42 ValueError(body) exit 0 42 0 exit 0 42 1 exit %d 42 0 exit 0 42 0 exit 0 42 1 "
      "exit %d 42 RuntimeError(generator didn't stop after athrow()) exit 0 42 RuntimeError(generator didn't stop) "
      "exit 0 42 RuntimeError(generator didn't stop) generator didn't yield",
      WEFT_VALUE, WEFT_VALUE, WEFT_VALUE);
  assert_trace(expected);
}

static WEFT_ASYNC(returns, int);
static int returns(int value) {
  int rc = yield_int(1, NULL);
  if (rc == WEFT_CANCELLED) value++; /* closed */
  double large[5] = {0};
  assert_int_equal(weft_gen_return(&large), -EINVAL);
  return rc < 0 && rc != WEFT_CANCELLED ? rc : weft_gen_return(&value);
}
static WEFT_ASYNC(passes_on);
static int passes_on(void) {
  int value = 0, rc;
  weft_gen_t *inner = weft_gen_open(returns_async(7), sizeof(int));
  assert_int_equal(weft_gen_value(inner, &value), 0); /* not yet */
  if ((rc = weft_gen_yield_from(inner)) == 0) rc = weft_gen_value(inner, &value);
  mark("inner %d", value);
  weft_ignore(weft_gen_close(inner));
  return rc < 0 ? rc : weft_gen_return(&(long){value + 1});
}
static WEFT_ASYNC(fails_after);
static int fails_after(void) {
  weft_ignore(weft_gen_return(&(int){3}));
  return weft_fail(WEFT_VALUE, "after all");
}
static WEFT_ASYNC(return_values);
static int return_values(void) {
  int value = 0;
  long result = 0;
  weft_gen_t *gen = weft_gen_open(passes_on_async(), sizeof(int));
  next(gen);
  next(gen);
  assert_int_equal(weft_gen_value(gen, &value), -EINVAL); /* it is a long, and stays */
  assert_int_equal(weft_gen_value(gen, &result), 1);
  mark("%ld", result);
  next(gen);
  assert_int_equal(weft_gen_value(gen, &result), 0); /* once */
  assert_int_equal(weft_gen_close(gen), 0);
  gen = weft_gen_open(returns_async(10), sizeof(int)); /* 3.13: close answers what the body returns */
  next(gen);
  assert_int_equal(weft_gen_finish(gen), 0);
  assert_int_equal(weft_gen_value(gen, &value), 1);
  mark("closed %d", value);
  next(gen);
  assert_int_equal(weft_gen_finish(gen), 0);
  assert_int_equal(weft_gen_close(gen), 0);
  gen = weft_gen_open(fails_after_async(), sizeof(int));
  next(gen);
  assert_int_equal(weft_gen_value(gen, &value), 0);
  assert_int_equal(weft_gen_close(gen), 0);
  assert_int_equal(weft_gen_return(&value), WEFT_RUNTIME);
  assert_int_equal(weft_gen_value((weft_gen_t *)NULL, &value), -EINVAL);
  return weft_gen_finish(NULL);
}
static void return_value(void **state) {
  (void)state;
  assert_int_equal(run1(return_values_async()), 0);
  assert_trace("next=1 inner 7 next end 8 next end next=1 closed 11 next end next ValueError(after all)");
}

static WEFT_ASYNC(wrong_inside, int *);
static int wrong_inside(int *rc) {
  *rc = weft_gen_yield(&(long){1}, NULL);
  return 0;
}
static WEFT_ASYNC(sizes);
static int sizes(void) {
  int item = 0, inside = 0;
  long large = 0;
  char bytes[sizeof(int)];
  weft_gen_t *gen = weft_gen_open(countdown_async(3), sizeof(int));
  assert_int_equal(weft_gen_next(gen, &large), -EINVAL);
  assert_int_equal(weft_gen_enter(gen, &large), -EINVAL);
  assert_int_equal(weft_gen_send(gen, NULL, &large), -EINVAL);
  assert_int_equal(weft_gen_throw(gen, WEFT_VALUE, NULL, &large), -EINVAL);
  assert_int_equal(weft_gen_next(gen, &item), 1); /* none of these ran the body */
  assert_int_equal(item, 3);
  assert_int_equal(weft_gen_send(gen, &large, &item), -EINVAL);
  assert_int_equal(weft_gen_next(gen, bytes), 1); /* bytes are not checked */
  assert_int_equal(weft_gen_next(gen, (void *)&large), 1);
  assert_int_equal(weft_gen_close(gen), 0);
  gen = weft_gen_open(wrong_inside_async(&inside), sizeof(int));
  assert_int_equal(weft_gen_next(gen, &item), 0);
  assert_int_equal(inside, -EINVAL);
  return weft_gen_close(gen);
}
static void sizes_are_checked(void **state) {
  (void)state;
  assert_int_equal(run1(sizes_async()), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(next_and_close),
      cmocka_unit_test(send_values),
      cmocka_unit_test(throw_in),
      cmocka_unit_test(close_answers),
      cmocka_unit_test(stop_becomes_runtime),
      cmocka_unit_test(yield_from),
      cmocka_unit_test(misuse),
      cmocka_unit_test(enter_and_exit),
      cmocka_unit_test(return_value),
      cmocka_unit_test(sizes_are_checked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
