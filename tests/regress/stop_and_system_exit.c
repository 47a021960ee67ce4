/* A callback that stops the loop and ends the run with SystemExit in one step, on several workers: the stop belongs to that
 * run and must not end the next one, in which weft_run cancels and awaits what is left. */
#include <stdio.h>
#include <weft.h>

static int cleaned;

static WEFT_ASYNC(background);
static int background(void) {
  int rc = weft_sleep(1000);
  int later = weft_sleep(0.01); /* its clean-up may suspend */
  cleaned = rc == WEFT_CANCELLED && later == 0;
  return rc;
}

static int stop_and_exit(void *data) {
  (void)data;
  weft_loop_stop(weft_get_running_loop());
  return weft_fail(WEFT_EXIT, "bye");
}

static WEFT_ASYNC(program);
static int program(void) {
  weft_detach(weft_create_task(background_async()));
  int rc = weft_sleep(0.01);
  if (rc < 0) return rc;
  weft_call_soon(weft_get_running_loop(), stop_and_exit, NULL);
  return weft_sleep(1000);
}

int main(void) {
  int bad = 0;
  for (unsigned workers = 1; workers <= 4; workers++)
    for (int i = 0; i < 5; i++) {
      cleaned = 0;
      weft_config_t config = {.workers = workers};
      int rc = weft_run_with(&config, program_async());
      if (rc == WEFT_EXIT && cleaned) continue;
      printf("%u workers: the run ended with %d, cleaned up: %d\n", workers, rc, cleaned);
      bad = 1;
    }
  return bad;
}
