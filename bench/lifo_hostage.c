/* lifo_hostage: the task that was woken last stands behind a long one (Tokio issue 4941). One task wakes another and then
 * computes for a while without suspending; measured as p50_ms, p99_ms and p999_ms is how long the other one waited for its
 * step. With busy=1 every other worker computes as well, so nobody sleeps who could be the lookout. "floor" is a bare
 * thread that another one wakes before it computes for as long, under the same load.
 *
 *   bench_lifo_hostage --workers 2 -- burn_ms=5 busy=1 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "burn.h"
#include "histogram.h"

static histogram_t latency;
static _Atomic uint64_t woken_ns;
static atomic_bool over;
static long burnt_ms, busy, rounds;

static int finish(bench_run_t *run) {
  bench_stop(run);
  run->p50_us = histogram_percentile(&latency, NULL, 0.50) / 1e3;
  run->p99_us = histogram_percentile(&latency, NULL, 0.99) / 1e3;
  run->p999_us = histogram_percentile(&latency, NULL, 0.999) / 1e3;
  return 0;
}

static int settings(const bench_run_t *run) {
  burnt_ms = bench_option(run, "burn_ms", 5);
  busy = bench_option(run, "busy", 0);
  rounds = run->ops;
  return burnt_ms > 0 ? 0 : -EINVAL;
}

static WEFT_ASYNC(waits, weft_semaphore_t *);
static int waits(weft_semaphore_t *turn) {
  for (long i = 0; i < rounds; i++) {
    int rc = weft_semaphore_acquire(turn);
    if (rc < 0) return rc;
    histogram_add(&latency, bench_now_ns() - atomic_load(&woken_ns));
  }
  return 0;
}

static WEFT_ASYNC(computes);
static int computes(void) {
  while (!atomic_load(&over)) {
    burn_ms((double)burnt_ms);
    int rc = weft_yield();
    if (rc < 0) return rc;
  }
  return 0;
}

static WEFT_ASYNC(hostage, unsigned);
static int hostage(unsigned workers) {
  weft_semaphore_t turn;
  weft_semaphore_init(&turn, 0);
  weft_task_t *waiter = weft_create_task(waits_async(&turn)), *others[64];
  unsigned n = 0;
  while (busy && n + 1 < workers && n < 64) others[n++] = weft_create_task(computes_async());
  int rc = 0;
  for (long i = 0; i < rounds && rc == 0; i++) {
    rc = weft_sleep(0.002);
    if (rc < 0) break;
    atomic_store(&woken_ns, bench_now_ns());
    weft_semaphore_release(&turn);
    burn_ms((double)burnt_ms);
  }
  int joined = weft_join(waiter);
  atomic_store(&over, true);
  for (unsigned i = 0; i < n; i++) {
    int ended = weft_join(others[i]);
    if (rc == 0) rc = ended;
  }
  return rc < 0 ? rc : joined;
}

static int run_weft(bench_run_t *run) {
  int rc = settings(run);
  if (rc < 0) return rc;
  bench_start(run);
  rc = bench_weft(run, hostage_async(run->workers));
  return rc < 0 ? rc : finish(run);
}

/* ---- the floor ---------------------------------------------------------------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static long turns;

static void *bare_waiter(void *unused) {
  (void)unused;
  for (long i = 0; i < rounds; i++) {
    pthread_mutex_lock(&mutex);
    while (turns == 0) pthread_cond_wait(&cond, &mutex);
    turns--;
    pthread_mutex_unlock(&mutex);
    histogram_add(&latency, bench_now_ns() - atomic_load(&woken_ns));
  }
  return NULL;
}
static void *bare_computer(void *unused) {
  (void)unused;
  while (!atomic_load(&over)) burn_ms((double)burnt_ms);
  return NULL;
}

static int run_floor(bench_run_t *run) {
  pthread_t waiter, others[64];
  unsigned n = 0;
  int rc = settings(run);
  if (rc < 0) return rc;
  bench_start(run);
  BENCH_CHECK(pthread_create(&waiter, NULL, bare_waiter, NULL) == 0);
  for (; busy && n + 1 < run->workers && n < 64; n++)
    BENCH_CHECK(pthread_create(&others[n], NULL, bare_computer, NULL) == 0);
  for (long i = 0; i < rounds; i++) {
    nanosleep(&(const struct timespec){.tv_nsec = 2000000}, NULL);
    atomic_store(&woken_ns, bench_now_ns());
    pthread_mutex_lock(&mutex);
    turns++;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&mutex);
    burn_ms((double)burnt_ms);
  }
  pthread_join(waiter, NULL);
  atomic_store(&over, true);
  for (unsigned i = 0; i < n; i++) pthread_join(others[i], NULL);
  return finish(run);
}

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {{"weft", run_weft, 0, 1}, {"floor", run_floor, 0, 1}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "lifo_hostage", .ops = 200, .runtimes = runtimes});
}
