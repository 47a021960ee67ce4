/* test_graph.c: who waits for whom: every way to wait for a future is told, chains and cycles too; the texts of tasks and
 * futures. */
#include "looking.h"

static weft_future_t *fut; /* what the tasks of a test wait for */

static WEFT_ASYNC(by_await);
static int by_await(void) { return weft_await_future(fut, NULL); }
static WEFT_ASYNC(by_shield);
static int by_shield(void) { return weft_shield(fut, NULL); }
static WEFT_ASYNC(by_wait);
static int by_wait(void) {
  int rc = weft_wait(&fut, 1, WEFT_ALL_COMPLETED, WEFT_FOREVER, NULL);
  return rc < 0 ? rc : 0;
}
static WEFT_ASYNC(by_wait_for);
static int by_wait_for(void) { return weft_wait_for_future(fut, 1000, NULL); }
static WEFT_ASYNC(by_gather);
static int by_gather(void) { return weft_gather_futures(&fut, 1, NULL, 0); }
static WEFT_ASYNC(by_select);
static int by_select(void) {
  weft_select_case_t cases[] = {{.kind = WEFT_SELECT_FUTURE, .what = fut}};
  int rc = weft_select(cases, 1);
  return rc < 0 ? rc : 0;
}
static WEFT_ASYNC(by_as_completed);
static int by_as_completed(void) {
  weft_as_completed_t it;
  weft_as_completed_init(&it, &fut, 1, WEFT_FOREVER);
  size_t index;
  int rc = weft_as_completed_next(&it, &index);
  weft_as_completed_destroy(&it);
  return rc < 0 ? rc : 0;
}

/* The task that waits for the future in the end, through futures that stand for several. */
static bool awaits(weft_task_t *task, weft_future_t *future) {
  weft_future_t *found[8];
  int count = weft_future_awaited_by(future, found, 8);
  bool yes = false;
  for (int i = 0; i < count && i < 8; i++) {
    weft_task_t *waiter = weft_future_task(found[i]);
    yes = yes || waiter == task || (waiter == NULL && awaits(task, found[i]));
    weft_future_unref(found[i]);
  }
  return yes;
}

static WEFT_ASYNC(every_way);
static int every_way(void) {
  const weft_call_t ways[] = {by_await_async(),  by_shield_async(), by_wait_async(),        by_wait_for_async(),
                              by_gather_async(), by_select_async(), by_as_completed_async()};
  enum { WAYS = sizeof ways / sizeof *ways };
  weft_task_t *tasks[WAYS];
  fut = weft_future_open(0);
  for (size_t i = 0; i < WAYS; i++) tasks[i] = weft_create_task(ways[i]);
  for (size_t i = 0; i < WAYS; i++) {
    bool seen = false;
    for (int n = 0; n < 20000 && !seen; n++) {
      int rc = weft_sleep(0.0005);
      if (rc < 0) return rc;
      seen = awaits(tasks[i], fut);
    }
    if (!seen) return weft_fail(WEFT_USER, "%s is not told", ways[i].name);
  }
  EXPECT(weft_future_awaited_by(fut, NULL, 0) == WAYS);
  weft_future_t *two[2];
  EXPECT(weft_future_awaited_by(fut, two, 2) == WAYS);
  weft_future_unref(two[0]);
  weft_future_unref(two[1]);
  weft_future_t *waiting = weft_task_waiting_on(tasks[0]);
  EXPECT(waiting == fut);
  weft_future_unref(waiting);
  EXPECT(weft_future_set_done(fut) == 0);
  EXPECT(weft_future_awaited_by(fut, NULL, 0) == 0);
  for (size_t i = 0; i < WAYS; i++) {
    int rc = weft_join(tasks[i]);
    if (rc < 0) return rc;
  }
  weft_future_unref(fut);
  return 0;
}

/* A group's parent waits for its children, joins in place show as any other. */
static _Atomic(weft_task_t *) child, joined;
static WEFT_ASYNC(sleeps);
static int sleeps(void) { return weft_sleep(WEFT_FOREVER); }
static WEFT_ASYNC(parent);
static int parent(void) {
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  child = weft_task_ref(weft_taskgroup_create_task(&group, sleeps_async()));
  return weft_taskgroup_exit(&group, 0);
}
static WEFT_ASYNC(joins);
static int joins(void) {
  weft_task_t *task = weft_task_ref(weft_create_task(sleeps_async()));
  joined = task;
  return weft_join(task);
}

static int until_awaited(_Atomic(weft_task_t *) *task, weft_task_t *by) {
  for (int n = 0; n < 20000; n++) {
    int rc = weft_sleep(0.0005);
    if (rc < 0) return rc;
    if (*task != NULL && awaits(by, weft_task_future(*task))) return 0;
  }
  return weft_fail(WEFT_USER, "never awaited");
}
static WEFT_ASYNC(parents);
static int parents(void) {
  child = joined = NULL;
  weft_task_t *group = weft_create_task(parent_async()), *joiner = weft_create_task(joins_async());
  int rc = until_awaited(&child, group);
  if (rc == 0) rc = until_awaited(&joined, joiner);
  if (rc < 0) return rc;
  weft_future_t *waiting = weft_task_waiting_on(joiner);
  EXPECT(waiting == weft_task_future(joined));
  weft_future_unref(waiting);
  EXPECT(weft_task_waiting_on(joined) == NULL && weft_task_waiting_on(group) == NULL); /* several, or time */
  weft_task_cancel(group, NULL);
  weft_task_cancel(joiner, NULL);
  weft_ignore(weft_join(group));
  weft_ignore(weft_join(joiner));
  weft_task_unref(child);
  weft_task_unref(joined);
  return 0;
}

static void test_waiters(void **state) {
  (void)state;
  on_1_and_4(every_way_async());
  on_1_and_4(parents_async());
}

/* ---- graphs ---- */

static size_t count_nodes(const weft_call_graph_t *graph, size_t *repeated) {
  size_t n = 1;
  *repeated += graph->repeated;
  for (size_t i = 0; i < graph->count; i++) n += count_nodes(graph->awaited_by[i], repeated);
  return n;
}

static _Atomic(weft_task_t *) ring[3];
static WEFT_ASYNC(awaits_next, int);
static int awaits_next(int i) {
  int rc = 0;
  while (rc == 0 && (ring[0] == NULL || ring[1] == NULL || ring[2] == NULL)) rc = weft_sleep(0);
  if (rc == 0) rc = i == 2 ? weft_shield(weft_task_future(ring[0]), NULL) : weft_await(ring[i + 1]);
  return rc;
}
/* Three tasks that wait for each other, in a circle: what a deadlock looks like. The shield is where it can be broken. */
static WEFT_ASYNC(cycle);
static int cycle(void) {
  for (int i = 0; i < 3; i++) ring[i] = NULL; /* of another run */
  for (int i = 0; i < 3; i++) {
    char name[] = {(char)('A' + i), '\0'};
    ring[i] = weft_create_task_with(awaits_next_async(i), &(weft_task_options_t){.name = name});
  }
  for (int i = 0; i < 3; i++) {
    weft_task_t *by = ring[i];
    int rc = until_awaited(&ring[(i + 1) % 3], by);
    if (rc < 0) return rc;
  }
  weft_call_graph_t *graph;
  EXPECT(weft_capture_call_graph(weft_task_future(ring[0]), 4, &graph) == 0);
  size_t repeated = 0, nodes = count_nodes(graph, &repeated);
  EXPECT(nodes == 4 && repeated == 1);
  EXPECT(graph->depth > 0 && graph->call_stack[graph->depth - 1].function[0] == 'a'); /* awaits_next, the oldest */
  weft_call_graph_free(graph);
  char text[2000];
  int length = weft_format_call_graph(weft_task_future(ring[0]), 1, text, sizeof text);
  EXPECT(length > 0 && (size_t)length == strlen(text));
  EXPECT(strncmp(text, "* Task(name='A', id=", 20) == 0);
  const char *c = strstr(text, "\n    * Task(name='C'"), *b = strstr(text, "\n        * Task(name='B'");
  EXPECT(c != NULL && b != NULL && c < b && strstr(text, " ...\n") > b);
  EXPECT(strstr(text, "\n  + Call stack:\n  |   weft_await+0x") != NULL && strstr(text, "\n  + Awaited by:\n") != NULL);
  char cut[10];
  EXPECT(weft_format_call_graph(weft_task_future(ring[0]), 1, cut, sizeof cut) == length && strlen(cut) == 9);
  char *printed = NULL;
  size_t size = 0;
  FILE *file = open_memstream(&printed, &size);
  EXPECT(file != NULL && weft_print_call_graph(weft_task_future(ring[0]), 1, file) == 0);
  fclose(file);
  bool same = strcmp(printed, text) == 0;
  free(printed);
  EXPECT(same);
  weft_task_cancel(ring[2], NULL);
  for (int i = 0; i < 3; i++) EXPECT(weft_await(ring[i]) == WEFT_CANCELLED);
  for (int i = 0; i < 3; i++) weft_detach(ring[i]);
  return 0;
}

/* Many that wait for one, each awaited by the next of a long chain: no recursion, no loss. */
static WEFT_ASYNC(awaits_task, weft_task_t *);
static int awaits_task(weft_task_t *task) { return weft_await(task); }
static WEFT_ASYNC(long_and_wide);
static int long_and_wide(void) {
  int n = scaled(400);
  weft_task_t **tasks = calloc((size_t)n * 2, sizeof *tasks);
  EXPECT(tasks != NULL);
  fut = weft_future_open(0);
  for (int i = 0; i < n; i++) tasks[i] = weft_create_task(by_await_async());
  for (int i = 0; i < n; i++) tasks[n + i] = weft_create_task(awaits_task_async(tasks[i == 0 ? 0 : n + i - 1]));
  size_t repeated, nodes = 0;
  int rc = 0;
  for (int i = 0; i < 20000 && nodes != (size_t)n * 2 + 1 && rc == 0; i++) {
    rc = weft_sleep(0.0005);
    weft_call_graph_t *graph;
    EXPECT(weft_capture_call_graph(fut, 0, &graph) == 0);
    repeated = 0;
    nodes = count_nodes(graph, &repeated);
    EXPECT(repeated == 0 && graph->depth == 0);
    weft_call_graph_free(graph);
  }
  EXPECT(nodes == (size_t)n * 2 + 1);
  EXPECT(weft_future_set_done(fut) == 0);
  for (int i = 2 * n - 1; i >= 0; i--) {
    int one = weft_join(tasks[i]);
    rc = rc < 0 ? rc : one;
  }
  weft_future_unref(fut);
  free(tasks);
  return rc;
}

static void test_graphs(void **state) {
  (void)state;
  on_1_and_4(cycle_async());
  on_1_and_4(long_and_wide_async());
}

/* Waiters come and go while the graph is taken, from another thread. */
static WEFT_ASYNC(comes_and_goes, int);
static int comes_and_goes(int times) {
  int rc = 0;
  while (rc == 0 && times-- > 0) {
    rc = weft_wait_for_future(fut, 0.0002, NULL);
    if (rc == WEFT_TIMEOUT) rc = 0;
    if (rc == WEFT_CANCELLED && weft_future_cancelled(fut)) rc = 0;
    if (rc == 0) rc = weft_join(weft_create_task(weft_sleep_async(0)));
  }
  return rc;
}
static int take_graphs(void *argument) {
  atomic_bool *stop = argument;
  while (!atomic_load(stop)) {
    char text[4000];
    int length = weft_format_call_graph(fut, 3, text, sizeof text);
    if (length < 10) abort();
  }
  return 0;
}
static WEFT_ASYNC(moving);
static int moving(void) {
  enum { TASKS = 6 };
  atomic_bool stop = false;
  weft_task_t *tasks[TASKS];
  fut = weft_future_open(0);
  weft_future_t *all = fut;
  weft__thread_t thread;
  EXPECT(weft__thread_start(&thread, take_graphs, &stop, "looker") == 0);
  for (int i = 0; i < TASKS; i++) tasks[i] = weft_create_task(comes_and_goes_async(scaled(100)));
  int rc = 0;
  for (int i = 0; i < TASKS; i++) {
    int one = weft_join(tasks[i]);
    rc = rc < 0 ? rc : one;
  }
  atomic_store(&stop, true);
  weft__thread_join(thread);
  weft_future_unref(all);
  return rc;
}

static void test_moving(void **state) {
  (void)state;
  run_on(4, moving_async());
}

/* ---- texts ---- */

static WEFT_ASYNC(fails);
static int fails(void) { return weft_fail(WEFT_VALUE, "bad"); }
static WEFT_ASYNC(gives, int);
static int gives(int value) { return value; }

static const char *repr_of(weft_task_t *task) {
  static char text[300];
  int length = weft_task_repr(task, text, sizeof text);
  return length == (int)strlen(text) ? text : "(wrong length)";
}
static const char *repr_of_future(weft_future_t *future) {
  static char text[300];
  int length = weft_future_repr(future, text, sizeof text);
  return length == (int)strlen(text) ? text : "(wrong length)";
}
static WEFT_ASYNC(texts);
static int texts(void) {
  weft_task_options_t named = {.name = "N"};
  fut = weft_future_open(0);
  weft_task_t *task = weft_create_task_with(by_await_async(), &named);
  int rc = until_frame(task, "weft_await_future");
  if (rc < 0) return rc;
  EXPECT(strcmp(repr_of(task), "<Task pending name='N' coro=<by_await()> wait_for=<Future pending>>") == 0);
  EXPECT(strcmp(repr_of_future(weft_task_future(task)), repr_of(task)) == 0);
  weft_task_t *outer = weft_create_task_with(awaits_task_async(task), &(weft_task_options_t){.name = "O"});
  rc = until_frame(outer, "weft_await");
  if (rc < 0) return rc;
  EXPECT(strcmp(repr_of(outer), "<Task pending name='O' coro=<awaits_task()> wait_for=<Task pending name='N' "
                                "coro=<by_await()>>>") == 0);
  weft_task_cancel(outer, NULL);
  EXPECT(strstr(repr_of(outer), "<Task c") == repr_of(outer)); /* cancelling, or cancelled already */
  EXPECT(weft_join(outer) == WEFT_CANCELLED);
  EXPECT(strcmp(repr_of(task), "<Task cancelled name='N' coro=<by_await()>>") == 0);
  EXPECT(strcmp(repr_of_future(fut), "<Future cancelled>") == 0);
  weft_detach(task);
  weft_future_unref(fut);
  task = weft_create_task_with(fails_async(), &named);
  EXPECT(weft_await(task) == WEFT_VALUE);
  EXPECT(strcmp(repr_of(task), "<Task finished name='N' coro=<fails()> exception=ValueError('bad')>") == 0);
  char cut[8];
  EXPECT(weft_task_repr(task, cut, sizeof cut) == (int)strlen(repr_of(task)) && strcmp(cut, "<Task f") == 0);
  EXPECT(weft_task_repr(task, NULL, 0) == (int)strlen(repr_of(task)));
  weft_detach(task);
  task = weft_create_task_with(gives_async(7), &named);
  EXPECT(weft_await(task) == 7);
  EXPECT(strcmp(repr_of(task), "<Task finished name='N' coro=<gives()> result=7>") == 0);
  weft_detach(task);
  fut = weft_future_open(4);
  EXPECT(strcmp(repr_of_future(fut), "<Future pending>") == 0);
  EXPECT(weft_future_set_result(fut, &(int){3}) == 0);
  EXPECT(strcmp(repr_of_future(fut), "<Future finished result=<4 bytes>>") == 0);
  weft_future_unref(fut);
  fut = weft_future_open(0);
  EXPECT(weft_future_set_done(fut) == 0);
  EXPECT(strcmp(repr_of_future(fut), "<Future finished result=None>") == 0);
  weft_future_unref(fut);
  /* Asking counts as no reading: the error is still reported when it is dropped unread. */
  return 0;
}

static atomic_int reports;
static int count_report(weft_loop_t *loop, const weft_error_context_t *context, void *data) {
  (void)loop, (void)data;
  atomic_fetch_add(&reports, context->error != NULL && context->error->code == WEFT_VALUE);
  return 0;
}
static WEFT_ASYNC(unread);
static int unread(void) {
  weft_loop_set_exception_handler(weft_get_running_loop(), count_report, NULL);
  fut = weft_future_open(0);
  EXPECT(weft_future_set_error(fut, WEFT_VALUE, "unread") == 0);
  EXPECT(strcmp(repr_of_future(fut), "<Future finished exception=ValueError('unread')>") == 0);
  weft_future_unref(fut);
  return 0;
}

static void test_texts(void **state) {
  (void)state;
  on_1_and_4(texts_async());
  run_on(1, unread_async());
  assert_int_equal(atomic_load(&reports), 1);
}

/* ---- bad input, no memory ---- */

static WEFT_ASYNC(own_graph);
static int own_graph(void) {
  weft_call_graph_t *graph;
  EXPECT(weft_capture_call_graph(NULL, 5, &graph) == 0);
  EXPECT(weft_future_task(graph->future) == weft_current_task() && graph->depth > 0);
  weft_call_graph_free(graph);
  _Atomic(weft_task_t *) task = weft_create_task(sleeps_async());
  weft_task_t *by = weft_create_task(awaits_task_async(task));
  int rc = until_awaited(&task, by);
  if (rc < 0) return rc;
  long before = 0;
  bool failed = true;
  for (long n = 1; failed && n < 200; n++) {
    weft__alloc_counting(true);
    weft__alloc_fail_after(n);
    rc = weft_capture_call_graph(weft_task_future(task), 5, &graph);
    failed = weft__alloc_failed();
    weft__alloc_fail_after(-1);
    EXPECT(rc == 0 || (failed && rc == -ENOMEM && graph == NULL));
    if (rc == 0) EXPECT(graph->count == 1);
    weft_call_graph_free(graph);
    if (rc == 0) EXPECT(weft__alloc_live_bytes() == before); /* of a failure the record is left */
    weft__alloc_counting(false);
  }
  EXPECT(!failed);
  weft_task_cancel(by, NULL);
  weft_ignore(weft_join(by));
  weft_detach(task);
  return 0;
}

static void test_misuse(void **state) {
  (void)state;
  char text[10];
  weft_call_graph_t *graph;
  weft_future_t *found[1];
  assert_int_equal(weft_capture_call_graph(NULL, 1, &graph), WEFT_RUNTIME);
  assert_int_equal(weft_capture_call_graph(NULL, 1, NULL), -EINVAL);
  assert_int_equal(weft_print_call_graph(NULL, 1, stderr), WEFT_RUNTIME);
  assert_int_equal(weft_future_awaited_by(NULL, found, 1), -EINVAL);
  assert_int_equal(weft_task_repr(NULL, text, sizeof text), -EINVAL);
  assert_int_equal(weft_future_repr(NULL, text, sizeof text), -EINVAL);
  assert_null(weft_task_waiting_on(NULL));
  assert_null(weft_future_task(NULL));
  weft_call_graph_free(NULL);
  run_on(1, own_graph_async());
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_waiters), cmocka_unit_test(test_graphs),
                                     cmocka_unit_test(test_moving), cmocka_unit_test(test_texts),
                                     cmocka_unit_test(test_misuse)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
