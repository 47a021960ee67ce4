/* test_runner.c: asyncio.Runner: several runs on one loop and in one context. */
#include "unit/exec/blocking.h"

static weft_contextvar_t var = WEFT_CONTEXTVAR("var", NULL);
static int first;

static int sets(weft_loop_t **loop, void *value) {
  *loop = weft_get_running_loop();
  return weft_contextvar_set(&var, value);
}
static WEFT_ASYNC(sets, weft_loop_t **, void *);
static int gets(weft_loop_t **loop, void **value) {
  *loop = weft_get_running_loop();
  *value = weft_contextvar_get(&var);
  return 5;
}
static WEFT_ASYNC(gets, weft_loop_t **, void **);

static void one_loop_and_one_context(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers += 3) {
    weft_runner_t *runner, *other;
    weft_loop_t *a, *b, *c;
    void *value;
    assert_int_equal(weft_runner_open(&(const weft_config_t){.workers = workers}, &runner), 0);
    assert_int_equal(weft_runner_run(runner, sets_async(&a, &first)), 0);
    assert_int_equal(weft_runner_run(runner, gets_async(&b, &value)), 5);
    assert_ptr_equal(a, b);
    assert_ptr_equal(a, weft_runner_get_loop(runner));
    assert_ptr_equal(value, &first);
    assert_int_equal(weft_runner_open(NULL, &other), 0);
    assert_int_equal(weft_runner_run(other, gets_async(&c, &value)), 5);
    assert_ptr_not_equal(a, c);
    assert_null(value);
    assert_int_equal(weft_runner_close(other), 0);
    assert_int_equal(weft_runner_close(runner), 0);
    assert_true(weft_loop_is_closed(a));
  }
}

static weft_task_t *left;
static _Atomic(int) steps;
static int goes_on(void) {
  int rc;
  while ((rc = weft_sleep(0.0005)) == 0) atom_add(&steps, 1, seq_cst);
  return rc;
}
static WEFT_ASYNC(goes_on);
static int leaves(void) {
  left = weft_create_task(goes_on_async());
  while (atom_load(&steps, seq_cst) < 2) weft_ignore(weft_sleep(0.001));
  return 0;
}
static WEFT_ASYNC(leaves);
static int sees(void) {
  int before = atom_load(&steps, seq_cst);
  while (atom_load(&steps, seq_cst) < before + 2) weft_ignore(weft_sleep(0.001));
  return 0;
}
static WEFT_ASYNC(sees);

static void what_is_left_goes_on(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers += 3) {
    weft_runner_t *runner;
    atom_store(&steps, 0, seq_cst);
    assert_int_equal(weft_runner_open(&(const weft_config_t){.workers = workers}, &runner), 0);
    assert_int_equal(weft_runner_run(runner, leaves_async()), 0);
    assert_false(weft_task_done(left));
    assert_int_equal(weft_runner_run(runner, sees_async()), 0);
    assert_int_equal(weft_runner_close(runner), 0);
    assert_true(weft_task_cancelled(left));
    weft_detach(left);
  }
}

static weft_runner_t *inner;
static int nests(void) {
  assert_int_equal(weft_runner_run(inner, give_async(1)), WEFT_RUNTIME);
  assert_string_equal(weft_error()->message, "Runner.run() cannot be called from a running event loop");
  assert_int_equal(weft_runner_close(inner), WEFT_RUNTIME);
  return 0;
}
static WEFT_ASYNC(nests);

static void misuse(void **state) {
  (void)state;
  weft_runner_t *runner;
  assert_int_equal(weft_runner_open(NULL, NULL), -EINVAL);
  assert_int_equal(weft_runner_run(NULL, give_async(1)), -EINVAL);
  assert_null(weft_runner_get_loop(NULL));
  assert_int_equal(weft_runner_close(NULL), 0);
  assert_int_equal(weft_runner_open(NULL, &runner), 0);
  assert_int_equal(weft_runner_run(runner, (weft_call_t){0}), WEFT_TYPE);
  inner = runner;
  assert_int_equal(weft_runner_run(runner, nests_async()), 0);
  assert_int_equal(weft_runner_run(runner, give_async(WEFT_VALUE)), WEFT_VALUE);
  assert_string_equal(weft_error()->message, "given -5012");
  assert_int_equal(weft_runner_close(runner), 0);
  assert_int_equal(weft_runner_close(runner), 0);
  assert_int_equal(weft_runner_run(runner, give_async(1)), WEFT_RUNTIME);
  assert_string_equal(weft_error()->message, "Runner is closed");
  assert_null(weft_runner_get_loop(runner));
  assert_int_equal(weft_runner_open(&(const weft_config_t){.workers = 100000}, &runner), 0);
  assert_int_equal(weft_runner_run(runner, give_async(1)), -EINVAL);
  assert_int_equal(weft_runner_close(runner), 0);
}

static int factory_calls;
static weft_task_t *factory(weft_loop_t *loop, weft_call_t call, const weft_task_options_t *options) {
  if (factory_calls++ == 0) assert_non_null(options); /* the runner's context */
  return weft_loop_create_task(loop, call);
}
static void a_task_factory_makes_the_task(void **state) {
  (void)state;
  weft_runner_t *runner;
  assert_int_equal(weft_runner_open(&(const weft_config_t){.workers = 1}, &runner), 0);
  weft_loop_set_task_factory(weft_runner_get_loop(runner), factory);
  assert_int_equal(weft_runner_run(runner, give_async(8)), 8);
  assert_int_equal(factory_calls, 1);
  assert_int_equal(weft_runner_close(runner), 0);
}

static void without_memory(void **state) {
  (void)state;
  for (long n = 1;; n++) {
    weft_runner_t *runner = NULL;
    weft__alloc_fail_after(n);
    int rc = weft_runner_open(&(const weft_config_t){.workers = 1}, &runner);
    int ran = rc == 0 ? weft_runner_run(runner, give_async(9)) : rc;
    bool failed = weft__alloc_failed();
    weft__alloc_fail_after(-1);
    assert_true(ran == 9 || ran == -ENOMEM);
    if (rc == 0) assert_int_equal(weft_runner_run(runner, give_async(9)), 9); /* usable after all */
    assert_int_equal(weft_runner_close(runner), 0);
    if (!failed) return;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_loop_and_one_context),      cmocka_unit_test(what_is_left_goes_on), cmocka_unit_test(misuse),
      cmocka_unit_test(a_task_factory_makes_the_task), cmocka_unit_test(without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
