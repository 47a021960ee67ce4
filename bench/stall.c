/* stall: every worker enters a call that blocks for a second without saying so; meanwhile other tasks' timers and an echo
 * connection go on. Measured as p50_ms, p99_ms and p999_ms is how late the timers were and how long the echoes took (option
 * what=1: the timers alone, 2: the echoes alone); ns_per_op means nothing. "floor" is a bare thread's lateness at the same
 * sleeps in the same minute: what the machine itself adds.
 *
 *   bench_stall --workers 2          options: block_ms=1000 announced=0 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "harness_net.h"
#include "histogram.h"

enum { STEP_NS = 2000000, TIMERS = 8, MOST_WORKERS = 64 };

static histogram_t latency;
static atomic_int stalled, ended;
static atomic_long samples;
static long block_ms, announced, what;
static unsigned workers;

static bool stall_goes_on(void) { return atomic_load(&stalled) == (int)workers && atomic_load(&ended) == 0; }
static void note(uint64_t begin_ns, uint64_t due_ns) {
  if (!stall_goes_on()) return;
  uint64_t now = bench_now_ns();
  histogram_add(&latency, now - (due_ns > 0 ? due_ns : begin_ns));
  atomic_fetch_add(&samples, 1);
}

static WEFT_ASYNC(blocks);
static int blocks(void) {
  atomic_fetch_add(&stalled, 1);
  if (announced) weft_blocking_enter();
  while (atomic_load(&stalled) < (int)workers) usleep(1000);
  const struct timespec length = {.tv_sec = block_ms / 1000, .tv_nsec = block_ms % 1000 * 1000000};
  nanosleep(&length, NULL);
  if (announced) weft_blocking_exit();
  atomic_fetch_add(&ended, 1);
  return 0;
}

static WEFT_ASYNC(ticks);
static int ticks(void) {
  while (atomic_load(&ended) == 0) {
    uint64_t due = bench_now_ns() + STEP_NS;
    int rc = weft_sleep(STEP_NS / 1e9);
    if (rc < 0) return rc;
    if (what != 2) note(0, due);
  }
  return 0;
}

static int echo(weft_stream_t *stream, void *data) {
  char byte;
  ssize_t n;
  (void)data;
  while ((n = weft_stream_read(stream, &byte, 1)) == 1) {
    int rc = weft_stream_write(stream, &byte, 1);
    if (rc < 0) return rc;
  }
  return n < 0 ? (int)n : 0;
}

static int port;
static void *client(void *unused) { /* a foreign thread: one byte at a time */
  (void)unused;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in to = bench_loopback(port);
  BENCH_CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
  char byte = 'x';
  while (atomic_load(&ended) == 0) {
    uint64_t begin = bench_now_ns();
    if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1) break;
    if (what != 1) note(begin, 0);
    usleep(1000);
  }
  close(fd);
  return NULL;
}

static WEFT_ASYNC(stall);
static int stall(void) {
  weft_server_t *server;
  weft_task_t *tasks[TIMERS + MOST_WORKERS];
  pthread_t thread;
  int rc = weft_start_server("127.0.0.1", 0, echo, NULL, &server);
  if (rc < 0) return rc;
  port = weft_server_port(server);
  BENCH_CHECK(pthread_create(&thread, NULL, client, NULL) == 0);
  unsigned n = 0;
  for (; n < TIMERS; n++) tasks[n] = weft_create_task(ticks_async());
  rc = weft_sleep(0.05);
  for (unsigned i = 0; i < workers; i++)
    tasks[n++] = weft_create_task_with(blocks_async(), &(weft_task_options_t){.worker = i + 1});
  for (unsigned i = 0; i < n; i++) {
    int joined = weft_join(tasks[i]);
    if (rc == 0) rc = joined;
  }
  pthread_join(thread, NULL);
  int closed = weft_server_close(server);
  return rc < 0 ? rc : closed;
}

static int finish(bench_run_t *run) {
  bench_stop(run);
  run->ops = atomic_load(&samples);
  run->p50_us = histogram_percentile(&latency, NULL, 0.50) / 1e3;
  run->p99_us = histogram_percentile(&latency, NULL, 0.99) / 1e3;
  run->p999_us = histogram_percentile(&latency, NULL, 0.999) / 1e3;
  return run->ops > 0 ? 0 : -ENODATA;
}

static int settings(const bench_run_t *run) {
  workers = run->workers;
  block_ms = bench_option(run, "block_ms", 1000);
  announced = bench_option(run, "announced", 0);
  what = bench_option(run, "what", 0);
  return workers <= MOST_WORKERS && block_ms > 0 ? 0 : -EINVAL;
}

static int run_weft(bench_run_t *run) {
  int rc = settings(run);
  if (rc < 0) return rc;
  bench_start(run);
  rc = bench_weft(run, stall_async());
  return rc < 0 ? rc : finish(run);
}

/* The same sleeps on a thread that nobody stalls. */
static int run_floor(bench_run_t *run) {
  int rc = settings(run);
  if (rc < 0) return rc;
  bench_start(run);
  for (uint64_t end = run->start_ns + (uint64_t)block_ms * 1000000; bench_now_ns() < end;) {
    uint64_t due = bench_now_ns() + STEP_NS;
    nanosleep(&(const struct timespec){.tv_nsec = STEP_NS}, NULL);
    histogram_add(&latency, bench_now_ns() - due);
    atomic_fetch_add(&samples, 1);
  }
  return finish(run);
}

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {{"weft", run_weft, 0, 1}, {"floor", run_floor, BENCH_SERIAL, 1}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "stall", .ops = 1, .runtimes = runtimes});
}
