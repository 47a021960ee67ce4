/* test_seeds_generators.c: first programs with generators. Items and what is sent have one type each; NULL is None here. */
#include "transcript.h"

static const char *or_none(const char *item) { return item != NULL ? item : NONE; }

/* 008: next gives the item of the next yield; 0 is the end. */
static WEFT_ASYNC(c008_f);
static int c008_f(void) {
  int one = 1, two = 2;
  int rc = weft_gen_yield(&one, NULL);
  return rc < 0 ? rc : weft_gen_yield(&two, NULL);
}
CASE(008, seed_generator_next, CAUSAL, VIRTUAL) {
  int item = 0;
  weft_gen_t *g = weft_gen_open(c008_f_async(), sizeof item);
  if (weft_gen_next(g, &item) > 0) P("%d", item);
  if (weft_gen_next(g, &item) > 0) P("%d", item);
  if (weft_gen_next(g, &item) == 0) P("StopIteration");
  return weft_gen_close(g);
}

/* 009: what is sent becomes the yield's result; a plain next sends None. */
static WEFT_ASYNC(c009_func);
static int c009_func(void) {
  const char *one = "1", *r = NULL;
  int rc = weft_gen_yield(&one, &r);
  return rc < 0 ? rc : weft_gen_yield(&r, NULL);
}
CASE(009, seed_generator_send, CAUSAL, VIRTUAL) {
  const char *item = NULL, *sent = "419";
  weft_gen_t *g = weft_gen_open(c009_func_async(), sizeof item);
  if (weft_gen_next(g, &item) > 0) P("%s", or_none(item));
  if (weft_gen_next(g, &item) > 0) P("%s", or_none(item));
  int rc = weft_gen_close(g);
  weft_gen_t *g2 = weft_gen_open(c009_func_async(), sizeof item);
  if (weft_gen_next(g2, &item) > 0) P("%s", or_none(item));
  if (weft_gen_send(g2, &sent, &item) > 0) P("%s", or_none(item));
  int rc2 = weft_gen_close(g2);
  return rc < 0 ? rc : rc2;
}

/* 010: a generator hands over all items of another. */
static WEFT_ASYNC(c010_range, int, int, int);
static int c010_range(int from, int to, int step) {
  int rc = 0;
  for (int i = from; i != to && rc == 0; i += step) rc = weft_gen_yield(&i, NULL);
  return rc;
}
static int c010_all_of(weft_call_t body) {
  weft_gen_t *inner = weft_gen_open(body, sizeof(int));
  int rc = weft_gen_yield_from(inner);
  weft_ignore(weft_gen_close(inner));
  return rc;
}
static WEFT_ASYNC(c010_f);
static int c010_f(void) {
  int five = 5;
  int rc = c010_all_of(c010_range_async(1, 5, 1));
  if (rc == 0) rc = weft_gen_yield(&five, NULL);
  return rc < 0 ? rc : c010_all_of(c010_range_async(4, 0, -1));
}
CASE(010, seed_yield_from_iterables, CAUSAL, VIRTUAL) {
  int items[16];
  size_t n = 0;
  weft_gen_t *g = weft_gen_open(c010_f_async(), sizeof items[0]);
  while (weft_gen_next(g, &items[n]) > 0) n++;
  P("%s", repr_ints(items, n));
  return weft_gen_close(g);
}

/* 011: an inner generator's return value goes through a pointer; one that has none leaves it alone. */
static WEFT_ASYNC(c011_items);
static int c011_items(void) {
  const char *one = "1", *two = "2";
  int rc = weft_gen_yield(&one, NULL);
  return rc < 0 ? rc : weft_gen_yield(&two, NULL);
}
static WEFT_ASYNC(c011_f);
static int c011_f(void) {
  const char *r = NULL;
  weft_gen_t *inner = weft_gen_open(c011_items_async(), sizeof r);
  int rc = weft_gen_yield_from(inner);
  weft_ignore(weft_gen_close(inner));
  const char *item = repr_str(text("value of yield from is %s", or_none(r)));
  return rc < 0 ? rc : weft_gen_yield(&item, NULL);
}
CASE(011, seed_yield_from_value_none, CAUSAL, VIRTUAL) {
  const char *items[4];
  size_t n = 0;
  weft_gen_t *g = weft_gen_open(c011_f_async(), sizeof items[0]);
  while (weft_gen_next(g, &items[n]) > 0) n++;
  P("%s", repr_items(items, n));
  return weft_gen_close(g);
}

/* 012: a return value, told once. */
static WEFT_ASYNC(c012_f, const char **);
static int c012_f(const char **value) {
  const char *one = "1";
  int rc = weft_gen_yield(&one, NULL);
  *value = "2";
  return rc;
}
static WEFT_ASYNC(c012_f2);
static int c012_f2(void) {
  const char *a = NULL;
  weft_gen_t *inner = weft_gen_open(c012_f_async(&a), sizeof a);
  int rc = weft_gen_yield_from(inner);
  weft_ignore(weft_gen_close(inner));
  return rc < 0 ? rc : weft_gen_yield(&a, NULL);
}
CASE(012, seed_generator_return, CAUSAL, VIRTUAL) {
  const char *item = NULL, *value = NULL, *items[4];
  size_t n = 0;
  weft_gen_t *g = weft_gen_open(c012_f_async(&value), sizeof item);
  if (weft_gen_next(g, &item) > 0) P("%s", item);
  for (int i = 0; i < 2; i++) {
    if (weft_gen_next(g, &item) == 0) P("StopIteration%s%s", value != NULL ? ": " : "", value != NULL ? value : "");
    value = NULL;
  }
  int rc = weft_gen_close(g);
  g = weft_gen_open(c012_f2_async(), sizeof item);
  while (weft_gen_next(g, &items[n]) > 0) n++;
  P("%s", repr_items(items, n));
  int rc2 = weft_gen_close(g);
  return rc < 0 ? rc : rc2;
}
