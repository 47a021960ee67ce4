/* Ten programs as they should read. They must compile against <weft.h> as strict C11 and as C++17. */
#include <stdio.h>
#include <weft.h>

/* 1 hello: run and sleep */
static WEFT_ASYNC(hello, const char *);
static int hello(const char *name) {
  printf("hello %s\n", name);
  int rc = weft_sleep(1.0); /* parks the task; WEFT_CANCELLED if it is cancelled meanwhile */
  if (rc == 0) printf("goodbye %s\n", name);
  return rc;
}

/* 2 create_task, a plain call, join */
struct page {
  size_t length;
};
static WEFT_ASYNC(fetch, const char *, struct page *);
static int fetch(const char *url, struct page *out) {
  out->length = strlen(url);
  return weft_sleep(0.1);
}
static WEFT_ASYNC(two);
static int two(void) {
  struct page a, b;
  weft_task_t *task = weft_create_task(fetch_async("a.example", &a)); /* runs beside us */
  int rb = fetch("b.example", &b);                                    /* a plain call is await */
  int ra = weft_join(task);
  return ra ? ra : rb;
}

/* 3 gather  4 timeout  5 task group */
static WEFT_ASYNC(many);
static int many(void) {
  struct page p[3];
  int rc = weft_gather(fetch_async("a", &p[0]), fetch_async("b", &p[1]), fetch_async("c", &p[2]));
  if (rc == 0) rc = weft_wait_for(fetch_async("slow", &p[0]), 0.5);
  if (rc == WEFT_TIMEOUT) rc = weft_fail(WEFT_VALUE, "too slow: %s", weft_error()->message);
  weft_taskgroup_t group;
  weft_taskgroup_enter(&group);
  for (int i = 0; i < 3 && rc == 0; i++) weft_taskgroup_create_task(&group, fetch_async("x", &p[i]));
  return weft_taskgroup_exit(&group, rc); /* joins all; the first error cancels the rest */
}

/* 6 to_thread: the same declaration, a body that blocks */
static WEFT_ASYNC(hash_file, const char *, unsigned char *);
static int hash_file(const char *path, unsigned char *digest) {
  digest[0] = (unsigned char)path[0];
  return 0;
}
static WEFT_ASYNC(hash_it);
static int hash_it(void) {
  unsigned char digest[32];
  return weft_to_thread(hash_file_async("big.iso", digest));
}

/* 7 producer and consumer */
static WEFT_ASYNC(produce, weft_queue_t *, int);
static int produce(weft_queue_t *q, int n) {
  int rc = 0;
  for (int i = 0; i < n && rc == 0; i++) rc = weft_queue_put(q, &i);
  weft_queue_shutdown(q, false);
  return rc;
}
static WEFT_ASYNC(consume, weft_queue_t *);
static int consume(weft_queue_t *q) {
  int item, rc;
  while ((rc = weft_queue_get(q, &item)) == 0) printf("%d\n", item);
  return rc == WEFT_QUEUE_SHUTDOWN ? 0 : rc;
}
static WEFT_ASYNC(pipeline);
static int pipeline(void) {
  weft_queue_t q;
  int rc = weft_queue_init(&q, sizeof(int), 16);
  if (rc < 0) return rc;
  rc = weft_gather(produce_async(&q, 3), consume_async(&q));
  weft_queue_destroy(&q);
  return rc;
}

/* 8 TCP echo server */
static int echo(weft_stream_t *stream, void *data) {
  char buffer[4096];
  ssize_t n;
  int rc = 0;
  (void)data;
  while (rc == 0 && (n = weft_stream_read(stream, buffer, sizeof buffer)) != 0)
    rc = n < 0 ? (int)n : weft_stream_write(stream, buffer, (size_t)n);
  return rc;
}
static WEFT_ASYNC(serve);
static int serve(void) {
  weft_server_t *server;
  int rc = weft_start_server("127.0.0.1", 7777, echo, NULL, &server);
  if (rc < 0) return rc;
  rc = weft_server_serve_forever(server);
  weft_ignore(weft_server_close(server));
  return rc;
}

/* 9 generator  10 async iteration: every source has a next, read like read(2) */
static WEFT_ASYNC(countdown, int);
static int countdown(int from) {
  int rc = 0;
  for (; from > 0 && rc == 0; from--) rc = weft_gen_yield(&from, NULL);
  return rc;
}
static WEFT_ASYNC(count);
static int count(void) {
  int i, rc;
  weft_gen_t *gen = weft_gen_open(countdown_async(3), sizeof i);
  if (gen == NULL) return weft_fail(-12, "no memory for the generator");
  while ((rc = weft_gen_next(gen, &i)) > 0) printf("%d\n", i);
  weft_ignore(weft_gen_close(gen));
  return rc;
}

static WEFT_ASYNC(all);
static int all(void) {
  int rc = hello("world");
  if (rc == 0) rc = two();
  if (rc == 0) rc = many();
  if (rc == 0) rc = hash_it();
  if (rc == 0) rc = weft_gather(pipeline_async(), count_async());
  if (rc == 0) rc = serve();
  return rc;
}
int main(void) { return weft_run(all_async()) == 0 ? 0 : 1; }
