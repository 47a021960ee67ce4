/* Virtual time on several workers: the clock stands still while a descriptor that a task waits for has something to say. A
 * client and its server talk over the loopback, where a byte that was written can be read at once. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weft.h>

enum { ROUNDS = 300 };

static int free_port(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM, 0), port = -1;
  if (fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
      getsockname(fd, (struct sockaddr *)&address, &size) == 0)
    port = ntohs(address.sin_port);
  if (fd >= 0) close(fd);
  return port;
}

static int echo(weft_stream_t *stream, void *data) {
  char byte;
  ssize_t n;
  (void)data;
  while ((n = weft_stream_read(stream, &byte, 1)) > 0) {
    int rc = weft_stream_write(stream, &byte, 1);
    if (rc < 0) return rc;
  }
  return (int)n;
}

static WEFT_ASYNC(reads, weft_stream_t *);
static int reads(weft_stream_t *stream) {
  char byte;
  return (int)weft_stream_read(stream, &byte, 1);
}

static WEFT_ASYNC(talks, int);
static int talks(int port) {
  weft_server_t *server;
  weft_stream_t *stream;
  int rc = weft_start_server("127.0.0.1", port, echo, NULL, &server);
  if (rc < 0) return rc;
  rc = weft_open_connection("127.0.0.1", port, &stream);
  if (rc < 0) return rc;
  int rounds = 0;
  while (rc >= 0 && rounds < ROUNDS) {
    rc = weft_stream_write(stream, "x", 1);
    if (rc >= 0) rc = weft_wait_for(reads_async(stream), 10);
    if (rc >= 0) rounds++;
  }
  weft_ignore(weft_stream_close(stream));
  weft_ignore(weft_server_close(server));
  printf("%d rounds, then %d\n", rounds, rc);
  return rc < 0 ? rc : 0;
}

int main(void) {
  int bad = 0;
  for (int i = 0; i < 6; i++) {
    weft_config_t config = {.workers = i % 2 == 0 ? 4 : 1, .virtual_time = true};
    bad |= weft_run_with(&config, talks_async(free_port())) != 0;
  }
  return bad;
}
