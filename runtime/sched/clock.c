/* clock.c: the loop's time; see clock.h. */
#include "base/clock.h"

#include <errno.h>
#include <math.h>

#include "sched/loop.h"

int64_t weft__loop_now(weft_loop_t *loop) {
  if (!loop->config.virtual_time) return weft__clock_now();
  return atom_add(&loop->virtual_now, 100, relaxed) + 100;
}

weft__timers_t *weft__timers_of(weft_loop_t *loop) {
  weft__worker_t *worker = weft__worker();
  bool shared = loop->config.virtual_time || loop->main_strand != NULL;
  if (shared || worker == NULL || worker->loop != loop) return &loop->workers[0].timers;
  return &worker->home->timers;
}

weft__timers_t *weft__current_timers(void) { return weft__timers_of(weft__worker()->loop); }

void weft__timers_armed(weft_loop_t *loop, weft__timers_t *timers) {
  weft__worker_t *worker = weft__worker();
  if (worker != NULL && timers == &worker->timers) return; /* it looks before it sleeps */
  for (unsigned i = 0; i < loop->worker_count; i++)
    if (timers == &loop->workers[i].timers) weft__reactor_ring(loop->workers[i].reactor);
}

void weft__arm_timer(weft_loop_t *loop, weft__timer_t *timer, int64_t deadline, weft__timer_fn fire) {
  weft__timers_t *timers = weft__timers_of(loop);
  if (weft__timers_add(timers, timer, deadline, fire)) weft__timers_armed(loop, timers);
}

int weft_loop_advance(weft_loop_t *loop, double seconds) {
  int64_t ns;
  if (loop == NULL || !loop->config.virtual_time)
    return weft_fail(-EINVAL, "weft_loop_advance: the loop's time is real, open it with virtual_time");
  int rc = weft__seconds_to_ns(seconds, &ns);
  if (rc < 0 || ns < 0) return weft_fail(-EINVAL, "weft_loop_advance: seconds must be a number, not negative");
  int64_t now = atom_load(&loop->virtual_now, relaxed);
  while (!atom_cas_weak(&loop->virtual_now, &now, weft__time_add(now, ns), relaxed, relaxed)) {
  }
  return 0;
}

double weft_loop_time(const weft_loop_t *loop) {
  return loop != NULL ? weft__ns_to_seconds(weft__loop_now((weft_loop_t *)loop)) : NAN;
}
