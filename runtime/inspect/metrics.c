/* metrics.c: reading what the workers count. All of it is atomic and relaxed: numbers for people, nothing is ordered by
 * them. A spare's slot, once opened, stays until the loop is closed. */
#include <weft/metrics.h>

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "sched/loop.h"
#include "sched/steps.h"

static int check(const weft_loop_t *loop, const void *metrics, size_t size, const char *what) {
  if (loop == NULL || metrics == NULL || size == 0)
    return weft_fail(-EINVAL, "%s: no %s", what, loop == NULL ? "loop" : "place for the numbers");
  return weft_loop_is_closed(loop) ? weft_fail(WEFT_RUNTIME, "Event loop is closed") : 0;
}

static weft_worker_metrics_t read_worker(const weft__worker_t *worker) {
  const weft__worker_stats_t *stats = &worker->stats;
  return (weft_worker_metrics_t){
      .steps = atom_load(&stats->ticks, relaxed),
      .polls = atom_load(&stats->polls, relaxed),
      .steals = atom_load(&stats->steals, relaxed),
      .parks = atom_load(&stats->parks, relaxed),
      .queue_length = weft__ready_count(worker),
      .queue_high = atom_load(&stats->queue_high, relaxed),
      .longest_step = (double)atom_load(&stats->longest, relaxed) / 1e9,
      .active = atom_load(&worker->active, relaxed),
  };
}

/* As much as the caller knows of; what it knows beyond us is zero. */
static void give(void *metrics, size_t size, const void *ours, size_t our_size) {
  memset(metrics, 0, size);
  memcpy(metrics, ours, size < our_size ? size : our_size);
}

int weft_worker_metrics_sized(const weft_loop_t *loop, unsigned n, weft_worker_metrics_t *metrics, size_t size) {
  int rc = check(loop, metrics, size, "weft_worker_metrics");
  if (rc < 0) return rc;
  unsigned slots = atom_load(&loop->slots, acquire);
  if (n == 0 || n > slots)
    return weft_fail(-EINVAL, "weft_worker_metrics: there is no worker %u, the loop has %u", n, slots);
  weft_worker_metrics_t ours = read_worker(weft__worker_at(loop, n - 1));
  give(metrics, size, &ours, sizeof ours);
  return 0;
}

int weft_loop_metrics_sized(const weft_loop_t *loop, weft_loop_metrics_t *metrics, size_t size) {
  int rc = check(loop, metrics, size, "weft_loop_metrics");
  if (rc < 0) return rc;
  weft_loop_metrics_t ours = {
      .workers = loop->worker_count,
      .idle = atom_load(&loop->idle_count, relaxed),
      .injected = atom_load(&loop->inject_count, relaxed),
  };
  unsigned slots = atom_load(&loop->slots, acquire);
  for (unsigned i = 0; i < slots; i++) {
    weft_worker_metrics_t one = read_worker(weft__worker_at(loop, i));
    if (i >= loop->worker_count) ours.spares += one.active;
    ours.steps += one.steps;
    ours.polls += one.polls;
    ours.steals += one.steals;
    ours.parks += one.parks;
    if (one.queue_high > ours.queue_high) ours.queue_high = one.queue_high;
    if (one.longest_step > ours.longest_step) ours.longest_step = one.longest_step;
  }
  give(metrics, size, &ours, sizeof ours);
  return 0;
}

int weft_loop_measure_steps(weft_loop_t *loop, bool on) {
  int rc = check(loop, loop, 1, "weft_loop_measure_steps");
  if (rc < 0) return rc;
  unsigned slots = atom_load(&loop->slots, acquire);
  for (unsigned i = 0; on && i < slots; i++) atom_store(&weft__worker_at(loop, i)->stats.longest, 0, relaxed);
  atom_store(&loop->steps_timed, on, relaxed);
  weft__steps_set(loop);
  return 0;
}
