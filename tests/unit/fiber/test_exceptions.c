/* test_exceptions.c: C++'s exceptions in flight follow their fiber.
 *
 * The program plays the C++ runtime: its own __cxa_get_globals is what the switch finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fiber/fiber.h"

/* struct __cxa_eh_globals. */
typedef struct globals {
  void *caught;
  unsigned uncaught;
} globals_t;
static _Thread_local globals_t globals;
static unsigned asked;
void *__cxa_get_globals(void);
void *__cxa_get_globals(void) {
  asked++;
  return &globals;
}

static weft__fiber_t base, *fibers[2];
static bool fine = true;

static void catch_something(void *arg) {
  size_t me = *(size_t *)arg;
  fine = fine && globals.caught == NULL && globals.uncaught == 0; /* a new fiber has none */
  globals.caught = arg;
  globals.uncaught = (unsigned)me + 7;
  for (int i = 0; i < 5; i++) {
    weft__fiber_switch(fibers[me], me == 0 ? fibers[1] : &base);
    fine = fine && globals.caught == arg && globals.uncaught == (unsigned)me + 7;
  }
  weft__fiber_switch_final(fibers[me], &base);
}

static void test_follow(void **state) {
  (void)state;
  size_t numbers[2] = {0, 1};
  weft__stacks_retain();
  weft__fiber_adopt_thread(&base);
  int mine;
  globals.caught = &mine;
  globals.uncaught = 3;
  for (size_t i = 0; i < 2; i++) fibers[i] = weft__fiber_new(NULL, 1, catch_something, &numbers[i]);
  for (int i = 0; i < 6; i++) {
    weft__fiber_switch(&base, fibers[0]);
    assert_ptr_equal(globals.caught, &mine);
    assert_int_equal(globals.uncaught, 3);
  }
  weft__fiber_switch(&base, fibers[1]); /* the last of its switches; it ends */
  assert_ptr_equal(globals.caught, &mine);
  assert_true(fine);
  assert_int_equal(asked, 1); /* by the thread, not by every switch */
  for (size_t i = 0; i < 2; i++) weft__fiber_free(NULL, fibers[i]);
  weft__fiber_leave_thread(&base);
  weft__stacks_release();
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_follow)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
