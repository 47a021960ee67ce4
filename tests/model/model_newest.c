/* model_newest.c: a worker's queue (runtime/sched/ready.c): the ring and, behind it, the newest entry; injection; thieves. */
#include <string.h>

#include "lockfree/ring.c"
#include "model/model.h"
#include "sched/loop.h"
#include "sched/ready.c"
#include "sched/strand.h"

enum { WORKERS = 2, ITEMS = 6 };

typedef struct model_item {
  weft__item_t item; /* first */
  unsigned payload, ran;
} model_item_t;

static weft_loop_t loop;
static weft__worker_t workers[WORKERS];
static model_item_t items[ITEMS];

/* ---- what it stands on ------------------------------------------------------------------------------------------------- */

weft__worker_t *weft__worker(void) { return model_self() < WORKERS ? &workers[model_self()] : NULL; }
void weft__wake_one(weft_loop_t *of) { (void)of; } /* model_idle.c */
void weft__wake_worker(weft__worker_t *worker) { (void)worker; }
void weft__background_push(weft_loop_t *of, weft__item_t *item) {
  model_fail("no background tasks: %p %p", (void *)of, (void *)item);
}
void weft__reactor_ring(weft__reactor_t *reactor) { (void)reactor; }
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
  model_fail("no strands: %p %p %d", (void *)strand, (void *)item, hop);
}
void weft__strand_drop(weft_strand_t *strand) { (void)strand; }
void weft_future_unref(weft_future_t *future) { model_fail("no futures: %p", (void *)future); }

static void setup(void) {
  memset(&loop, 0, sizeof loop);
  memset(workers, 0, sizeof workers);
  memset(items, 0, sizeof items);
  loop.workers = workers;
  loop.worker_count = WORKERS;
  atom_init(&loop.slots, WORKERS);
  weft__list_init(&loop.injected);
  for (unsigned i = 0; i < WORKERS; i++) {
    workers[i].loop = &loop;
    workers[i].index = i;
    workers[i].home = &workers[i];
    workers[i].random = i + 1;
    weft__list_init(&workers[i].pinned);
    MODEL_CHECK(weft__ring_init(&workers[i].ring, 2) == 0);
  }
}

/* ---- queueing and running ------------------------------------------------------------------------------------------------ */

static void run_item(weft__item_t *item) {
  model_item_t *self = (model_item_t *)item; /* nobody else has it: a second runner races, or finds it run */
  MODEL_CHECK(self->payload == 7 && self->ran == 0);
  self->ran = 1;
}
static void submit(unsigned i) {
  items[i].payload = 7;
  items[i].item.run = run_item;
  weft__link_init(&items[i].item.link);
  weft__schedule_entry(&loop, &items[i].item, false, false);
}
static bool take_one(weft__worker_t *worker) {
  weft__entry_t entry = weft__take(worker);
  if (entry != 0) run_item((weft__item_t *)entry);
  return entry != 0;
}
static void take_all(weft__worker_t *worker) {
  while (take_one(worker)) {
  }
}

/* The owner pushes and takes; the other steals, lone newest entries too, as the lookout does. */
static void run_steal(unsigned index) {
  if (index == 0) {
    submit(0);
    submit(1);
    (void)take_one(&workers[0]);
    submit(2);
    (void)take_one(&workers[0]);
  } else {
    for (int i = 0; i < 2; i++)
      if (weft__steal(&workers[1], &workers[0])) take_all(&workers[1]);
  }
}

/* Foreign threads submit; two workers take fair shares. */
static void run_injected(unsigned index) {
  if (index >= WORKERS) {
    submit(index - WORKERS);
    return;
  }
  if (weft__take_injected(&workers[index]) > 0) (void)take_one(&workers[index]);
  if (index == 1 && weft__steal(&workers[1], &workers[0])) take_all(&workers[1]);
}

static void check(void) {
  for (unsigned i = 0; i < WORKERS; i++) { /* what is left is taken now, by nobody else */
    weft__list_t *injected = &loop.injected;
    weft__link_t *link;
    while ((link = weft__list_pop_front(injected)) != NULL) run_item(weft__container_of(link, weft__item_t, link));
    weft__entry_t entry;
    while ((entry = weft__ring_take_alone(&workers[i].ring)) != 0) run_item((weft__item_t *)entry);
    entry = atom_load(&workers[i].newest, relaxed);
    if (entry != 0) run_item((weft__item_t *)entry);
  }
  for (unsigned i = 0; i < ITEMS; i++) MODEL_CHECK(items[i].ran == (items[i].item.run != NULL));
}

const model_scenario_t model_scenarios[] = {
    {.name = "newest.steal",
     .property = "every entry is run once: owner and thief, ring and newest entry",
     .threads = 2,
     .setup = setup,
     .run = run_steal,
     .check = check,
     .bound = 3},
    {.name = "newest.injected",
     .property = "every injected entry is run once",
     .threads = 4,
     .setup = setup,
     .run = run_injected,
     .check = check,
     .bound = 1},
    {.name = NULL},
};
