/* A thread outside waits for a future that is completed while its loop does not run (it ended, or never began): the wait
 * ends with the future, as concurrent.futures' does, and not with the loop's next pass. */
#include <stdio.h>
#include <unistd.h>
#include <weft.h>

#include "base/threads.h"

static weft_future_t *future;
static int status = 1;

static int waits(void *unused) {
  (void)unused;
  status = weft_future_wait_blocking(future, 15, NULL);
  return 0;
}

int main(void) {
  int bad = 0;
  for (unsigned workers = 1; workers <= 4; workers += 3) {
    weft_config_t config = {.workers = workers};
    weft_loop_t *loop;
    weft__thread_t thread;
    if (weft_loop_open(&config, &loop) < 0) return 1;
    future = weft_loop_create_future(loop, 0);
    double begun = weft_loop_time(loop);
    if (future == NULL || weft__thread_start(&thread, waits, NULL, "waiter") < 0) return 1;
    usleep(100 * 1000); /* it waits by now, most likely; if not, it finds the future done */
    weft_ignore(weft_future_set_done(future));
    weft__thread_join(thread);
    double took = weft_loop_time(loop) - begun;
    printf("%u workers: %d after %.1f s\n", workers, status, took);
    if (status != 0 || took > 14) bad = 1; /* it sat the time-out out */
    weft_future_unref(future);
    weft_loop_close(loop);
  }
  return bad;
}
