/* Tasks that await each other in a circle: nobody's end will wake them, but a cancellation ends them all, as it ends a run
 * that finds them. */
#include <errno.h>
#include <stdio.h>
#include <weft.h>

enum { MOST = 9 };
static weft_task_t *tasks[MOST];
static weft_event_t all_there;

static WEFT_ASYNC(awaits, int);
static int awaits(int which) {
  int rc = weft_event_wait(&all_there);
  return rc == 0 ? weft_await(tasks[which]) : rc;
}

static WEFT_ASYNC(program, int, bool);
static int program(int n, bool leave) {
  weft_event_init(&all_there);
  for (int i = 0; i < n; i++)
    if ((tasks[i] = weft_create_task(awaits_async((i + 1) % n))) == NULL) return -ENOMEM;
  weft_event_set(&all_there);
  if (weft_sleep(0.02) < 0) return -ETIME; /* all of them wait */
  if (leave) return 0;                     /* to the clean-up of the run */
  if (!weft_task_cancel(tasks[n / 2], "enough")) return -EINVAL;
  int cancelled = 0;
  for (int i = 0; i < n; i++) cancelled += weft_join(tasks[i]) == WEFT_CANCELLED;
  return cancelled == n ? 0 : weft_fail(WEFT_VALUE, "%d of %d cancelled", cancelled, n);
}

int main(void) {
  int bad = 0;
  for (unsigned workers = 1; workers <= 4; workers += 3)
    for (int n = 2; n <= MOST; n++)
      for (int leave = 0; leave <= 1; leave++) {
        weft_config_t config = {.workers = workers};
        int rc = weft_run_with(&config, program_async(n, leave));
        for (int i = 0; i < n && leave; i++) weft_detach(tasks[i]);
        if (rc < 0) printf("%d tasks, %u workers: %s\n", n, workers, weft_error()->message);
        bad += rc < 0;
      }
  return bad != 0;
}
