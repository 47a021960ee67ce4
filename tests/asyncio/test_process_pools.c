/* test_process_pools.c: pools of processes: results from elsewhere, and processes that die. */
#include "transcript.h"

#include <time.h>
#include <unistd.h>

static void block(double ms) {
  long ns = (long)(ms * 1e6);
  nanosleep(&(struct timespec){ns / 1000000000, ns % 1000000000}, NULL);
}

struct c038_text {
  char text[8];
};
static WEFT_ASYNC(c038_func1);
static int c038_func1(void) {
  block(20);
  return weft_job_result(&(const struct c038_text){"SB"});
}
WEFT_EXPORT(c038_func1);
static WEFT_ASYNC(c038_getpid);
static int c038_getpid(void) { return getpid(); }
WEFT_EXPORT(c038_getpid);
CASE(038, seed_run_in_process_pool, CAUSAL, REAL) {
  weft_executor_t *pool;
  struct c038_text result = {""};
  TRY(weft_process_pool_open(1, 0, &pool));
  int rc = weft_run_for_result(pool, c038_func1_async(), &result, sizeof result);
  P("custom process pool %s", result.text);
  int pid = weft_run_in_executor(pool, c038_getpid_async());
  P("other process %s", repr_bool(pid > 0 && pid != getpid()));
  int closed = weft_executor_close(pool);
  return rc < 0 ? rc : closed;
}

/* Ends its process without a word. */
static WEFT_ASYNC(die, int);
static int die(int ms) {
  block(ms);
  _exit(3);
}
WEFT_EXPORT(die);
static WEFT_ASYNC(c175_ok, char);
static int c175_ok(char c) { return c == 'o'; }
WEFT_EXPORT(c175_ok);
CASE(175, process_pool_broken, CAUSAL, REAL) {
  weft_executor_t *pool;
  TRY(weft_process_pool_open(1, 0, &pool));
  for (int i = 0; i < 2; i++) P("%s", kind(weft_run_in_executor(pool, die_async(0))));
  TRY(weft_executor_close(pool));
  TRY(weft_process_pool_open(1, 0, &pool));
  if (weft_run_in_executor(pool, c175_ok_async('o')) == 1) P("ok");
  return weft_executor_close(pool);
}

static WEFT_ASYNC(c176_job, int);
static int c176_job(int i) { return i; }
WEFT_EXPORT(c176_job);
CASE(176, process_pool_broken_fails_all_pending, CAUSAL, REAL) {
  weft_executor_t *pool;
  weft_future_t *jobs[4];
  int statuses[4];
  const char *kinds[4];
  TRY(weft_process_pool_open(1, 0, &pool));
  jobs[0] = weft_executor_submit(pool, die_async(20));
  for (int i = 1; i < 4; i++) jobs[i] = weft_executor_submit(pool, c176_job_async(i));
  int rc = weft_gather_futures(jobs, 4, statuses, WEFT_RETURN_EXCEPTIONS);
  for (int i = 0; i < 4; i++) {
    kinds[i] = repr_str(kind(statuses[i]));
    weft_future_unref(jobs[i]);
  }
  P("%s", repr_items(kinds, 4));
  int closed = weft_executor_close(pool);
  return rc < 0 ? rc : closed;
}
