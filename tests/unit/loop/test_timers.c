/* Timers: order, cancellation, and that nobody touches a node once it fired. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/threads.h"
#include "loop/timers.h"

static long scaled(long n) {
  const char *scale = getenv("WEFT_TEST_SCALE");
  double scaled = (double)n * (scale != NULL ? atof(scale) : 1);
  return scaled < 10 ? 10 : (long)scaled;
}

static uint64_t seed = 88172645463325252u;
static uint64_t draw(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  return seed ^= seed << 17;
}

/* ---- against a plain list ---- */

enum { NODES = 300, POISON = 0xA5 };
struct node {
  weft__timer_t timer;
  int64_t deadline; /* the reference's copy */
  uint64_t seq;
  bool pending, fired;
  int order;
};
static struct node nodes[NODES];
static int fired_count;

static void note_fire(weft__timer_t *timer) {
  struct node *node = (struct node *)timer;
  node->fired = true;
  node->order = fired_count++;
  memset(timer, POISON, sizeof *timer); /* whoever looks at it after this is lost, and whoever writes is found out */
}

static int64_t reference_next(void) {
  int64_t next = INT64_MAX;
  for (int i = 0; i < NODES; i++)
    if (nodes[i].pending && nodes[i].deadline < next) next = nodes[i].deadline;
  return next;
}

static int compare_nodes(const void *a, const void *b) {
  const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;
  if (x->deadline != y->deadline) return x->deadline < y->deadline ? -1 : 1;
  return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static void expire_and_compare(weft__timers_t *timers, int64_t now) {
  struct node *due[NODES];
  int n = 0;
  for (int i = 0; i < NODES; i++)
    if (nodes[i].pending && nodes[i].deadline <= now) due[n++] = &nodes[i];
  qsort(due, (size_t)n, sizeof due[0], compare_nodes);
  fired_count = 0;
  assert_int_equal(weft__timers_expire(timers, now), n);
  for (int i = 0; i < n; i++) {
    assert_true(due[i]->fired);
    assert_int_equal(due[i]->order, i);
    for (size_t k = 0; k < sizeof due[i]->timer; k++) assert_int_equal(((unsigned char *)&due[i]->timer)[k], POISON);
    due[i]->pending = due[i]->fired = false;
    weft__timer_init(&due[i]->timer);
  }
  for (int i = 0; i < NODES; i++) assert_false(nodes[i].fired);
}

/* used: of the nodes, so that the timers are few or many; scales: how far apart deadlines lie, as powers of two of ns. */
static void operate_at_random(int used, const unsigned scales[], unsigned scale_count) {
  weft__timers_t timers;
  weft__timers_init(&timers);
  memset(nodes, 0, sizeof nodes);
  int64_t now = 0;
  uint64_t seq = 0;
  for (long step = scaled(60000); step > 0; step--) {
    struct node *node = &nodes[draw() % (unsigned)used];
    unsigned what = (unsigned)(draw() % 100), scale = scales[draw() % scale_count];
    int64_t unit = INT64_C(1) << scale;
    if (what < 2) {
      now += (int64_t)(draw() % 40) * unit + (int64_t)(draw() % 3);
      expire_and_compare(&timers, now);
    } else if (node->pending) {
      if (what < 30) {
        assert_true(weft__timers_remove(&node->timer));
        assert_false(weft__timers_remove(&node->timer));
        node->pending = false;
      }
    } else {
      node->deadline = now + ((int64_t)(draw() % 60) - 5) * unit; /* few values: many equal ones; some past */
      node->seq = seq++;
      int64_t old = reference_next();
      bool earliest = weft__timers_add(&timers, &node->timer, node->deadline, note_fire);
      assert_int_equal(earliest, node->deadline < old);
      node->pending = true;
    }
    if (what % 10 == 0) assert_int_equal(weft__timers_next(&timers), reference_next());
  }
  expire_and_compare(&timers, INT64_MAX);
  assert_int_equal(weft__timers_next(&timers), INT64_MAX);
  weft__timers_destroy(&timers);
}

static void random_operations(void **state) {
  (void)state;
  static const unsigned scales[] = {0, 14, 20, 24, 29, 36, 40, 44}; /* from one slot to beyond the wheel */
  for (int used = 3; used <= NODES; used *= 10) {
    for (unsigned i = 0; i < sizeof scales / sizeof scales[0]; i++) operate_at_random(used, &scales[i], 1);
    operate_at_random(used, scales, sizeof scales / sizeof scales[0]);
    operate_at_random(used, scales, 4);
  }
}

static void equal_deadlines_fire_in_order_of_adding(void **state) {
  (void)state;
  weft__timers_t timers;
  weft__timers_init(&timers);
  memset(nodes, 0, sizeof nodes);
  for (int i = 0; i < NODES; i++) weft__timers_add(&timers, &nodes[i].timer, 7, note_fire);
  for (int i = 0; i < NODES; i += 3) assert_true(weft__timers_remove(&nodes[i].timer));
  assert_int_equal(weft__timers_expire(&timers, 6), 0);
  fired_count = 0;
  assert_int_equal(weft__timers_expire(&timers, 7), NODES - NODES / 3);
  int last = -1;
  for (int i = 0; i < NODES; i++) {
    assert_int_equal(nodes[i].fired, i % 3 != 0);
    if (!nodes[i].fired) continue;
    assert_int_equal(nodes[i].order, last + 1);
    last = nodes[i].order;
  }
  weft__timers_destroy(&timers);
}

static void nanoseconds_count(void **state) {
  (void)state;
  weft__timers_t timers;
  weft__timers_init(&timers);
  memset(nodes, 0, sizeof nodes);
  weft__timers_add(&timers, &nodes[0].timer, 1000000001, note_fire);
  weft__timers_add(&timers, &nodes[1].timer, 1000000000, note_fire);
  fired_count = 0;
  assert_int_equal(weft__timers_expire(&timers, 1000000000), 1);
  assert_true(nodes[1].fired && !nodes[0].fired);
  assert_int_equal(weft__timers_expire(&timers, 1000000001), 1);
  weft__timers_destroy(&timers);
}

static void removing_what_was_never_added(void **state) {
  (void)state;
  weft__timer_t timer;
  weft__timer_init(&timer);
  assert_false(weft__timers_remove(&timer));
  weft__timer_t zero = {0};
  assert_false(weft__timers_remove(&zero));
}

/* ---- from other threads ---- */

enum { THREADS = 3 };
static weft__timers_t shared;
static _Atomic(int) racers;
static long fired_total[THREADS], removed_total[THREADS];

struct racer {
  weft__timer_t timer;
  int fires; /* plain: expiry's lock and remove's are all that order it */
};

static void count_fire(weft__timer_t *timer) { weft__container_of(timer, struct racer, timer)->fires++; }

static int run_racer(int self) {
  uint64_t local = (uint64_t)self * 7919 + 1;
  for (long i = scaled(60000); i > 0; i--) {
    struct racer racer; /* on this stack, as a task's would be */
    racer.fires = 0;
    weft__timer_init(&racer.timer);
    local = local * 6364136223846793005u + 1442695040888963407u;
    weft__timers_add(&shared, &racer.timer, weft__clock_now() + (int64_t)(local >> 33) % 20000 - 5000, count_fire);
    for (unsigned spin = (unsigned)(local >> 50) % 400; spin > 0; spin--) atom_pause();
    bool removed = weft__timers_remove(&racer.timer);
    /* Synchronous: from here on nobody else touches racer; the poison proves it to ThreadSanitizer. */
    if (racer.fires + removed != 1) return 1;
    if (removed)
      removed_total[self]++;
    else
      fired_total[self]++;
    memset(&racer, 0x5A, sizeof racer);
  }
  return 0;
}

static int race(void *argument) {
  int rc = run_racer((int)(intptr_t)argument);
  atom_sub(&racers, 1, release);
  return rc;
}

static void fires_or_is_removed_never_both(void **state) {
  (void)state;
  weft__timers_init(&shared);
  weft__thread_t threads[THREADS];
  atom_store(&racers, THREADS, relaxed);
  for (int i = 0; i < THREADS; i++)
    assert_int_equal(weft__thread_start(&threads[i], race, (void *)(intptr_t)i, "racer"), 0);
  size_t expired = 0;
  while (atom_load(&racers, acquire) > 0) {
    size_t n = weft__timers_expire(&shared, weft__clock_now());
    expired += n;
    if (n == 0) sched_yield();
  }
  long fired = 0, removed = 0;
  for (int i = 0; i < THREADS; i++) {
    assert_int_equal(weft__thread_join(threads[i]), 0);
    fired += fired_total[i];
    removed += removed_total[i];
  }
  assert_int_equal(fired, (long)expired);
  assert_int_equal(fired + removed, THREADS * scaled(60000));
  assert_true(removed > 0); /* else nothing raced */
  weft__timers_destroy(&shared);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_operations),
      cmocka_unit_test(equal_deadlines_fire_in_order_of_adding),
      cmocka_unit_test(nanoseconds_count),
      cmocka_unit_test(removing_what_was_never_added),
      cmocka_unit_test(fires_or_is_removed_never_both),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
