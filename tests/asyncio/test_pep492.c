/* test_pep492.c: coroutine functions, awaiting them in place, async with, exit stacks. */
#include "transcript.h"

static WEFT_ASYNC(c040_b);
static int c040_b(void) {
  P("B");
  return 0;
}
static int c040_inner(weft_task_t *task) {
  P("inner");
  P("same task %s", repr_bool(weft_current_task() == task));
  return 0;
}
CASE(040, coro_await_is_inline, SINGLE, VIRTUAL) {
  weft_task_t *b = weft_create_task(c040_b_async());
  TRY(c040_inner(weft_current_task()));
  P("after inner");
  TRY(weft_sleep(0));
  P("after yield");
  weft_detach(b);
  return 0;
}

/* A call is a value: what was awaited once may run again, here as a task; a task may be awaited any number of times. */
static WEFT_ASYNC(c041_coro);
static int c041_coro(void) {
  P("ran");
  return 1;
}
CASE(041, coro_await_twice, CAUSAL, VIRTUAL) {
  weft_call_t c = c041_coro_async();
  P("%d", weft_await_call(c));
  weft_task_t *t = weft_create_task(c);
  P("%d", weft_await(t));
  P("%d", weft_await(t));
  weft_detach(t);
  return 0;
}

/* Closing a suspended coroutine is cancelling its task: WEFT_CANCELLED stands for GeneratorExit. */
static WEFT_ASYNC(c043_c);
static int c043_c(void) {
  weft_future_t *never = weft_future_open(0);
  P("suspended");
  int rc = weft_await_future(never, NULL);
  if (rc == WEFT_CANCELLED) P("GeneratorExit");
  P("finally");
  weft_future_unref(never);
  return rc;
}
CASE(043, coro_close_runs_finally, CAUSAL, VIRTUAL) {
  weft_task_t *k = weft_create_task(c043_c_async());
  TRY(S(10));
  weft_task_cancel(k, NULL);
  if (weft_await(k) != WEFT_CANCELLED) P("not cancelled");
  if (weft_task_cancel(k, NULL)) P("cancelled again");
  P("closed");
  weft_detach(k);
  return 0;
}

/* A manager with an asynchronous exit that tells what it saw; by its mode it swallows the error or raises another. */
enum c058_mode { C058_PLAIN, C058_SUPPRESS, C058_RAISE, C058_ENTER };
struct c058_manager {
  enum c058_mode mode;
  bool fail;        /* the body */
  const char *seen; /* the error that exit was given */
};
static int c058_enter(void *data) {
  const struct c058_manager *manager = data;
  return manager->mode == C058_ENTER ? weft_fail(OS_ERROR, "enter failed") : 0;
}
static int c058_body(void *data) { return ((struct c058_manager *)data)->fail ? weft_fail(WEFT_VALUE, "v") : 0; }
static int c058_exit(void *data, int body) {
  struct c058_manager *manager = data;
  if (body < 0) manager->seen = E(weft_error());
  TRY(S(10));
  T("exit %s", kind(body));
  if (manager->mode == C058_SUPPRESS) return 0;
  if (manager->mode == C058_RAISE) return weft_fail(KEY_ERROR, "'k'");
  return body;
}
static int c058_use(struct c058_manager *manager) {
  TRY(weft_with(c058_enter, c058_body, c058_exit, manager));
  T("after block");
  return 0;
}
CASE(058, acm_exit_on_error, CAUSAL, VIRTUAL) {
  struct c058_manager good = {C058_PLAIN, false, NONE}, plain = {C058_PLAIN, true, NONE};
  struct c058_manager suppress = {C058_SUPPRESS, true, NONE}, raise = {C058_RAISE, true, NONE};
  struct c058_manager enter = {C058_ENTER, true, NONE};
  outcome(c058_use(&good), "no error", NONE);
  outcome(c058_use(&plain), "plain", NONE);
  outcome(c058_use(&suppress), "suppress", NONE);
  int rc = c058_use(&raise);
  if (rc == KEY_ERROR) T("%s context %s", E(weft_error()), weft_error()->context == WEFT_VALUE ? raise.seen : NONE);
  outcome(c058_use(&enter), "enter", NONE);
  return 0;
}

static int c059_sleep(void *data) {
  (void)data;
  return S(100);
}
static int c059_exit(void *data, int body) {
  (void)data;
  T("exit %s", kind(body));
  int rc = S(20);
  T(rc == 0 ? "exit done" : "exit interrupted");
  return rc < 0 ? rc : body;
}
static WEFT_ASYNC(c059_body);
static int c059_body(void) { return weft_with(NULL, c059_sleep, c059_exit, NULL); }
CASE(059, acm_exit_on_cancel, CAUSAL, VIRTUAL) {
  weft_task_t *t = weft_create_task(c059_body_async());
  TRY(S(10));
  weft_task_cancel(t, NULL);
  outcome(weft_join(t), "once", NONE);
  t = weft_create_task(c059_body_async());
  TRY(S(10));
  weft_task_cancel(t, NULL);
  TRY(S(10));
  weft_task_cancel(t, NULL);
  outcome(weft_join(t), "twice", NONE);
  return 0;
}

static int c061_enter(void *data) {
  (void)data;
  P("M enter");
  return 0;
}
static int c061_exit(void *data, int body) {
  (void)data;
  TRY(S(10));
  P("M exit");
  return body;
}
static int c061_callback(void *data, int body) {
  int n = *(int *)data;
  P("cb %d", n);
  return n == 2 ? weft_fail(WEFT_VALUE, "cb2") : body;
}
CASE(061, async_exit_stack, CAUSAL, VIRTUAL) {
  weft_exitstack_t stack;
  int one = 1, two = 2;
  weft_exitstack_enter(&stack);
  TRY(weft_exitstack_push(&stack, c061_callback, &one));
  TRY(weft_exitstack_push(&stack, c061_callback, &two));
  int rc = weft_exitstack_enter_with(&stack, c061_enter, c061_exit, NULL);
  P("body");
  rc = weft_exitstack_exit(&stack, rc);
  if (rc == WEFT_VALUE) P("%s", E(weft_error()));
  return 0;
}

/* What a thing is, its type tells: a call is a coroutine, a function that makes calls a coroutine function. */
#define is_coroutine(x) _Generic((x), weft_call_t : true, default : false)
#define is_future(x) _Generic((x), weft_future_t * : true, weft_task_t * : true, default : false)
#define is_coroutine_function(f) is_coroutine((f)())
static WEFT_ASYNC(c062_w, weft_future_t *, int *);
static int c062_w(weft_future_t *f, int *value) {
  TRY(weft_await_future(f, value));
  *value *= 2;
  return 0;
}
static WEFT_ASYNC(c062_c);
static int c062_c(void) { return 0; }
static int c062_set(void *future) { return weft_future_set_result((weft_future_t *)future, &(int){21}); }
CASE(062, awaitable_protocol, CAUSAL, VIRTUAL) {
  int value = 0;
  weft_future_t *f = weft_future_open(sizeof value);
  weft_call_later(weft_get_running_loop(), 0.01, c062_set, f);
  TRY(c062_w(f, &value));
  T("%d", value);
  weft_call_t k = c062_c_async(), w = c062_w_async(f, &value);
  weft_task_t *t = weft_create_task(c062_c_async());
  P("%s %s %s %s %s %s", repr_bool(is_coroutine(k)), repr_bool(is_coroutine(t)), repr_bool(is_future(t)),
    repr_bool(is_future(f)), repr_bool(is_future(w)), repr_bool(is_coroutine_function(c062_c_async)));
  TRY(weft_join(t));
  TRY(weft_join(weft_create_task(w)));
  P("%d", value);
  weft_future_unref(f);
  return 0;
}
