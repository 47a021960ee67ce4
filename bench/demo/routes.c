/* routes.c: the four routes. Each is ordinary code: it may call, sleep, create tasks and join them; nothing in here knows
 * that ten thousand of it may be under way at once. */
#include "routes.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weft.h>

#include "sha256.h"
#include "workers.h"

void reply_text(reply_t *reply, int status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = vsnprintf(reply->body, sizeof reply->body, format, args);
  va_end(args);
  reply->status = status;
  reply->length = n < 0 ? 0 : (size_t)n < sizeof reply->body ? (size_t)n : sizeof reply->body - 1;
}

/* ---- /plain: at once -------------------------------------------------------------------------------------------------- */
static int plain(const char *query, reply_t *reply) {
  (void)query;
  reply_text(reply, 200, "hello from weft\n");
  return 0;
}

/* ---- /compute: a tree of tasks that the workers share ----------------------------------------------------------------- */
enum { LEAF = 1024, LEAVES = 64, NUMBERS = LEAF * LEAVES, PRIMES_BELOW_NUMBERS = 6542 };

typedef struct range {
  unsigned begin, end, home; /* home: the worker on which the request began */
} range_t;

static long primes_in(range_t range) {
  long count = 0;
  for (unsigned n = range.begin; n < range.end; n++) {
    unsigned d = 2;
    while (d * d <= n && n % d != 0) d++;
    count += n > 1 && d * d > n;
  }
  return count;
}

static WEFT_ASYNC(primes, range_t, long *);
static int primes(range_t range, long *count) {
  if (range.end - range.begin <= LEAF) {
    *count = primes_in(range);
    workers_note_leaf(range.home);
    return 0;
  }
  unsigned middle = range.begin + (range.end - range.begin) / 2;
  long low = 0, high = 0;
  weft_task_t *task = weft_create_task(primes_async((range_t){range.begin, middle, range.home}, &low)); /* beside us */
  int here = primes((range_t){middle, range.end, range.home}, &high); /* a plain call is await */
  int there = weft_join(task);
  *count = low + high;
  return here < 0 ? here : there;
}

static int compute(const char *query, reply_t *reply) {
  (void)query;
  long count = 0;
  int rc = primes((range_t){0, NUMBERS, workers_current()}, &count);
  if (rc < 0) return rc;
  if (count != PRIMES_BELOW_NUMBERS)
    reply_text(reply, 500, "counted %ld primes below %d, there are %d\n", count, NUMBERS, PRIMES_BELOW_NUMBERS);
  else
    reply_text(reply, 200, "%ld primes below %d, counted in %d leaves\n", count, NUMBERS, LEAVES);
  return 0;
}

/* ---- /sleep: a timer -------------------------------------------------------------------------------------------------- */
enum { SLEEP_MS = 5, LONGEST_SLEEP_MS = 1000 };

static int sleep_a_while(const char *query, reply_t *reply) {
  long ms = SLEEP_MS;
  if (query[0] != '\0') {
    char *end = NULL;
    if (strncmp(query, "ms=", 3) == 0 && query[3] >= '0' && query[3] <= '9') ms = strtol(query + 3, &end, 10);
    if (end == NULL || *end != '\0' || ms > LONGEST_SLEEP_MS) {
      reply_text(reply, 400, "/sleep wants ?ms=N with N from 0 to %d\n", LONGEST_SLEEP_MS);
      return 0;
    }
  }
  int rc = weft_sleep((double)ms / 1000.0);
  if (rc == 0) reply_text(reply, 200, "slept %ld ms\n", ms);
  return rc;
}

/* ---- /digest: 20 ms of processor time without a suspension -------------------------------------------------------------- */
enum { DIGEST_MS = 20, PIECE = 64 * 1024 };
static struct {
  unsigned char piece[PIECE]; /* 0, 1, ... 255, 0, ... */
  long pieces;                /* hashed one after another */
  char expected[SHA256_HEX];
} digest_work;

static void hash_pieces(long pieces, char hex[SHA256_HEX]) {
  sha256_t sha;
  sha256_init(&sha);
  for (long i = 0; i < pieces; i++) sha256_update(&sha, digest_work.piece, PIECE);
  sha256_finish(&sha, hex);
}

void routes_prepare(void) {
  enum { PROBE = 32 };
  struct timespec from, to;
  for (int i = 0; i < PIECE; i++) digest_work.piece[i] = (unsigned char)i;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
  hash_pieces(PROBE, digest_work.expected);
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
  double ms = (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
  digest_work.pieces = ms > 0 ? (long)(PROBE * DIGEST_MS / ms) : PROBE;
  if (digest_work.pieces < 1) digest_work.pieces = 1;
  hash_pieces(digest_work.pieces, digest_work.expected);
}

static int digest(const char *query, reply_t *reply) {
  (void)query;
  char hex[SHA256_HEX];
  hash_pieces(digest_work.pieces, hex);
  if (strcmp(hex, digest_work.expected) != 0)
    reply_text(reply, 500, "sha256 came out as %s, should be %s\n", hex, digest_work.expected);
  else
    reply_text(reply, 200, "sha256 %s of %ld pieces of %d bytes\n", hex, digest_work.pieces, PIECE);
  return 0;
}

/* ---- the table -------------------------------------------------------------------------------------------------------- */
const char *const route_paths[ROUTES] = {"/plain", "/compute", "/sleep", "/digest"};
static int (*const handlers[ROUTES])(const char *query, reply_t *reply) = {plain, compute, sleep_a_while, digest};

static int find(const char *path) {
  for (int i = 0; i < ROUTES; i++)
    if (strcmp(path, route_paths[i]) == 0) return i;
  return -1;
}

bool route_is_slow(const char *path) { return find(path) > 0; }

int route_answer(const char *method, const char *path, const char *query, reply_t *reply) {
  int route = find(path);
  workers_note_request();
  if (strcmp(path, "/") == 0) {
    reply_text(reply, 200, "weft demo: /plain /compute /sleep?ms=N /digest\n");
  } else if (route < 0) {
    reply_text(reply, 404, "no such route: %.200s\n", path);
  } else if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
    reply->allow = "GET, HEAD";
    reply_text(reply, 405, "%s answers GET and HEAD, not %s\n", path, method);
  } else {
    return handlers[route](query, reply);
  }
  return 0;
}
