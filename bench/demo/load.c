/* load.c: clients, a task each. A client connects, sends a request, reads the answer, checks it, pauses, and goes on; every
 * so often it closes its connection and opens another. Some send several requests at once (pipelining). Nothing in here
 * looks different from a program with one blocking connection. */
#include "load.h"

#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "interrupt.h"

typedef struct plan {
  int route;
  unsigned clients;
  unsigned at_once;   /* requests sent together */
  double pause;       /* seconds between an answer and the next request */
  const char *answer; /* what a good answer's body starts with */
} plan_t;

/* About one core of work in all, so that latencies are those of a busy server, not of an endless queue. */
static const plan_t plans[] = {
    {.route = 0, .clients = 24, .at_once = 1, .pause = 0.005, .answer = "hello from weft\n"},
    {.route = 0, .clients = 8, .at_once = 4, .pause = 0.010, .answer = "hello from weft\n"},
    {.route = 1,
     .clients = 4,
     .at_once = 1,
     .pause = 0.040,
     .answer = "6542 primes below 65536, counted in 64 leaves\n"},
    {.route = 2, .clients = 32, .at_once = 1, .pause = 0.015, .answer = "slept 5 ms\n"},
    {.route = 3, .clients = 2, .at_once = 1, .pause = 0.150, .answer = "sha256 "},
};
enum { PLANS = sizeof plans / sizeof plans[0], REQUESTS_PER_CONNECTION = 500, MOST_AT_ONCE = 8 };

typedef struct load {
  int port;
  stats_t *stats;
  atomic_bool stopping;
} load_t;

typedef struct client {
  load_t *load;
  const plan_t *plan;
  weft_stream_t *stream;
  http_parser parser;
  uint64_t sent_ns;
  unsigned answers; /* still to come of those sent together */
  bool wrong;       /* an answer was not what it must be; it is counted */
  size_t body_length;
  char body[BODY_SIZE], in[4096];
} client_t;

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- reading answers -------------------------------------------------------------------------------------------------- */
static int on_message_begin(http_parser *parser) {
  client_t *client = parser->data;
  client->body_length = 0;
  return 0;
}

static int on_body(http_parser *parser, const char *at, size_t length) {
  client_t *client = parser->data;
  if (length > sizeof client->body - 1 - client->body_length) return -1;
  memcpy(client->body + client->body_length, at, length);
  client->body_length += length;
  return 0;
}

static int on_message_complete(http_parser *parser) {
  client_t *client = parser->data;
  const plan_t *plan = client->plan;
  if (client->answers-- == 0) return -1; /* more answers than requests */
  client->body[client->body_length] = '\0';
  if (parser->status_code == 200 && strncmp(client->body, plan->answer, strlen(plan->answer)) == 0) {
    stats_good(client->load->stats, plan->route, now_ns() - client->sent_ns);
  } else {
    client->wrong = true;
    stats_error(client->load->stats, plan->route, "status %u, body: %.100s", (unsigned)parser->status_code,
                client->body);
  }
  return 0;
}

static const http_parser_settings settings = {
    .on_message_begin = on_message_begin, .on_body = on_body, .on_message_complete = on_message_complete};

/* Sends the plan's requests and reads all their answers. 0, or a negative error: the connection is of no more use. */
static int exchange(client_t *client) {
  char out[MOST_AT_ONCE * 80];
  size_t length = 0;
  for (unsigned i = 0; i < client->plan->at_once; i++)
    length += (size_t)snprintf(out + length, sizeof out - length, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                               route_paths[client->plan->route]);
  client->answers = client->plan->at_once;
  client->sent_ns = now_ns();
  int rc = weft_stream_write(client->stream, out, length);
  while (rc == 0 && client->answers > 0) {
    ssize_t n = weft_stream_read(client->stream, client->in, sizeof client->in);
    if (n < 0) return (int)n;
    if (n == 0) return weft_fail(WEFT_INCOMPLETE_READ, "the server closed the connection before its answer");
    if (http_parser_execute(&client->parser, &settings, client->in, (size_t)n) != (size_t)n)
      return weft_fail(WEFT_VALUE, "not HTTP: %s", http_errno_description(HTTP_PARSER_ERRNO(&client->parser)));
  }
  return rc;
}

/* ---- clients ---------------------------------------------------------------------------------------------------------- */
static bool stopping(const load_t *load) { return atomic_load_explicit(&load->stopping, memory_order_relaxed); }

/* One connection from its opening to its end. */
static int visit(client_t *client) {
  int rc = weft_open_connection("127.0.0.1", client->load->port, &client->stream);
  if (rc < 0) return rc;
  atomic_fetch_add_explicit(&client->load->stats->connections, 1, memory_order_relaxed);
  http_parser_init(&client->parser, HTTP_RESPONSE);
  client->parser.data = client;
  for (int i = 0; rc == 0 && i < REQUESTS_PER_CONNECTION && !stopping(client->load); i++) {
    rc = exchange(client);
    if (rc == 0) rc = weft_sleep(client->plan->pause);
  }
  weft_ignore(weft_stream_close(client->stream));
  return rc;
}

static WEFT_ASYNC(run_client, load_t *, const plan_t *);
static int run_client(load_t *load, const plan_t *plan) {
  client_t client = {.load = load, .plan = plan};
  while (!stopping(load)) {
    int rc = visit(&client);
    if (rc == WEFT_CANCELLED) return rc;
    if (rc == 0) continue;
    stats_error(load->stats, plan->route, "%s: %s", weft_error_name(rc), weft_error()->message);
    if ((rc = weft_sleep(0.1)) < 0) return rc; /* do not hammer a server in trouble */
  }
  return 0;
}

static WEFT_ASYNC(load_main, load_t *);
static int load_main(load_t *load) {
  weft_taskgroup_t group;
  weft_future_t *stop = weft_future_open(0);
  int rc = stop != NULL ? interrupt_watch(stop) : weft_fail(-12, "no memory for a future");
  if (rc < 0) return rc;
  weft_taskgroup_enter(&group);
  for (int p = 0; p < PLANS && rc == 0; p++)
    for (unsigned i = 0; i < plans[p].clients && rc == 0; i++)
      if (weft_taskgroup_create_task(&group, run_client_async(load, &plans[p])) == NULL) rc = weft_error()->code;
  if (rc == 0) rc = interrupt_wait(stop, WEFT_FOREVER);
  atomic_store_explicit(&load->stopping, true, memory_order_relaxed);
  rc = weft_taskgroup_exit(&group, rc < 0 ? rc : 0);
  interrupt_unwatch();
  weft_future_unref(stop);
  return rc;
}

int load_run(int port, stats_t *stats) {
  static load_t load;
  load.port = port;
  load.stats = stats;
  int rc = weft_run_with(&(const weft_config_t){.workers = 1}, load_main_async(&load));
  if (rc < 0) fprintf(stderr, "weft_demo --client: %s: %s\n", weft_error_name(rc), weft_error()->message);
  return rc < 0;
}
