/* Closing a loop whose pending tasks wait for each other: each is reported once, and none is touched after its memory went
 * (the waiter is older than what it waits for, and so was released first). */
#include <stdio.h>
#include <weft.h>

static int reports;
static weft_task_t *waiter, *child;

static int count_report(weft_loop_t *loop, const weft_error_context_t *context, void *data) {
  (void)loop, (void)context, (void)data;
  reports++;
  return 0;
}

static WEFT_ASYNC(sleeps);
static int sleeps(void) { return weft_sleep(1000); }

static WEFT_ASYNC(waits, weft_task_t *);
static int waits(weft_task_t *task) { return weft_await(task); }

static WEFT_ASYNC(makes_child);
static int makes_child(void) {
  child = weft_create_task(sleeps_async()); /* the handle is the program's: this frame will not come back to drop it */
  int rc = weft_sleep(0);                   /* it starts by itself: not in place */
  return rc == 0 ? weft_await(child) : rc;
}

static WEFT_ASYNC(leaves_them, bool);
static int leaves_them(bool keep) {
  weft_task_t *task = weft_create_task(makes_child_async());
  if (keep) waiter = weft_task_ref(task);
  weft_task_t *second = weft_create_task(waits_async(task)); /* three in a chain */
  int rc = weft_sleep(0.01);
  weft_detach(task);
  weft_detach(second);
  return rc;
}

static int check(unsigned workers, bool keep) {
  weft_config_t config = {.workers = workers};
  weft_loop_t *loop;
  reports = 0;
  waiter = NULL;
  if (weft_loop_open(&config, &loop) < 0) return 1;
  weft_loop_set_exception_handler(loop, count_report, NULL);
  int rc = weft_loop_run_until_complete(loop, leaves_them_async(keep));
  weft_loop_close(loop);
  bool ended = waiter == NULL || weft_task_cancelled(waiter);
  weft_task_unref(waiter);
  weft_detach(child);
  printf("%u workers, handle %s: status %d, %d of 3 tasks reported, ended %d\n", workers, keep ? "kept" : "dropped", rc,
         reports, ended);
  return rc != 0 || reports != 3 || !ended;
}

int main(void) {
  int bad = 0;
  for (int keep = 1; keep >= 0; keep--) bad += check(1, keep) + check(4, keep);
  return bad != 0;
}
