/* test_events.c: callbacks and timers of the loop, calls from other threads, the exception handler. */
#include "transcript.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void sleep_thread(double ms) {
  long ns = (long)(ms * 1e6);
  nanosleep(&(struct timespec){ns / 1000000000, ns % 1000000000}, NULL);
}

static int c151_print(void *line) {
  P("%s", (const char *)line);
  return 0;
}
static int c151_a(void *a2) {
  P("a");
  weft_call_soon(weft_get_running_loop(), c151_print, a2);
  return 0;
}
CASE(151, call_soon_fifo, SINGLE, VIRTUAL) {
  weft_loop_t *loop = weft_get_running_loop();
  char a2[] = "a2", b[] = "b 1", c[] = "c", x[] = "x";
  weft_call_soon(loop, c151_a, a2);
  weft_call_soon(loop, c151_print, b);
  weft_handle_t h = weft_call_soon(loop, c151_print, x);
  weft_call_soon(loop, c151_print, c);
  bool cancelled = weft_handle_cancel(h);
  weft_handle_cancel(h);
  P("%s", repr_bool(cancelled));
  return S(10);
}

static int c152_other(void *data) {
  (void)data;
  P("other");
  return 0;
}
static int c152_a(void *data) {
  int *n = data;
  P("a%d", *n);
  if (++*n < 3) weft_call_soon(weft_get_running_loop(), c152_a, n);
  return 0;
}
CASE(152, call_soon_runs_after_current_pass, SINGLE, VIRTUAL) {
  int n = 0;
  weft_call_soon(weft_get_running_loop(), c152_a, &n);
  weft_call_soon(weft_get_running_loop(), c152_other, NULL);
  return S(10);
}

static int c155_print(void *i) {
  T("%d", *(const int *)i);
  return 0;
}
CASE(155, many_timers_cancelled, CAUSAL, VIRTUAL) {
  static int numbers[1000];
  static weft_handle_t handles[1000];
  for (int i = 0; i < 1000; i++) {
    numbers[i] = i;
    handles[i] = weft_call_later(weft_get_running_loop(), 0.05, c155_print, &numbers[i]);
  }
  for (int i = 0; i < 1000; i++)
    if (i != 500) weft_handle_cancel(handles[i]);
  TRY(S(60));
  weft_handle_cancel(handles[500]);
  T("end");
  return 0;
}

struct c161 {
  weft_loop_t *loop;
  weft_future_t *future;
};
static int c161_set_result(void *data) {
  struct c161 *c = data;
  const char *value = "from thread";
  return weft_future_set_result(c->future, &value);
}
static void *c161_thread(void *data) {
  struct c161 *c = data;
  sleep_thread(20);
  weft_call_soon(c->loop, c161_set_result, c);
  return NULL;
}
static WEFT_ASYNC(c161_main, weft_loop_t **);
static int c161_main(weft_loop_t **loop) {
  const char *value = NULL;
  struct c161 c = {weft_get_running_loop(), weft_future_open(sizeof value)};
  pthread_t thread;
  double start = weft_loop_time(c.loop);
  if (pthread_create(&thread, NULL, c161_thread, &c) != 0) abort();
  int rc = weft_wait_for_future(c.future, 1, &value);
  P("%s", value);
  P("quick %s", repr_bool(weft_loop_time(c.loop) - start < 0.5));
  pthread_join(thread, NULL);
  weft_future_unref(c.future);
  *loop = c.loop;
  return rc;
}
static int c161_nothing(void *data) {
  (void)data;
  return 0;
}
RAW_CASE(161, call_soon_threadsafe_from_thread, CAUSAL, TIMED) {
  weft_loop_t *loop;
  if (weft_loop_open(case_config(), &loop) < 0) return;
  weft_loop_t *inside = NULL;
  weft_ignore(weft_loop_run_until_complete(loop, c161_main_async(&inside)));
  weft_loop_close(loop);
  weft_handle_t h = weft_call_soon(inside, c161_nothing, NULL);
  if (h.opaque_[0] == 0 && h.opaque_[1] == 0) P("%s", E(weft_error()));
}

struct c164 {
  weft_loop_t *loop;
  weft_future_t *finished;
};
static WEFT_ASYNC(c164_ok, int *);
static int c164_ok(int *value) {
  TRY(S(10));
  *value = 42;
  return 0;
}
static WEFT_ASYNC(c164_bad);
static int c164_bad(void) { return weft_fail(WEFT_VALUE, "bad"); }
static WEFT_ASYNC(c164_slow);
static int c164_slow(void) {
  int rc = S(1000);
  if (rc == WEFT_CANCELLED) P("task cancelled");
  return rc;
}
static int c164_finish(void *data) {
  struct c164 *c = data;
  return weft_future_set_done(c->finished);
}
static void *c164_thread(void *data) {
  struct c164 *c = data;
  int value = 0;
  weft_task_t *task = weft_loop_create_task(c->loop, c164_ok_async(&value));
  int rc = weft_future_wait_blocking(weft_task_future(task), 1, NULL);
  P("%s", rc < 0 ? E(weft_error()) : repr_int(value));
  weft_detach(task);

  task = weft_loop_create_task(c->loop, c164_bad_async());
  rc = weft_future_wait_blocking(weft_task_future(task), 1, NULL);
  if (rc == WEFT_VALUE) P("%s", E(weft_error()));
  weft_detach(task);

  task = weft_loop_create_task(c->loop, c164_slow_async());
  rc = weft_future_wait_blocking(weft_task_future(task), 0.03, NULL);
  if (rc == WEFT_TIMEOUT) P("Timeout %s", repr_bool(weft_task_done(task)));
  bool cancelled = weft_task_cancel(task, NULL);
  sleep_thread(50);
  P("%s", repr_bool(cancelled));
  weft_detach(task);
  weft_call_soon(c->loop, c164_finish, c);
  return NULL;
}
CASE(164, run_coroutine_threadsafe, CAUSAL, TIMED) {
  struct c164 c = {weft_get_running_loop(), weft_future_open(0)};
  pthread_t thread;
  if (pthread_create(&thread, NULL, c164_thread, &c) != 0) abort();
  int rc = weft_await_future(c.finished, NULL);
  pthread_join(thread, NULL);
  weft_future_unref(c.finished);
  return rc;
}

/* The fields that are set, by asyncio's names of them, in alphabetical order; the message up to its first '(' or '.'. */
static int c262_handler(weft_loop_t *loop, const weft_error_context_t *context, void *data) {
  const char *names[5];
  size_t n = 0, length = strcspn(context->message, "(.");
  (void)loop, (void)data;
  if (context->error != NULL) names[n++] = "exception";
  if (context->future != NULL) names[n++] = "future";
  if (context->handle != NULL) names[n++] = "handle";
  if (context->message != NULL) names[n++] = "message";
  if (context->task != NULL) names[n++] = "task";
  P("handler: %s %.*s", repr_strs(names, n), (int)(length < 22 ? length : 22), context->message);
  return 0;
}
static int c262_divide(void *data) {
  (void)data;
  return weft_fail(ZERO_DIVISION, "division by zero");
}
static WEFT_ASYNC(c262_bad);
static int c262_bad(void) { return weft_fail(KEY_ERROR, "'k'"); }
CASE(262, exception_handler_contexts, CAUSAL, VIRTUAL) {
  weft_loop_t *loop = weft_get_running_loop();
  weft_loop_set_exception_handler(loop, c262_handler, NULL);
  const weft_error_t error = {.code = WEFT_VALUE, .name = "ValueError", .message = "x"};
  weft_loop_call_exception_handler(loop, &(weft_error_context_t){.message = "by hand", .error = &error});
  weft_call_soon(loop, c262_divide, NULL);
  weft_task_t *t = weft_create_task(c262_bad_async());
  TRY(S(10));
  weft_detach(t);
  return 0;
}

static int c166_read(void *data) {
  char bytes[10];
  ssize_t n = recv(*(int *)data, bytes, sizeof bytes, 0);
  P("%s", repr_bytes(bytes, n > 0 ? (size_t)n : 0));
  return 0;
}
static atomic_bool c166_said; /* on several workers another call may be running when the future goes */
static int c166_writable(void *data) {
  const char *value = "writable";
  if (!atomic_exchange(&c166_said, true)) weft_future_set_result((weft_future_t *)data, &value);
  return 0;
}
CASE(166, loop_add_reader_writer, CAUSAL, REAL) {
  weft_loop_t *loop = weft_get_running_loop();
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0) abort();
  TRY(weft_loop_add_reader(loop, pair[0], c166_read, &pair[0]));
  TRY(S(10));
  if (send(pair[1], "x", 1, 0) != 1) abort();
  TRY(S(20));
  if (send(pair[1], "y", 1, 0) != 1) abort();
  TRY(S(20));
  bool first = weft_loop_remove_reader(loop, pair[0]), second = weft_loop_remove_reader(loop, pair[0]);
  P("%s %s", repr_bool(first), repr_bool(second));
  if (send(pair[1], "z", 1, 0) != 1) abort();
  TRY(S(20));
  const char *value = NULL;
  atomic_store(&c166_said, false);
  weft_future_t *f = weft_future_open(sizeof value);
  TRY(weft_loop_add_writer(loop, pair[1], c166_writable, f));
  TRY(weft_await_future(f, &value));
  first = weft_loop_remove_writer(loop, pair[1]);
  second = weft_loop_remove_writer(loop, pair[1]);
  P("%s %s %s", value, repr_bool(first), repr_bool(second));
  weft_future_unref(f);
  close(pair[0]);
  close(pair[1]);
  return 0;
}
