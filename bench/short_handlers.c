/* short_handlers: handlers that do next to nothing, at a high rate (Tokio issue 8065: what is done against hostages must not
 * slow them down). Requests travel in rings of handlers: each waits for one, and passes it on to the next. An operation is
 * one request handled. Instructions per operation are the robust figure: run it under a counter, with --workers 1 and 2.
 *
 *   bench_short_handlers --workers 2 -- rings=4 handlers=16 */
#include <errno.h>
#include <stdlib.h>

#include "harness.h"

typedef struct handler {
  weft_semaphore_t turn;
  struct handler *next;
  long requests;
} handler_t;

static WEFT_ASYNC(handles, handler_t *);
static int handles(handler_t *handler) {
  for (long i = 0; i < handler->requests; i++) {
    int rc = weft_semaphore_acquire(&handler->turn);
    if (rc < 0) return rc;
    weft_semaphore_release(&handler->next->turn);
  }
  return 0;
}

static WEFT_ASYNC(serve, bench_run_t *);
static int serve(bench_run_t *run) {
  long rings = bench_option(run, "rings", 4), each = bench_option(run, "handlers", 16);
  if (rings < 1 || each < 1 || rings * each > 100000) return -EINVAL;
  size_t n = (size_t)(rings * each);
  handler_t *handlers = calloc(n, sizeof *handlers);
  weft_task_t **tasks = calloc(n, sizeof *tasks);
  BENCH_CHECK(handlers != NULL && tasks != NULL);
  long requests = run->ops / (long)n + 1;
  for (size_t i = 0; i < n; i++) {
    size_t ring = i / (size_t)each * (size_t)each;
    weft_semaphore_init(&handlers[i].turn, i == ring);
    handlers[i].next = &handlers[ring + (i - ring + 1) % (size_t)each];
    handlers[i].requests = requests;
  }
  bench_start(run);
  for (size_t i = 0; i < n; i++) tasks[i] = weft_create_task(handles_async(&handlers[i]));
  int rc = 0;
  for (size_t i = 0; i < n; i++) {
    int joined = weft_join(tasks[i]);
    if (rc == 0) rc = joined;
  }
  bench_stop(run);
  run->ops = requests * (long)n;
  free(tasks);
  free(handlers);
  return rc;
}

static int run_weft(bench_run_t *run) { return bench_weft(run, serve_async(run)); }

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {{"weft", run_weft, 0, 1}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "short_handlers", .ops = 1000000, .runtimes = runtimes});
}
