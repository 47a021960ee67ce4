/* queue: four producers and one consumer over a queue of 128 places ("weft"; the peers' shape), and one task that puts and
 * gets by itself ("weft-alone"); an operation is one item. Floor: a plain ring in memory. */
#include "harness.h"

enum { PRODUCERS = 4, PLACES = 128 };

static WEFT_ASYNC(produce, weft_queue_t *, long);
static int produce(weft_queue_t *queue, long n) {
  int rc = 0;
  for (long i = 0; i < n && rc == 0; i++) rc = weft_queue_put(queue, &i);
  return rc;
}

static WEFT_ASYNC(consume, weft_queue_t *, long, long *);
static int consume(weft_queue_t *queue, long n, long *sum) {
  int rc = 0;
  for (long i = 0; i < n && rc == 0; i++) {
    long item = 0;
    rc = weft_queue_get(queue, &item);
    *sum += item;
  }
  return rc;
}

static WEFT_ASYNC(many, bench_run_t *);
static int many(bench_run_t *run) {
  weft_queue_t queue;
  int rc = weft_queue_init(&queue, sizeof(long), PLACES);
  if (rc < 0) return rc;
  long each = (run->ops + PRODUCERS - 1) / PRODUCERS, sum = 0;
  weft_task_t *tasks[PRODUCERS + 1];
  bench_start(run);
  for (int i = 0; i < PRODUCERS; i++) tasks[i] = weft_create_task(produce_async(&queue, each));
  tasks[PRODUCERS] = weft_create_task(consume_async(&queue, each * PRODUCERS, &sum));
  for (int i = 0; i <= PRODUCERS; i++) {
    int status = weft_join(tasks[i]);
    if (rc == 0) rc = status;
  }
  bench_stop(run);
  run->ops = each * PRODUCERS;
  BENCH_CHECK(rc < 0 || sum == each * (each - 1) / 2 * PRODUCERS);
  weft_queue_destroy(&queue);
  return rc;
}

static WEFT_ASYNC(alone, bench_run_t *);
static int alone(bench_run_t *run) {
  weft_queue_t queue;
  int rc = weft_queue_init(&queue, sizeof(long), PLACES);
  long sum = 0;
  bench_start(run);
  for (long i = 0; i < run->ops && rc == 0; i++) {
    long item = 0;
    rc = weft_queue_put(&queue, &i);
    if (rc == 0) rc = weft_queue_get(&queue, &item);
    sum += item;
  }
  bench_stop(run);
  BENCH_CHECK(rc < 0 || sum == run->ops * (run->ops - 1) / 2);
  weft_queue_destroy(&queue);
  return rc;
}

static int run_weft(bench_run_t *run) { return bench_weft(run, many_async(run)); }
static int run_alone(bench_run_t *run) { return bench_weft(run, alone_async(run)); }

typedef struct ring {
  unsigned head, tail;
  long places[PLACES];
} ring_t;

__attribute__((noinline)) static void ring_put(ring_t *ring, const long *item) {
  ring->places[ring->tail++ % PLACES] = *item;
}
__attribute__((noinline)) static void ring_get(ring_t *ring, long *item) {
  *item = ring->places[ring->head++ % PLACES];
}

static int run_floor(bench_run_t *run) {
  static ring_t ring;
  long sum = 0;
  bench_start(run);
  for (long i = 0; i < run->ops; i++) {
    long item = 0;
    ring_put(&ring, &i);
    ring_get(&ring, &item);
    sum += item;
  }
  bench_stop(run);
  BENCH_CHECK(sum == run->ops * (run->ops - 1) / 2);
  return 0;
}

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {
      {"weft", run_weft, 0, 1}, {"floor", run_floor, BENCH_SERIAL, 10}, {"weft-alone", run_alone, 0, 1}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "queue", .ops = 4000000, .runtimes = runtimes});
}
