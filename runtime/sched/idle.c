/* idle.c: searching, sleeping, waking, and the lookout. Several workers, but for weft__sleep_alone.
 *
 * idle: one bit per worker. A worker sets its bit before it sleeps; whoever clears it (the worker itself, or a waker that
 * claims it) has it to himself. idle_count follows the bits, each change one step later, so that a preempted worker keeps
 * the two apart for a while: the count is what one looks at first, the bits decide.
 * searching: at most one worker spins for work; a waker sets it on behalf of the sleeper that it claims.
 *
 * No wake-up is lost. A pusher: queue the entry; full fence; read searching and idle. A sleeper: searching := 0; set its
 * bit (read-modify-write); full fence; look at every ring and the injection queue once more; sleep. In the single order of
 * the two fences one is first: either the sleeper sees the entry, or the pusher sees the bit (or a later searcher, who
 * goes through the same steps). A waker that set searching and finds nobody to claim takes it back, fences and looks for
 * sleepers again, for those who trusted it. A ring that comes before the sleep is remembered (loop/bell.h).
 * A searcher that finds work clears `searching` and wakes another one if there is more.
 *
 * Lookout: while any worker runs, one sleeper (loop->lookout) sleeps LOOKOUT_NS at most. When it wakes it compares every
 * running worker's ticks with its last sample; from one that stood still it takes over the lone newest entry, half of the
 * ring, its descriptors' events and its due timers. So no task holds another hostage for longer than about two periods.
 * When nobody has run for DOZE_ROUNDS periods it dozes: sleeps without limit; the first worker to stop being idle wakes
 * it. A lookout that leaves gives the role up and rings a sleeper, which takes it; see hand_on_lookout.
 * tests/model/model_idle.c tries the schedules of all this. */
#include <limits.h>

#include "base/clock.h"
#include "sched/fork.h"
#include "sched/loop.h"

enum { LOOKOUT_NS = 300 * 1000, LOOK_AROUND_NS = 200 * 1000, DOZE_ROUNDS = 10, SEARCH_NS = 15 * 1000 };
#define NOBODY UINT_MAX

static bool bit_clear(weft_loop_t *loop, unsigned index) {
  uint64_t bit = UINT64_C(1) << (index % 64);
  if (!(atom_and(&loop->idle[index / 64], ~bit, seq_cst) & bit)) return false;
  atom_sub(&loop->idle_count, 1, seq_cst);
  return true;
}

static void bit_set(weft_loop_t *loop, unsigned index) {
  atom_or(&loop->idle[index / 64], UINT64_C(1) << (index % 64), seq_cst);
  atom_add(&loop->idle_count, 1, seq_cst);
}

static bool bit_is_set(const weft_loop_t *loop, unsigned index) {
  return (atom_load(&loop->idle[index / 64], relaxed) >> (index % 64)) & 1;
}

/* Some idle worker, the lookout last; NOBODY if there is none. */
static unsigned find_idle(const weft_loop_t *loop) {
  unsigned lookout = atom_load(&loop->lookout, seq_cst), found = NOBODY, slots = atom_load(&loop->slots, acquire);
  for (unsigned word = 0; word * 64 < slots; word++) {
    uint64_t bits = atom_load(&loop->idle[word], seq_cst); /* partner: a sleeper's bit_set, then its look at lookout */
    while (bits != 0) {
      unsigned index = word * 64 + (unsigned)__builtin_ctzll(bits);
      if (index + 1 != lookout) return index;
      found = index;
      bits &= bits - 1;
    }
  }
  return found;
}

static bool work_for_others(const weft_loop_t *loop) {
  return weft__work_anywhere(loop) || atom_load(&loop->background_count, relaxed) > 0;
}

void weft__wake_one(weft_loop_t *loop) {
  do {
    atom_fence_seq_cst(); /* partner: the fence in weft__idle */
    if (atom_load(&loop->idle_count, relaxed) == 0 || atom_load(&loop->searching, relaxed) != 0) return;
    unsigned none = 0;
    if (!atom_cas(&loop->searching, &none, 1, seq_cst, relaxed)) return;
    unsigned index;
    while ((index = find_idle(loop)) != NOBODY) {
      if (!bit_clear(loop, index)) continue;
      weft__reactor_ring(weft__worker_at(loop, index)->reactor); /* claimed: it wakes as the searcher */
      return;
    }
    /* Nobody. A pusher that trusted our `searching` meanwhile may have met a sleeper that came after our look. */
    atom_store(&loop->searching, 0, seq_cst);
    atom_fence_seq_cst();
    /* By the bits, not the count: that stays behind while somebody is preempted between the two, and we would spin. */
  } while (find_idle(loop) != NOBODY && work_for_others(loop));
}

void weft__wake_worker(weft__worker_t *worker) {
  atom_fence_seq_cst();                /* partner: the fence in weft__idle */
  weft__reactor_ring(worker->reactor); /* a system call only if it sleeps */
}

void weft__wake_all(weft_loop_t *loop) {
  unsigned slots = atom_load(&loop->slots, acquire);
  for (unsigned i = 0; i < slots; i++) weft__reactor_ring(weft__worker_at(loop, i)->reactor);
}

/* ---- relieving a worker ------------------------------------------------------------------------------------------------ */

/* What of a stalled worker's can be served from here: its descriptors and timers. A spare has none. */
static void serve(weft__worker_t *worker, weft__worker_t *stalled) {
  if (weft__worker_is_spare(stalled)) return;
  if (weft__reactor_interest(stalled->reactor) > 0) weft__reactor_poll_other(stalled->reactor);
  if (worker->loop->config.virtual_time) return;
  if (worker->loop->main_strand != NULL)
    weft__strand_run_timers(worker->loop->main_strand);
  else if (weft__timers_next(&stalled->timers) != INT64_MAX)
    weft__timers_expire(&stalled->timers, weft__loop_now(worker->loop));
}

static bool relieve_blocked(weft__worker_t *worker) {
  weft_loop_t *loop = worker->loop;
  unsigned slots = atom_load(&loop->slots, acquire);
  for (unsigned i = 0; i < slots; i++) {
    weft__worker_t *other = weft__worker_at(loop, i);
    if (other == worker || !atom_load(&other->blocked, relaxed)) continue;
    serve(worker, other);
    if (weft__steal(worker, other)) return true;
  }
  return weft__ready_count(worker) > 0;
}

/* ---- searching --------------------------------------------------------------------------------------------------------- */

static void stop_searching(weft__worker_t *worker) {
  worker->searching = false;
  atom_store(&worker->loop->searching, 0, seq_cst);
}

static bool find_work(weft__worker_t *worker) {
  return weft__take_injected(worker) > 0 || weft__steal_any(worker) || weft__background_waits(worker) ||
         (atom_load(&worker->loop->blocked, relaxed) > 0 && relieve_blocked(worker)) || weft__ready_count(worker) > 0 ||
         weft__forks_steal(worker);
}

static bool search(weft__worker_t *worker) {
  weft_loop_t *loop = worker->loop;
  if (!worker->searching) {
    unsigned none = 0;
    if (!atom_cas(&loop->searching, &none, 1, seq_cst, relaxed)) return false;
    worker->searching = true;
  }
  int64_t end = weft__clock_now() + SEARCH_NS;
  bool found;
  do {
    found = find_work(worker);
    for (unsigned i = 0; i < 32 && !found; i++) atom_pause();
  } while (!found && !atom_load(&loop->stopping, relaxed) && (weft__forks_asked(worker) || weft__clock_now() < end));
  stop_searching(worker);
  if (found && work_for_others(loop)) weft__wake_one(loop);
  return found;
}

void weft__found_work(weft__worker_t *worker) {
  stop_searching(worker);
  if (work_for_others(worker->loop)) weft__wake_one(worker->loop);
}

/* ---- the lookout ------------------------------------------------------------------------------------------------------- */

/* More spares than announced sections: one whose help nobody needs may go. */
static bool has_spare_too_many(const weft_loop_t *loop) {
  return weft__spares_active(loop) > atom_load(&loop->blocked, relaxed);
}

/* Looks at everybody once. True: somebody runs. *stalled: one that stood still with entries in its queue: they are taken
 * after the idle bit is cleared, so that nothing is on its way while everybody seems idle. */
static bool look_round(weft__worker_t *worker, weft__worker_t **stalled) {
  weft_loop_t *loop = worker->loop;
  bool running = false, others_get_on = false;
  unsigned slots = atom_load(&loop->slots, acquire);
  for (unsigned i = 0; i < slots; i++) {
    weft__worker_t *other = weft__worker_at(loop, i);
    uint64_t ticks = atom_load(&other->stats.ticks, relaxed);
    bool moved = ticks != worker->sampled[i], idle = bit_is_set(loop, i);
    bool blocked = atom_load(&other->blocked, relaxed);
    worker->sampled[i] = ticks;
    if (other == worker || !atom_load(&other->active, relaxed)) continue;
    if (!weft__worker_is_spare(other) && !blocked && (idle || moved)) others_get_on = true;
    if (idle) continue;
    running = true;
    if (*stalled == NULL && weft__forks_worth_a_look(worker, other)) *stalled = other; /* the search comes first */
    if (moved && !blocked) continue;
    worker->sees_stalled = true;
    serve(worker, other);
    /* Nobody else can run those: rule 12, where a tree of forks keeps it busy. */
    if (atom_load(&other->pinned_count, relaxed) > 0) weft__forks_ask_turn(other);
    if (*stalled == NULL && weft__stealable_count(other) > 0) *stalled = other;
  }
  if (weft__worker_is_spare(worker) && others_get_on && has_spare_too_many(loop)) worker->redundant = true;
  return running;
}

void weft__look_around(weft__worker_t *worker) {
  int64_t now = weft__clock_now();
  if (!worker->sees_stalled && now - worker->looked_at < LOOK_AROUND_NS) return;
  worker->looked_at = now;
  worker->sees_stalled = false; /* look_round knows better */
  weft__worker_t *stalled = NULL;
  look_round(worker, &stalled);
  if (stalled != NULL) weft__steal(worker, stalled);
}

/* By whoever leaves. Who gives the role up rings a sleeper, which takes it; but that one may be claimed by a waker at the
 * same time and leave as well. So it too looks, and rings another: either it finds the role free, or its bit was cleared
 * before the role was given up, and then it was not the one that was found. */
static void hand_on_lookout(weft__worker_t *worker) {
  weft_loop_t *loop = worker->loop;
  unsigned lookout = atom_load(&loop->lookout, seq_cst);
  if (lookout == worker->index + 1) {
    atom_store(&loop->lookout_dozes, false, seq_cst); /* while the role is ours: the next one's word is its own */
    atom_store(&loop->lookout, 0, seq_cst);
  } else if (lookout != 0) {
    return;
  }
  unsigned next = find_idle(loop);
  if (next != NOBODY) weft__reactor_ring(weft__worker_at(loop, next)->reactor);
}

static void wake_dozing_lookout(weft_loop_t *loop) {
  bool dozes = true;
  if (!atom_load(&loop->lookout_dozes, seq_cst) ||
      /* partner: the doze's look at idle_count */ !atom_cas(&loop->lookout_dozes, &dozes, false, seq_cst, relaxed))
    return;
  unsigned lookout = atom_load(&loop->lookout, relaxed);
  if (lookout != 0) weft__reactor_ring(weft__worker_at(loop, lookout - 1)->reactor);
}

void weft__relieve_all(weft__worker_t *worker) {
  weft_loop_t *loop = worker->loop;
  wake_dozing_lookout(loop); /* somebody runs now */
  worker->looked_at = weft__clock_now();
  unsigned slots = atom_load(&loop->slots, acquire);
  for (unsigned i = 0; i < slots; i++) {
    weft__worker_t *other = weft__worker_at(loop, i);
    worker->sampled[i] = atom_load(&other->stats.ticks, relaxed);
    if (other == worker || bit_is_set(loop, i) || !atom_load(&other->active, relaxed)) continue;
    serve(worker, other);
    weft__steal(worker, other);
  }
}

/* ---- virtual time ------------------------------------------------------------------------------------------------------ */

/* Also what stands alone at an idle worker: one that jumped has queued what its timers fired before its bit is cleared. It
 * did so under jump_lock, which orders it before our look. */
static bool nothing_ready(const weft_loop_t *loop) {
  for (unsigned i = 0; i < loop->worker_count; i++)
    if (weft__ready_count(&loop->workers[i]) > 0) return false;
  return atom_load(&loop->inject_count, relaxed) == 0 && atom_load(&loop->forks_listed, relaxed) == 0 &&
         atom_load(&loop->background_count, relaxed) == 0;
}

/* The count is taken down after the bit: between the two a claimed worker may run already. */
static bool everybody_idle(const weft_loop_t *loop) {
  if (atom_load(&loop->idle_count, seq_cst) != loop->worker_count) return false;
  for (unsigned i = 0; i < loop->worker_count; i++)
    if (!bit_is_set(loop, i)) return false;
  return true;
}

/* What can be read now comes before the clock moves. (What is still on its way through the kernel, or through another
 * worker's poll, does not hold the clock: see weft_config_t.virtual_time.) */
static void poll_everybody(weft__worker_t *worker) {
  weft_loop_t *loop = worker->loop;
  for (unsigned i = 0; i < loop->worker_count; i++) {
    weft__worker_t *other = &loop->workers[i];
    if (other != worker && weft__reactor_interest(other->reactor) > 0) weft__reactor_poll_other(other->reactor);
  }
}

/* Moves the clock to the next timer if nothing can run and nobody outside is awaited. True: something may be ready now. */
static bool jump(weft__worker_t *worker) {
  weft_loop_t *loop = worker->loop;
  weft__spin_lock(&loop->jump_lock); /* not try: who holds it may have found us awake, and we may be the last to look */
  bool ready = false;
  if (everybody_idle(loop) && nothing_ready(loop) && atom_load(&loop->external, acquire) == 0) {
    poll_everybody(worker);
    int64_t next = weft__timers_next(weft__timers_of(loop));
    ready = weft__ready_count(worker) > 0;
    if (!ready && everybody_idle(loop) && nothing_ready(loop) && next != INT64_MAX) {
      if (next > atom_load(&loop->virtual_now, relaxed)) atom_store(&loop->virtual_now, next, relaxed);
      weft__run_timers(worker);
      ready = true;
    }
  }
  weft__spin_unlock(&loop->jump_lock);
  return ready;
}

/* ---- sleeping ---------------------------------------------------------------------------------------------------------- */

static void count_park(weft__worker_t *worker) {
  atom_store(&worker->stats.parks, atom_load(&worker->stats.parks, relaxed) + 1, relaxed);
}

static int64_t shorter(int64_t a, int64_t b) { return a < 0 ? b : b < 0 ? a : a < b ? a : b; }

static int64_t until_timer(weft__worker_t *worker) {
  weft_loop_t *loop = worker->loop;
  weft__timers_t *timers = weft__timers_of(loop);
  if (loop->config.virtual_time || (timers != &worker->timers && worker->index != 0)) return -1;
  int64_t next = weft__timers_next(timers);
  if (next == INT64_MAX) return -1;
  int64_t left = next - weft__loop_now(loop);
  /* Due, but the strand runs: its runner looks between passes; if it ends before the next pass, we look again. */
  if (left <= 0 && loop->main_strand != NULL && weft__strand_is_active(loop->main_strand)) return LOOKOUT_NS;
  return left > 0 ? left : 0;
}

static bool must_wake(weft__worker_t *worker) {
  return atom_load(&worker->loop->stopping, acquire) || atom_load(&worker->loop->signalled, relaxed) ||
         weft__work_anywhere(worker->loop) || weft__ready_count(worker) > 0 || weft__background_waits(worker) ||
         until_timer(worker) == 0;
}

/* The worker whose queue is to be taken over, or NULL. */
static weft__worker_t *sleep_shared(weft__worker_t *worker) {
  weft_loop_t *loop = worker->loop;
  unsigned quiet = 0;
  weft__worker_t *stalled = NULL;
  while (bit_is_set(loop, worker->index) && stalled == NULL && !worker->redundant && !must_wake(worker)) {
    if (loop->config.virtual_time && atom_load(&loop->idle_count, seq_cst) == loop->worker_count) {
      weft__worker_poll(worker, 0);
      if (weft__ready_count(worker) > 0 || jump(worker)) break;
      if (!bit_is_set(loop, worker->index) || must_wake(worker))
        break; /* that poll may have taken the ring that says so */
    }
    unsigned nobody = 0;
    bool lookout = atom_load(&loop->lookout, seq_cst) == worker->index + 1 ||
                   atom_cas(&loop->lookout, &nobody, worker->index + 1, seq_cst, seq_cst);
    if (!lookout && weft__worker_is_spare(worker) && has_spare_too_many(loop)) {
      worker->redundant = true; /* whoever is lookout needs no help */
      break;
    }
    int64_t limit = until_timer(worker);
    if (lookout && quiet < DOZE_ROUNDS) {
      limit = shorter(limit, LOOKOUT_NS);
    } else if (lookout) {
      atom_store(&loop->lookout_dozes, true, seq_cst);
      if (atom_load(&loop->idle_count, seq_cst) !=
          atom_load(&loop->active, seq_cst)) { /* partner: wake_dozing_lookout's look */
        atom_store(&loop->lookout_dozes, false, seq_cst);
        quiet = 0;
        continue;
      }
    }
    weft__worker_poll(worker, limit);
    if (lookout) {
      if (quiet >= DOZE_ROUNDS && !atom_load(&loop->lookout_dozes, seq_cst)) quiet = 0; /* woken from the doze */
      quiet = look_round(worker, &stalled) ? 0 : quiet + 1;
    }
  }
  return stalled;
}

void weft__idle(weft__worker_t *worker) {
  weft_loop_t *loop = worker->loop;
  if (search(worker) || must_wake(worker)) return;
  count_park(worker);
  bit_set(loop, worker->index);
  atom_fence_seq_cst(); /* partner: the fence in weft__wake_one */
  weft__worker_t *stalled = sleep_shared(worker);
  if (!bit_clear(loop, worker->index)) worker->searching = true; /* a waker claimed us, and set `searching` for us */
  if (stalled != NULL) weft__steal(worker, stalled);
  hand_on_lookout(worker);
  wake_dozing_lookout(loop);
  if (atom_load(&loop->idle_count, seq_cst) == 0) weft__monitor_wake(loop); /* partner: its look at idle_count */
}

void weft__sleep_alone(weft__worker_t *worker) {
  weft_loop_t *loop = worker->loop;
  count_park(worker);
  if (!loop->config.virtual_time) {
    int64_t next = weft__timers_next(&worker->timers);
    int64_t left = next == INT64_MAX ? -1 : next - weft__clock_now();
    weft__worker_poll(worker, next != INT64_MAX && left < 0 ? 0 : left);
    return;
  }
  if (weft__worker_poll(worker, 0) > 0 || weft__ready_count(worker) > 0 || weft__background_waits(worker) ||
      atom_load(&loop->inject_count, relaxed) > 0 || atom_load(&loop->stopping, acquire))
    return;
  /* Read after the poll, which may have taken the ring of whoever armed a timer or stopped the loop from outside. */
  int64_t next = weft__timers_next(&worker->timers);
  if (next == INT64_MAX || atom_load(&loop->external, acquire) > 0)
    weft__worker_poll(worker, -1);
  else if (next > atom_load(&loop->virtual_now, relaxed))
    atom_store(&loop->virtual_now, next, relaxed);
}
