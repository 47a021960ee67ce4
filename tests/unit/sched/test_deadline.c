/* test_deadline.c: "call fn at that time", closed with a definite answer. */
#include "sched/deadline.h"

#include "sched/clock.h"
#include "unit/sync/trace.h"

static _Atomic(int) calls;
static void count(void *data) {
  if (data != NULL) mark("%s", (const char *)data);
  atomic_fetch_add(&calls, 1);
}

static int64_t in_ms(int64_t ms) { return weft__loop_now(weft_get_running_loop()) + ms * 1000000; }

static WEFT_ASYNC(basics);
static int basics(void) {
  weft_loop_t *loop = weft_get_running_loop();
  calls = 0;
  weft__deadline_t *a = weft__deadline_open(loop, in_ms(20), NULL, count, (void *)"a");
  weft__deadline_t *b = weft__deadline_open(loop, in_ms(10), NULL, count, (void *)"b");
  weft__deadline_t *c = weft__deadline_open(loop, in_ms(30), NULL, count, (void *)"c");
  weft_ignore(weft_sleep(0.025));
  mark("%d%d%d", weft__deadline_close(a), weft__deadline_close(b), weft__deadline_close(c)); /* false: it ran */
  weft_ignore(weft_sleep(0.025));
  mark("%d%d", calls, weft__deadline_close(NULL));
  return 0;
}

static void runs_at_its_time_or_never(void **state) {
  (void)state;
  assert_int_equal(run1(basics_async()), 0);
  assert_trace("b a 001 21");
}

/* With one worker: a hop from the timer to the call. Soon: in this pass's queue, as call_soon does. */
static WEFT_ASYNC(hops);
static int hops(void) {
  weft_loop_t *loop = weft_get_running_loop();
  weft_detach(weft_create_task(ticker_async("t", 6)));
  weft__deadline_t *soon = weft__deadline_open_soon(loop, NULL, count, (void *)"soon");
  weft__deadline_t *past = weft__deadline_open(loop, in_ms(-1), NULL, count, (void *)"past");
  weft_detach(weft_create_task(ticker_async("u", 6)));
  weft_ignore(weft_yield());
  weft_ignore(weft_yield());
  mark("%d%d", weft__deadline_close(soon), weft__deadline_close(past));
  return 0;
}

static void one_hop(void **state) {
  (void)state;
  assert_int_equal(run1(hops_async()), 0);
  const char *expected = "t0 soon u0 past t1 u1 00"; /* past: the timers are looked at between the passes */
  assert_memory_equal(trace(), expected, strlen(expected));
}

/* It has fired, its turn in the queue has not come: closing still decides that it never runs. */
static WEFT_ASYNC(queued);
static int queued(void) {
  weft_loop_t *loop = weft_get_running_loop();
  calls = 0;
  weft__deadline_t *soon = weft__deadline_open_soon(loop, NULL, count, NULL);
  assert_true(weft__deadline_close(soon));
  weft_ignore(weft_yield());
  weft_ignore(weft_yield());
  return calls;
}

static void closed_in_the_queue(void **state) {
  (void)state;
  assert_int_equal(run1(queued_async()), 0);
}

static WEFT_ASYNC(starved);
static int starved(void) {
  weft_loop_t *loop = weft_get_running_loop();
  weft__alloc_fail_from(1);
  weft__deadline_t *a = weft__deadline_open(loop, in_ms(1), NULL, count, NULL);
  weft__deadline_t *b = weft__deadline_open_soon(loop, NULL, count, NULL);
  weft__alloc_fail_from(-1);
  return a == NULL && b == NULL;
}

static void no_memory(void **state) {
  (void)state;
  assert_int_equal(run1(starved_async()), 1);
}

/* Closing at just the time when it strikes: the answer is true exactly if fn did not run, and never runs later. */
typedef struct brink {
  _Atomic(int) ran, closed, late;
} brink_t;

static void strike(void *data) {
  brink_t *brink = data;
  if (brink->closed) brink->late = 1;
  for (int i = 0; i < 3000; i++) atom_pause(); /* close has to wait for the end */
  brink->ran = 1;
}

static WEFT_ASYNC(at_the_brink, int);
static int at_the_brink(int rounds) {
  weft_loop_t *loop = weft_get_running_loop();
  int wrong = 0;
  for (int i = 0; i < rounds; i++) {
    brink_t brink = {0};
    weft__deadline_t *deadline = weft__deadline_open(loop, weft__loop_now(loop) + i % 40 * 1000, NULL, strike, &brink);
    for (int k = 0; k < i % 9; k++) weft_ignore(weft_yield());
    bool never = weft__deadline_close(deadline);
    brink.closed = 1;
    wrong += never == brink.ran;
    weft_ignore(weft_yield());
    wrong += brink.late;
  }
  return wrong;
}

static WEFT_ASYNC(brinks);
static int brinks(void) {
  int statuses[4];
  weft_call_t all[4];
  for (int i = 0; i < 4; i++) all[i] = at_the_brink_async(scaled(5000));
  int rc = weft_gather_n(all, 4, statuses, 0);
  return rc < 0 ? rc : statuses[0] + statuses[1] + statuses[2] + statuses[3];
}

static void closing_decides(void **state) {
  (void)state;
  assert_int_equal(run4(brinks_async()), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(runs_at_its_time_or_never), cmocka_unit_test(one_hop),
      cmocka_unit_test(closed_in_the_queue),       cmocka_unit_test(no_memory),
      cmocka_unit_test(closing_decides),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
