/* test_tasks.c: order of starting, round robin, a task that awaits itself, equal deadlines, many sleepers. */
#include "transcript.h"

static WEFT_ASYNC(c076_t, int);
static int c076_t(int i) {
  P("%d", i);
  return 0;
}
CASE(076, task_start_order_and_no_inline_start, SINGLE, VIRTUAL) {
  weft_task_t *tasks[3];
  for (int i = 0; i < 3; i++) tasks[i] = weft_create_task(c076_t_async(i + 1));
  P("created");
  TRY(weft_sleep(0));
  P("end");
  for (int i = 0; i < 3; i++) weft_detach(tasks[i]);
  return 0;
}

static WEFT_ASYNC(c077_t, char);
static int c077_t(char name) {
  for (int i = 0; i < 3; i++) {
    P("%c%d", name, i);
    TRY(weft_sleep(0));
  }
  return 0;
}
CASE(077, task_sleep0_round_robin, SINGLE, VIRTUAL) {
  return weft_gather(c077_t_async('A'), c077_t_async('B'), c077_t_async('C'));
}

static WEFT_ASYNC(c097_me);
static int c097_me(void) { return weft_await(weft_current_task()); }
CASE(097, task_awaits_itself, CAUSAL, VIRTUAL) {
  int rc = weft_join(weft_create_task(c097_me_async()));
  P("%s %s", kind(rc), repr_bool(strstr(weft_error()->message, "cannot await on itself") != NULL));
  return 0;
}

static WEFT_ASYNC(c154_t, int);
static int c154_t(int i) {
  TRY(S(20));
  T("%d", i);
  return 0;
}
CASE(154, equal_deadlines, FIFO, VIRTUAL) {
  weft_call_t calls[5];
  for (int i = 0; i < 5; i++) calls[i] = c154_t_async(i);
  return weft_gather_n(calls, 5, NULL, 0);
}

static WEFT_ASYNC(c167_main);
static int c167_main(void) {
  weft_task_t *tasks[100];
  int statuses[100], cancelled = 0;
  for (int i = 0; i < 100; i++) tasks[i] = weft_create_task(S_async(10000));
  TRY(S(10));
  for (int i = 0; i < 100; i++) weft_task_cancel(tasks[i], NULL);
  TRY(weft_gather_tasks(tasks, 100, statuses, WEFT_RETURN_EXCEPTIONS));
  for (int i = 0; i < 100; i++) {
    cancelled += statuses[i] == WEFT_CANCELLED;
    weft_detach(tasks[i]);
  }
  T("%d %s", 100, repr_bool(cancelled == 100));
  return 0;
}
RAW_CASE(167, sleep_cancel_removes_timer, CAUSAL, VIRTUAL) {
  weft_ignore(run(c167_main_async()));
  P("end");
}
