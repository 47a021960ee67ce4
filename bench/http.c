/* http: the smallest honest plaintext server: it finds the end of each request's head, looks at each header line, and
 * answers "Hello, World!"; keep-alive, pipelining. The clients have one request under way each; see harness_net.h for what
 * is measured and for the settings. "floor" is the same on bare epoll, "server" any program that answers so. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "harness_net.h"

enum { LARGEST_HEAD = 8192, LARGEST_REPLY = 1024 };
static const char BODY[] = "Hello, World!";
static const char RESPONSE[] =
    "HTTP/1.1 200 OK\r\nServer: t\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";

/* The length of the first request's head, 0: it is not whole yet. Each header line is split at its colon, as the peers'
 * programs do. */
static size_t head_length(const char *data, size_t size) {
  size_t at = 0;
  for (bool first = true;; first = false) {
    const char *end = memchr(data + at, '\n', size - at);
    if (end == NULL) return 0;
    const char *line = data + at;
    size_t length = (size_t)(end - line);
    at += length + 1;
    if (length == 0 || (length == 1 && *line == '\r')) return at;
    if (!first) bench_keep(memchr(line, ':', length));
  }
}

static int talk(weft_stream_t *stream, void *data) {
  char in[LARGEST_HEAD];
  size_t have = 0;
  (void)data;
  for (;;) {
    ssize_t n = weft_stream_read(stream, in + have, sizeof in - have);
    if (n <= 0) return (int)n; /* also when a head fills the buffer: nothing can be read then */
    have += (size_t)n;
    for (size_t length; (length = head_length(in, have)) > 0;) {
      int rc = weft_stream_write(stream, RESPONSE, sizeof RESPONSE - 1);
      if (rc < 0) return rc;
      have -= length;
      memmove(in, in + length, have);
    }
  }
}

static WEFT_ASYNC(serve, int);
static int serve(int port) {
  weft_server_t *server;
  int rc = weft_start_server("127.0.0.1", port, talk, NULL, &server);
  return rc < 0 ? rc : weft_server_serve_forever(server);
}

static void weft_server(int port, unsigned workers) {
  int rc = weft_run_with(&(const weft_config_t){.workers = workers}, serve_async(port));
  fprintf(stderr, "weft http server: %s\n", weft_strerror(rc));
}

/* Trusts that a request comes in one piece, which holds for these clients. */
static bool respond(int fd, const char *data, size_t size) {
  return head_length(data, size) == size &&
         send(fd, RESPONSE, sizeof RESPONSE - 1, MSG_NOSIGNAL) == sizeof RESPONSE - 1;
}
static void floor_server(int port, unsigned workers) {
  (void)workers;
  bench_epoll_server(port, respond);
}

/* ---- what is sent ------------------------------------------------------------------------------------------------------ */

static size_t request(char *to, uint64_t number) {
  static const char text[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
  (void)number;
  memcpy(to, text, sizeof text - 1);
  return sizeof text - 1;
}

static bool whole(const char *reply, size_t size, uint64_t number) {
  static const char status[] = "HTTP/1.1 200 ";
  (void)number;
  BENCH_CHECK(memcmp(reply, status, size < sizeof status - 1 ? size : sizeof status - 1) == 0);
  return size > sizeof BODY && memcmp(reply + size - (sizeof BODY - 1), BODY, sizeof BODY - 1) == 0;
}

static const bench_traffic_t traffic = {.largest_reply = LARGEST_REPLY, .request = request, .whole = whole};

static int run_weft(bench_run_t *run) { return bench_net_measure(run, weft_server, &traffic); }
static int run_floor(bench_run_t *run) { return bench_net_measure(run, floor_server, &traffic); }
static int run_server(bench_run_t *run) { return bench_net_command(run, &traffic); }

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {
      {"weft", run_weft, 0, 1}, {"floor", run_floor, BENCH_SERIAL, 1}, {"server", run_server, BENCH_UNLISTED, 1}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "http", .ops = 200000, .runtimes = runtimes});
}
