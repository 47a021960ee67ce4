/* Looking names up: many at once, cancelled ones, and names that nobody has. */
#include "program.h"

#include "base/alloc.h"
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

/* A run that ends while lookups nobody waits for any more go on. */
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
static void a_run_does_not_wait_for_them(void **state) {
  (void)state;
  for (int i = 0; i < 20; i++) assert_int_equal(weft_run(abandon_lookups_async()), 0);
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
      cmocka_unit_test(a_run_does_not_wait_for_them),
      cmocka_unit_test(memory_runs_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
