/* mixed: a server most of whose replies cost nothing while one in a hundred, at random, computes 20 ms without suspending.
 * What is measured is the latency of the cheap ones (p50_ms, p99_ms, p999_ms); ns_per_op is the server's processor time
 * per request, the computing included.
 *
 *   bench_mixed --workers 2 -- rate=1280
 *   bench_mixed --workers 2 --runtime server -- rate=1280 server=tokio-bench mixed {workers} {port} 20
 *
 * Settings as in harness_net.h, with connections=64 pin=0 fifo=1; also burn_ms=20 one_in=100. Without a rate the load is a
 * closed loop, which saturates the machine. */
#include <stdio.h>
#include <string.h>

#include "burn.h"
#include "harness_net.h"

enum { MESSAGE = 64, MARKED = 'B', PLAIN = 'x' };

static double burnt_ms;
static uint64_t one_in, seed = 88172645463325252u;

static int answer(weft_stream_t *stream, void *data) {
  char buffer[4096];
  ssize_t n;
  int rc = 0;
  (void)data;
  while (rc == 0 && (n = weft_stream_read(stream, buffer, sizeof buffer)) != 0) {
    if (n > 0 && buffer[0] == MARKED) burn_ms(burnt_ms);
    rc = n < 0 ? (int)n : weft_stream_write(stream, buffer, (size_t)n);
  }
  return rc;
}

static WEFT_ASYNC(serve, int);
static int serve(int port) {
  weft_server_t *server;
  int rc = weft_start_server("127.0.0.1", port, answer, NULL, &server);
  return rc < 0 ? rc : weft_server_serve_forever(server);
}

static void weft_server(int port, unsigned workers) {
  int rc = weft_run_with(&(const weft_config_t){.workers = workers}, serve_async(port));
  fprintf(stderr, "weft server: %s\n", weft_strerror(rc));
}

static size_t request(char *to, uint64_t number) {
  memset(to, 0, MESSAGE);
  to[0] = bench_random(&seed) % one_in == 0 ? MARKED : PLAIN;
  memcpy(to + 8, &number, sizeof number);
  return MESSAGE;
}
static bool whole(const char *reply, size_t size, uint64_t number) {
  if (size < MESSAGE) return false;
  BENCH_CHECK(size == MESSAGE && memcmp(reply + 8, &number, sizeof number) == 0);
  return true;
}
static bool counts(const char *reply) { return reply[0] == PLAIN; }

static const bench_traffic_t traffic = {
    .largest_reply = MESSAGE, .request = request, .whole = whole, .counts = counts, .p999 = true};

/* The given settings come first, and the first one found counts. */
static const char *const *with_defaults(const bench_run_t *run) {
  static const char *words[80];
  size_t n = 0;
  for (const char *const *word = run->options; word != NULL && *word != NULL && n < 70; word++)
    if (strncmp(*word, "server=", 7) == 0) {
      words[n++] = "connections=64";
      words[n++] = "pin=0";
      words[n++] = "fifo=1";
      for (; *word != NULL && n < 79; word++) words[n++] = *word;
      return words;
    } else {
      words[n++] = *word;
    }
  words[n++] = "connections=64";
  words[n++] = "pin=0";
  words[n++] = "fifo=1";
  return words;
}

static int settings(bench_run_t *run) {
  run->options = with_defaults(run);
  burnt_ms = (double)bench_option(run, "burn_ms", 20);
  long every = bench_option(run, "one_in", 100);
  one_in = (uint64_t)every;
  return every < 1 || burnt_ms < 0 ? -22 : 0;
}

static int run_weft(bench_run_t *run) {
  int rc = settings(run);
  return rc < 0 ? rc : bench_net_measure(run, weft_server, &traffic);
}
static int run_server(bench_run_t *run) {
  int rc = settings(run);
  return rc < 0 ? rc : bench_net_command(run, &traffic);
}

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {{"weft", run_weft, 0, 1}, {"server", run_server, BENCH_UNLISTED, 1}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "mixed", .ops = 6400, .runtimes = runtimes});
}
