/* model_idle.c: searching, parking, waking and the lookout (runtime/sched/idle.c), with the queues that they look at
 * (sched/ready.c: ring, newest entry, injection) and the doorbell (loop/bell.h).
 *
 * Workers run a loop of a few lines in the place of worker.c's. A task is a function called there; one that waits for
 * another holds its worker meanwhile, as a long computation does. Time passes only when nobody can do anything else, and
 * then the sleeps that have a limit end: so what is not woken, and not looked after within a few periods, stays undone.
 * ctest: timeout=300 */
#include <string.h>

#include "base/clock.h"
#include "loop/bell.h"
#include "model/model.h"
#include "sched/loop.h"
#include "sched/strand.h"
/* A searcher looks for a certain time, here once. */
#undef atom_pause
#define atom_pause() ((void)0)
#include "lockfree/ring.c"
#include "sched/idle.c"
#include "sched/ready.c"

enum { WORKERS = 4, ITEMS = 4, FOREIGN = -1 };

struct weft__reactor {
  weft__bell_t bell;
  _Atomic(unsigned) written; /* the bell's descriptor */
};

typedef struct model_item {
  weft__item_t item; /* first */
  _Atomic(unsigned) ran;
  unsigned payload;
} model_item_t;

static weft_loop_t loop;
static weft__worker_t workers[WORKERS];
static weft__reactor_t reactors[WORKERS];
static model_item_t items[ITEMS];
static bool timers_tick; /* a limited sleep may end by itself */
static int64_t now[MODEL_THREADS];
static bool polled[MODEL_THREADS];

/* ---- what they stand on ------------------------------------------------------------------------------------------------ */

weft__worker_t *weft__worker(void) { return model_self() < loop.worker_count ? &workers[model_self()] : NULL; }
int64_t weft__clock_now(void) { return now[model_self()] += SEARCH_NS; }
int64_t weft__loop_now(weft_loop_t *of) {
  (void)of;
  return weft__clock_now();
}
weft__timers_t *weft__timers_of(weft_loop_t *of) { return &of->workers[0].timers; }
int64_t weft__timers_next(const weft__timers_t *timers) {
  (void)timers;
  return INT64_MAX;
}
size_t weft__timers_expire(weft__timers_t *timers, int64_t until) {
  (void)timers;
  (void)until;
  return 0;
}

void weft__reactor_ring(weft__reactor_t *reactor) {
  if (weft__bell_ring(&reactor->bell)) atom_xchg(&reactor->written, 1, seq_cst);
}
int weft__reactor_poll(weft__reactor_t *reactor, int64_t timeout) {
  polled[model_self()] = true;
  if (timeout != 0 && weft__bell_lie_down(&reactor->bell)) {
    model_note(timeout < 0 ? "sleeps" : "sleeps for a while");
    model_forget();
    while (atom_load(&reactor->written, acquire) == 0) {
      if (timeout < 0 || !timers_tick)
        model_pause();
      else if (!model_pause_or_tick())
        break;
    }
    atom_xchg(&reactor->written, 0, seq_cst);
  }
  weft__bell_get_up(&reactor->bell);
  return 0;
}
int weft__reactor_poll_other(weft__reactor_t *reactor) {
  (void)reactor;
  return 0;
}
unsigned weft__reactor_interest(const weft__reactor_t *reactor) {
  (void)reactor;
  return 0;
}

void weft__run_timers(weft__worker_t *worker) { (void)worker; }
void weft__registry_take_in(weft_loop_t *of, weft__item_t *item) {
  (void)of;
  (void)item;
}
bool weft__loop_refuses_tasks(const weft_loop_t *of) {
  (void)of;
  return false;
}
bool weft__strand_moves(const weft_strand_t *strand) { return strand != NULL; }
bool weft__strand_runs_item(const weft__item_t *item) {
  (void)item;
  return false;
}
void weft__strand_push(weft_strand_t *strand, weft__item_t *item, bool hop) {
  model_fail("strand %p %p %d", (void *)strand, (void *)item, hop);
}
void weft__strand_drop(weft_strand_t *strand) { (void)strand; }
void weft__strand_run_timers(weft_strand_t *strand) { (void)strand; }
bool weft__strand_is_active(weft_strand_t *strand) {
  (void)strand;
  return false;
}
void weft_future_unref(weft_future_t *future) { model_fail("no futures here: %p", (void *)future); }
unsigned weft__spares_active(const weft_loop_t *of) {
  (void)of;
  return 0;
}
void weft__monitor_wake(weft_loop_t *of) { (void)of; }
void weft__background_push(weft_loop_t *of, weft__item_t *item) { (void)of, (void)item; }
bool weft__background_waits(const weft__worker_t *worker) {
  (void)worker;
  return false;
}
bool weft__forks_steal(weft__worker_t *thief) { /* model_fork.c has forks */
  (void)thief;
  return false;
}
void weft__forks_ask_turn(weft__worker_t *worker) { (void)worker; } /* no tree runs here */
bool weft__forks_worth_a_look(weft__worker_t *lookout, const weft__worker_t *other) {
  (void)lookout;
  (void)other;
  return false;
}

/* ---- workers ------------------------------------------------------------------------------------------------------------- */

static void open_loop(unsigned count) {
  memset(&loop, 0, sizeof loop);
  memset(workers, 0, sizeof workers);
  memset(reactors, 0, sizeof reactors);
  memset(items, 0, sizeof items);
  loop.workers = workers;
  loop.worker_count = count;
  atom_init(&loop.slots, count);
  atom_init(&loop.active, count);
  weft__list_init(&loop.injected);
  for (unsigned i = 0; i < count; i++) {
    weft__worker_t *worker = &workers[i];
    worker->loop = &loop;
    worker->index = i;
    worker->home = worker;
    worker->random = i + 1;
    worker->reactor = &reactors[i];
    atom_init(&worker->active, true);
    weft__list_init(&worker->pinned);
    MODEL_CHECK(weft__ring_init(&worker->ring, 4) == 0);
  }
  memset(now, 0, sizeof now);
  timers_tick = false;
}
static void setup_two(void) { open_loop(2); }
static void setup_two_ticking(void) {
  open_loop(2);
  timers_tick = true;
}
static void setup_three_ticking(void) {
  open_loop(3);
  timers_tick = true;
}

/* For ever: ends when everybody rests. A round that neither slept nor found anything saw somebody in the middle of
 * something: the next one comes when that has moved on. */
static void work(weft__worker_t *worker) {
  for (;;) {
    polled[worker->index] = false;
    weft__take_injected(worker);
    if (weft__ready_count(worker) == 0) weft__idle(worker);
    if (worker->searching && weft__ready_count(worker) > 0) weft__found_work(worker);
    weft__entry_t entry = weft__take(worker);
    if (entry == 0 && !polled[worker->index]) model_pause();
    for (; entry != 0; entry = weft__take(worker)) {
      atom_store(&worker->stats.ticks, atom_load(&worker->stats.ticks, relaxed) + 1, relaxed);
      weft__item_t *item = (weft__item_t *)entry;
      item->run(item);
    }
  }
}

static void count_run(weft__item_t *item) {
  model_item_t *self = (model_item_t *)item;
  MODEL_CHECK(self->payload == 7); /* seen as it was pushed */
  self->payload = 0;
  MODEL_CHECK(atom_xchg(&self->ran, 1, acq_rel) == 0);
}
/* Holds its worker until the next item has run. */
static void run_and_wait(weft__item_t *item) {
  count_run(item);
  model_sleep_while(&((model_item_t *)item + 1)->ran, 0);
}

static void submit(unsigned i, void (*run)(weft__item_t *item)) {
  items[i].payload = 7;
  items[i].item.run = run;
  weft__link_init(&items[i].item.link);
  weft__schedule_entry(&loop, &items[i].item, false, false);
}

static void check_all_ran(void) {
  for (unsigned i = 0; i < ITEMS; i++)
    if (items[i].item.run != NULL && atom_load(&items[i].ran, relaxed) != 1) model_fail("item %u was not run", i);
}

/* ---- a busy worker pushes ------------------------------------------------------------------------------------------------- */

/* Two entries: the older one is in the ring, for whoever is free; the worker itself computes until it has run. */
static void run_push(unsigned index) {
  if (index == 0) {
    submit(0, count_run);
    submit(1, count_run);
    model_sleep_while(&items[0].ran, 0);
  }
  work(&workers[index]);
}

/* ---- foreign threads submit ------------------------------------------------------------------------------------------------ */

static void run_submit(unsigned index) {
  if (index < loop.worker_count)
    work(&workers[index]);
  else
    submit(index - loop.worker_count, count_run);
}

/* The first item, once it runs, needs the second one to run elsewhere: both may have gone to one worker, and then the
 * lookout comes. */
static void run_inject(unsigned index) {
  if (index < loop.worker_count)
    work(&workers[index]);
  else if (index == loop.worker_count)
    submit(0, run_and_wait);
  else
    submit(1, count_run);
}

/* ---- pinned work ------------------------------------------------------------------------------------------------------------ */

static void run_pinned(unsigned index) {
  if (index < loop.worker_count) {
    work(&workers[index]);
  } else {
    items[0].payload = 7;
    items[0].item.run = count_run;
    push_pinned(&workers[0], &items[0].item);
  }
}

/* ---- the lookout ------------------------------------------------------------------------------------------------------------ */

/* A lone newest entry behind a task that does not end: nobody was woken for it. */
static void run_hostage(unsigned index) {
  if (index == 0) {
    submit(0, count_run);
    model_sleep_while(&items[0].ran, 0);
  }
  work(&workers[index]);
}

/* The lookout takes such an entry and is held by it in its turn: the role has gone on to the third. */
static void push_and_wait(weft__item_t *item) {
  count_run(item);
  submit(1, count_run);
  model_sleep_while(&items[1].ran, 0);
}
static void run_chain(unsigned index) {
  if (index == 0) {
    submit(0, push_and_wait);
    model_sleep_while(&items[0].ran, 0);
    model_sleep_while(&items[1].ran, 0);
  }
  work(&workers[index]);
}

/* Everybody sleeps, the lookout perhaps without limit, when the entry comes from outside; whoever runs it needs another. */
static void run_from_outside(unsigned index) {
  if (index < loop.worker_count) {
    work(&workers[index]);
  } else {
    model_forget();
    (void)model_pause_or_tick();
    submit(0, push_and_wait);
  }
}

/* The chain again, while a foreign thread claims a sleeper: perhaps the very one that the lookout hands its role to. There
 * is a fourth worker, and it has to hear of it. */
static void wait_for_second(weft__item_t *item) {
  count_run(item);
  model_sleep_while(&items[1].ran, 0);
}
static void run_hand_over(unsigned index) {
  if (index < loop.worker_count)
    run_chain(index);
  else
    submit(2, wait_for_second);
}
static void setup_four_ticking(void) {
  open_loop(4);
  timers_tick = true;
}

const model_scenario_t model_scenarios[] = {
    {.name = "idle.push",
     .property = "no lost wake-up: what a busy worker pushes is run by a sleeper, without the lookout",
     .threads = 2,
     .setup = setup_two,
     .run = run_push,
     .check = check_all_ran,
     .may_rest = true,
     .bound = 2},
    {.name = "idle.submit",
     .property = "no lost wake-up: foreign submits are run, without the lookout",
     .threads = 4,
     .setup = setup_two,
     .run = run_submit,
     .check = check_all_ran,
     .may_rest = true,
     .bound = 1},
    {.name = "idle.inject",
     .property = "no lost wake-up: two foreign submits get two workers out of bed",
     .threads = 4,
     .setup = setup_two_ticking,
     .run = run_inject,
     .check = check_all_ran,
     .may_rest = true,
     .bound = 1},
    {.name = "idle.pinned",
     .property = "pinned work wakes its worker",
     .threads = 3,
     .setup = setup_two,
     .run = run_pinned,
     .check = check_all_ran,
     .may_rest = true,
     .bound = 2},
    {.name = "idle.hostage",
     .property = "rule 13: the lookout takes what a stalled worker has",
     .threads = 2,
     .setup = setup_two_ticking,
     .run = run_hostage,
     .check = check_all_ran,
     .may_rest = true,
     .bound = 2},
    {.name = "idle.chain",
     .property = "a lookout that leaves hands its role on",
     .threads = 3,
     .setup = setup_three_ticking,
     .run = run_chain,
     .check = check_all_ran,
     .may_rest = true,
     .bound = 1},
    {.name = "idle.outside",
     .property = "the first to stop being idle wakes a dozing lookout",
     .threads = 3,
     .setup = setup_two_ticking,
     .run = run_from_outside,
     .check = check_all_ran,
     .may_rest = true,
     .bound = 1},
    {.name = "idle.hand_over",
     .property = "a hand-over that meets a wake-up loses neither",
     .threads = 5,
     .setup = setup_four_ticking,
     .run = run_hand_over,
     .check = check_all_ran,
     .may_rest = true,
     .bound = -1,
     .random = 40000},
    {.name = NULL},
};
