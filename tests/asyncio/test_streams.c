/* test_streams.c: TCP connections and servers: half close, a reset by the peer, a handler that fails. */
#include "transcript.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Everything up to the end; how many bytes, or an error. */
static ssize_t read_all(weft_stream_t *s, char *buffer, size_t size) {
  size_t n = 0;
  ssize_t got;
  while ((got = weft_stream_read(s, buffer + n, size - n)) > 0) n += (size_t)got;
  return got < 0 ? got : (ssize_t)n;
}

static int c224_serve(weft_stream_t *s, void *data) {
  char question[64];
  (void)data;
  ssize_t n = read_all(s, question, sizeof question);
  if (n < 0) return (int)n;
  TRY(weft_stream_write(s, "answer to ", 10));
  TRY(weft_stream_drain(s));
  TRY(S(10));
  return weft_stream_write(s, question, (size_t)n);
}
CASE(224, half_close, CAUSAL, REAL) {
  weft_server_t *server;
  weft_stream_t *s;
  char answer[64];
  TRY(weft_start_server("127.0.0.1", 0, c224_serve, NULL, &server));
  TRY(weft_open_connection("127.0.0.1", weft_server_port(server), &s));
  TRY(weft_stream_write(s, "question", 8));
  TRY(weft_stream_write_eof(s));
  ssize_t n = read_all(s, answer, sizeof answer);
  P("%s", n < 0 ? E(weft_error()) : repr_bytes(answer, (size_t)n));
  if (weft_stream_write(s, "more", 4) == WEFT_RUNTIME) P("%s", E(weft_error()));
  TRY(weft_stream_close(s));
  return weft_server_close(server);
}

/* The peer is a plain thread: it accepts one connection, waits until that is known to the other side, and closes it with
 * linger 0, which sends a reset. */
static void *c227_reset(void *listener) {
  int fd = accept(*(int *)listener, NULL, NULL);
  struct linger linger = {1, 0};
  char byte;
  if (fd < 0 || recv(fd, &byte, 1, 0) != 1 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) != 0)
    abort();
  close(fd);
  return NULL;
}
CASE(227, peer_reset, CAUSAL, REAL) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 1) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0)
    abort();
  pthread_t peer;
  if (pthread_create(&peer, NULL, c227_reset, &listener) != 0) abort();
  weft_stream_t *s;
  char byte;
  TRY(weft_open_connection("127.0.0.1", ntohs(address.sin_port), &s));
  TRY(weft_stream_write(s, "x", 1));
  ssize_t n = weft_stream_read(s, &byte, 1);
  P("%s", n == -ECONNRESET ? "ConnectionResetError" : kind((int)n));
  weft_ignore(weft_stream_close(s));
  pthread_join(peer, NULL);
  close(listener);
  return 0;
}

static int c236_handler(weft_loop_t *loop, const weft_error_context_t *context, void *data) {
  (void)loop, (void)data;
  P("handler: %s", E(context->error));
  return 0;
}
static int c236_serve(weft_stream_t *s, void *connections) {
  if (++*(int *)connections == 1) return weft_fail(WEFT_VALUE, "handler failed");
  return weft_stream_write(s, "served", 6);
}
CASE(236, server_handler_error_and_cancel, FIFO, REAL) {
  weft_server_t *server;
  weft_stream_t *s;
  int connections = 0;
  char answer[16];
  weft_loop_set_exception_handler(weft_get_running_loop(), c236_handler, NULL);
  TRY(weft_start_server("127.0.0.1", 0, c236_serve, &connections, &server));
  for (int i = 0; i < 2; i++) {
    TRY(weft_open_connection("127.0.0.1", weft_server_port(server), &s));
    ssize_t n = read_all(s, answer, sizeof answer);
    P("%s", n < 0 ? E(weft_error()) : repr_bytes(answer, (size_t)n));
    TRY(weft_stream_close(s));
    TRY(S(10));
  }
  return weft_server_close(server);
}
