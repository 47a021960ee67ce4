/* echo: an echo server and clients that each have one message of 64 bytes under way; see harness_net.h for what is measured
 * and for the settings (here also bytes=64). "floor" is a server on bare epoll, "server" any program that echoes:
 *
 *   bench_echo --runtime server -- connections=500 server=tokio-bench echo {workers} {port}
 *   bench_echo --ops 100000 -- connections=10000 warm_up_ms=2000 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "harness_net.h"

enum { LARGEST_MESSAGE = 4096 };

static int echo(weft_stream_t *stream, void *data) {
  char buffer[LARGEST_MESSAGE];
  ssize_t n;
  int rc = 0;
  (void)data;
  while (rc == 0 && (n = weft_stream_read(stream, buffer, sizeof buffer)) != 0)
    rc = n < 0 ? (int)n : weft_stream_write(stream, buffer, (size_t)n);
  return rc;
}

static WEFT_ASYNC(serve, int);
static int serve(int port) {
  weft_server_t *server;
  int rc = weft_start_server("127.0.0.1", port, echo, NULL, &server);
  return rc < 0 ? rc : weft_server_serve_forever(server);
}

static void weft_server(int port, unsigned workers) {
  int rc = weft_run_with(&(const weft_config_t){.workers = workers}, serve_async(port));
  fprintf(stderr, "weft echo server: %s\n", weft_strerror(rc));
}

/* A reply that does not fit into the socket's buffer ends the connection: with one message under way it always fits. */
static bool send_back(int fd, const char *data, size_t size) {
  return send(fd, data, size, MSG_NOSIGNAL) == (ssize_t)size;
}
static void floor_server(int port, unsigned workers) {
  (void)workers;
  bench_epoll_server(port, send_back);
}

/* ---- what is sent: the message's number, which must come back, and zeroes ---------------------------------------------- */

static size_t message_bytes;

static size_t request(char *to, uint64_t number) {
  memcpy(to, &number, sizeof number);
  return message_bytes;
}

static bool whole(const char *reply, size_t size, uint64_t number) {
  if (size < message_bytes) return false;
  BENCH_CHECK(size == message_bytes && memcmp(reply, &number, sizeof number) == 0);
  return true;
}

static const bench_traffic_t traffic = {.largest_reply = LARGEST_MESSAGE, .request = request, .whole = whole};

static int settings(const bench_run_t *run) {
  long bytes = bench_option(run, "bytes", 64);
  message_bytes = (size_t)bytes;
  return bytes < (long)sizeof(uint64_t) || bytes > LARGEST_MESSAGE ? -22 : 0;
}

static int run_weft(bench_run_t *run) {
  int rc = settings(run);
  return rc < 0 ? rc : bench_net_measure(run, weft_server, &traffic);
}
static int run_floor(bench_run_t *run) {
  int rc = settings(run);
  return rc < 0 ? rc : bench_net_measure(run, floor_server, &traffic);
}
static int run_server(bench_run_t *run) {
  int rc = settings(run);
  return rc < 0 ? rc : bench_net_command(run, &traffic);
}

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {
      {"weft", run_weft, 0, 1}, {"floor", run_floor, BENCH_SERIAL, 1}, {"server", run_server, BENCH_UNLISTED, 1}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "echo", .ops = 200000, .runtimes = runtimes});
}
