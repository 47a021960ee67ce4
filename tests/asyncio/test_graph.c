/* test_graph.c: where a suspended task stands, and who waits for whom. */
#include "transcript.h"

static __attribute__((noinline)) int inner(void) {
  TRY(S(50));
  return 0; /* not a tail call: a frame of its own */
}
static WEFT_ASYNC(outer);
static int outer(void) {
  TRY(inner());
  return 0;
}
static int c260_frame(const weft_frame_t *frames, int count, const char *function) {
  for (int i = 0; i < count; i++)
    if (strcmp(frames[i].function, function) == 0) return i;
  return -1;
}
/* The frames from the outermost on are the coroutine functions, the newest one is the call that sleeps. */
static bool c260_order(const weft_frame_t *frames, int count) {
  int inner = c260_frame(frames, count, "inner"), sleep = c260_frame(frames, count, "weft_sleep");
  return inner > 0 && sleep > inner && sleep == count - 1;
}
CASE(260, task_stack_and_repr, CAUSAL, VIRTUAL) {
  weft_frame_t frames[16], created;
  weft_call_t coro;
  char repr[200];
  weft_task_t *t = weft_create_task_with(outer_async(), &(weft_task_options_t){.name = "T"});
  TRY(S(10));
  int count = weft_task_get_stack(t, frames, 16);
  if (count <= 0 || count > 16 || !c260_order(frames, count)) return weft_task_print_stack(t, 0, stdout);
  TRY(weft_task_created_at(t, &created));
  weft_task_repr(t, repr, sizeof repr);
  P("%s %s %s %s", LIST(repr_str(frames[0].function)),
    repr_bool(weft_task_get_coro(t, &coro) == 0 && coro.entry == outer_async().entry &&
              strcmp(created.function, "c260_main") == 0),
    repr_bool(strstr(repr, "pending") != NULL), repr_bool(strstr(repr, "name='T'") != NULL));
  TRY(weft_await(t));
  weft_task_repr(t, repr, sizeof repr);
  P("%s %s", repr_bool(strstr(repr, "finished") != NULL), weft_task_get_stack(t, frames, 16) == 0 ? "[]" : "frames");
  TRY(weft_join(t));
  weft_task_t *u = weft_create_task(outer_async());
  TRY(S(10));
  weft_task_cancel(u, NULL);
  outcome(weft_await(u), NULL, NONE);
  weft_task_repr(u, repr, sizeof repr);
  P("%s", repr_bool(strstr(repr, "cancelled") != NULL));
  weft_detach(u);
  return 0;
}

static WEFT_ASYNC(c263_c);
static int c263_c(void) { return S(50); }
static WEFT_ASYNC(c263_w, weft_task_t *);
static int c263_w(weft_task_t *t) { return weft_await(t); }
static weft_task_t *c263_task(weft_call_t call, const char *name) {
  return weft_create_task_with(call, &(weft_task_options_t){.name = name});
}
static const char *c263_chain(weft_task_t *t) {
  const char *chain = weft_task_get_name(t);
  weft_future_t *next = weft_task_waiting_on(t);
  for (weft_task_t *at; next != NULL && (at = weft_future_task(next)) != NULL;) {
    chain = text("%s -> %s", chain, weft_task_get_name(at));
    weft_future_t *done = next;
    next = weft_task_waiting_on(at);
    weft_future_unref(done);
  }
  weft_future_unref(next);
  return chain;
}
/* The same from below: who waits for C. */
static bool c263_graph(weft_task_t *c, weft_task_t *b, weft_task_t *a) {
  weft_call_graph_t *graph;
  if (weft_capture_call_graph(weft_task_future(c), 8, &graph) < 0) return false;
  bool ok = graph->count == 1 && weft_future_task(graph->awaited_by[0]->future) == b &&
            graph->awaited_by[0]->count == 1 && weft_future_task(graph->awaited_by[0]->awaited_by[0]->future) == a &&
            graph->awaited_by[0]->awaited_by[0]->count == 0;
  weft_call_graph_free(graph);
  return ok;
}
CASE(263, call_graph, CAUSAL, VIRTUAL) {
  weft_task_t *c = c263_task(c263_c_async(), "C");
  weft_task_t *b = c263_task(c263_w_async(c), "B");
  weft_task_t *a = c263_task(c263_w_async(b), "A");
  TRY(S(10));
  P("%s", c263_graph(c, b, a) ? c263_chain(a) : "the graph is another one");
  int rc = weft_join(a);
  weft_detach(b);
  weft_detach(c);
  return rc;
}
