/* test_seeds_wait.c: first programs with time limits and with waiting for some of several. */
#include "transcript.h"

/* 003: a shield keeps a time limit from the task behind it. The shield itself is a task, so that it can be looked at. */
static WEFT_ASYNC(c003_do_async_job);
static int c003_do_async_job(void) {
  P("do_async_job!");
  int rc = S(40);
  if (rc == 0) P("protect me from cancelling!");
  return rc;
}
CASE(003, seed_shield, FIFO, VIRTUAL) {
  weft_task_t *task = weft_create_task(c003_do_async_job_async());
  weft_task_t *shield = weft_create_task(weft_shield_async(weft_task_future(task), NULL));
  weft_future_t *future = weft_task_future(shield);
  P("shield's type => %s", future != NULL ? "Future" : NONE);
  int rc = weft_wait_for_future(future, 0.02, NULL);
  if (rc == WEFT_TIMEOUT) {
    P("timeout!");
    P("shield canceled: %s", repr_bool(weft_task_cancelled(shield)));
    P("task canceled: %s", repr_bool(weft_task_cancelled(task)));
    rc = weft_await(task);
  }
  weft_detach(shield);
  weft_detach(task);
  return rc;
}

/* 028 */
static int c028_my_coroutine(void) {
  P("Task started");
  int rc = S(50);
  if (rc == 0) P("Task finished");
  return rc;
}
CASE(028, seed_timeout, CAUSAL, VIRTUAL) {
  weft_timeout_t scope;
  weft_timeout_enter(&scope, 0.03);
  int rc = c028_my_coroutine();
  rc = weft_timeout_exit(&scope, rc);
  if (rc != WEFT_TIMEOUT) return rc;
  P("The task took too long and was cancelled");
  return 0;
}

/* 031: wait never cancels; who waited decides what becomes of the rest. */
static WEFT_ASYNC(c031_num, int);
static int c031_num(int n) {
  int rc = S(n * 20);
  if (rc == WEFT_CANCELLED) P("数字%d被取消", n);
  return rc < 0 ? rc : n;
}
CASE(031, seed_wait_with_timeout, FIFO, VIRTUAL) {
  weft_task_t *tasks[10];
  bool done[10];
  for (int n = 0; n < 10; n++) tasks[n] = weft_create_task(c031_num_async(n));
  int complete = weft_wait_tasks(tasks, 10, WEFT_ALL_COMPLETED, 0.09, done);
  for (int n = 0; n < 10; n++)
    if (done[n]) P("当前数字 %d", weft_task_result(tasks[n]));
  if (complete < 10) {
    P("取消未完成的任务");
    for (int n = 0; n < 10; n++)
      if (!done[n]) weft_task_cancel(tasks[n], NULL);
  }
  int rc = weft_gather_tasks(tasks, 10, NULL, WEFT_RETURN_EXCEPTIONS);
  for (int n = 0; n < 10; n++) weft_detach(tasks[n]);
  return rc;
}

/* 032: what the compiler does not refuse already, wait does: nothing to wait for, no such mode. */
CASE(032, seed_wait_rejects_coroutines, CAUSAL, VIRTUAL) {
  weft_future_t *future = weft_future_open(0);
  int nothing = weft_wait(NULL, 0, WEFT_ALL_COMPLETED, WEFT_FOREVER, NULL);
  P("%s", kind(nothing));
  int no_mode = weft_wait(&future, 1, 17, WEFT_FOREVER, NULL);
  P("%s", kind(no_mode));
  weft_future_unref(future);
  return 0;
}

/* 036: in the order in which they are done. */
static WEFT_ASYNC(c036_foo, int);
static int c036_foo(int n) {
  P("Waiting:  %d", n);
  int rc = S(n * 20);
  return rc < 0 ? rc : n;
}
CASE(036, seed_as_completed, FIFO, VIRTUAL) {
  const int numbers[] = {1, 2, 4};
  weft_task_t *tasks[3];
  weft_future_t *futures[3];
  for (int i = 0; i < 3; i++) futures[i] = weft_task_future(tasks[i] = weft_create_task(c036_foo_async(numbers[i])));
  weft_as_completed_t it;
  weft_as_completed_init(&it, futures, 3, WEFT_FOREVER);
  size_t i;
  int rc;
  while ((rc = weft_as_completed_next(&it, &i)) > 0) P("Task ret: %d %d", weft_task_result(tasks[i]), now());
  P("%d", now());
  weft_as_completed_destroy(&it);
  for (i = 0; i < 3; i++) weft_detach(tasks[i]);
  return rc;
}
