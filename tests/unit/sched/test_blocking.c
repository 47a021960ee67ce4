/* weft_blocking_enter and weft_blocking_exit: what stands behind the caller runs elsewhere, the caller stays; misuse.
 * ctest: timeout=60 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <weft.h>

#include "base/threads.h"
#include "sched/loop.h"

enum { PATIENCE = 20, TASKS = 10 };

static int run_on(unsigned workers, weft_call_t call) {
  weft_config_t config = {.workers = workers};
  return weft_run_with(&config, call);
}

/* ---- handing on ---- */

struct section {
  atomic_uint inside; /* how many sections are open */
  atomic_int done, stay;
  unsigned workers;
};
static WEFT_ASYNC(counts, struct section *);
static int counts(struct section *section) {
  atomic_fetch_add(&section->done, 1);
  return 0;
}
/* Announces itself as soon as everybody is there, with tasks of its own queued behind it, and waits for those without
 * suspending. */
static WEFT_ASYNC(announces, struct section *);
static int announces(struct section *section) {
  weft_task_t *tasks[TASKS];
  weft__thread_t thread = weft__thread_self();
  time_t end = time(NULL) + PATIENCE;
  atomic_fetch_add(&section->inside, 1);
  while (atomic_load(&section->inside) < section->workers)
    if (time(NULL) > end) return -ETIMEDOUT;
  for (int i = 0; i < TASKS; i++) tasks[i] = weft_create_task(counts_async(section));
  weft_blocking_enter();
  int rc = 0;
  while (atomic_load(&section->done) < (int)section->workers * TASKS && rc == 0) {
    usleep(1000);
    if (time(NULL) > end) rc = -ETIMEDOUT;
  }
  weft_blocking_exit();
  if (!weft__thread_equal(thread, weft__thread_self())) rc = -EXDEV;
  for (int i = 0; i < TASKS; i++) {
    int joined = weft_join(tasks[i]);
    if (rc == 0) rc = joined;
  }
  return rc;
}
static WEFT_ASYNC(all_announce, struct section *);
static int all_announce(struct section *section) {
  weft_task_t *tasks[8];
  int rc = 0;
  for (unsigned i = 0; i < section->workers; i++)
    tasks[i] = weft_create_task_with(announces_async(section), &(weft_task_options_t){.worker = i + 1});
  for (unsigned i = 0; i < section->workers; i++) {
    int joined = weft_join(tasks[i]);
    if (rc == 0) rc = joined;
  }
  return rc < 0 ? rc : atomic_load(&weft_get_running_loop()->blocked) == 0 ? 0 : -EILSEQ;
}
static void what_is_queued_behind_runs_elsewhere(void **state) {
  (void)state;
  for (int i = 0; i < 5; i++)
    for (unsigned workers = 2; workers <= 4; workers++) {
      struct section section = {.workers = workers};
      assert_int_equal(run_on(workers, all_announce_async(&section)), 0);
    }
}

/* The rest of the program has as many workers as before: two tasks that meet without suspending, beside the blocked one. */
static WEFT_ASYNC(meets, atomic_int *);
static int meets(atomic_int *met) {
  time_t end = time(NULL) + PATIENCE;
  atomic_fetch_add(met, 1);
  while (atomic_load(met) < 2)
    if (time(NULL) > end) return -ETIMEDOUT;
  return 0;
}
static WEFT_ASYNC(blocks_until, atomic_int *);
static int blocks_until(atomic_int *met) {
  time_t end = time(NULL) + PATIENCE;
  weft_blocking_enter();
  while (atomic_load(met) < 2 && time(NULL) <= end) usleep(1000);
  weft_blocking_exit();
  return atomic_load(met) < 2 ? -ETIMEDOUT : 0;
}
static WEFT_ASYNC(made_up_for);
static int made_up_for(void) {
  atomic_int met = 0;
  weft_task_t *tasks[3] = {weft_create_task(blocks_until_async(&met)), weft_create_task(meets_async(&met)),
                           weft_create_task(meets_async(&met))};
  int rc = 0;
  for (int i = 0; i < 3; i++) {
    int joined = weft_join(tasks[i]);
    if (rc == 0) rc = joined;
  }
  return rc;
}
static void a_spare_makes_up_for_an_announced_section(void **state) {
  (void)state;
  for (int i = 0; i < 5; i++) assert_int_equal(run_on(2, made_up_for_async()), 0);
}

/* Also while another worker gets on: as many workers as before. */
static WEFT_ASYNC(runs_until, atomic_int *);
static int runs_until(atomic_int *over) {
  int rc = 0;
  while (atomic_load(over) == 0 && rc == 0) rc = weft_yield();
  return rc;
}
static WEFT_ASYNC(blocks_beside);
static int blocks_beside(void) {
  weft_loop_t *loop = weft_get_running_loop();
  atomic_int over = 0;
  weft_task_t *tasks[TASKS];
  for (int i = 0; i < TASKS; i++) tasks[i] = weft_create_task(runs_until_async(&over));
  int rc = weft_sleep(0.01); /* they are on both workers */
  time_t end = time(NULL) + PATIENCE;
  weft_blocking_enter();
  while (atomic_load(&loop->spares.activations) == 0 && time(NULL) <= end) usleep(1000);
  weft_blocking_exit();
  if (atomic_load(&loop->spares.activations) == 0) rc = -ETIMEDOUT;
  atomic_store(&over, 1);
  for (int i = 0; i < TASKS; i++) {
    int joined = weft_join(tasks[i]);
    if (rc == 0) rc = joined;
  }
  return rc;
}
static void a_section_leaves_as_many_workers(void **state) {
  (void)state;
  assert_int_equal(run_on(2, blocks_beside_async()), 0);
}

/* ---- rules ---- */

static WEFT_ASYNC(keeps_the_rules);
static int keeps_the_rules(void) {
  weft_loop_t *loop = weft_get_running_loop();
  if (weft_blocking_exit() != WEFT_RUNTIME) return -1;
  weft_blocking_enter();
  weft_blocking_enter();
  if (weft_sleep(0) != -EPERM || weft_error()->code != -EPERM) return -2;
  weft_task_t *task = weft_create_task_with(weft_yield_async(), &(weft_task_options_t){.eager = true});
  if (weft_task_done(task) || weft_join(task) != -EPERM) return -3; /* refused: the handle stays ours */
  if (weft_blocking_exit() != 0) return -4;
  if (weft_sleep(0) != -EPERM) return -5; /* one section is still open */
  if (loop->worker_count > 1 && atomic_load(&loop->blocked) != 1) return -6;
  if (weft_blocking_exit() != 0 || atomic_load(&loop->blocked) != 0) return -7;
  if (weft_blocking_exit() != WEFT_RUNTIME) return -8;
  if (weft_join(task) != 0) return -9;
  return weft_sleep(0);
}
static void sections_nest_and_nothing_suspends_inside(void **state) {
  (void)state;
  assert_int_equal(run_on(1, keeps_the_rules_async()), 0);
  assert_int_equal(run_on(2, keeps_the_rules_async()), 0);
}

static int blocks_in_a_callback(void *data) {
  weft_blocking_enter();
  usleep(1000);
  int rc = weft_blocking_exit();
  return rc < 0 ? rc : weft_future_set_done(data);
}
static WEFT_ASYNC(waits_for_a_callback);
static int waits_for_a_callback(void) {
  weft_future_t *future = weft_future_open(0);
  weft_call_soon(weft_get_running_loop(), blocks_in_a_callback, future);
  int rc = weft_await_future(future, NULL);
  weft_future_unref(future);
  return rc;
}
static void callbacks_and_foreign_threads_may_announce_too(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 2; workers++)
    assert_int_equal(run_on(workers, waits_for_a_callback_async()), 0);
  assert_int_equal(weft_blocking_enter(), 0);
  assert_int_equal(weft_blocking_exit(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_queued_behind_runs_elsewhere),
      cmocka_unit_test(a_spare_makes_up_for_an_announced_section),
      cmocka_unit_test(a_section_leaves_as_many_workers),
      cmocka_unit_test(sections_nest_and_nothing_suspends_inside),
      cmocka_unit_test(callbacks_and_foreign_threads_may_announce_too),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
