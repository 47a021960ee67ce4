/* test_seeds_futures.c: first programs with futures: a value that comes later, and callbacks told of it. */
#include "transcript.h"

/* 002: like a promise. The callback was added before main waits, so it runs before main goes on. */
static WEFT_ASYNC(c002_set_after, weft_future_t *, double, const char *);
static int c002_set_after(weft_future_t *future, double ms, const char *value) {
  int rc = S(ms);
  return rc < 0 ? rc : weft_future_set_result(future, &value);
}
static int c002_callback(weft_future_t *future, void *data) {
  (void)future, (void)data;
  P("I am callback!");
  return 0;
}
CASE(002, seed_future_like_promise, CAUSAL, VIRTUAL) {
  const char *value;
  weft_future_t *future = weft_future_open(sizeof value);
  weft_future_add_done_callback(future, c002_callback, NULL);
  weft_task_t *task = weft_create_task(c002_set_after_async(future, 30, "... world"));
  P("hello ");
  P("%s", repr_bool(weft_future_done(future)));
  int rc = weft_await_future(future, &value);
  P("%s", value);
  P("%s", repr_bool(weft_future_done(future)));
  value = NULL;
  weft_future_result(future, &value);
  P("%s", value);
  weft_ignore(weft_join(task));
  weft_future_unref(future);
  return rc;
}

/* 033: a loop of one's own, a callback that sets a future's result, and the result outlives the loop. */
struct c033 {
  weft_future_t *future;
  const char *result;
};
static const char *c033_state(const weft_future_t *future) {
  return weft_future_cancelled(future) ? "CANCELLED" : weft_future_done(future) ? "FINISHED" : "PENDING";
}
static int c033_foo(void *data) {
  struct c033 *c = data;
  P("此时future的状态:%s", c033_state(c->future));
  P("设置future的结果:%s", c->result);
  int rc = weft_future_set_result(c->future, &c->result);
  P("此时future的状态:%s", c033_state(c->future));
  return rc;
}
RAW_CASE(033, seed_future_states_run_until_complete, CAUSAL, REAL) {
  weft_loop_t *loop;
  if (weft_loop_open(case_config(), &loop) < 0) return;
  struct c033 c = {weft_loop_create_future(loop, sizeof c.result), "Future is done!"};
  weft_call_soon(loop, c033_foo, &c);
  P("进入事件循环");
  int rc = weft_loop_run_until_future(loop, c.future);
  const char *result = NULL;
  if (rc == 0) weft_future_result(c.future, &result);
  P("返回结果 %s", result);
  P("关闭事件循环");
  weft_loop_close(loop);
  result = NULL;
  weft_future_result(c.future, &result);
  P("获取future的结果 %s", result);
  weft_future_unref(c.future);
}

/* 034: a callback sets the result that main awaits. */
struct c034 {
  weft_future_t *future;
  const char *result;
};
static int c034_foo(void *data) {
  struct c034 *c = data;
  P("设置结果到future %s", c->result);
  return weft_future_set_result(c->future, &c->result);
}
CASE(034, seed_future_await, CAUSAL, VIRTUAL) {
  const char *result = NULL;
  struct c034 c = {weft_future_open(sizeof result), "the result"};
  P("调用函数获取future对象");
  weft_call_soon(weft_get_running_loop(), c034_foo, &c);
  int rc = weft_await_future(c.future, &result);
  P("获取future里的结果 %s", result);
  weft_future_unref(c.future);
  return rc;
}

/* 035: callbacks carry what they are given, and run even though main has ended. */
static int c035_callback(weft_future_t *future, void *n) {
  const char *result = NULL;
  int rc = weft_future_result(future, &result);
  P("%d: future done: %s", *(const int *)n, result);
  return rc;
}
static int c035_register(weft_future_t *future) {
  static int one = 1, two = 2;
  P("注册callback到future对象");
  int rc = weft_future_add_done_callback(future, c035_callback, &one);
  return rc < 0 ? rc : weft_future_add_done_callback(future, c035_callback, &two);
}
static WEFT_ASYNC(c035_main, weft_future_t *);
static int c035_main(weft_future_t *future) {
  const char *result = "the result";
  int rc = c035_register(future);
  P("设置future的结果");
  return rc < 0 ? rc : weft_future_set_result(future, &result);
}
RAW_CASE(035, seed_future_callbacks_partial, CAUSAL, REAL) {
  weft_loop_t *loop;
  if (weft_loop_open(case_config(), &loop) < 0) return;
  weft_future_t *future = weft_loop_create_future(loop, sizeof(const char *));
  int rc = weft_loop_run_until_complete(loop, c035_main_async(future));
  if (rc < 0) P("main raised %s", E(weft_error()));
  weft_loop_close(loop);
  weft_future_unref(future);
}
