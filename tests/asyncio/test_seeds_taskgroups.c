/* test_seeds_taskgroups.c: first programs with task groups: the block ends when everything started in it has ended. */
#include "transcript.h"

/* 020 */
static WEFT_ASYNC(c020_say_after, double, const char *);
static int c020_say_after(double ms, const char *what) {
  int rc = S(ms);
  if (rc == 0) P("%s", what);
  return rc;
}
CASE(020, seed_taskgroup_say_after, CAUSAL, VIRTUAL) {
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  weft_taskgroup_create_task(&group, c020_say_after_async(10, "hello"));
  weft_taskgroup_create_task(&group, c020_say_after_async(20, "world"));
  P("started at %d", now());
  int rc = weft_taskgroup_exit(&group, 0);
  P("finished at %d", now());
  return rc;
}

/* 021 */
static WEFT_ASYNC(c021_job, int, double, const char **);
static int c021_job(int n, double ms, const char **result) {
  P("Task %d started", n);
  int rc = S(ms);
  if (rc < 0) return rc;
  P("Task %d completed", n);
  *result = text("Result from task %d", n);
  return 0;
}
CASE(021, seed_taskgroup_result, FIFO, VIRTUAL) {
  const char *first = NULL, *second = NULL;
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  weft_taskgroup_create_task(&group, c021_job_async(1, 20, &first));
  weft_taskgroup_create_task(&group, c021_job_async(2, 10, &second));
  int rc = weft_taskgroup_exit(&group, 0);
  P("Task 1 result: %s", first);
  P("Task 2 result: %s", second);
  return rc;
}

/* 022: a group releases its tasks at the end; who wants one longer takes a reference. */
static WEFT_ASYNC(c022_job, int, double, const char **);
static int c022_job(int n, double ms, const char **result) {
  P("Task %d started", n);
  int rc = S(ms);
  if (rc < 0) return rc;
  P("Task %d completed", n);
  *result = text("Result from task %d", n);
  return 0;
}
CASE(022, seed_taskgroup_await_after, FIFO, VIRTUAL) {
  const char *results[2] = {NULL};
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  weft_task_t *first = weft_task_ref(weft_taskgroup_create_task(&group, c022_job_async(1, 20, &results[0])));
  weft_task_t *second = weft_task_ref(weft_taskgroup_create_task(&group, c022_job_async(2, 10, &results[1])));
  int rc = weft_taskgroup_exit(&group, 0);
  T("before");
  if (rc == 0) rc = weft_await(first);
  if (rc == 0) rc = weft_await(second);
  T("after");
  P("Task 1 result: %s", results[0]);
  P("Task 2 result: %s", results[1]);
  weft_task_unref(first);
  weft_task_unref(second);
  return rc;
}
