/* test_threads.c: to_thread: blocking calls beside the workers, cancelling and time limits around them. */
#include "transcript.h"

#include <time.h>

static void block(double ms) {
  long ns = (long)(ms * 1e6);
  nanosleep(&(struct timespec){ns / 1000000000, ns % 1000000000}, NULL);
}

static WEFT_ASYNC(c169_f);
static int c169_f(void) {
  block(80);
  P("thread done");
  return 1;
}
static WEFT_ASYNC(c169_task);
static int c169_task(void) { return weft_to_thread_owned(c169_f_async(), NULL); }
CASE(169, to_thread_cancel, CAUSAL, TIMED) {
  weft_task_t *t = weft_create_task(c169_task_async());
  TRY(S(10));
  weft_task_cancel(t, NULL);
  if (weft_join(t) == WEFT_CANCELLED) P("task cancelled");
  TRY(S(150));
  P("end");
  return 0;
}

static WEFT_ASYNC(c170_f);
static int c170_f(void) {
  block(120);
  P("thread done");
  return 0;
}
static WEFT_ASYNC(c170_thread);
static int c170_thread(void) { return weft_to_thread_owned(c170_f_async(), NULL); }
static WEFT_ASYNC(c170_main);
static int c170_main(void) {
  weft_loop_t *loop = weft_get_running_loop();
  double start = weft_loop_time(loop);
  int rc = weft_wait_for(c170_thread_async(), 0.02);
  if (rc == WEFT_TIMEOUT) P("Timeout, quick %s", repr_bool(weft_loop_time(loop) - start < 0.1));
  return 0;
}
RAW_CASE(170, to_thread_wait_for_timeout, CAUSAL, TIMED) {
  weft_ignore(run(c170_main_async()));
  P("run returned");
}

struct c178 {
  weft_loop_t *loop;
  weft_queue_t q;
  struct c178_item {
    struct c178 *c;
    int item; /* -1: None, the end */
  } items[6];
};
static int c178_put(void *data) {
  struct c178_item *item = data;
  return weft_queue_put_nowait(&item->c->q, &item->item);
}
static WEFT_ASYNC(c178_produce, struct c178 *);
static int c178_produce(struct c178 *c) {
  for (int i = 0; i < 6; i++) {
    c->items[i] = (struct c178_item){c, i < 5 ? i : -1};
    weft_call_soon(c->loop, c178_put, &c->items[i]);
  }
  return 0;
}
static WEFT_ASYNC(c178_thread, struct c178 *);
static int c178_thread(struct c178 *c) { return weft_to_thread(c178_produce_async(c)); }
CASE(178, thread_sets_event_through_loop, CAUSAL, REAL) {
  struct c178 c = {.loop = weft_get_running_loop()};
  int got[6], item;
  size_t n = 0;
  TRY(weft_queue_init(&c.q, sizeof item, 0));
  weft_task_t *t = weft_create_task(c178_thread_async(&c));
  for (;;) {
    TRY(weft_queue_get(&c.q, &item));
    if (item < 0) break;
    got[n++] = item;
  }
  TRY(weft_join(t));
  P("%s", repr_ints(got, n));
  weft_queue_destroy(&c.q);
  return 0;
}

static char c179_none[] = "none", c179_ctx[] = "ctx";
static weft_contextvar_t c179_v = WEFT_CONTEXTVAR("v", c179_none);
static WEFT_ASYNC(c179_get, const char **);
static int c179_get(const char **value) {
  *value = weft_contextvar_get(&c179_v);
  return 0;
}
CASE(179, context_in_to_thread_but_not_executor, CAUSAL, REAL) {
  const char *in_thread = NULL, *in_executor = NULL;
  TRY(weft_contextvar_set(&c179_v, c179_ctx));
  TRY(weft_to_thread(c179_get_async(&in_thread)));
  TRY(weft_run_in_executor(NULL, c179_get_async(&in_executor)));
  P("%s %s", in_thread, in_executor);
  return 0;
}
