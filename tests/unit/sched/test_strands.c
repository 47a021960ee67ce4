/* Strands on several workers, without luck: a member that is seen running while another one does is an error at once. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include <weft.h>

static int run_on(unsigned workers, bool serial, weft_call_t call) {
  weft_config_t config = {.workers = workers, .serial = serial};
  return weft_run_with(&config, call);
}

static WEFT_ASYNC(sets, atomic_int *);
static int sets(atomic_int *flag) {
  atomic_store(flag, 1);
  return 0;
}
/* Long enough for another worker to come by and take what it may. */
static bool stays_clear(atomic_int *flag) {
  struct timespec begun, t;
  clock_gettime(CLOCK_MONOTONIC, &begun);
  do {
    if (atomic_load(flag) != 0) return false;
    clock_gettime(CLOCK_MONOTONIC, &t);
  } while ((t.tv_sec - begun.tv_sec) * 1000000000L + t.tv_nsec - begun.tv_nsec < 5000000L);
  return true;
}

static WEFT_ASYNC(has_children);
static int has_children(void) {
  atomic_int first = 0, second = 0;
  weft_task_t *a = weft_create_task(sets_async(&first)), *b = weft_create_task(sets_async(&second));
  bool clear = stays_clear(&first) && stays_clear(&second);
  int rc = weft_join(a), rc2 = weft_join(b);
  return !clear ? -EDEADLK : rc < 0 ? rc : rc2;
}

static WEFT_ASYNC(in_a_strand);
static int in_a_strand(void) {
  weft_strand_t *strand = weft_strand_open();
  weft_task_options_t options = {.strand = strand};
  int rc = weft_join(weft_create_task_with(has_children_async(), &options));
  if (rc == 0) rc = weft_strand_run(strand, has_children_async());
  weft_strand_unref(strand);
  return rc;
}
static void children_belong_to_their_creators_strand(void **state) {
  (void)state;
  for (unsigned workers = 2; workers <= 4; workers++) assert_int_equal(run_on(workers, false, in_a_strand_async()), 0);
}

static void a_serial_run_is_one_strand(void **state) {
  (void)state;
  for (unsigned workers = 2; workers <= 4; workers++) assert_int_equal(run_on(workers, true, has_children_async()), 0);
}

/* The counter-test: outside of strands others do come by. */
static WEFT_ASYNC(has_free_children);
static int has_free_children(void) {
  atomic_int first = 0, second = 0;
  weft_task_t *a = weft_create_task(sets_async(&first)), *b = weft_create_task(sets_async(&second));
  time_t end = time(NULL) + 20;
  while ((atomic_load(&first) == 0 || atomic_load(&second) == 0) && time(NULL) <= end) {
  }
  bool ran = atomic_load(&first) != 0 && atomic_load(&second) != 0;
  int rc = weft_join(a), rc2 = weft_join(b);
  return !ran ? -ETIMEDOUT : rc < 0 ? rc : rc2;
}
static void free_tasks_run_beside_their_creator(void **state) {
  (void)state;
  assert_int_equal(run_on(2, false, has_free_children_async()), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(children_belong_to_their_creators_strand),
      cmocka_unit_test(a_serial_run_is_one_strand),
      cmocka_unit_test(free_tasks_run_beside_their_creator),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
