// libuv. usage: libuv-bench echo|http LOOPS PORT; blocking 1 OPS INFLIGHT; sleep_many 1 OPS. Prints the benches' JSON line.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>
static long statusKB(const char *k) {
  FILE *f = fopen("/proc/self/status", "r");
  char l[256];
  long v = 0;
  while (fgets(l, 256, f))
    if (!strncmp(l, k, strlen(k))) v = atol(l + strlen(k));
  fclose(f);
  return v;
}
static void report(const char *c, int w, long n, double ns, const char *ex) {
  printf("{\"bench\":\"%s\",\"runtime\":\"libuv\",\"workers\":%d,\"ns_per_op\":%.3f,\"ops\":%ld,\"wall_s\":%.6f,\"max_"
         "rss_kb\":%ld,\"note\":\"%s\"}\n",
         c, w, ns * w / n, n, ns / 1e9, statusKB("VmHWM:"), ex);
}
static int port, http;
static const char *style = "try";
static const char RESP[] =
    "HTTP/1.1 200 OK\r\nServer: t\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";
typedef struct conn {
  uv_tcp_t h;
  size_t have;
  char buf[8192];
  char out[8192];
} conn;
typedef struct wr {
  uv_write_t r;
  char *b;
} wr;
static void onclose(uv_handle_t *h) { free(h); }
static void onalloc(uv_handle_t *h, size_t s, uv_buf_t *b) {
  conn *c = (conn *)h;
  *b = uv_buf_init(c->buf + c->have, sizeof c->buf - c->have);
}
static void onwrote(uv_write_t *r, int st) {
  wr *w = (wr *)r;
  free(w->b);
  free(w);
}
static int sendit(conn *c, const char *p, size_t n) {
  if (style[0] == 't') {
    uv_buf_t b = uv_buf_init((char *)p, n);
    int k = uv_try_write((uv_stream_t *)&c->h, &b, 1);
    if (k == (int)n) return 0;
    if (k > 0) {
      p += k;
      n -= k;
    } else if (k != UV_EAGAIN && k < 0)
      return -1;
  }
  wr *w = malloc(sizeof *w);
  w->b = malloc(n);
  memcpy(w->b, p, n);
  uv_buf_t b = uv_buf_init(w->b, n);
  return uv_write(&w->r, (uv_stream_t *)&c->h, &b, 1, onwrote);
}
static long find_end(const char *b, size_t n) {
  size_t i = 0;
  int first = 1;
  for (;;) {
    const char *p = memchr(b + i, '\n', n - i);
    if (!p) return -1;
    size_t l = p - (b + i);
    const char *s = b + i;
    i += l + 1;
    if (l == 0 || (l == 1 && *s == '\r')) return i;
    if (!first) {
      volatile const void *q = memchr(s, ':', l);
      (void)q;
    }
    first = 0;
  }
}
static void onread(uv_stream_t *s, ssize_t n, const uv_buf_t *b) {
  conn *c = (conn *)s;
  if (n < 0) {
    uv_close((uv_handle_t *)s, onclose);
    return;
  }
  if (n == 0) return;
  if (!http) {
    sendit(c, c->buf, n);
    return;
  }
  c->have += n;
  size_t off = 0, o = 0;
  long p;
  while ((p = find_end(c->buf + off, c->have - off)) > 0 && o + sizeof RESP < sizeof c->out) {
    off += p;
    memcpy(c->out + o, RESP, sizeof RESP - 1);
    o += sizeof RESP - 1;
  }
  if (off) {
    memmove(c->buf, c->buf + off, c->have - off);
    c->have -= off;
  }
  if (o) sendit(c, c->out, o);
}
static void onconn(uv_stream_t *s, int st) {
  conn *c = calloc(1, sizeof *c);
  uv_tcp_init(s->loop, &c->h);
  if (uv_accept(s, (uv_stream_t *)&c->h)) {
    uv_close((uv_handle_t *)&c->h, onclose);
    return;
  }
  uv_tcp_nodelay(&c->h, 1);
  uv_read_start((uv_stream_t *)&c->h, onalloc, onread);
}
static void *server(void *a) {
  uv_loop_t l;
  uv_loop_init(&l);
  uv_tcp_t s;
  uv_tcp_init(&l, &s);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, 4);
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, 4);
  struct sockaddr_in ad = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(fd, (void *)&ad, sizeof ad)) {
    perror("bind");
    exit(1);
  }
  uv_tcp_open(&s, fd);
  if (uv_listen((uv_stream_t *)&s, 1024, onconn)) exit(2);
  uv_run(&l, UV_RUN_DEFAULT);
  return 0;
}
static long left, total;
static volatile int sinkv;
static void work(uv_work_t *r) { sinkv = 1; }
static long done;
static void after(uv_work_t *r, int st) {
  done++;
  if (left > 0) {
    left--;
    uv_queue_work(r->loop, r, work, after);
  } else
    free(r);
}
static void tcb(uv_timer_t *t) { done++; }
int main(int c, char **v) {
  int w = atoi(v[2]);
  long n = atol(v[3]);
  if (getenv("STYLE")) style = getenv("STYLE");
  if (!strcmp(v[1], "echo") || !strcmp(v[1], "http")) {
    http = v[1][0] == 'h';
    port = n;
    pthread_t t;
    for (int i = 1; i < w; i++) pthread_create(&t, 0, server, 0);
    server(0);
  }
  if (!strcmp(v[1], "blocking")) {
    long inf = c > 4 ? atol(v[4]) : 1000;
    uv_loop_t *l = uv_default_loop();
    unsigned long t = uv_hrtime();
    left = n - inf;
    for (long i = 0; i < inf; i++) uv_queue_work(l, malloc(sizeof(uv_work_t)), work, after);
    uv_run(l, UV_RUN_DEFAULT);
    if (done != n) abort();
    char e[64];
    snprintf(e, 64, "inflight=%ld threads=%s", inf, getenv("UV_THREADPOOL_SIZE") ? getenv("UV_THREADPOOL_SIZE") : "4");
    report("blocking", w, n, uv_hrtime() - t, e);
  }
  if (!strcmp(v[1], "sleep_many")) {
    uv_loop_t *l = uv_default_loop();
    long r0 = statusKB("VmRSS:");
    unsigned long t = uv_hrtime(), r = 42;
    for (long i = 0; i < n; i++) {
      r ^= r << 13;
      r ^= r >> 7;
      r ^= r << 17;
      uv_timer_t *x = malloc(sizeof *x);
      uv_timer_init(l, x);
      uv_timer_start(x, tcb, 1 + r % 1000, 0);
    }
    uv_run(l, UV_RUN_DEFAULT);
    if (done != n) abort();
    char e[64];
    snprintf(e, 64, "bytes_task=%ld (timer handles)", (statusKB("VmHWM:") - r0) * 1024 / n);
    report("sleep_many", w, n, uv_hrtime() - t, e);
  }
  return 0;
}
