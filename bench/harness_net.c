/* harness_net.c: see harness_net.h */
#include "harness_net.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "histogram.h"

enum { START_LIMIT_MS = 10000, LARGEST_READ = 8192, SPARE_FDS = 64 };

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

/* The server inherits it. */
static void allow_descriptors(rlim_t wanted) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) die("getrlimit");
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  if (limit.rlim_max < wanted) limit.rlim_max = wanted; /* granted to root */
  if (setrlimit(RLIMIT_NOFILE, &limit) < 0) die("setrlimit: too many connections for this user");
}

struct sockaddr_in bench_loopback(int port) {
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int bench_listen(int port) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  struct sockaddr_in address = bench_loopback(port);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1024) < 0) die("listen");
  return listener;
}

/* ---- the floor's server ------------------------------------------------------------------------------------------------ */

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

void bench_epoll_server(int port, bool (*answer)(int fd, const char *data, size_t size)) {
  int epoll = epoll_create1(0), listener = bench_listen(port);
  epoll_add(epoll, listener);
  struct epoll_event events[512];
  char buffer[LARGEST_READ];
  for (;;) {
    int n = epoll_wait(epoll, events, 512, -1);
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        accept_all(epoll, listener);
        continue;
      }
      ssize_t got = recv(fd, buffer, sizeof buffer, 0);
      if (got < 0 && errno == EAGAIN) continue;
      if (got <= 0 || !answer(fd, buffer, (size_t)got)) close(fd);
    }
  }
}

/* ---- the server's process ---------------------------------------------------------------------------------------------- */

static int free_port(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = bench_loopback(0);
  socklen_t length = sizeof address;
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
      getsockname(fd, (struct sockaddr *)&address, &length) < 0)
    die("no free port");
  close(fd);
  return ntohs(address.sin_port);
}

/* Replaces {port} and {workers} in a word; the copy is never freed: the process goes on as another program. */
static char *filled_in(const char *word, int port, unsigned workers) {
  char *text = NULL;
  if (strcmp(word, "{port}") == 0) {
    if (asprintf(&text, "%d", port) < 0) die("asprintf");
  } else if (strcmp(word, "{workers}") == 0) {
    if (asprintf(&text, "%u", workers) < 0) die("asprintf");
  } else if ((text = strdup(word)) == NULL) {
    die("strdup");
  }
  return text;
}

/* The words of server=: a program and its arguments. */
__attribute__((noreturn)) static void become_command(const bench_run_t *run, int port) {
  static const char name[] = "server=";
  char *words[64];
  size_t n = 0;
  for (const char *const *word = run->options; word != NULL && *word != NULL && n < 63; word++) {
    bool first = n == 0 && strncmp(*word, name, sizeof name - 1) == 0;
    if (n > 0 || first) words[n++] = filled_in(first ? *word + sizeof name - 1 : *word, port, run->workers);
  }
  words[n] = NULL;
  if (n == 0) {
    fprintf(stderr, "which server? -- server=PROGRAM ARGUMENTS\n");
    _exit(1);
  }
  execvp(words[0], words);
  perror(words[0]);
  _exit(1);
}

static pid_t start_server(bench_server_fn server, int port, const bench_run_t *run) {
  pid_t parent = getpid(), child = fork();
  if (child < 0) die("fork");
  if (child > 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* no orphan, however the bench ends */
  if (getppid() != parent) _exit(1);
  if (bench_option(run, "pin", 1)) pin_to(0);
  if (server == NULL) become_command(run, port);
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

/* ---- the load ---------------------------------------------------------------------------------------------------------- */

typedef struct client {
  int fd;
  size_t got;
  uint64_t sent_ns, number;
  uint64_t due_ns; /* with a rate: of the next request */
  bool busy;
  char *reply;
} client_t;

typedef struct load {
  const bench_traffic_t *traffic;
  client_t *clients;
  size_t n;
  int epoll, timer;
  char *message;
  histogram_t *latency;
  long requests; /* since the measurement began */
  bool measuring;
  uint64_t gap_ns; /* between two requests of a client; 0: the closed loop */
} load_t;

/* Connects, waiting for the server to come up. */
static int connect_to(int port, pid_t server) {
  struct sockaddr_in address = bench_loopback(port);
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
  uint64_t now = bench_now_ns();
  client->busy = load->gap_ns == 0 || now >= client->due_ns;
  if (!client->busy) return; /* when it is due */
  size_t size = load->traffic->request(load->message, ++client->number);
  client->got = 0;
  client->sent_ns = load->gap_ns == 0 ? now : client->due_ns;
  client->due_ns += load->gap_ns;
  if (send(client->fd, load->message, size, MSG_NOSIGNAL) != (ssize_t)size) die("send");
}

/* Reads what has come; when that makes the reply whole, notes its latency and sends the next. */
static void receive(load_t *load, client_t *client) {
  ssize_t n = recv(client->fd, client->reply + client->got, load->traffic->largest_reply - client->got, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) die("connection lost");
  client->got += (size_t)n;
  if (!load->traffic->whole(client->reply, client->got, client->number)) return;
  if (load->measuring) {
    load->requests++;
    if (load->traffic->counts == NULL || load->traffic->counts(client->reply))
      histogram_add(load->latency, bench_now_ns() - client->sent_ns);
  }
  send_next(load, client);
}

/* Its ticks end the load's sleeps early enough for the next request that is due. */
static void open_rate(load_t *load, long rate) {
  enum { TICK_NS = 100000 };
  struct itimerspec every = {{0, TICK_NS}, {0, TICK_NS}};
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)load->n};
  load->gap_ns = 1000000000ull * load->n / (uint64_t)rate;
  load->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (load->timer < 0 || timerfd_settime(load->timer, 0, &every, NULL) < 0 ||
      epoll_ctl(load->epoll, EPOLL_CTL_ADD, load->timer, &event) < 0)
    die("timerfd");
  uint64_t now = bench_now_ns();
  for (size_t i = 0; i < load->n; i++) load->clients[i].due_ns = now + load->gap_ns * i / load->n;
}

/* Drives all clients until `ops` requests were answered or the clock says `limit`. */
static void drive(load_t *load, long ops, uint64_t limit) {
  struct epoll_event events[512];
  while (load->requests < ops && bench_now_ns() < limit) {
    int n = epoll_wait(load->epoll, events, 512, 100);
    for (int i = 0; i < n; i++) {
      uint64_t ticks;
      if (events[i].data.u32 < load->n)
        receive(load, &load->clients[events[i].data.u32]);
      else if (read(load->timer, &ticks, sizeof ticks) < 0 && errno != EAGAIN)
        die("timer");
    }
    for (size_t i = 0; load->gap_ns > 0 && i < load->n; i++)
      if (!load->clients[i].busy) send_next(load, &load->clients[i]);
  }
}

/* None may be left out for good: goes on until each client has had an answer. */
static void finish_all(load_t *load) {
  load->measuring = false;
  uint64_t limit = bench_now_ns() + START_LIMIT_MS * 1000000ull;
  for (size_t i = 0; i < load->n; i++) {
    while (load->clients[i].number < 2 && bench_now_ns() < limit) drive(load, LONG_MAX, bench_now_ns() + 10000000u);
    BENCH_CHECK(load->clients[i].number > 1);
  }
}

static void connect_all(load_t *load, int port, pid_t server) {
  char *replies = calloc(load->n, load->traffic->largest_reply);
  load->clients = calloc(load->n, sizeof *load->clients);
  load->message = calloc(1, load->traffic->largest_reply);
  load->latency = calloc(1, sizeof *load->latency);
  load->epoll = epoll_create1(EPOLL_CLOEXEC);
  BENCH_CHECK(replies && load->clients && load->message && load->latency && load->epoll >= 0);
  for (size_t i = 0; i < load->n; i++) {
    client_t *client = &load->clients[i];
    client->reply = replies + i * load->traffic->largest_reply;
    client->fd = connect_to(port, server);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, client->fd, &event) < 0) die("epoll_ctl");
  }
}

static int measure(bench_run_t *run, bench_server_fn server, const bench_traffic_t *traffic) {
  static load_t load;
  long n = bench_option(run, "connections", 50);
  if (n < 1 || n > 50000) return -EINVAL;
  allow_descriptors((rlim_t)n + SPARE_FDS);
  int port = free_port();
  pid_t child = start_server(server, port, run);
  if (bench_option(run, "pin", 1)) pin_to(1);
  if (bench_option(run, "fifo", 0) &&
      sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 10}) < 0)
    perror("sched_setscheduler (the load competes for its processor)");
  load.traffic = traffic;
  load.n = (size_t)n;
  connect_all(&load, port, child);
  long rate = bench_option(run, "rate", 0);
  if (rate < 0) return -EINVAL;
  if (rate > 0) open_rate(&load, rate);
  for (size_t i = 0; i < load.n; i++) send_next(&load, &load.clients[i]);
  /* Nothing is counted yet, so only the clock ends it. */
  drive(&load, 1, bench_now_ns() + (uint64_t)bench_option(run, "warm_up_ms", 300) * 1000000u);
  load.measuring = true;
  uint64_t processor = processor_ns(child);
  bench_start(run);
  drive(&load, run->ops, run->start_ns + (uint64_t)bench_option(run, "seconds", 20) * 1000000000ull);
  bench_stop(run);
  processor = processor_ns(child) - processor;
  finish_all(&load);
  char pid[16];
  snprintf(pid, sizeof pid, "%d", (int)child);
  run->max_rss_kb = bench_peak_rss_kb(pid);
  kill(child, SIGKILL);
  if (waitpid(child, NULL, 0) != child) die("waitpid");
  run->ops = load.requests;
  run->ns_per_op = (double)processor / (double)(load.requests > 0 ? load.requests : 1);
  run->p50_us = histogram_percentile(load.latency, NULL, 0.50) / 1e3;
  run->p99_us = histogram_percentile(load.latency, NULL, 0.99) / 1e3;
  if (traffic->p999) run->p999_us = histogram_percentile(load.latency, NULL, 0.999) / 1e3;
  return 0;
}

int bench_net_measure(bench_run_t *run, bench_server_fn server, const bench_traffic_t *traffic) {
  return measure(run, server, traffic);
}
int bench_net_command(bench_run_t *run, const bench_traffic_t *traffic) { return measure(run, NULL, traffic); }
