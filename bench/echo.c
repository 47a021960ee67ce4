/* echo: an echo server on loopback in a process of its own, and a load of clients that each send 64 bytes, wait until they
 * have come back, and send the next. Printed as ns_per_op is the server's processor time per request, the robust figure,
 * with p50 and p99 as the clients saw them; max_rss_kb is the server's. "floor" is a server on bare epoll.
 *
 * The server is pinned to processor 0 and the load to processor 1. Settings after "--": connections=50 bytes=64 seconds=20
 * (the longest that it may take) pin=1. The run ends after --ops requests. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "histogram.h"

enum { LARGEST_MESSAGE = 4096, WARM_UP_MS = 300, START_LIMIT_MS = 10000 };

__attribute__((noreturn)) static void die(const char *what) {
  perror(what);
  exit(1);
}

static void pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) < 0) perror("sched_setaffinity (measuring unpinned)");
}

static struct sockaddr_in loopback(int port) {
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* ---- servers: each serves on `port` until it is killed ---------------------------------------------------------------- */
typedef void (*server_fn)(int port, unsigned workers);

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

static void epoll_add(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
}

static void accept_all(int epoll, int listener) {
  int client, one = 1;
  while ((client = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    epoll_add(epoll, client);
  }
}

/* A reply that does not fit into the socket's buffer is dropped: with 64 bytes in flight per connection it always fits. */
static void epoll_server(int port, unsigned workers) {
  (void)workers;
  int epoll = epoll_create1(0), listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  struct sockaddr_in address = loopback(port);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1024) < 0) die("listen");
  epoll_add(epoll, listener);
  struct epoll_event events[512];
  char buffer[LARGEST_MESSAGE];
  for (;;) {
    int n = epoll_wait(epoll, events, 512, -1);
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        accept_all(epoll, listener);
        continue;
      }
      ssize_t got = recv(fd, buffer, sizeof buffer, 0);
      if (got > 0) {
        if (send(fd, buffer, (size_t)got, MSG_NOSIGNAL) != got) close(fd);
      } else if (got == 0 || errno != EAGAIN) {
        close(fd);
      }
    }
  }
}

/* ---- the server's process --------------------------------------------------------------------------------------------- */
static int free_port(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
      getsockname(fd, (struct sockaddr *)&address, &length) < 0)
    die("no free port");
  close(fd);
  return ntohs(address.sin_port);
}

static pid_t start_server(server_fn server, int port, const bench_run_t *run) {
  pid_t parent = getpid(), child = fork();
  if (child < 0) die("fork");
  if (child > 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* no orphan, however the bench ends */
  if (getppid() != parent) _exit(1);
  if (bench_option(run, "pin", 1)) pin_to(0);
  server(port, run->workers);
  _exit(1);
}

/* Processor time of all threads of a process, in ns. */
static uint64_t processor_ns(pid_t pid) {
  char path[320];
  uint64_t sum = 0;
  snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
  DIR *tasks = opendir(path);
  if (tasks == NULL) die(path);
  for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid, entry->d_name);
    FILE *file = fopen(path, "r");
    unsigned long ns;
    if (file == NULL) continue; /* the thread has just ended */
    if (fscanf(file, "%lu", &ns) == 1) sum += ns;
    fclose(file);
  }
  closedir(tasks);
  return sum;
}

/* ---- the load --------------------------------------------------------------------------------------------------------- */
typedef struct client {
  int fd;
  size_t got;
  uint64_t sent_ns, number;
} client_t;

typedef struct load {
  client_t *clients;
  size_t n, bytes;
  int epoll;
  char message[LARGEST_MESSAGE], reply[LARGEST_MESSAGE];
  histogram_t *latency;
  long requests; /* since the measurement began */
  bool measuring;
} load_t;

/* Connects, waiting for the server to come up. */
static int connect_to(int port, pid_t server) {
  struct sockaddr_in address = loopback(port);
  for (uint64_t limit = bench_now_ns() + START_LIMIT_MS * 1000000ull;;) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0) die("socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      fcntl(fd, F_SETFL, O_NONBLOCK);
      return fd;
    }
    close(fd);
    if (bench_now_ns() > limit || waitpid(server, NULL, WNOHANG) != 0) die("the server does not answer");
    usleep(10000);
  }
}

static void send_next(load_t *load, client_t *client) {
  client->number++;
  memcpy(load->message, &client->number, sizeof client->number);
  client->got = 0;
  client->sent_ns = bench_now_ns();
  if (send(client->fd, load->message, load->bytes, MSG_NOSIGNAL) != (ssize_t)load->bytes) die("send");
}

/* Reads what has come; when that makes the reply whole, notes its latency and sends the next. The number at a message's
 * start must come back. */
static void receive(load_t *load, client_t *client) {
  ssize_t n = recv(client->fd, load->reply, sizeof load->reply, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) die("connection lost");
  if (client->got == 0 && (size_t)n >= sizeof client->number)
    BENCH_CHECK(memcmp(load->reply, &client->number, sizeof client->number) == 0);
  client->got += (size_t)n;
  BENCH_CHECK(client->got <= load->bytes);
  if (client->got < load->bytes) return;
  if (load->measuring) {
    load->requests++;
    histogram_add(load->latency, bench_now_ns() - client->sent_ns);
  }
  send_next(load, client);
}

/* Drives all clients until `ops` requests were answered or the clock says `limit`. */
static void drive(load_t *load, long ops, uint64_t limit) {
  struct epoll_event events[512];
  while (load->requests < ops && bench_now_ns() < limit) {
    int n = epoll_wait(load->epoll, events, 512, 100);
    for (int i = 0; i < n; i++) receive(load, &load->clients[events[i].data.u32]);
  }
}

static int measure(bench_run_t *run, server_fn server) {
  static load_t load;
  long n = bench_option(run, "connections", 50), bytes = bench_option(run, "bytes", 64);
  if (n < 1 || n > 20000 || bytes < 8 || bytes > LARGEST_MESSAGE) return -EINVAL;
  int port = free_port();
  pid_t child = start_server(server, port, run);
  if (bench_option(run, "pin", 1)) pin_to(1);
  load.n = (size_t)n;
  load.bytes = (size_t)bytes;
  load.clients = calloc(load.n, sizeof *load.clients);
  load.latency = calloc(1, sizeof *load.latency);
  load.epoll = epoll_create1(EPOLL_CLOEXEC);
  BENCH_CHECK(load.clients != NULL && load.latency != NULL && load.epoll >= 0);
  for (size_t i = 0; i < load.n; i++) {
    load.clients[i].fd = connect_to(port, child);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
    if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, load.clients[i].fd, &event) < 0) die("epoll_ctl");
    send_next(&load, &load.clients[i]);
  }
  drive(&load, 1, bench_now_ns() + WARM_UP_MS * 1000000ull); /* nothing is counted yet, so only the clock ends it */
  load.measuring = true;
  uint64_t processor = processor_ns(child);
  bench_start(run);
  drive(&load, run->ops, run->start_ns + (uint64_t)bench_option(run, "seconds", 20) * 1000000000ull);
  bench_stop(run);
  processor = processor_ns(child) - processor;
  char pid[16];
  snprintf(pid, sizeof pid, "%d", (int)child);
  run->max_rss_kb = bench_peak_rss_kb(pid);
  kill(child, SIGKILL);
  if (waitpid(child, NULL, 0) != child) die("waitpid");
  run->ops = load.requests;
  run->ns_per_op = (double)processor / (double)(load.requests > 0 ? load.requests : 1);
  run->p50_us = histogram_percentile(load.latency, NULL, 0.50) / 1e3;
  run->p99_us = histogram_percentile(load.latency, NULL, 0.99) / 1e3;
  return 0;
}

static int run_weft(bench_run_t *run) { return measure(run, weft_server); }
static int run_floor(bench_run_t *run) { return measure(run, epoll_server); }

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {{"weft", run_weft, 0, 1}, {"floor", run_floor, BENCH_SERIAL, 1}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "echo", .ops = 200000, .runtimes = runtimes});
}
