/* test_locals.c: task-local storage: whose it is, when it is dropped and in which order, memory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <weft.h>

#include <cmocka.h>

#include "base/alloc.h"

static char dropped[256];
static void note(void *value) { strncat(dropped, value, sizeof dropped - strlen(dropped) - 1); }

static weft_tasklocal_t a = WEFT_TASKLOCAL("a", note), b = WEFT_TASKLOCAL("b", note), c = WEFT_TASKLOCAL("c", NULL);
static char text_a[] = "a", text_b[] = "b", text_c[] = "c", text_x[] = "x";

static int run(unsigned workers, weft_call_t call) {
  dropped[0] = '\0';
  return weft_run_with(&(weft_config_t){.workers = workers}, call);
}

static WEFT_ASYNC(child, int);
static int child(int ends) {
  if (weft_tasklocal_get(&a) != NULL) return WEFT_RUNTIME; /* not inherited */
  int rc = weft_tasklocal_set(&a, text_a);
  if (rc == 0) rc = weft_tasklocal_set(&b, text_x);
  if (rc == 0) rc = weft_tasklocal_set(&c, text_c);
  if (rc == 0) rc = weft_tasklocal_set(&b, text_b); /* keeps its place; the old one is ours again */
  if (rc < 0) return rc;
  rc = weft_sleep(ends == 2 ? 10 : 0);
  if (weft_tasklocal_get(&b) != text_b || weft_tasklocal_get(&c) != text_c) return WEFT_RUNTIME;
  return ends == 1 ? weft_fail(WEFT_VALUE, "failed") : rc;
}

static WEFT_ASYNC(parent);
static int parent(void) {
  int rc = weft_tasklocal_set(&a, text_x);
  for (int ends = 0; ends <= 2; ends++) {
    weft_task_t *task = weft_create_task(child_async(ends));
    weft_ignore(weft_yield());
    if (ends == 2) weft_task_cancel(task, NULL);
    int one = weft_join(task);
    assert_int_equal(one, ends == 0 ? 0 : ends == 1 ? WEFT_VALUE : WEFT_CANCELLED);
    assert_string_equal(dropped, ends == 0 ? "ba" : ends == 1 ? "baba" : "bababa"); /* before the join returned */
  }
  assert_ptr_equal(weft_tasklocal_get(&a), text_x);
  assert_int_equal(weft_tasklocal_set(&a, NULL), 0); /* taken away: not dropped */
  assert_int_equal(weft_tasklocal_set(&b, NULL), 0);
  assert_null(weft_tasklocal_get(&a));
  return rc;
}

static void own_and_dropped(void **state) {
  (void)state;
  assert_int_equal(run(1, parent_async()), 0);
  assert_string_equal(dropped, "bababa");
  assert_null(weft_tasklocal_get(&a));
  assert_int_equal(weft_tasklocal_set(&a, text_a), -EPERM);
}

static void set_again(void *value) {
  note(value);
  if (strlen(dropped) < 3) assert_int_equal(weft_tasklocal_set(&b, text_b), 0);
}
static weft_tasklocal_t stubborn = WEFT_TASKLOCAL("stubborn", set_again);

static WEFT_ASYNC(sets_at_the_end);
static int sets_at_the_end(void) { return weft_tasklocal_set(&stubborn, text_x); }

static void set_while_dropping(void **state) {
  (void)state;
  assert_int_equal(run(1, sets_at_the_end_async()), 0);
  assert_string_equal(dropped, "xb");
}

enum { VARIABLES = 20 };
static weft_tasklocal_t many[VARIABLES];

static WEFT_ASYNC(fills, intptr_t);
static int fills(intptr_t base) {
  for (intptr_t i = 0; i < VARIABLES; i++) {
    weft__alloc_fail_from(base == 0 ? 1 : -1);
    int rc = weft_tasklocal_set(&many[i], (void *)(base + i + 1));
    weft__alloc_fail_from(-1);
    if (rc == -ENOMEM && base == 0) rc = weft_tasklocal_set(&many[i], (void *)(base + i + 1));
    if (rc == 0) rc = weft_yield();
    if (rc < 0) return rc;
  }
  for (intptr_t i = 0; i < VARIABLES; i++) {
    void *value = weft_tasklocal_get(&many[i]);
    if ((intptr_t)value != base + i + 1) return weft_fail(WEFT_RUNTIME, "wrong value");
  }
  return 0;
}

static WEFT_ASYNC(fill_all);
static int fill_all(void) {
  weft_call_t calls[16];
  for (int i = 0; i < 16; i++) calls[i] = fills_async((i + 1) * 1000);
  return weft_gather_n(calls, 16, NULL, 0);
}

static void many_tasks(void **state) {
  (void)state;
  assert_int_equal(run(4, fill_all_async()), 0);
  assert_int_equal(run(1, fills_async(0)), 0); /* memory fails now and then */
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(own_and_dropped), cmocka_unit_test(set_while_dropping),
                                     cmocka_unit_test(many_tasks)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
