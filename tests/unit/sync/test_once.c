/* test_once.c: Once: run once, failure and cancellation pass it on, visible to all, from inside refused. */
#include <errno.h>

#include "unit/sync/trace.h"

typedef struct cell {
  weft_once_t once;
  int runs, value;
} cell_t;

static WEFT_ASYNC(fill, cell_t *, int);
static int fill(cell_t *cell, int status) {
  mark("run");
  int rc = weft_sleep(0.01);
  if (rc < 0) return rc;
  if (status < 0) return weft_fail(status, "try again");
  cell->runs++;
  cell->value = 42;
  return status;
}

static WEFT_ASYNC(wants, cell_t *, const char *, int);
static int wants(cell_t *cell, const char *name, int status) {
  int rc = weft_once_run(&cell->once, fill_async(cell, status));
  mark("%s%d:%d", name, rc, rc == 0 ? cell->value : 0);
  return rc;
}

static WEFT_ASYNC(scenes);
static int scenes(void) {
  cell_t cell = {.runs = 0};
  weft_once_init(&cell.once);
  weft_task_t *tasks[5] = {
      weft_create_task(wants_async(&cell, "a", 0)),          weft_create_task(wants_async(&cell, "b", 0)),
      weft_create_task(wants_async(&cell, "c", WEFT_VALUE)), weft_create_task(wants_async(&cell, "d", 7)),
      weft_create_task(wants_async(&cell, "e", 0)),
  };
  weft_ignore(weft_sleep(0.005));
  weft_task_cancel(tasks[0], NULL); /* it runs the call: b's turn */
  weft_task_cancel(tasks[1], NULL); /* which is cancelled too: c's, which fails: d's */
  for (int i = 0; i < 5; i++) weft_ignore(weft_join(tasks[i]));
  mark("%d %d", cell.runs, weft_once_done(&cell.once));
  return wants(&cell, "late", 0);
}

static void passes_on(void **state) {
  (void)state;
  assert_int_equal(run1(scenes_async()), 0);
  assert_trace("run a-5000:0 b-5000:0 run c-5012:0 run d0:42 e0:42 1 1 late0:42");
}

static WEFT_ASYNC(recursive, cell_t *);
static int recursive(cell_t *cell) { return weft_once_run(&cell->once, recursive_async(cell)); }

static WEFT_ASYNC(refusals);
static int refusals(void) {
  cell_t cell = {.runs = 0};
  weft_once_init(&cell.once);
  mark("%s", weft_error_name(recursive(&cell)));
  mark("%s", weft_error_name(weft_once_run(&cell.once, (weft_call_t){0})));
  mark("%d", weft_once_done(&cell.once));
  return 0;
}

static void misuse(void **state) {
  (void)state;
  assert_int_equal(run1(refusals_async()), 0);
  assert_trace("RuntimeError TypeError 0");
  cell_t cell = {.runs = 0};
  weft_once_init(&cell.once);
  assert_int_equal(weft_once_run(&cell.once, fill_async(&cell, 0)), -EPERM);
}

/* Several workers: the calls fail or are cancelled often; exactly one succeeds, and everybody sees what it did. */
static WEFT_ASYNC(try_fill, cell_t *, int);
static int try_fill(cell_t *cell, int seed) {
  int rc = weft_yield();
  if (rc < 0) return rc;
  if (seed % 4 != 0) return WEFT_VALUE;
  cell->runs++;
  cell->value = 42;
  return 0;
}

static WEFT_ASYNC(persists, cell_t *, int);
static int persists(cell_t *cell, int seed) {
  for (;; seed++) {
    int rc = weft_once_run(&cell->once, try_fill_async(cell, seed));
    if (rc == 0) return cell->value == 42 ? 0 : weft_fail(WEFT_RUNTIME, "nothing there");
  }
}

static WEFT_ASYNC(rounds, int);
static int rounds(int n) {
  for (int round = 0; round < n; round++) {
    cell_t cell = {.runs = 0};
    weft_once_init(&cell.once);
    weft_task_t *tasks[8];
    for (int i = 0; i < 8; i++) tasks[i] = weft_create_task(persists_async(&cell, i + 1));
    weft_ignore(weft_yield());
    for (int i = 0; i < 4; i++) weft_task_cancel(tasks[i], NULL);
    for (int i = 0; i < 8; i++) {
      int rc = weft_join(tasks[i]);
      if (rc < 0 && rc != WEFT_CANCELLED) return rc;
    }
    if (cell.runs != 1) return weft_fail(WEFT_RUNTIME, "%d runs", cell.runs);
  }
  return 0;
}

static void exactly_once(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers *= 2)
    assert_int_equal(weft_run_with(&(weft_config_t){.workers = workers}, rounds_async(scaled(200))), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(passes_on), cmocka_unit_test(misuse),
                                     cmocka_unit_test(exactly_once)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
