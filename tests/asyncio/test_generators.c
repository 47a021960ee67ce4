/* test_generators.c: generators driven by hand: send, throw, close, delegation, misuse. */
#include "transcript.h"

typedef const char *item_t;

/* By hand, to the end of a coroutine: next, send, throw. */
static WEFT_ASYNC(c044_c, const char **);
static int c044_c(const char **value) {
  item_t first = "first", second = "second", got = NULL;
  TRY(weft_gen_yield(&first, &got));
  P("got %s", got);
  int rc = weft_gen_yield(&second, NULL);
  if (rc != WEFT_VALUE) return rc;
  P("caught %s", weft_error()->message);
  *value = "end";
  return 0;
}
CASE(044, coro_send_throw_by_hand, CAUSAL, VIRTUAL) {
  item_t item = NULL, sent = "42";
  const char *value = NULL;
  weft_gen_t *k = weft_gen_open(c044_c_async(&value), sizeof item);
  TRY(weft_gen_next(k, &item));
  P("%s", item);
  TRY(weft_gen_send(k, &sent, &item));
  P("%s", item);
  if (weft_gen_throw(k, WEFT_VALUE, "x", &item) == 0) P("StopIteration: %s", value);
  return weft_gen_close(k);
}

static WEFT_ASYNC(c046_f);
static int c046_f(void) {
  item_t one = "1", three = "3";
  int rc = weft_gen_yield(&one, NULL);
  if (rc == WEFT_VALUE) {
    item_t caught = text("caught %s", weft_error()->message);
    rc = weft_gen_yield(&caught, NULL);
  }
  P("fin");
  return rc < 0 ? rc : weft_gen_yield(&three, NULL);
}
static WEFT_ASYNC(c046_h);
static int c046_h(void) {
  item_t one = "1";
  P("body");
  return weft_gen_yield(&one, NULL);
}
CASE(046, gen_throw, CAUSAL, VIRTUAL) {
  item_t item = NULL;
  weft_gen_t *g = weft_gen_open(c046_f_async(), sizeof item);
  TRY(weft_gen_next(g, &item));
  P("%s", item);
  TRY(weft_gen_throw(g, WEFT_VALUE, "a", &item));
  P("%s", item);
  TRY(weft_gen_next(g, &item));
  P("%s", item);
  int rc = weft_gen_throw(g, KEY_ERROR, "'k'", &item);
  if (rc == KEY_ERROR) P("out %s", kind(rc));
  if (weft_gen_next(g, &item) == 0) P("finished");
  TRY(weft_gen_close(g));

  g = weft_gen_open(c046_h_async(), sizeof item);
  if (weft_gen_throw(g, WEFT_VALUE, "early", &item) == WEFT_VALUE) P("%s", weft_error()->message);
  if (weft_gen_next(g, &item) == 0) P("finished");
  return weft_gen_close(g);
}

static WEFT_ASYNC(c047_f);
static int c047_f(void) {
  int rc = weft_gen_yield(&(int){1}, NULL);
  P("fin");
  return rc;
}
static WEFT_ASYNC(c047_bad);
static int c047_bad(void) {
  int rc = weft_gen_yield(&(int){1}, NULL);
  return rc == WEFT_CANCELLED ? weft_gen_yield(&(int){2}, NULL) : rc;
}
static WEFT_ASYNC(c047_ret);
static int c047_ret(void) {
  int rc = weft_gen_yield(&(int){1}, NULL);
  return rc == WEFT_CANCELLED ? 0 : rc;
}
static WEFT_ASYNC(c047_rai);
static int c047_rai(void) {
  weft_ignore(weft_gen_yield(&(int){1}, NULL));
  return weft_fail(WEFT_VALUE, "from finally");
}
/* weft_gen_close also frees: the generator that is asked once more afterwards is ended by throwing in what close throws. */
CASE(047, gen_close, CAUSAL, VIRTUAL) {
  int item;
  weft_gen_t *g = weft_gen_open(c047_f_async(), sizeof item);
  TRY(weft_gen_next(g, &item));
  if (weft_gen_throw(g, WEFT_CANCELLED, NULL, &item) == WEFT_CANCELLED) P("closed");
  if (weft_gen_next(g, &item) == 0) P("end");
  weft_gen_t *unstarted = weft_gen_open(c047_f_async(), sizeof item);
  TRY(weft_gen_close(unstarted));
  P("unstarted closed");
  TRY(weft_gen_close(g));

  g = weft_gen_open(c047_bad_async(), sizeof item);
  TRY(weft_gen_next(g, &item));
  if (weft_gen_close(g) < 0) P("%s", E(weft_error()));
  g = weft_gen_open(c047_ret_async(), sizeof item);
  TRY(weft_gen_next(g, &item));
  if (weft_gen_close(g) == 0) P("ok");
  g = weft_gen_open(c047_rai_async(), sizeof item);
  TRY(weft_gen_next(g, &item));
  if (weft_gen_close(g) < 0) P("%s", E(weft_error()));
  return 0;
}

static WEFT_ASYNC(c049_inner, const char **);
static int c049_inner(const char **value) {
  item_t a = "a", b = "b", c = "c", v = NULL;
  TRY(weft_gen_yield(&a, &v));
  P("inner got %s", v);
  int rc = weft_gen_yield(&b, NULL);
  if (rc == WEFT_VALUE) P("inner caught");
  if (rc < 0 && rc != WEFT_VALUE) return rc;
  TRY(weft_gen_yield(&c, NULL));
  *value = "ret";
  return 0;
}
static WEFT_ASYNC(c049_outer);
static int c049_outer(void) {
  const char *r = NULL;
  item_t z = "z";
  weft_gen_t *inner = weft_gen_open(c049_inner_async(&r), sizeof z);
  int rc = weft_gen_yield_from(inner);
  weft_ignore(weft_gen_close(inner));
  TRY(rc);
  P("outer got %s", r);
  return weft_gen_yield(&z, NULL);
}
static WEFT_ASYNC(c049_i2);
static int c049_i2(void) {
  item_t one = "1";
  int rc = weft_gen_yield(&one, NULL);
  if (rc == WEFT_CANCELLED) P("inner exit");
  return rc;
}
static WEFT_ASYNC(c049_o2);
static int c049_o2(void) {
  weft_gen_t *inner = weft_gen_open(c049_i2_async(), sizeof(item_t));
  int rc = weft_gen_yield_from(inner);
  if (rc == WEFT_CANCELLED) P("outer exit");
  weft_ignore(weft_gen_close(inner));
  return rc;
}
CASE(049, gen_yield_from_delegates_all, CAUSAL, VIRTUAL) {
  item_t item = NULL, five = "5";
  weft_gen_t *g = weft_gen_open(c049_outer_async(), sizeof item);
  TRY(weft_gen_next(g, &item));
  P("%s", item);
  TRY(weft_gen_send(g, &five, &item));
  P("%s", item);
  TRY(weft_gen_throw(g, WEFT_VALUE, NULL, &item));
  P("%s", item);
  TRY(weft_gen_next(g, &item));
  P("%s", item);
  TRY(weft_gen_close(g));
  g = weft_gen_open(c049_o2_async(), sizeof item);
  TRY(weft_gen_next(g, &item));
  TRY(weft_gen_close(g));
  P("closed");
  return 0;
}

static WEFT_ASYNC(c050_f, weft_gen_t **);
static int c050_f(weft_gen_t **self) {
  item_t item = NULL;
  if (weft_gen_next(*self, &item) == WEFT_VALUE) item = E(weft_error());
  return weft_gen_yield(&item, NULL);
}
CASE(050, gen_reentrancy, CAUSAL, VIRTUAL) {
  item_t item = NULL;
  weft_gen_t *g;
  g = weft_gen_open(c050_f_async(&g), sizeof item);
  TRY(weft_gen_next(g, &item));
  P("%s", item);
  return weft_gen_close(g);
}
