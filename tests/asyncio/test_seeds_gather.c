/* test_seeds_gather.c: first programs with gather: several coroutines or tasks at once, results in the order of arguments. */
#include "transcript.h"

#include <stdatomic.h>

/* 001: three tasks of three steps, none waits for another. */
struct c001_task {
  const char *payload;
  int id;
  int times[3];
};
static int c001_step(struct c001_task *task, int k, const char *word) {
  int seconds = task->times[k - 1];
  P("Task %d step %d, %s %ds", task->id, k, word, seconds);
  int rc = S(seconds * 50 + (k == 1 ? 10 * task->id : 0));
  if (rc < 0) return rc;
  P("Task %d step %d, done", task->id, k);
  task->payload = text("%s%d", task->payload, k);
  return 0;
}
static WEFT_ASYNC(c001_run, struct c001_task *);
static int c001_run(struct c001_task *task) {
  int rc = c001_step(task, 1, "takes");
  if (rc == 0) rc = c001_step(task, 2, "take");
  if (rc == 0) rc = c001_step(task, 3, "take");
  return rc;
}
CASE(001, seed_nonblocking_tasks, FIFO, VIRTUAL) {
  struct c001_task tasks[] = {{"payload", 0, {3, 2, 5}}, {"payload", 1, {4, 2, 3}}, {"payload", 2, {3, 2, 3}}};
  int rc = weft_gather(c001_run_async(&tasks[0]), c001_run_async(&tasks[1]), c001_run_async(&tasks[2]));
  const char *pairs[3];
  for (int i = 0; i < 3; i++) pairs[i] = text("(%s, %d)", repr_str(tasks[i].payload), tasks[i].id);
  P("%s", repr_items(pairs, 3));
  P("TIME: %d", now());
  return rc;
}

/* 017: a set of background tasks, from which each is taken by a callback when it is done. */
static WEFT_ASYNC(c017_some_coro, int);
static int c017_some_coro(int param) {
  int rc = S(30);
  if (rc == 0) P("Task with param %d completed", param);
  return rc;
}
struct c017_set { /* a task's index is its place */
  weft_task_t *members[10];
  atomic_int size;
};
static int c017_discard(weft_future_t *done, void *data) {
  struct c017_set *set = data;
  for (int i = 0; i < 10; i++)
    if (weft_task_future(set->members[i]) == done) atomic_fetch_sub(&set->size, 1);
  return 0;
}
CASE(017, seed_set_of_background_tasks, FIFO, VIRTUAL) {
  struct c017_set background = {.size = 0};
  for (int i = 0; i < 10; i++) {
    background.members[i] = weft_create_task(c017_some_coro_async(i));
    atomic_fetch_add(&background.size, 1);
    weft_future_add_done_callback(weft_task_future(background.members[i]), c017_discard, &background);
  }
  int rc = weft_gather_tasks(background.members, 10, NULL, 0);
  P("left %d", atomic_load(&background.size));
  for (int i = 0; i < 10; i++) weft_detach(background.members[i]);
  return rc;
}

/* 018: taking out what is not there is no error. */
struct c018_set {
  const char *members[3];
  size_t n;
};
static void c018_discard(struct c018_set *set, const char *member) {
  for (size_t i = 0; i < set->n; i++)
    if (strcmp(set->members[i], member) == 0) set->members[i] = set->members[--set->n];
}
RAW_CASE(018, seed_set_discard, CAUSAL, VIRTUAL) {
  struct c018_set set = {{"task1", "task2", "task3"}, 3};
  for (int i = 0; i < 2; i++) {
    c018_discard(&set, i == 0 ? "task2" : "task4");
    sort_strs(set.members, set.n);
    P("%s", repr_strs(set.members, set.n));
  }
}

/* 019: the same with a list; callbacks of a loop run one at a time, so that the list needs no lock. */
static WEFT_ASYNC(c019_some_coro, int);
static int c019_some_coro(int param) {
  int rc = S(30);
  if (rc == 0) P("Task with param %d completed", param);
  return rc;
}
struct c019_list {
  weft_task_t *tasks[10];
  int length;
};
static int c019_remove(weft_future_t *done, void *data) {
  struct c019_list *list = data;
  int at = 0;
  while (weft_task_future(list->tasks[at]) != done) at++;
  list->length--;
  for (; at < list->length; at++) list->tasks[at] = list->tasks[at + 1];
  return 0;
}
CASE(019, seed_list_of_tasks, FIFO, VIRTUAL) {
  struct c019_list list = {.length = 0};
  weft_task_t *all[10];
  for (int i = 0; i < 10; i++) {
    all[i] = list.tasks[i] = weft_create_task(c019_some_coro_async(i));
    list.length++;
  }
  for (int i = 0; i < 10; i++) weft_future_add_done_callback(weft_task_future(all[i]), c019_remove, &list);
  int rc = weft_gather_tasks(all, 10, NULL, 0);
  P("left %d", list.length);
  for (int i = 0; i < 10; i++) weft_detach(all[i]);
  return rc;
}

/* 023: the list is in the order of the arguments, the time is the longest. */
static WEFT_ASYNC(c023_wait, const char *, int, const char **);
static int c023_wait(const char *name, int x, const char **result) {
  int rc = S(x * 20);
  *result = text("%s: %d", name, x);
  return rc;
}
CASE(023, seed_gather_basic, CAUSAL, VIRTUAL) {
  const char *results[3];
  int rc = weft_gather(c023_wait_async("foo", 1, &results[0]), c023_wait_async("bar", 2, &results[1]),
                       c023_wait_async("foo", 3, &results[2]));
  P("%s", repr_strs(results, 3));
  P("%d", now());
  return rc;
}

/* 024: with WEFT_RETURN_EXCEPTIONS an error is one of the results. */
static WEFT_ASYNC(c024_wait, const char *, int, const char **);
static int c024_wait(const char *name, int x, const char **result) {
  int rc = S(x * 20);
  *result = text("%s: %d", name, x);
  return rc;
}
static WEFT_ASYNC(c024_faulty_task);
static int c024_faulty_task(void) {
  int rc = S(20);
  return rc < 0 ? rc : weft_fail(WEFT_VALUE, "An error occurred");
}
CASE(024, seed_gather_return_exceptions, CAUSAL, VIRTUAL) {
  const char *results[3] = {NULL}, *reprs[3];
  weft_task_t *tasks[] = {weft_create_task(c024_wait_async("foo", 1, &results[0])),
                          weft_create_task(c024_faulty_task_async()),
                          weft_create_task(c024_wait_async("bar", 2, &results[2]))};
  int statuses[3];
  int rc = weft_gather_tasks(tasks, 3, statuses, WEFT_RETURN_EXCEPTIONS);
  for (int i = 0; i < 3; i++) reprs[i] = statuses[i] < 0 ? repr_error(weft_task_error(tasks[i])) : repr_str(results[i]);
  P("%s list", repr_items(reprs, 3));
  for (int i = 0; i < 3; i++) {
    if (statuses[i] < 0)
      P("Task raised an exception: %s", weft_task_error(tasks[i])->message);
    else
      P("Task result: %s", results[i]);
    weft_detach(tasks[i]);
  }
  return rc;
}

/* 025: the first error comes out of a gather of tasks at once; the other tasks run on. */
static WEFT_ASYNC(c025_wait, const char *, int, const char **);
static int c025_wait(const char *name, int x, const char **result) {
  int rc = S(x * 20);
  if (rc < 0) return rc;
  T("%s %d done", name, x);
  *result = text("%s: %d", name, x);
  return 0;
}
static WEFT_ASYNC(c025_faulty_task);
static int c025_faulty_task(void) {
  int rc = S(30);
  return rc < 0 ? rc : weft_fail(WEFT_VALUE, "An error occurred");
}
CASE(025, seed_gather_failfast_leaves_others_running, CAUSAL, VIRTUAL) {
  const char *foo, *bar = NULL;
  weft_task_t *tasks[] = {weft_create_task(c025_wait_async("foo", 1, &foo)), weft_create_task(c025_faulty_task_async()),
                          weft_create_task(c025_wait_async("bar", 3, &bar))};
  int rc = weft_gather_tasks(tasks, 3, NULL, 0);
  if (rc == WEFT_VALUE) T("Exception: %s", weft_error()->message);
  for (int i = 0; i < 3; i++) P("%s %s", repr_bool(weft_task_done(tasks[i])), repr_bool(weft_task_cancelled(tasks[i])));
  rc = weft_await(tasks[2]);
  T("%s", bar);
  for (int i = 0; i < 3; i++) weft_detach(tasks[i]);
  return rc;
}

/* 026 */
static WEFT_ASYNC(c026_factorial, const char *, int, int, int *);
static int c026_factorial(const char *name, int number, int extra, int *result) {
  int f = 1;
  for (int i = 2; i <= number; i++) {
    P("任务 %s: 计算(%d)的阶乘, 当前 i=%d...", name, number, i);
    int rc = S(50 + (i == 2 ? extra : 0));
    if (rc < 0) return rc;
    f *= i;
  }
  P("任务 %s: (%d)的阶乘 = %d", name, number, f);
  *result = f;
  return 0;
}
CASE(026, seed_factorial, FIFO, VIRTUAL) {
  int results[3];
  int rc = weft_gather(c026_factorial_async("A", 2, 0, &results[0]), c026_factorial_async("B", 3, 10, &results[1]),
                       c026_factorial_async("C", 4, 20, &results[2]));
  P("%s", repr_ints(results, 3));
  return rc;
}

/* 027 */
static WEFT_ASYNC(c027_coro, int, const char **);
static int c027_coro(int n, const char **result) {
  int rc = S(n * 10);
  *result = text("Result %d", n);
  return rc;
}
CASE(027, seed_create_task_with_gather, CAUSAL, VIRTUAL) {
  const char *results[2];
  weft_task_t *tasks[] = {weft_create_task(c027_coro_async(1, &results[0])),
                          weft_create_task(c027_coro_async(2, &results[1]))};
  int rc = weft_gather_tasks(tasks, 2, NULL, 0);
  P("Results: %s", repr_strs(results, 2));
  for (int i = 0; i < 2; i++) weft_detach(tasks[i]);
  return rc;
}

/* 030: gather over tasks and over calls; a gather that is a task can be an argument of another. */
static WEFT_ASYNC(c030_say_after, int, const char *, const char **);
static int c030_say_after(int d, const char *what, const char **said) {
  int rc = S(d * 10);
  *said = text("%s-%d", what, d);
  return rc;
}
CASE(030, seed_gather_of_tasks_and_coroutines, CAUSAL, VIRTUAL) {
  const char *said[3];
  weft_task_t *tasks[] = {weft_create_task(c030_say_after_async(1, "hello", &said[0])),
                          weft_create_task(c030_say_after_async(2, "world", &said[1]))};
  P("started at %d", now());
  TRY(weft_gather_tasks(tasks, 2, NULL, 0));
  P("%s", repr_strs(said, 2));
  P("finished at %d", now());
  for (int i = 0; i < 2; i++) weft_detach(tasks[i]);

  TRY(weft_gather(c030_say_after_async(1, "hello", &said[0]), c030_say_after_async(2, "world", &said[1])));
  P("%s", repr_strs(said, 2));
  P("finished at %d", now());

  weft_call_t calls[] = {c030_say_after_async(1, "a", &said[0]), c030_say_after_async(2, "b", &said[1])};
  weft_task_t *both = weft_create_task(weft_gather_n_async(calls, 2, NULL, 0));
  P("%s", repr_bool(weft_task_future(both) != NULL));
  int rc = weft_gather(weft_join_async(both), c030_say_after_async(1, "c", &said[2]));
  P("%s", LIST(repr_strs(said, 2), repr_str(said[2])));
  return rc;
}
