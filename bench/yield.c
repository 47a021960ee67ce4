/* yield: tasks that do nothing but let the others run, two of them by default (-- tasks=2). Floor: one raw switch between
 * two fibers. */
#include <errno.h>
#include <stdlib.h>

#include "harness.h"
#include "raw_switch.h"

static WEFT_ASYNC(turns, long);
static int turns(long n) {
  int rc = 0;
  for (long i = 0; i < n && rc == 0; i++) rc = weft_yield();
  return rc;
}

static WEFT_ASYNC(all, bench_run_t *, long);
static int all(bench_run_t *run, long n) {
  weft_task_t **tasks = calloc((size_t)n, sizeof(weft_task_t *));
  if (tasks == NULL) return weft_fail(-ENOMEM, "no memory for %ld tasks", n);
  long each = (run->ops + n - 1) / n;
  int rc = 0;
  bench_start(run);
  for (long i = 0; i < n; i++) tasks[i] = weft_create_task(turns_async(each));
  for (long i = 0; i < n; i++) {
    int status = weft_join(tasks[i]);
    if (rc == 0) rc = status;
  }
  bench_stop(run);
  run->ops = each * n;
  free(tasks);
  return rc;
}

static int run_weft(bench_run_t *run) { return bench_weft(run, all_async(run, bench_option(run, "tasks", 2))); }

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {
      {"weft", run_weft, 0, 1}, {"floor", run_raw_switch, BENCH_SERIAL, 10}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "yield", .ops = 4000000, .runtimes = runtimes});
}
