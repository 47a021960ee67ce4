/* monitor.c: the thread that notices when every worker is stuck. Several workers on a real clock; one worker has none.
 *
 * As long as one worker sleeps it is the lookout, and as long as one gets on it looks around itself (idle.c). Only when
 * every worker sits in one task is there nobody left but this thread. It naps NAP_NS at a time and looks (BUSY_NAP_NS
 * while nobody sleeps, STILL_NAP_NS while everybody stands still):
 *   somebody sleeps or gets on     nothing to do, but see 2. below
 *   everybody stands still         if something waits (a queued task, a due timer, a descriptor's event) one more spare is
 *                                  activated, as long as there are fewer than workers that are blocked, plus
 *                                  COMPUTING_SPARES for all those that compute
 * 2. Announced blocking sections (blocking.c) are made up for at once: where more of them are open than spares are active
 *    and tasks wait in a queue, one more is activated.
 * Why not a single one for those that compute: a spare that runs what waits soon runs a long task itself. Beside 64
 * connections at 3200 requests a second of which one in a hundred computes 20 ms, the others' 99th percentile on two
 * workers was 18 ms with one such spare and 3 ms with four.
 * A worker stands still while its count of ticks does; it is blocked when the processor time of its thread stands still as
 * well and the kernel calls it asleep, BLOCKED_LOOKS times in a row: a preempted thread is not, nor one that waits a moment
 * for a lock. Until then it passes for one that computes, so the first spare comes at once. A look costs next to nothing; the clocks are read only
 * of workers that stood still, while nobody sleeps.
 *
 * It must not keep an idle program awake: after DOZE_LOOKS looks at which somebody slept it dozes without limit, and the
 * last sleeper that leaves wakes it. No such wake-up is lost: the monitor sets `dozes`, then looks at idle_count; the
 * leaver takes one off idle_count, then looks at `dozes`; all four are sequentially consistent, so one sees the other. */
#include "base/clock.h"
#include "sched/loop.h"

enum {
  NAP_NS = 1000 * 1000,
  BUSY_NAP_NS = 500 * 1000,
  STILL_NAP_NS = 300 * 1000,
  DOZE_LOOKS = 10,
  BLOCKED_LOOKS = 4,
  COMPUTING_SPARES = 4,
};

enum standing { GONE, ALIVE, COMPUTES, BLOCKED };

static enum standing standing_of(weft_loop_t *loop, unsigned index) {
  weft__monitor_t *monitor = &loop->monitor;
  weft__worker_t *worker = weft__worker_at(loop, index);
  if (!atom_load(&worker->active, relaxed)) return GONE;
  if (atom_load(&worker->blocked, relaxed)) return BLOCKED;
  uint64_t ticks = atom_load(&worker->stats.ticks, relaxed);
  if (ticks != monitor->ticks[index]) {
    monitor->ticks[index] = ticks;
    monitor->processor[index] = -1;
    monitor->asleep[index] = 0;
    return ALIVE;
  }
  int64_t before = monitor->processor[index];
  int64_t now = monitor->processor[index] = weft__thread_watch_processor_ns(&worker->watch);
  if (before < 0 || now != before || !weft__thread_watch_sleeps(&worker->watch)) {
    monitor->asleep[index] = 0;
    return COMPUTES;
  }
  return ++monitor->asleep[index] >= BLOCKED_LOOKS ? BLOCKED : COMPUTES;
}

static bool timer_is_due(const weft_loop_t *loop) {
  int64_t now = weft__clock_now();
  for (unsigned i = 0; i < loop->worker_count; i++)
    if (weft__timers_next(&loop->workers[i].timers) <= now) return true;
  return false;
}

static bool something_waits(const weft_loop_t *loop) {
  if (weft__work_anywhere(loop) || timer_is_due(loop)) return true;
  unsigned slots = atom_load(&loop->slots, acquire);
  for (unsigned i = 0; i < slots; i++)
    if (weft__stealable_count(weft__worker_at(loop, i)) > 0) return true;
  for (unsigned i = 0; i < loop->worker_count; i++)
    if (weft__reactor_interest(loop->workers[i].reactor) > 0 && weft__reactor_pending(loop->workers[i].reactor))
      return true;
  return false;
}

/* True: everybody stands still. */
static bool look(weft_loop_t *loop) {
  unsigned counts[BLOCKED + 1] = {0}, slots = atom_load(&loop->slots, acquire);
  for (unsigned i = 0; i < slots; i++) counts[standing_of(loop, i)]++;
  unsigned spares = weft__spares_active(loop);
  unsigned computing = counts[COMPUTES] < COMPUTING_SPARES ? counts[COMPUTES] : COMPUTING_SPARES;
  bool stuck = counts[ALIVE] == 0 && spares < counts[BLOCKED] + computing;
  atom_store(&loop->monitor.blocked, counts[ALIVE] == 0 ? counts[BLOCKED] : 0, relaxed);
  bool background = atom_load(&loop->background_count, relaxed) > 0 && spares < counts[BLOCKED];
  if (stuck ? background || something_waits(loop)
            : spares < atom_load(&loop->blocked, relaxed) && weft__work_anywhere(loop))
    weft__spare_activate(loop);
  return counts[ALIVE] == 0;
}

/* Under the mutex. */
static void doze(weft__monitor_t *monitor, weft_loop_t *loop) {
  atom_store(&monitor->dozes, true, seq_cst);
  if (atom_load(&loop->idle_count, seq_cst) == 0) atom_store(&monitor->dozes, false, seq_cst);
  while (atom_load(&monitor->dozes, relaxed) && !monitor->ends && !monitor->kicked)
    weft__cond_wait(&monitor->wake, &monitor->mutex);
  atom_store(&monitor->dozes, false, seq_cst);
}

static int monitor_thread(void *argument) {
  weft_loop_t *loop = argument;
  weft__monitor_t *monitor = &loop->monitor;
  unsigned quiet = 0;
  int64_t nap = NAP_NS;
  weft__mutex_lock(&monitor->mutex);
  while (!monitor->ends) {
    if (quiet >= DOZE_LOOKS) {
      doze(monitor, loop);
      quiet = 0;
    }
    int64_t until = weft__time_add(weft__clock_now(), nap);
    while (!monitor->ends && !monitor->kicked && weft__cond_wait_until(&monitor->wake, &monitor->mutex, until)) {
    }
    monitor->kicked = false;
    weft__mutex_unlock(&monitor->mutex);
    atom_add(&monitor->looks, 1, relaxed);
    if (atom_load(&loop->idle_count, relaxed) > 0) {
      quiet++;
      nap = NAP_NS;
    } else {
      quiet = 0;
      nap = look(loop) ? STILL_NAP_NS : BUSY_NAP_NS;
    }
    weft__mutex_lock(&monitor->mutex);
  }
  weft__mutex_unlock(&monitor->mutex);
  return 0;
}

void weft__monitor_wake(weft_loop_t *loop) {
  weft__monitor_t *monitor = &loop->monitor;
  bool dozes = true;
  if (!atom_load(&monitor->dozes, seq_cst) || /* partner: doze's look at idle_count */
      !atom_cas(&monitor->dozes, &dozes, false, seq_cst, relaxed))
    return;
  weft__mutex_lock(&monitor->mutex); /* it sleeps, or has not looked at `dozes` yet */
  weft__cond_signal(&monitor->wake);
  weft__mutex_unlock(&monitor->mutex);
}

static void tell(weft__monitor_t *monitor, bool *what) {
  weft__mutex_lock(&monitor->mutex);
  *what = true;
  weft__cond_signal(&monitor->wake);
  weft__mutex_unlock(&monitor->mutex);
}

void weft__monitor_kick(weft_loop_t *loop) { tell(&loop->monitor, &loop->monitor.kicked); }

int weft__monitor_init(weft_loop_t *loop) {
  int rc = weft__mutex_init(&loop->monitor.mutex);
  if (rc < 0) return rc;
  rc = weft__cond_init(&loop->monitor.wake);
  if (rc < 0) weft__mutex_destroy(&loop->monitor.mutex);
  return rc;
}

void weft__monitor_destroy(weft_loop_t *loop) {
  weft__cond_destroy(&loop->monitor.wake);
  weft__mutex_destroy(&loop->monitor.mutex);
}

int weft__monitor_start(weft_loop_t *loop) {
  if (loop->alone || loop->config.virtual_time) return 0;
  loop->monitor.ends = loop->monitor.kicked = false;
  return weft__thread_start(&loop->monitor.thread, monitor_thread, loop, "weft-monitor");
}

void weft__monitor_stop(weft_loop_t *loop) {
  if (loop->alone || loop->config.virtual_time) return;
  tell(&loop->monitor, &loop->monitor.ends);
  weft__thread_join(loop->monitor.thread);
}
