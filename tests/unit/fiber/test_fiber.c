/* test_fiber.c: switching, what a suspended computation keeps, room, threads. */
#include "fiber/fiber.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/atomics.h"
#include "base/threads.h"

/* Sizes shrink under slow tools. */
static size_t scaled(size_t n) {
  const char *scale = getenv("WEFT_TEST_SCALE");
  double by = scale != NULL ? strtod(scale, NULL) : 1;
  return by > 0 && by < 1 ? (size_t)((double)n * by) + 1 : n;
}

typedef struct world {
  weft__stack_cache_t cache;
  weft__fiber_t base;
} world_t;

static void enter(world_t *world) {
  weft__stacks_retain();
  weft__stack_cache_init(&world->cache);
  weft__fiber_adopt_thread(&world->base);
}
static void leave(world_t *world) {
  weft__fiber_leave_thread(&world->base);
  weft__stack_cache_flush(&world->cache);
  weft__stacks_release();
}

/* One fiber that talks with the base. */
typedef struct talk {
  world_t world;
  weft__fiber_t *fiber;
  int step;
  bool ok;
  size_t room, size;
} talk_t;

static void to_base(talk_t *talk) { weft__fiber_switch(talk->fiber, &talk->world.base); }
static void to_fiber(talk_t *talk) { weft__fiber_switch(&talk->world.base, talk->fiber); }
static void finish(talk_t *talk) { weft__fiber_switch_final(talk->fiber, &talk->world.base); }

static void start(talk_t *talk, size_t size, void (*entry)(void *)) {
  memset(talk, 0, sizeof *talk);
  enter(&talk->world);
  talk->fiber = weft__fiber_new(&talk->world.cache, size, entry, talk);
  assert_non_null(talk->fiber);
}
static void stop(talk_t *talk) {
  weft__fiber_free(&talk->world.cache, talk->fiber);
  leave(&talk->world);
}

static void count_steps(void *arg) {
  talk_t *talk = arg;
  for (int i = 0; i < 10; i++) {
    talk->step++;
    to_base(talk);
  }
  talk->step = 100;
  finish(talk);
}

static void test_back_and_forth(void **state) {
  (void)state;
  talk_t talk;
  start(&talk, 1, count_steps);
  for (int i = 1; i <= 10; i++) {
    assert_int_equal(talk.step, i - 1);
    to_fiber(&talk);
    assert_int_equal(talk.step, i);
  }
  to_fiber(&talk);
  assert_int_equal(talk.step, 100);
  stop(&talk);
}

/* Values that a compiler likes to keep in registers, integer and floating, live across switches on both sides. */
static void keep_registers(void *arg) {
  talk_t *talk = arg;
  long a = talk->step + 1, b = a * 3, c = b * 5, d = c * 7, e = d * 11, f = e * 13, g = f * 17, h = g * 19;
  double p = (double)a / 3, q = (double)b / 7, r = (double)c / 11;
  for (int i = 0; i < 100; i++) {
    to_base(talk);
    talk->ok = talk->ok && b == a * 3 && c == b * 5 && d == c * 7 && e == d * 11 && f == e * 13 && g == f * 17 &&
               h == g * 19 && p == (double)a / 3 && q == (double)b / 7 && r == (double)c / 11;
  }
  finish(talk);
}

static void test_registers(void **state) {
  (void)state;
  talk_t talk;
  start(&talk, 1, keep_registers);
  talk.ok = true;
  talk.step = rand() % 100;
  long a = rand(), b = a ^ 0x1234, c = b ^ 0x5678, d = c ^ 0x9abc, e = d ^ 0xdef0, f = e ^ 0x1357, g = f ^ 0x2468;
  long double wide = (long double)a / 3;
  for (int i = 0; i < 101; i++) {
    to_fiber(&talk);
    assert_true(b == (a ^ 0x1234) && c == (b ^ 0x5678) && d == (c ^ 0x9abc) && e == (d ^ 0xdef0) && f == (e ^ 0x1357) &&
                g == (f ^ 0x2468) && wide == (long double)a / 3);
  }
  assert_true(talk.ok);
  stop(&talk);
}

/* Every fiber fills arrays on its stack, is suspended at a depth of its own many times, switching to others at random,
 * and finds everything as it left it. */
enum { MANY = 1000, WORDS = 40, PASSES = 8 };
static struct {
  world_t world;
  weft__fiber_t *fibers[MANY];
  bool ended[MANY];
  size_t count, wrong, switches;
  uint32_t random;
} many;

static weft__fiber_t *somebody_else(size_t me) {
  many.random = many.random * 1664525 + 1013904223;
  size_t other = (many.random >> 8) % many.count;
  many.switches++;
  return other == me || many.ended[other] ? &many.world.base : many.fibers[other];
}

static uint32_t word(size_t me, unsigned depth, size_t i) { return (uint32_t)(me * 1000003 + depth * 97 + i); }

static WEFT__NOINLINE void descend(size_t me, unsigned depth) {
  volatile uint32_t words[WORDS];
  for (size_t i = 0; i < WORDS; i++) words[i] = word(me, depth, i);
  if (depth != 0)
    descend(me, depth - 1);
  else
    for (int pass = 0; pass < PASSES; pass++) weft__fiber_switch(many.fibers[me], somebody_else(me));
  for (size_t i = 0; i < WORDS; i++) many.wrong += words[i] != word(me, depth, i);
}

static void live(void *arg) {
  size_t me = (size_t)(uintptr_t)arg;
  descend(me, (unsigned)(me % 20));
  many.ended[me] = true;
  weft__fiber_switch_final(many.fibers[me], &many.world.base);
}

static void test_many(void **state) {
  (void)state;
  memset(&many, 0, sizeof many);
  many.count = scaled(MANY);
  enter(&many.world);
  for (size_t i = 0; i < many.count; i++) {
    many.fibers[i] = weft__fiber_new(&many.world.cache, 0, live, (void *)(uintptr_t)i);
    assert_non_null(many.fibers[i]);
  }
  for (size_t i = 0; i < many.count; i++)
    while (!many.ended[i]) weft__fiber_switch(&many.world.base, many.fibers[i]);
  assert_int_equal(many.wrong, 0);
  assert_int_equal(many.switches, many.count * PASSES);
  for (size_t i = 0; i < many.count; i++) weft__fiber_free(&many.world.cache, many.fibers[i]);
  leave(&many.world);
}

/* ---- room ---- */

static size_t room_below(talk_t *talk, int depth, size_t *least);
static size_t (*volatile call_room_below)(talk_t *, int, size_t *) = room_below; /* a frame for each */

static size_t room_below(talk_t *talk, int depth, size_t *least) {
  volatile char padding[1000];
  padding[depth * 40] = (char)depth; /* all of it must be there */
  size_t room = weft__fiber_room(talk->fiber);
  if (room < *least) *least = room;
  return depth == 0 ? room : call_room_below(talk, depth - 1, least) + (size_t)padding[depth * 40] - (size_t)depth;
}

static void measure_room(void *arg) {
  talk_t *talk = arg;
  talk->size = talk->fiber->size;
  talk->room = weft__fiber_room(talk->fiber);
  size_t least = SIZE_MAX, deep = call_room_below(talk, 20, &least);
  /* Twenty frames of at least 1000 bytes lie between the two. */
  talk->ok = deep == least && talk->room - deep >= 20000 && talk->room - deep < talk->size;
  finish(talk);
}

static void test_room(void **state) {
  (void)state;
  static const size_t sizes[] = {0, 1, 64 * 1024, WEFT__FIBER_DEFAULT_USABLE, WEFT__FIBER_DEFAULT_USABLE + 1, 1 << 20};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    talk_t talk;
    start(&talk, sizes[i], measure_room);
    to_fiber(&talk);
    assert_true(talk.size >= sizes[i]);
    assert_true(talk.size >= WEFT__FIBER_DEFAULT_USABLE);
    assert_true(talk.room < talk.size);
    assert_true(talk.size - talk.room < 8192);
    assert_true(talk.ok);
    stop(&talk);
  }
}

static void test_room_of_a_thread(void **state) {
  (void)state;
  weft__fiber_t base;
  weft__fiber_adopt_thread(&base);
  size_t room = weft__fiber_room(&base);
  assert_true(room > 4096);
  assert_true(room < base.size);
  assert_true((char *)__builtin_frame_address(0) < base.stack_high);
  weft__fiber_leave_thread(&base);
}

/* ---- what is promised of the stack can be used to the last byte ---- */

#if defined WEFT__ASAN || defined WEFT__TSAN || defined WEFT_CONTEXT_UCONTEXT
enum { SPARE = 16 * 1024 }; /* the switch is a call into a library there */
#else
enum { SPARE = 1024 };
#endif

static WEFT__NOINLINE void fill_stack(talk_t *talk) {
  char *low = talk->fiber->stack_low;
  size_t bytes = weft__fiber_room(talk->fiber) - SPARE;
  for (size_t i = 0; i < bytes; i += 64) ((volatile char *)low)[i] = (char)(i / 64);
  to_base(talk);
  for (size_t i = 0; i < bytes; i += 64) talk->ok = talk->ok && ((volatile char *)low)[i] == (char)(i / 64);
}
static void use_all(void *arg) {
  talk_t *talk = arg;
  talk->ok = true;
  fill_stack(talk);
  finish(talk);
}

static void test_whole_stack(void **state) {
  (void)state;
  static const size_t sizes[] = {1, WEFT__FIBER_DEFAULT_USABLE, 700000, 3 << 20};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    talk_t talk;
    start(&talk, sizes[i], use_all);
    to_fiber(&talk);
    to_fiber(&talk);
    assert_true(talk.ok);
    stop(&talk);
  }
}

/* ---- a fiber whose frames are never left is freed and its block used again ---- */

static WEFT__NOINLINE void sleep_deep(talk_t *talk, int depth) {
  volatile char bytes[500];
  bytes[depth] = 1;
  if (depth != 0)
    sleep_deep(talk, depth - 1);
  else
    to_base(talk);
  bytes[0] = bytes[depth];
}
static void abandon(void *arg) { sleep_deep(arg, 30); }

/* Frames of another shape where the abandoned ones lay: nothing may be left of those, no sanitizer's mark either. */
static void fill_frame(void *arg) {
  volatile char bytes[20000];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)i;
  finish(arg);
}

static void test_abandoned(void **state) {
  (void)state;
  talk_t talk;
  start(&talk, 1, abandon);
  for (size_t i = 0; i < scaled(2000); i++) {
    to_fiber(&talk);
    weft__fiber_t *old = talk.fiber;
    weft__fiber_free(&talk.world.cache, talk.fiber);
    talk.fiber = weft__fiber_new(&talk.world.cache, 1, i % 2 == 0 ? fill_frame : abandon, &talk);
    assert_ptr_equal(talk.fiber, old); /* the newest is given out first */
  }
  stop(&talk);
}

/* ---- threads: a fiber is carried from one to the other and back ---- */

typedef struct hand_over {
  weft__fiber_t *fiber;
  _Atomic(int) turn; /* whose thread may run the fiber; released by one, acquired by the other */
  int ran[2], rounds;
  weft__fiber_t bases[2];
  int on;
} hand_over_t;

static void travel(void *arg) {
  hand_over_t *hand = arg;
  for (int i = 0; i < hand->rounds; i++) {
    hand->ran[hand->on]++;
    weft__fiber_switch(hand->fiber, &hand->bases[hand->on]);
  }
  weft__fiber_switch_final(hand->fiber, &hand->bases[hand->on]);
}

static void take_turns(hand_over_t *hand, int me) {
  weft__fiber_adopt_thread(&hand->bases[me]);
  for (int i = 0; i < hand->rounds / 2; i++) {
    while (atom_load(&hand->turn, acquire) != me) sched_yield();
    hand->on = me;
    weft__fiber_switch(&hand->bases[me], hand->fiber);
    atom_store(&hand->turn, 1 - me, release);
  }
}
static int other_thread(void *arg) {
  hand_over_t *hand = arg;
  take_turns(hand, 1);
  weft__fiber_leave_thread(&hand->bases[1]);
  return 0;
}

static void test_two_threads(void **state) {
  (void)state;
  static hand_over_t hand;
  memset(&hand, 0, sizeof hand);
  hand.rounds = (int)scaled(2000) / 2 * 2;
  weft__stacks_retain();
  hand.fiber = weft__fiber_new(NULL, 1, travel, &hand);
  assert_non_null(hand.fiber);
  weft__thread_t thread;
  assert_int_equal(weft__thread_start(&thread, other_thread, &hand, "other"), 0);
  take_turns(&hand, 0);
  weft__thread_join(thread);
  assert_int_equal(hand.ran[0], hand.rounds / 2);
  assert_int_equal(hand.ran[1], hand.rounds / 2);
  hand.on = 0;
  weft__fiber_switch(&hand.bases[0], hand.fiber); /* it ends */
  weft__fiber_free(NULL, hand.fiber);
  weft__fiber_leave_thread(&hand.bases[0]);
  weft__stacks_release();
}

/* Fibers that only know each other: the base is left for long. */
typedef struct ring {
  world_t world;
  weft__fiber_t *fibers[3];
  size_t passes, limit;
} ring_t;
static ring_t ring;
static void pass_on(void *arg) {
  size_t me = (size_t)(uintptr_t)arg;
  while (ring.passes < ring.limit) {
    ring.passes++;
    weft__fiber_switch(ring.fibers[me], ring.fibers[(me + 1) % 3]);
  }
  weft__fiber_switch_final(ring.fibers[me], &ring.world.base);
}

static void test_ring(void **state) {
  (void)state;
  memset(&ring, 0, sizeof ring);
  ring.limit = scaled(300000);
  enter(&ring.world);
  for (size_t i = 0; i < 3; i++) ring.fibers[i] = weft__fiber_new(&ring.world.cache, 1, pass_on, (void *)(uintptr_t)i);
  weft__fiber_switch(&ring.world.base, ring.fibers[0]);
  assert_int_equal(ring.passes, ring.limit);
  for (size_t i = 0; i < 3; i++) weft__fiber_free(&ring.world.cache, ring.fibers[i]);
  leave(&ring.world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_back_and_forth),
      cmocka_unit_test(test_registers),
      cmocka_unit_test(test_many),
      cmocka_unit_test(test_room),
      cmocka_unit_test(test_whole_stack),
      cmocka_unit_test(test_abandoned),
      cmocka_unit_test(test_room_of_a_thread),
      cmocka_unit_test(test_two_threads),
      cmocka_unit_test(test_ring),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
