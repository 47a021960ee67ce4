/* test_context.c: the bare switch, and unwinding: a walk from inside a fiber ends at its start. */
#include "fiber/context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <unwind.h>

#include <cmocka.h>

#include "fiber/fiber.h"

static weft__context_t here, there;
static _Alignas(64) char stack[64 * 1024];
static uintptr_t got_arg, misalignment;
static int steps;

static WEFT__NOINLINE void look_at_stack(void) {
  char *frame = __builtin_frame_address(0);
  misalignment = (uintptr_t)frame % 16;
  WEFT__ASSERT(frame > stack && frame < stack + sizeof stack);
}

static void begin(void *arg) {
  got_arg = (uintptr_t)arg;
  look_at_stack();
  for (;;) {
    steps++;
    weft__context_switch(&there, &here);
  }
}

static void test_bare_switch(void **state) {
  (void)state;
  weft__context_make(&there, stack, stack + sizeof stack, begin, (void *)0x1234567890);
  assert_int_equal(steps, 0);
  for (int i = 1; i < 10; i++) {
    weft__context_switch(&here, &there);
    assert_int_equal(steps, i);
  }
  assert_int_equal(got_arg, 0x1234567890);
  assert_int_equal(misalignment, 0); /* as the ABI wants it at a function's frame */
}

/* ---- unwinding ---- */

enum { FRAMES = 64 };
typedef struct walk {
  unsigned count;
  uintptr_t functions[FRAMES], last_address;
  _Unwind_Reason_Code end;
} walk_t;

static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context, void *arg) {
  walk_t *walk = arg;
  if (walk->count == FRAMES) return _URC_NORMAL_STOP;
  walk->functions[walk->count++] = _Unwind_GetRegionStart(context);
  walk->last_address = _Unwind_GetIP(context);
  return _URC_NO_REASON;
}

static weft__fiber_t base, *fiber;
static walk_t first_walk, second_walk;

static WEFT__NOINLINE void walk_from_here(walk_t *walk) { walk->end = _Unwind_Backtrace(note_frame, walk); }

static void inner(int depth);
static void (*volatile call_inner)(int depth) = inner; /* no compiler makes one frame of several */

static WEFT__NOINLINE void inner(int depth) {
  if (depth > 0) {
    call_inner(depth - 1);
  } else {
    walk_from_here(&first_walk);
    weft__fiber_switch(fiber, &base);
    walk_from_here(&second_walk);
  }
  __asm__ volatile("" ::: "memory"); /* no tail call */
}

static void outer(void *arg) {
  (void)arg;
  call_inner(5);
  weft__fiber_switch_final(fiber, &base);
}

static unsigned times(const walk_t *walk, uintptr_t function) {
  unsigned n = 0;
  for (unsigned i = 0; i < walk->count; i++) n += walk->functions[i] == function;
  return n;
}

static void test_unwind(void **state) {
  (void)state;
  weft__stacks_retain();
  weft__fiber_adopt_thread(&base);
  fiber = weft__fiber_new(NULL, 1, outer, NULL);
  weft__fiber_switch(&base, fiber);
  weft__fiber_switch(&base, fiber);
  weft__fiber_free(NULL, fiber);
  weft__fiber_leave_thread(&base);
  weft__stacks_release();
  walk_t *walks[] = {&first_walk, &second_walk};
  for (int i = 0; i < 2; i++) {
    walk_t *walk = walks[i];
    assert_int_equal(walk->end, _URC_END_OF_STACK);
    assert_int_equal(times(walk, (uintptr_t)inner), 6);
    assert_int_equal(times(walk, (uintptr_t)outer), 1);
    assert_true(walk->count < FRAMES);
#ifndef WEFT_CONTEXT_UCONTEXT
    assert_true(walk->functions[walk->count - 1] == (uintptr_t)weft__context_start);
    assert_int_equal(walk->last_address, 0); /* not merely an address that nobody knows */
#endif
  }
  assert_int_equal(first_walk.count, second_walk.count);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_bare_switch), cmocka_unit_test(test_unwind)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
