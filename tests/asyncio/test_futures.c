/* test_futures.c: states and results of futures, callbacks on them, cancellation, errors that nobody looked at. */
#include "transcript.h"

#define FUTURE_OF(type) weft_future_open(sizeof(type))

CASE(064, future_states_and_errors, CAUSAL, VIRTUAL) {
  int one = 1, two = 2, value = 0;
  weft_future_t *f = FUTURE_OF(int);
  const char *result = kind(weft_future_result(f, &value));
  const weft_error_t *exception = weft_future_error(f);
  P("%s %s %s %s", result, exception->name, repr_bool(weft_future_done(f)), repr_bool(weft_future_cancelled(f)));

  weft_future_set_result(f, &one);
  int rc = weft_future_result(f, &value);
  result = rc < 0 ? kind(rc) : repr_int(value);
  exception = weft_future_error(f);
  const char *done = repr_bool(weft_future_done(f)), *again = kind(weft_future_set_result(f, &two));
  const char *error = kind(weft_future_set_error(f, WEFT_VALUE, NULL));
  const char *cancelled = repr_bool(weft_future_cancel(f, NULL));
  weft_future_result(f, &value);
  P("%s %s %s %s %s %s %d", result, repr_error(exception), done, again, error, cancelled, value);

  weft_future_t *g = FUTURE_OF(int);
  weft_future_set_error(g, WEFT_VALUE, "v");
  const char *read = repr_error(weft_future_error(g));
  result = kind(weft_future_result(g, &value));
  again = kind(weft_future_result(g, &value));
  P("%s %s %s %s %s", read, result, again, repr_bool(weft_future_done(g)), repr_bool(weft_future_cancelled(g)));

  weft_future_t *h = FUTURE_OF(int);
  const char *first = repr_bool(weft_future_cancel(h, NULL)), *second = repr_bool(weft_future_cancel(h, NULL));
  cancelled = repr_bool(weft_future_cancelled(h)), done = repr_bool(weft_future_done(h));
  result = kind(weft_future_result(h, &value));
  exception = weft_future_error(h);
  again = kind(weft_future_set_result(h, &one));
  P("%s %s %s %s %s %s %s", first, second, cancelled, done, result, exception->name, again);

  weft_future_t *k = FUTURE_OF(int);
  P("%s", kind(weft_future_set_error(k, WEFT_STOP, "x")));
  if (weft_future_done(k)) P("%s", weft_future_error(k)->name);
  weft_future_unref(f);
  weft_future_unref(g);
  weft_future_unref(h);
  weft_future_unref(k);
  return 0;
}

static int c065_print(weft_future_t *future, void *name) {
  (void)future;
  P("%s", (const char *)name);
  return 0;
}
CASE(065, future_callbacks_are_scheduled, SINGLE, VIRTUAL) {
  char c1[] = "c1", c2[] = "c2", c3[] = "c3";
  weft_future_t *f = FUTURE_OF(int);
  weft_future_add_done_callback(f, c065_print, c1);
  weft_future_add_done_callback(f, c065_print, c2);
  P("before set");
  weft_future_set_result(f, &(int){1});
  P("after set");
  TRY(weft_sleep(0));
  P("after yield");
  weft_future_add_done_callback(f, c065_print, c3);
  P("added");
  TRY(weft_sleep(0));
  P("end");
  weft_future_unref(f);
  return 0;
}

static int c067_a(weft_future_t *future, void *expected) {
  P("a %s", repr_bool(future == expected));
  return 0;
}
static int c067_b(weft_future_t *future, void *data) {
  int value = 0;
  (void)data;
  TRY(weft_future_result(future, &value));
  P("b %d", value);
  return 0;
}
CASE(067, future_same_callback_twice, CAUSAL, VIRTUAL) {
  weft_future_t *f = FUTURE_OF(int);
  weft_future_add_done_callback(f, c067_a, f);
  weft_future_add_done_callback(f, c067_b, NULL);
  weft_future_add_done_callback(f, c067_a, f);
  weft_future_set_result(f, &(int){9});
  TRY(S(10));
  weft_future_unref(f);
  return 0;
}

static int c068_handler(weft_loop_t *loop, const weft_error_context_t *context, void *data) {
  const char *words[3], *at = context->message;
  (void)loop, (void)data;
  for (int i = 0; i < 3; i++) {
    size_t length = strcspn(at, " ");
    words[i] = text("%.*s", (int)length, at);
    at += length + (at[length] == ' ');
  }
  P("handler: %s %s", repr_strs(words, 3), E(context->error));
  return 0;
}
static int c068_print(weft_future_t *future, void *name) {
  (void)future;
  P("%s", (const char *)name);
  return 0;
}
static int c068_bad(weft_future_t *future, void *data) {
  (void)future, (void)data;
  return weft_fail(WEFT_VALUE, "in callback");
}
CASE(068, future_exception_in_callback, SINGLE, VIRTUAL) {
  char c1[] = "c1", c2[] = "c2";
  int value = 0;
  weft_loop_set_exception_handler(weft_get_running_loop(), c068_handler, NULL);
  weft_future_t *f = FUTURE_OF(int);
  weft_future_add_done_callback(f, c068_print, c1);
  weft_future_add_done_callback(f, c068_bad, NULL);
  weft_future_add_done_callback(f, c068_print, c2);
  weft_future_set_result(f, &(int){5});
  TRY(weft_await_future(f, &value));
  P("%d", value);
  TRY(S(10));
  value = 0;
  TRY(weft_future_result(f, &value));
  P("%d", value);
  weft_future_unref(f);
  return 0;
}

static WEFT_ASYNC(c070_wait, weft_future_t *, bool, const char **);
static int c070_wait(weft_future_t *f, bool shielded, const char **value) {
  return shielded ? weft_shield(f, value) : weft_await_future(f, value);
}
CASE(070, future_cancel_waiter_cancels_future, FIFO, VIRTUAL) {
  for (int shielded = 0; shielded < 2; shielded++) {
    const char *ok = "ok", *a_value = NULL, *b_value = NULL;
    weft_future_t *f = FUTURE_OF(const char *);
    weft_task_t *a = weft_create_task(c070_wait_async(f, shielded, &a_value));
    weft_task_t *b = weft_create_task(c070_wait_async(f, shielded, &b_value));
    TRY(S(10));
    weft_task_cancel(a, NULL);
    TRY(S(10));
    if (!weft_future_done(f)) weft_future_set_result(f, &ok);
    outcome(weft_join(a), "A", repr_str(a_value));
    outcome(weft_join(b), "B", repr_str(b_value));
    P("%s", repr_bool(weft_future_cancelled(f)));
    weft_future_unref(f);
  }
  return 0;
}

static int c071_handler(weft_loop_t *loop, const weft_error_context_t *context, void *data) {
  (void)loop, (void)data;
  P("handler: %s %s", context->message, E(context->error));
  return 0;
}
static WEFT_ASYNC(c071_bad);
static int c071_bad(void) { return weft_fail(KEY_ERROR, "'k'"); }
CASE(071, future_exception_never_retrieved, CAUSAL, VIRTUAL) {
  weft_loop_set_exception_handler(weft_get_running_loop(), c071_handler, NULL);
  weft_future_t *f = FUTURE_OF(int);
  weft_future_set_error(f, WEFT_VALUE, "v");
  weft_future_unref(f);
  P("--");
  f = FUTURE_OF(int);
  weft_future_set_error(f, WEFT_VALUE, "seen");
  weft_future_error(f);
  weft_future_unref(f);
  P("--");
  weft_task_t *t = weft_create_task(c071_bad_async());
  TRY(S(10));
  weft_detach(t);
  P("--");
  f = FUTURE_OF(int);
  weft_future_cancel(f, NULL);
  weft_future_unref(f);
  P("end");
  return 0;
}

static WEFT_ASYNC(c073_b);
static int c073_b(void) {
  P("B ran");
  return 0;
}
static WEFT_ASYNC(c073_v, const char **);
static int c073_v(const char **value) {
  *value = "task value";
  return 0;
}
CASE(073, future_await_finished_does_not_yield, SINGLE, VIRTUAL) {
  const char *v = "v", *value = NULL;
  weft_future_t *f = FUTURE_OF(const char *);
  weft_future_set_result(f, &v);
  weft_task_t *b = weft_create_task(c073_b_async());
  TRY(weft_await_future(f, &value));
  P("%s", value);
  P("after await F");
  TRY(weft_sleep(0));
  weft_detach(b);
  weft_future_unref(f);

  value = NULL;
  weft_task_t *t = weft_create_task(c073_v_async(&value));
  TRY(weft_await(t));
  b = weft_create_task(c073_b_async());
  TRY(weft_await(t));
  P("%s", value);
  P("after await t");
  TRY(weft_sleep(0));
  weft_detach(b);
  weft_detach(t);
  return 0;
}

CASE(074, future_cancel_message, CAUSAL, VIRTUAL) {
  weft_future_t *f = FUTURE_OF(int);
  weft_future_cancel(f, "why");
  outcome(weft_await_future(f, NULL), "1", NONE);
  outcome(weft_await_future(f, NULL), "2", NONE);
  weft_future_unref(f);
  return 0;
}
