/* Looking names up: many at once, cancelled ones, and names that nobody has. */
#include <time.h>

#include "program.h"

#include "base/alloc.h"
#include "base/atomics.h"
#include "io/resolver.h"

static WEFT_ASYNC(look_up, const char *, int *);
static int look_up(const char *host, int *status) {
  weft__addresses_t *addresses = NULL;
  int rc = *status = weft__resolve(host, 80, false, &addresses);
  if (rc == 0) CHECK(addresses->count > 0 && weft__address_port(&addresses->list[0]) == 80);
  if (rc < 0) CHECK(addresses == NULL);
  weft__addresses_free(addresses);
  return 0;
}

static WEFT_ASYNC(look_up_many);
static int look_up_many(void) {
  enum { N = 60 };
  static const char *const hosts[] = {"localhost", "127.0.0.1", "no.such.name.invalid", "::1"};
  weft_task_t *tasks[N];
  int status[N];
  for (int i = 0; i < N; i++) {
    status[i] = WEFT_CANCELLED;
    CHECK((tasks[i] = weft_create_task(look_up_async(hosts[i % 4], &status[i]))) != NULL);
  }
  CHECK(weft_yield() == 0);
  for (int i = 0; i < N; i++) {
    if (i % 5 == 0) weft_task_cancel(tasks[i], NULL);
    if (i % 10 == 0) CHECK(weft_sleep(0.0005) == 0);
  }
  for (int i = 0; i < N; i++) {
    weft_ignore(weft_join(tasks[i]));
    CHECK(status[i] == WEFT_CANCELLED ? i % 5 == 0 : i % 4 == 2 ? status[i] < -2999 : status[i] == 0);
  }
  return 0;
}
static void many_at_once_and_some_cancelled(void **state) {
  (void)state;
  run_program(look_up_many_async());
}

/* A run that ends while lookups nobody waits for any more go on: it waits for those that run, the others never do. */
static WEFT_ASYNC(abandon_lookups);
static int abandon_lookups(void) {
  int status[10];
  weft_task_t *tasks[10];
  for (int i = 0; i < 10; i++) CHECK((tasks[i] = weft_create_task(look_up_async("localhost", &status[i]))) != NULL);
  CHECK(weft_yield() == 0);
  for (int i = 0; i < 10; i++) weft_task_cancel(tasks[i], NULL);
  for (int i = 0; i < 10; i++) weft_ignore(weft_join(tasks[i]));
  return 0;
}
static void a_run_with_abandoned_lookups(void **state) {
  (void)state;
  for (int i = 0; i < 20; i++) assert_int_equal(weft_run(abandon_lookups_async()), 0);
}

/* Jobs of users take every thread of theirs: names get through. */
static _Atomic(int) held;
static _Atomic(bool) let_go;
static void nap(void) { nanosleep(&(const struct timespec){0, 200000}, NULL); }
static WEFT_ASYNC(hold);
static int hold(void) {
  atom_add(&held, 1, seq_cst);
  while (!atom_load(&let_go, seq_cst)) nap();
  return 0;
}
static WEFT_ASYNC(holding);
static int holding(void) { return weft_to_thread(hold_async()); }
static WEFT_ASYNC(look_up_among_hostages);
static int look_up_among_hostages(void) {
  enum { N = 4 }; /* of 2 threads */
  weft_task_t *tasks[N];
  int status = WEFT_CANCELLED;
  atom_store(&held, 0, seq_cst);
  atom_store(&let_go, false, seq_cst);
  for (int i = 0; i < N; i++) CHECK((tasks[i] = weft_create_task(holding_async())) != NULL);
  while (atom_load(&held, seq_cst) < 2) CHECK(weft_sleep(0.001) == 0);
  CHECK(look_up("localhost", &status) == 0);
  CHECK(status == 0);
  CHECK(atom_load(&held, seq_cst) == 2);
  atom_store(&let_go, true, seq_cst);
  for (int i = 0; i < N; i++) CHECK(weft_join(tasks[i]) == 0);
  return 0;
}
static void users_do_not_keep_names_waiting(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 2; workers++)
    assert_int_equal(
        weft_run_with(&(const weft_config_t){.workers = workers, .pool_threads = 2}, look_up_among_hostages_async()),
        0);
}

/* After the default pool's shutdown there is no looking up; numbers need none. */
static WEFT_ASYNC(look_up_late);
static int look_up_late(void) {
  int status = 0;
  CHECK(weft_loop_shutdown_default_executor(weft_get_running_loop()) == 0);
  CHECK(look_up("localhost", &status) == 0 && status == WEFT_RUNTIME);
  CHECK(look_up("127.0.0.1", &status) == 0 && status == 0);
  return 0;
}
static void after_the_pools_shutdown(void **state) {
  (void)state;
  run_program(look_up_late_async());
}

static WEFT_ASYNC(look_up_without_memory);
static int look_up_without_memory(void) {
  weft__addresses_t *addresses = NULL;
  weft__alloc_fail_after(1);
  CHECK(weft__resolve("localhost", 80, false, &addresses) == -ENOMEM);
  weft__alloc_fail_after(1);
  CHECK(weft__resolve("127.0.0.1", 80, false, &addresses) == -ENOMEM);
  weft__alloc_fail_after(1);
  CHECK(weft__resolve(NULL, 80, true, &addresses) == -ENOMEM);
  weft__alloc_fail_after(-1);
  CHECK(addresses == NULL);
  return 0;
}
static void memory_runs_out(void **state) {
  (void)state;
  run_program(look_up_without_memory_async());
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(many_at_once_and_some_cancelled),
      cmocka_unit_test(a_run_with_abandoned_lookups),
      cmocka_unit_test(users_do_not_keep_names_waiting),
      cmocka_unit_test(after_the_pools_shutdown),
      cmocka_unit_test(memory_runs_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
