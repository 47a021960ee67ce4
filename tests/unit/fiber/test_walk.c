/* test_walk.c: the frames of a suspended fiber, seen from the thread's own stack and from another fiber. */
#include "fiber/walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LEVELS = 20, FRAMES = 64 };
static weft__fiber_t base, *sleeper, *looker;
static volatile int unwound;

typedef struct seen {
  size_t count, limit;
  uintptr_t pc[FRAMES], functions[FRAMES];
} seen_t;
static seen_t seen;

static bool note(uintptr_t pc, uintptr_t function, void *data) {
  seen_t *into = data;
  assert_true(into->count < FRAMES);
  into->pc[into->count] = pc;
  into->functions[into->count++] = function;
  return into->count != into->limit;
}

static void descend(int left);
static void (*volatile call_descend)(int left) = descend;
static WEFT__NOINLINE void descend(int left) {
  volatile char spread[40]; /* frames of some size */
  spread[0] = (char)left;
  if (left > 1)
    call_descend(left - 1);
  else
    weft__fiber_switch(sleeper, &base);
  unwound += spread[0] != 0; /* not a tail call */
}

static void sleep_deep(void *arg) {
  (void)arg;
  call_descend(LEVELS);
  weft__fiber_switch_final(sleeper, &base);
}

static void look(size_t limit) {
  seen.count = 0;
  seen.limit = limit;
  bool enough = weft__fiber_walk(sleeper, note, &seen);
  assert_int_equal(enough, limit != 0 && seen.count == limit);
}

static void look_elsewhere(void *arg) {
  (void)arg;
  look(0);
  weft__fiber_switch_final(looker, &base);
}

static void check_frames(void) {
  assert_true(seen.count >= LEVELS + 2); /* descend, sleep_deep, first_run; the switch may be a frame of its own */
  size_t descents = 0, start = 0;
  for (size_t i = 0; i < seen.count; i++) {
    descents += seen.functions[i] == (uintptr_t)descend;
    if (seen.functions[i] == (uintptr_t)sleep_deep) start = i;
    assert_true(seen.pc[i] > seen.functions[i] && seen.pc[i] < seen.functions[i] + 4096);
  }
  assert_int_equal(descents, LEVELS);
  assert_int_equal(start, seen.count - 2); /* first_run is below it, weft__context_start is left out */
}

static void test_walk(void **state) {
  (void)state;
#ifdef WEFT_CONTEXT_UCONTEXT
  look(0);
  assert_int_equal(seen.count, 0);
#else
  weft__stacks_retain();
  weft__fiber_adopt_thread(&base);
  sleeper = weft__fiber_new(NULL, 1, sleep_deep, NULL);
  looker = weft__fiber_new(NULL, 1, look_elsewhere, NULL);
  assert_true(sleeper != NULL && looker != NULL);
  weft__fiber_switch(&base, sleeper);
  look(0);
  check_frames();
  weft__fiber_switch(&base, looker);
  check_frames();
  look(3); /* the innermost ones, as many as are wanted */
  assert_int_equal(seen.count, 3);
  assert_true(seen.functions[2] == (uintptr_t)descend);
  weft__fiber_switch(&base, sleeper); /* being looked at changed nothing */
  assert_int_equal(unwound, LEVELS);
  weft__fiber_free(NULL, sleeper);
  weft__fiber_free(NULL, looker);
  weft__fiber_leave_thread(&base);
  weft__stacks_release();
#endif
}

static WEFT__NOINLINE void look_here(void) {
  seen.count = seen.limit = 0;
  assert_false(weft__walk_here(note, &seen));
}

static void test_walk_here(void **state) {
  (void)state;
  look_here();
  bool found = false;
  for (size_t i = 0; i < seen.count; i++) found = found || seen.functions[i] == (uintptr_t)look_here;
  assert_true(found);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_walk), cmocka_unit_test(test_walk_here)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
