/* fibers.c: suspended fibers for a debugger to look at. test_fibers.py runs it up to show_me, which is called while
 * three fibers are suspended at different depths. */
#include "fiber/fiber.h"

#include <stdio.h>

#include "fiber/guards.h"

static weft__fiber_t base, *fibers[3];
static volatile int wound_up;

void show_me(void);
WEFT__NOINLINE void show_me(void) { __asm__ volatile("" ::: "memory"); }

static WEFT__NOINLINE void wait_here(int me) {
  weft__fiber_switch(fibers[me], &base);
  wound_up++; /* not a tail call */
}

static void descend(int me, int depth);
static void (*volatile call_descend)(int me, int depth) = descend; /* a frame for each level */

static WEFT__NOINLINE void descend(int me, int depth) {
  if (depth > 1)
    call_descend(me, depth - 1);
  else
    wait_here(me);
  wound_up++;
}

static void start_of_fiber(void *arg) {
  int me = (int)(uintptr_t)arg;
  call_descend(me, me * 2 + 1);
  weft__fiber_switch_final(fibers[me], &base);
}

/* With an argument guards are separate mappings. */
int main(int argc, char **argv) {
  (void)argv;
  weft__guards_allow_light(argc == 1);
  weft__stacks_retain();
  weft__fiber_adopt_thread(&base);
  for (int i = 0; i < 3; i++) {
    fibers[i] = weft__fiber_new(NULL, i == 2 ? 1 << 20 : 1, start_of_fiber, (void *)(uintptr_t)i);
    if (fibers[i] == NULL) return 1;
    weft__fiber_switch(&base, fibers[i]);
  }
  show_me();
  for (int i = 0; i < 3; i++) {
    weft__fiber_switch(&base, fibers[i]);
    weft__fiber_free(NULL, fibers[i]);
  }
  weft__fiber_leave_thread(&base);
  weft__stacks_release();
  printf("frames left: %d\n", wound_up);
  return wound_up == 3 + 1 + 3 + 5 ? 0 : 1;
}
