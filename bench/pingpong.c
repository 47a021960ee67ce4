/* pingpong: a number goes to a second task and comes back one larger; an operation is one round trip. "weft": over two queues
 * of one place, as the peers' channels; "weft-futures": each message is a fresh future that carries where the answer and
 * the next message belong. Floor: two raw switches between two fibers. */
#include "harness.h"
#include "raw_switch.h"

typedef struct table {
  weft_queue_t there, back;
  long rounds;
} table_t;

static WEFT_ASYNC(pong, table_t *);
static int pong(table_t *table) {
  int rc = 0;
  for (long i = 0; i < table->rounds && rc == 0; i++) {
    long ball = 0;
    if ((rc = weft_queue_get(&table->there, &ball)) < 0) break;
    ball++;
    rc = weft_queue_put(&table->back, &ball);
  }
  return rc;
}

static WEFT_ASYNC(ping, table_t *);
static int ping(table_t *table) {
  long ball = 0;
  int rc = 0;
  for (long i = 0; i < table->rounds && rc == 0; i++) {
    if ((rc = weft_queue_put(&table->there, &ball)) < 0) break;
    rc = weft_queue_get(&table->back, &ball);
  }
  BENCH_CHECK(rc < 0 || ball == table->rounds);
  return rc;
}

static WEFT_ASYNC(queues, bench_run_t *);
static int queues(bench_run_t *run) {
  table_t table = {.rounds = run->ops};
  int rc = weft_queue_init(&table.there, sizeof(long), 1);
  if (rc < 0) return rc;
  if ((rc = weft_queue_init(&table.back, sizeof(long), 1)) == 0) {
    bench_start(run);
    weft_task_t *second = weft_create_task(pong_async(&table)), *first = weft_create_task(ping_async(&table));
    rc = weft_join(first);
    int other = weft_join(second);
    bench_stop(run);
    if (rc == 0) rc = other;
    weft_queue_destroy(&table.back);
  }
  weft_queue_destroy(&table.there);
  return rc;
}

/* What a message future carries: where the answer goes, and the future that will bring the next message (NULL: the end). */
typedef struct message {
  weft_future_t *reply, *next;
} message_t;

static WEFT_ASYNC(answer, weft_future_t *);
static int answer(weft_future_t *inbox) { /* consumes inbox */
  long ball = 0;
  int rc = 0;
  while (inbox != NULL && rc == 0) {
    message_t message = {0};
    rc = weft_await_future(inbox, &message);
    weft_future_unref(inbox);
    inbox = message.next;
    if (rc == 0 && message.reply != NULL) {
      ball++;
      rc = weft_future_set_result(message.reply, &ball);
    }
  }
  return rc;
}

static WEFT_ASYNC(futures, bench_run_t *);
static int futures(bench_run_t *run) {
  weft_future_t *inbox = weft_future_open(sizeof(message_t));
  if (inbox == NULL) return -12;
  long ball = 0;
  int rc = 0;
  bench_start(run);
  weft_task_t *second = weft_create_task(answer_async(inbox));
  for (long i = 0; i < run->ops && rc == 0; i++) {
    message_t message = {.reply = weft_future_open(sizeof ball), .next = weft_future_open(sizeof(message_t))};
    if (message.reply == NULL || message.next == NULL) return -12; /* the process ends: nothing to tidy */
    rc = weft_future_set_result(inbox, &message);
    inbox = message.next;
    if (rc == 0) rc = weft_await_future(message.reply, &ball);
    weft_future_unref(message.reply);
  }
  if (rc == 0) rc = weft_future_set_result(inbox, &(message_t){0});
  int other = weft_join(second);
  bench_stop(run);
  BENCH_CHECK(rc < 0 || ball == run->ops);
  return rc < 0 ? rc : other;
}

static int run_weft(bench_run_t *run) { return bench_weft(run, queues_async(run)); }
static int run_futures(bench_run_t *run) { return bench_weft(run, futures_async(run)); }

static int run_floor(bench_run_t *run) {
  long rounds = run->ops;
  run->ops *= 2;
  int rc = run_raw_switch(run);
  run->ops = rounds;
  return rc;
}

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {
      {"weft", run_weft, 0, 1}, {"floor", run_floor, BENCH_SERIAL, 20}, {"weft-futures", run_futures, 0, 1}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "pingpong", .ops = 1000000, .runtimes = runtimes});
}
