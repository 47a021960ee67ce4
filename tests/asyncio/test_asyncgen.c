/* test_asyncgen.c: generators whose bodies await: sent to, thrown into, closed, cancelled, used twice at once. */
#include "transcript.h"

typedef const char *item_t;

static WEFT_ASYNC(c052_ag);
static int c052_ag(void) {
  item_t one = "1", v = NULL;
  TRY(weft_gen_yield(&one, &v));
  TRY(S(10));
  item_t got = text("got %s", v);
  int rc = weft_gen_yield(&got, NULL);
  if (rc != WEFT_VALUE) return rc;
  item_t caught = text("caught %s", weft_error()->message);
  TRY(S(10));
  return weft_gen_yield(&caught, NULL);
}
CASE(052, agen_asend_athrow, CAUSAL, VIRTUAL) {
  item_t item = NULL, hi = "hi";
  weft_gen_t *g = weft_agen_open(c052_ag_async(), sizeof item);
  TRY(weft_gen_next(g, &item));
  T("%s", item);
  TRY(weft_gen_send(g, &hi, &item));
  T("%s", item);
  TRY(weft_gen_throw(g, WEFT_VALUE, "bad", &item));
  T("%s", item);
  if (weft_gen_next(g, &item) == 0) T("end");
  TRY(weft_gen_close(g));
  g = weft_agen_open(c052_ag_async(), sizeof item);
  int rc = weft_gen_send(g, &hi, &item);
  if (rc == WEFT_TYPE) T("%s", kind(rc));
  return weft_gen_close(g);
}

static int c053_yields(void) {
  TRY(weft_gen_yield(&(int){1}, NULL));
  return weft_gen_yield(&(int){2}, NULL);
}
static WEFT_ASYNC(c053_ag);
static int c053_ag(void) {
  int rc = c053_yields();
  T("cleanup start");
  TRY(S(10));
  T("cleanup end");
  return rc;
}
static WEFT_ASYNC(c053_bad);
static int c053_bad(void) {
  int rc = weft_gen_yield(&(int){1}, NULL);
  return rc == WEFT_CANCELLED ? weft_gen_yield(&(int){2}, NULL) : rc;
}
/* weft_gen_close also frees: the generator that is asked once more afterwards is ended by throwing in what close throws. */
CASE(053, agen_aclose, CAUSAL, VIRTUAL) {
  int item = 0;
  weft_gen_t *g = weft_agen_open(c053_ag_async(), sizeof item);
  TRY(weft_gen_next(g, &item));
  T("%d", item);
  if (weft_gen_throw(g, WEFT_CANCELLED, NULL, &item) == WEFT_CANCELLED) T("closed");
  if (weft_gen_next(g, &item) == 0) T("end");
  TRY(weft_gen_close(g));
  g = weft_agen_open(c053_ag_async(), sizeof item);
  TRY(weft_gen_close(g));
  T("no-ops");
  g = weft_agen_open(c053_bad_async(), sizeof item);
  TRY(weft_gen_next(g, &item));
  if (weft_gen_close(g) == WEFT_RUNTIME) T("%s", E(weft_error()));
  return 0;
}

static WEFT_ASYNC(c055_ag);
static int c055_ag(void) {
  TRY(S(20));
  return weft_gen_yield(&(int){1}, NULL);
}
static WEFT_ASYNC(c055_next, weft_gen_t *);
static int c055_next(weft_gen_t *g) {
  int item = 0;
  outcome(weft_gen_next(g, &item), "A", repr_int(item));
  return 0;
}
CASE(055, agen_concurrent_use, CAUSAL, VIRTUAL) {
  int item;
  weft_gen_t *g = weft_agen_open(c055_ag_async(), sizeof item);
  weft_task_t *a = weft_create_task(c055_next_async(g));
  TRY(S(10));
  if (weft_gen_next(g, &item) == WEFT_RUNTIME) T("%s", E(weft_error()));
  TRY(weft_join(a));
  return weft_gen_close(g);
}

static int c056_items(void) {
  TRY(weft_gen_yield(&(int){1}, NULL));
  TRY(S(50));
  return weft_gen_yield(&(int){2}, NULL);
}
static WEFT_ASYNC(c056_ag);
static int c056_ag(void) {
  int rc = c056_items();
  if (rc == WEFT_CANCELLED) T("agen cancelled");
  T("agen finally");
  return rc;
}
static WEFT_ASYNC(c056_consumer, weft_gen_t *);
static int c056_consumer(weft_gen_t *g) {
  int item, rc;
  while ((rc = weft_gen_next(g, &item)) > 0) T("item %d", item);
  if (rc == WEFT_CANCELLED) T("consumer cancelled");
  return rc;
}
CASE(056, agen_cancel_inside, CAUSAL, VIRTUAL) {
  int item;
  weft_gen_t *g = weft_agen_open(c056_ag_async(), sizeof item);
  weft_task_t *t = weft_create_task(c056_consumer_async(g));
  TRY(S(10));
  weft_task_cancel(t, NULL);
  outcome(weft_join(t), "task", NONE);
  if (weft_gen_next(g, &item) == 0) T("end");
  return weft_gen_close(g);
}
