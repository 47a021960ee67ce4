/* model_ring.c: the ready ring (runtime/lockfree/ring.c): the owner pushes and takes, thieves take half, the array grows. */
#include "lockfree/ring.c"
#include "model/model.h"

enum { ITEMS = 6 };

/* What an entry points to: written before the push, read by whoever takes it. */
typedef struct item {
  unsigned payload, taken;
} item_t;

static weft__ring_t ring;
static item_t items[ITEMS + 1];
static unsigned pushed;

static void setup(size_t capacity) {
  pushed = 0;
  for (unsigned i = 0; i <= ITEMS; i++) items[i] = (item_t){0, 0};
  MODEL_CHECK(weft__ring_init(&ring, capacity) == 0);
}
static void setup_two(void) { setup(2); }
static void setup_four(void) { setup(4); }

static void push(void) {
  item_t *item = &items[++pushed];
  item->payload = pushed;
  MODEL_CHECK(weft__ring_push(&ring, (uintptr_t)item) == 0);
}

/* Nobody else touches an entry that was taken: a second taker is a race here, or finds it taken. */
static void use(uintptr_t entry) {
  item_t *item = (item_t *)entry;
  MODEL_CHECK(item >= &items[1] && item <= &items[ITEMS]);
  MODEL_CHECK(item->payload == (unsigned)(item - items));
  MODEL_CHECK(item->taken == 0);
  item->taken = 1;
}

static void take(void) {
  uintptr_t entry = weft__ring_take(&ring);
  if (entry != 0) use(entry);
}

static void steal(size_t limit) {
  uintptr_t batch[4];
  size_t n = weft__ring_take_half(&ring, batch, limit);
  for (size_t i = 0; i < n; i++) {
    MODEL_CHECK(i == 0 || batch[i] > batch[i - 1]); /* oldest first */
    use(batch[i]);
  }
}

static void every_item_once(void) {
  uintptr_t entry, last = 0;
  while ((entry = weft__ring_take_alone(&ring)) != 0) {
    MODEL_CHECK(entry > last);
    last = entry;
    use(entry);
  }
  for (unsigned i = 1; i <= pushed; i++) MODEL_CHECK(items[i].taken == 1);
  weft__ring_destroy(&ring);
}

static void run_halves(unsigned index) {
  if (index == 0) {
    push();
    push();
    push();
    take();
    push();
    take();
  } else {
    steal(4);
  }
}

/* Two cells, so the third push grows the ring and the fifth does so again, with thieves at work on the old arrays. */
static void run_growth(unsigned index) {
  if (index == 0) {
    push();
    push();
    push();
    take();
    push();
    push();
    push();
  } else {
    steal(2);
    take();
  }
}

/* The ring goes round in two cells that stay two: cells are written again after they were taken. */
static void run_round(unsigned index) {
  if (index == 0) {
    for (int i = 0; i < 4; i++) {
      push();
      take();
    }
  } else {
    take();
    steal(2);
  }
}

const model_scenario_t model_scenarios[] = {
    {.name = "ring.halves",
     .property = "every item once, oldest first, seen whole; two thieves take halves",
     .threads = 3,
     .setup = setup_four,
     .run = run_halves,
     .check = every_item_once,
     .bound = 3},
    {.name = "ring.growth",
     .property = "every item once while the array grows under a thief",
     .threads = 2,
     .setup = setup_two,
     .run = run_growth,
     .check = every_item_once,
     .bound = 3},
    {.name = "ring.round",
     .property = "every item once while cells are used again",
     .threads = 2,
     .setup = setup_two,
     .run = run_round,
     .check = every_item_once,
     .bound = 4},
    {.name = NULL},
};
