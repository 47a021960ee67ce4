/* test_seeds_tasks.c: first programs: hello, sleeping, a coroutine awaited in place, two tasks side by side. */
#include "transcript.h"

#include <errno.h>

/* 007: sleeping gives way once for a delay of 0 or less; no number is no delay. */
CASE(007, seed_sleep_written_out, CAUSAL, VIRTUAL) {
  const char *result = NONE;
  TRY(S_text(0, "r0", &result));
  T("%s", result);
  TRY(S_text(-1, "r1", &result));
  T("%s", result);
  TRY(S_text(20, "r2", &result));
  T("%s", result);
  TRY(S(10));
  T("%s", NONE);
  if (weft_sleep(NAN) != -EINVAL) P("a sleep of NaN seconds was taken");
  return 0;
}

/* 013 */
CASE(013, seed_hello_world, CAUSAL, VIRTUAL) {
  P("hello");
  int rc = S(20);
  if (rc == 0) P("world");
  return rc;
}

/* 014: a call is a value. Unless something runs it, nothing happens. */
static WEFT_ASYNC(c014_main);
static int c014_main(void) {
  P("hello");
  return 0;
}
RAW_CASE(014, seed_coroutine_never_run, CAUSAL, VIRTUAL) {
  weft_call_t coro = c014_main_async();
  P("type %s", coro.entry != NULL ? "coroutine" : NONE);
  P("closed without running");
}

/* 015: a plain call is await: it runs here, the times add up. */
static int c015_say_after(double ms, const char *what) {
  int rc = S(ms);
  if (rc == 0) P("%s", what);
  return rc;
}
CASE(015, seed_say_after_sequential, CAUSAL, VIRTUAL) {
  P("started at %d", now());
  int rc = c015_say_after(10, "hello");
  if (rc == 0) rc = c015_say_after(20, "world");
  P("finished at %d", now());
  return rc;
}

/* 016: as tasks they run side by side, the longest counts. */
static WEFT_ASYNC(c016_say_after, double, const char *);
static int c016_say_after(double ms, const char *what) {
  int rc = S(ms);
  if (rc == 0) P("%s", what);
  return rc;
}
CASE(016, seed_create_task_concurrent, CAUSAL, VIRTUAL) {
  weft_task_t *hello = weft_create_task(c016_say_after_async(10, "hello"));
  weft_task_t *world = weft_create_task(c016_say_after_async(20, "world"));
  P("started at %d", now());
  int first = weft_join(hello); /* waits, and releases the task */
  int second = weft_join(world);
  P("finished at %d", now());
  return first < 0 ? first : second;
}

/* 029: what a coroutine returns goes through a pointer to where it is wanted. */
static WEFT_ASYNC(c029_say_after, int, const char *, const char **);
static int c029_say_after(int d, const char *what, const char **said) {
  int rc = S(d * 10);
  *said = text("%s-%d", what, d);
  return rc;
}
CASE(029, seed_return_values, CAUSAL, VIRTUAL) {
  const char *hello, *world;
  weft_task_t *first = weft_create_task(c029_say_after_async(1, "hello", &hello));
  weft_task_t *second = weft_create_task(c029_say_after_async(2, "world", &world));
  P("started at %d", now());
  int rc = weft_join(first);
  int rc2 = weft_join(second);
  P("%s", hello);
  P("%s", world);
  P("finished at %d", now());
  return rc < 0 ? rc : rc2;
}
