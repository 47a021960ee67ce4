/* A cancellation that is pending when its task begins to wait for a future, which another thread completes at that moment:
 * it is delivered once, by that wait, or is withdrawn, and does not come back at a later one. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <weft.h>

#include "base/threads.h"
#include "task/future.h"

static _Atomic(weft_future_t *) posted;
static atomic_bool over;

static int completes(void *unused) {
  unsigned seed = 1;
  (void)unused;
  while (!atomic_load(&over)) {
    weft_future_t *future = atomic_exchange(&posted, NULL);
    if (future == NULL) continue;
    /* The moment at which the task is in the future's list, or cancelled it; every other time a little later or earlier. */
    int wait = rand_r(&seed) % 8 == 0 ? rand_r(&seed) % 200 : 1 << 20;
    while (wait-- > 0 && !(atomic_load(&future->word) & (WEFT__W_NODES | WEFT__W_OUTCOME))) {
    }
    weft_ignore(weft_future_set_done(future));
    weft_future_unref(future);
  }
  return 0;
}

static WEFT_ASYNC(program, int);
static int program(int rounds) {
  weft_task_t *self = weft_current_task();
  for (int i = 0; i < rounds; i++) {
    weft_future_t *future = weft_future_open(0);
    if (future == NULL) return -ENOMEM;
    weft_task_cancel(self, NULL);
    weft_future_unref(
        atomic_exchange(&posted, weft_future_ref(future))); /* one that was cancelled before it was taken */
    int rc = weft_await_future(future, NULL);               /* 0: it was done already, which is no suspension */
    if (rc != 0 && rc != WEFT_CANCELLED) return rc;
    weft_task_uncancel(self); /* also withdraws what was not delivered */
    for (int again = 0; again < 2; again++)
      if (weft_yield() < 0) return weft_fail(WEFT_RUNTIME, "delivered again in round %d", i);
    while (!weft_future_done(future)) weft_ignore(weft_yield());
    weft_future_unref(future);
  }
  return 0;
}

int main(void) {
  const char *scale = getenv("WEFT_TEST_SCALE");
  int rounds = (int)(800000 * (scale != NULL ? atof(scale) : 1.0)), bad = 0;
  for (unsigned workers = 1; workers <= 3; workers++) {
    weft__thread_t thread;
    atomic_store(&over, false);
    if (weft__thread_start(&thread, completes, NULL, "completer") < 0) return 1;
    weft_config_t config = {.workers = workers};
    int rc = weft_run_with(&config, program_async(rounds));
    printf("%u workers: %s\n", workers, rc < 0 ? weft_error()->message : "once each");
    atomic_store(&over, true);
    weft__thread_join(thread);
    weft_future_t *left = atomic_exchange(&posted, NULL);
    weft_future_unref(left);
    bad |= rc < 0;
  }
  return bad;
}
