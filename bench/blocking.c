/* blocking: empty jobs on the pool of threads, so many in flight (in_flight=1000). An operation is one job: submitted by a
 * task, run by a thread, its result awaited. Floor: libuv's pool, by as many requests that submit themselves again. */
#include <stdlib.h>
#include <uv.h>

#include "harness.h"

static WEFT_ASYNC(nothing);
static int nothing(void) { return 0; }

static WEFT_ASYNC(client, long);
static int client(long jobs) {
  for (long i = 0; i < jobs; i++) {
    int rc = weft_to_thread(nothing_async());
    if (rc < 0) return rc;
  }
  return 0;
}

static WEFT_ASYNC(all, bench_run_t *);
static int all(bench_run_t *run) {
  long clients = bench_option(run, "in_flight", 1000), each = run->ops / clients > 0 ? run->ops / clients : 1;
  run->ops = clients * each;
  weft_call_t *calls = malloc((size_t)clients * sizeof *calls);
  BENCH_CHECK(calls != NULL);
  for (long i = 0; i < clients; i++) calls[i] = client_async(each);
  int rc = weft_to_thread(nothing_async()); /* the first thread's start is not measured, nor is libuv's */
  bench_start(run);
  if (rc == 0) rc = weft_gather_n(calls, (size_t)clients, NULL, 0);
  bench_stop(run);
  free(calls);
  return rc;
}

static int run_weft(bench_run_t *run) { return bench_weft(run, all_async(run)); }

static long left, done;
static void work(uv_work_t *request) { (void)request; }
static void after(uv_work_t *request, int status) {
  BENCH_CHECK(status == 0);
  done++;
  if (left > 0) {
    left--;
    BENCH_CHECK(uv_queue_work(request->loop, request, work, after) == 0);
  }
}

static int run_uv(bench_run_t *run) {
  long clients = bench_option(run, "in_flight", 1000);
  if (clients > run->ops) clients = run->ops;
  uv_work_t *requests = calloc((size_t)clients, sizeof *requests);
  uv_loop_t loop;
  BENCH_CHECK(requests != NULL && uv_loop_init(&loop) == 0);
  BENCH_CHECK(uv_queue_work(&loop, requests, work, after) == 0);
  uv_run(&loop, UV_RUN_DEFAULT);
  left = run->ops - clients;
  done = 0;
  bench_start(run);
  for (long i = 0; i < clients; i++) BENCH_CHECK(uv_queue_work(&loop, &requests[i], work, after) == 0);
  uv_run(&loop, UV_RUN_DEFAULT);
  bench_stop(run);
  BENCH_CHECK(done == run->ops && uv_loop_close(&loop) == 0);
  free(requests);
  return 0;
}

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {{"weft", run_weft, 0, 1}, {"uv", run_uv, BENCH_SERIAL, 1}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "blocking", .ops = 300000, .runtimes = runtimes});
}
