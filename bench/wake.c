/* wake: how soon an idle worker runs what it is given; ns_per_op is the mean latency, with p50 and p99.
 *   "weft"        a foreign thread creates a task on a runtime whose workers all sleep, until the task's first step
 *   "weft-steal"  a task makes two more and keeps its worker busy, until one of them runs on another worker (--workers 2
 *                 or more)
 * Each time the workers first get 1 ms to fall asleep. Floor: one thread wakes another by a condition variable. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "harness.h"
#include "histogram.h"

enum { PAUSE_NS = 1000000 };

static histogram_t latencies;
static uint64_t total_ns;

static void pause_thread(void) { nanosleep(&(const struct timespec){.tv_nsec = PAUSE_NS}, NULL); }

static void note(uint64_t ns) {
  histogram_add(&latencies, ns);
  total_ns += ns;
}

static void finish(bench_run_t *run) {
  bench_stop(run);
  run->ns_per_op = (double)total_ns / (double)run->ops;
  run->p50_us = histogram_percentile(&latencies, NULL, 0.50) / 1e3;
  run->p99_us = histogram_percentile(&latencies, NULL, 0.99) / 1e3;
}

/* ---- from a foreign thread --------------------------------------------------------------------------------------------- */

typedef struct target {
  weft_loop_t *loop;
  weft_future_t *end;
  atomic_ullong seen_ns; /* 0: not yet */
  bench_run_t *run;
} target_t;

static WEFT_ASYNC(answer, target_t *);
static int answer(target_t *target) {
  atomic_store(&target->seen_ns, bench_now_ns());
  return 0;
}

static void *submit(void *argument) {
  target_t *target = argument;
  for (long i = 0; i < target->run->ops; i++) {
    pause_thread();
    atomic_store(&target->seen_ns, 0);
    uint64_t start = bench_now_ns(), seen;
    weft_detach(weft_loop_create_task(target->loop, answer_async(target)));
    while ((seen = atomic_load(&target->seen_ns)) == 0) pause_thread(); /* leaves the processors to the workers */
    note(seen - start);
  }
  weft_ignore(weft_future_set_result_sized(target->end, NULL, 0));
  return NULL;
}

static WEFT_ASYNC(host, bench_run_t *);
static int host(bench_run_t *run) {
  target_t target = {.loop = weft_get_running_loop(), .end = weft_future_open(0), .run = run};
  pthread_t thread;
  if (target.end == NULL) return -12;
  bench_start(run);
  BENCH_CHECK(pthread_create(&thread, NULL, submit, &target) == 0);
  int rc = weft_await_future(target.end, NULL);
  pthread_join(thread, NULL);
  finish(run);
  weft_future_unref(target.end);
  return rc;
}

static int run_weft(bench_run_t *run) { return bench_weft(run, host_async(run)); }

/* ---- from a busy worker ------------------------------------------------------------------------------------------------ */

static WEFT_ASYNC(mark, atomic_ullong *);
static int mark(atomic_ullong *seen_ns) {
  unsigned long long none = 0;
  atomic_compare_exchange_strong(seen_ns, &none, bench_now_ns());
  return 0;
}

static WEFT_ASYNC(busy, bench_run_t *);
static int busy(bench_run_t *run) {
  bench_start(run);
  for (long i = 0; i < run->ops; i++) {
    atomic_ullong seen_ns = 0;
    uint64_t seen;
    int rc = weft_sleep(PAUSE_NS / 1e9);
    if (rc < 0) return rc;
    uint64_t start = bench_now_ns();
    weft_task_t *first = weft_create_task(mark_async(&seen_ns)), *second = weft_create_task(mark_async(&seen_ns));
    while ((seen = atomic_load(&seen_ns)) == 0) continue;
    note(seen - start);
    rc = weft_join(first);
    int other = weft_join(second);
    if (rc < 0 || other < 0) return rc < 0 ? rc : other;
  }
  finish(run);
  return 0;
}

static int run_steal(bench_run_t *run) {
  if (run->workers < 2) return -22;
  return bench_weft(run, busy_async(run));
}

/* ---- the floor --------------------------------------------------------------------------------------------------------- */

typedef struct sleeper {
  pthread_mutex_t mutex;
  pthread_cond_t turn;
  long asked, answered; /* under mutex */
  uint64_t seen_ns;     /* likewise */
  long ops;
} sleeper_t;

static void *sleeper_main(void *argument) {
  sleeper_t *sleeper = argument;
  pthread_mutex_lock(&sleeper->mutex);
  while (sleeper->answered < sleeper->ops) {
    while (sleeper->asked == sleeper->answered) pthread_cond_wait(&sleeper->turn, &sleeper->mutex);
    sleeper->seen_ns = bench_now_ns();
    sleeper->answered++;
  }
  pthread_mutex_unlock(&sleeper->mutex);
  return NULL;
}

static int run_floor(bench_run_t *run) {
  sleeper_t sleeper = {.mutex = PTHREAD_MUTEX_INITIALIZER, .turn = PTHREAD_COND_INITIALIZER, .ops = run->ops};
  pthread_t thread;
  bench_start(run);
  BENCH_CHECK(pthread_create(&thread, NULL, sleeper_main, &sleeper) == 0);
  for (long i = 0; i < run->ops; i++) {
    pause_thread();
    pthread_mutex_lock(&sleeper.mutex);
    uint64_t start = bench_now_ns();
    sleeper.asked++;
    pthread_cond_signal(&sleeper.turn);
    for (bool done = false; !done;) {
      pthread_mutex_unlock(&sleeper.mutex);
      pause_thread();
      pthread_mutex_lock(&sleeper.mutex);
      done = sleeper.answered > i;
    }
    uint64_t seen = sleeper.seen_ns;
    pthread_mutex_unlock(&sleeper.mutex);
    note(seen - start);
  }
  pthread_join(thread, NULL);
  finish(run);
  return 0;
}

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {{"weft", run_weft, 0, 1},
                                             {"floor", run_floor, BENCH_SERIAL, 1},
                                             {"weft-steal", run_steal, BENCH_UNLISTED, 1},
                                             {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "wake", .ops = 300, .runtimes = runtimes});
}
