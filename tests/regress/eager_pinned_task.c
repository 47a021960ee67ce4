/* A task that is pinned to another worker and asked to start eagerly: the pin wins, no line of it runs elsewhere. */
#include <stdio.h>
#include <weft.h>

#include "base/threads.h"

enum { WORKERS = 4 };
static weft__thread_t home[WORKERS];
static int strayed;

static WEFT_ASYNC(learns, unsigned);
static int learns(unsigned worker) {
  home[worker - 1] = weft__thread_self();
  return 0;
}

static WEFT_ASYNC(checks, unsigned);
static int checks(unsigned worker) {
  if (!weft__thread_equal(home[worker - 1], weft__thread_self())) strayed++;
  int rc = weft_yield();
  if (!weft__thread_equal(home[worker - 1], weft__thread_self())) strayed++;
  return rc;
}

static WEFT_ASYNC(program);
static int program(void) {
  for (unsigned worker = 1; worker <= WORKERS; worker++) {
    weft_task_options_t options = {.worker = worker};
    int rc = weft_join(weft_create_task_with(learns_async(worker), &options));
    if (rc < 0) return rc;
  }
  for (unsigned worker = 1; worker <= WORKERS; worker++) {
    weft_task_options_t options = {.worker = worker, .eager = true};
    int rc = weft_join(weft_create_task_with(checks_async(worker), &options));
    if (rc < 0) return rc;
  }
  return 0;
}

int main(void) {
  weft_config_t config = {.workers = WORKERS};
  int rc = weft_run_with(&config, program_async());
  printf("status %d, steps on a wrong worker: %d\n", rc, strayed);
  return rc != 0 || strayed != 0;
}
