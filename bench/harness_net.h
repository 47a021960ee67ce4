/* harness_net.h: what the servers' benches share: a server in a process of its own, and a closed loop of clients on
 * loopback that each send a request, wait until its reply is whole, and send the next. With a rate each client sends at
 * its own regular times instead (a late reply delays the next request, whose latency counts from when it was due).
 *
 * Measured as ns_per_op is the server's processor time per request, the robust figure, with p50 and p99 as the clients saw
 * them; max_rss_kb is the server's. The server is pinned to processor 0 and the load to processor 1.
 *
 * Settings after "--": connections=50 seconds=20 (the longest that it may take) warm_up_ms=300 pin=1 (0: neither is pinned)
 * rate=0 (requests a second of all clients together; 0: the closed loop) fifo=0 (1: the load is scheduled before everything
 * else, where that is allowed: otherwise it would measure its own waiting for a processor), and, for bench_net_command, server=COMMAND, which takes all words that follow; "{port}" and "{workers}" in it are
 * replaced. The run ends after --ops requests. */
#ifndef WEFT_BENCH_HARNESS_NET_H
#define WEFT_BENCH_HARNESS_NET_H

#include <netinet/in.h>
#include <stddef.h>

#include "harness.h"

/* Serves on 127.0.0.1:port until it is killed. */
typedef void (*bench_server_fn)(int port, unsigned workers);

/* What the clients say and hear. */
typedef struct bench_traffic {
  size_t largest_reply;
  /* Writes request `number` (of one client: 1, 2, ...) to `to`, which has room for largest_reply bytes: its length. */
  size_t (*request)(char *to, uint64_t number);
  /* Whether the reply to request `number` is whole; ends the program when it is a wrong one. */
  bool (*whole)(const char *reply, size_t size, uint64_t number);
  bool (*counts)(const char *reply); /* whether its latency counts; NULL: every one's does */
  bool p999;                         /* the tail is asked for as well */
} bench_traffic_t;

int bench_net_measure(bench_run_t *run, bench_server_fn server, const bench_traffic_t *traffic);
/* The same with the program that the setting server= names. */
int bench_net_command(bench_run_t *run, const bench_traffic_t *traffic);

struct sockaddr_in bench_loopback(int port);
/* A listening, non-blocking socket. Ends the program with words when there is none to be had. */
int bench_listen(int port);

/* The floor's server: one thread on one epoll. answer: what has been read on a descriptor; false: the connection is over. */
__attribute__((noreturn)) void bench_epoll_server(int port, bool (*answer)(int fd, const char *data, size_t size));

#endif
