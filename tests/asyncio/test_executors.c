/* test_executors.c: pools of threads: jobs, their futures on threads without a loop, shutdown, the default pool. */
#include "transcript.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static void block(double ms) {
  long ns = (long)(ms * 1e6);
  nanosleep(&(struct timespec){ns / 1000000000, ns % 1000000000}, NULL);
}

/* 037: a program that blocks a thread, first of the default pool, then of its own; the loop goes on meanwhile. */
static WEFT_ASYNC(c037_func1, const char **);
static int c037_func1(const char **result) {
  block(60);
  *result = "SB";
  return 0;
}
static WEFT_ASYNC(c037_ticker);
static int c037_ticker(void) {
  for (int i = 1; i <= 2; i++) {
    TRY(S(10));
    P("tick %d", i);
  }
  return 0;
}
CASE(037, seed_run_in_executor, CAUSAL, TIMED) {
  const char *result = NULL;
  weft_task_t *ticker = weft_create_task(c037_ticker_async());
  int rc = weft_run_in_executor(NULL, c037_func1_async(&result));
  P("default thread pool %s", result);
  weft_ignore(weft_join(ticker));

  weft_executor_t *pool;
  result = NULL;
  if (rc == 0) rc = weft_thread_pool_open(0, "custom", &pool);
  if (rc < 0) return rc;
  rc = weft_run_in_executor(pool, c037_func1_async(&result));
  P("custom thread pool %s", result);
  int closed = weft_executor_close(pool);
  return rc < 0 ? rc : closed;
}

struct c172 {
  atomic_int now, most;
};
static WEFT_ASYNC(c172_job, struct c172 *, int);
static int c172_job(struct c172 *c, int i) {
  int n = atomic_fetch_add(&c->now, 1) + 1, most = atomic_load(&c->most);
  while (n > most && !atomic_compare_exchange_weak(&c->most, &most, n)) continue;
  block(3);
  atomic_fetch_sub(&c->now, 1);
  return i * i;
}
static WEFT_ASYNC(c172_run, weft_executor_t *, struct c172 *, int);
static int c172_run(weft_executor_t *pool, struct c172 *c, int i) {
  return weft_run_in_executor(pool, c172_job_async(c, i));
}
CASE(172, executor_thread_pool_many_jobs, CAUSAL, REAL) {
  struct c172 c = {0, 0};
  weft_executor_t *pool;
  weft_call_t calls[20];
  int squares[20];
  TRY(weft_thread_pool_open(4, NULL, &pool));
  for (int i = 0; i < 20; i++) calls[i] = c172_run_async(pool, &c, i);
  int rc = weft_gather_n(calls, 20, squares, 0);
  P("%s", repr_ints(squares, 20));
  TRY(weft_executor_close(pool));
  P("%s %d", repr_bool(atomic_load(&c.most) <= 4), atomic_load(&c.now));
  return rc;
}

static WEFT_ASYNC(c173_nothing);
static int c173_nothing(void) { return 0; }
CASE(173, executor_after_shutdown, CAUSAL, REAL) {
  weft_executor_t *p;
  TRY(weft_thread_pool_open(1, NULL, &p));
  TRY(weft_executor_shutdown(p, true, false));
  if (weft_run_in_executor(p, c173_nothing_async()) == WEFT_RUNTIME) P("%s", E(weft_error()));
  TRY(weft_executor_close(p));
  TRY(weft_loop_shutdown_default_executor(weft_get_running_loop()));
  if (weft_run_in_executor(NULL, c173_nothing_async()) == WEFT_RUNTIME) P("%s", E(weft_error()));
  return 0;
}

/* On a thread that runs no loop; waiting for the first, again and again, is as_completed. */
static WEFT_ASYNC(c181_job, int);
static int c181_job(int ms) {
  block(ms);
  return ms;
}
RAW_CASE(181, cf_wait_and_as_completed, CAUSAL, TIMED) {
  const int times[] = {90, 20, 50};
  weft_executor_t *p;
  weft_future_t *jobs[3];
  bool done[3];
  int ended[3], status = 0;
  size_t n = 0;
  if (weft_thread_pool_open(3, NULL, &p) < 0) return;
  for (int i = 0; i < 3; i++) jobs[i] = weft_executor_submit(p, c181_job_async(times[i]));
  while (n < 3) {
    if (weft_wait_blocking(jobs, 3, WEFT_FIRST_COMPLETED, WEFT_FOREVER, done) < 0) break;
    for (int i = 0; i < 3; i++) {
      if (jobs[i] == NULL || !done[i]) continue;
      weft_ignore(weft_future_result(jobs[i], &ended[n++]));
      weft_future_unref(jobs[i]);
      jobs[i] = NULL;
    }
  }
  P("%s", repr_ints(ended, n));

  weft_future_t *two[] = {weft_executor_submit(p, c181_job_async(20)), weft_executor_submit(p, c181_job_async(120))};
  int count = weft_wait_blocking(two, 2, WEFT_FIRST_COMPLETED, WEFT_FOREVER, done);
  P("%d %d %s", count, 2 - count, repr_bool(done[0]));

  weft_future_t *c = weft_executor_submit(p, c181_job_async(120));
  count = weft_wait_blocking(&c, 1, WEFT_ALL_COMPLETED, 0.02, NULL);
  bool running = weft_future_running(c), cancelled = weft_future_cancel(c, NULL);
  P("%d %d %s %s %s", count, 1 - count, repr_bool(running), repr_bool(cancelled), repr_bool(weft_future_done(c)));
  if (weft_future_wait_blocking(c, 0.01, &status) == WEFT_TIMEOUT) P("Timeout");
  weft_ignore(weft_future_wait_blocking(c, WEFT_FOREVER, &status));
  P("%d", status);
  weft_future_unref(c);
  for (int i = 0; i < 2; i++) weft_future_unref(two[i]);
  weft_executor_close(p);
}

static WEFT_ASYNC(c182_name, char *);
static int c182_name(char *name) {
  pthread_getname_np(pthread_self(), name, 16);
  name[strcspn(name, "_-")] = '\0';
  return 0;
}
CASE(182, set_default_executor, CAUSAL, REAL) {
  weft_loop_t *loop = weft_get_running_loop();
  weft_executor_t *pool;
  char in_executor[16] = "", in_thread[16] = "";
  TRY(weft_thread_pool_open(1, "mine", &pool));
  TRY(weft_loop_set_default_executor(loop, pool));
  TRY(weft_run_in_executor(NULL, c182_name_async(in_executor)));
  TRY(weft_to_thread(c182_name_async(in_thread)));
  P("%s %s", in_executor, in_thread);
  if (weft_loop_set_default_executor(loop, NULL) == -EINVAL) P("TypeError");
  return 0;
}

static weft_task_t *c256_keep[2];
static weft_gen_t *c256_generator;
static int c256_handler(weft_loop_t *loop, const weft_error_context_t *context, void *data) {
  (void)loop, (void)data;
  P("handler: %s %s", context->message, E(context->error));
  return 0;
}
static int c256_yields(void) {
  TRY(weft_gen_yield(&(int){1}, NULL));
  return weft_gen_yield(&(int){2}, NULL);
}
static WEFT_ASYNC(c256_ag);
static int c256_ag(void) {
  int rc = c256_yields();
  P("agen finally");
  return rc;
}
static WEFT_ASYNC(c256_t);
static int c256_t(void) {
  int rc = S(1000);
  P("task finally");
  return rc;
}
static WEFT_ASYNC(c256_t2);
static int c256_t2(void) {
  weft_ignore(S(1000));
  return weft_fail(WEFT_VALUE, "from cleanup");
}
static WEFT_ASYNC(c256_job);
static int c256_job(void) {
  block(50);
  P("thread end");
  return 0;
}
static WEFT_ASYNC(c256_main);
static int c256_main(void) {
  int item;
  weft_loop_set_exception_handler(weft_get_running_loop(), c256_handler, NULL);
  weft_future_unref(weft_executor_submit(NULL, c256_job_async()));
  c256_generator = weft_agen_open(c256_ag_async(), sizeof item);
  TRY(weft_gen_next(c256_generator, &item));
  c256_keep[0] = weft_create_task(c256_t_async());
  c256_keep[1] = weft_create_task(c256_t2_async());
  TRY(S(10));
  P("main end");
  return 0;
}
RAW_CASE(256, run_cleanup_order, CAUSAL, TIMED) {
  weft_ignore(run(c256_main_async()));
  P("run returned");
  weft_detach(c256_keep[0]);
  weft_detach(c256_keep[1]);
}
