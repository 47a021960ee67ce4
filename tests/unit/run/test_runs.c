/* The ends of runs: what is left is cancelled, awaited and reported; runs do not nest; base errors end them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <weft.h>

static int run_on(unsigned workers, weft_call_t call) {
  weft_config_t config = {.workers = workers, .virtual_time = true};
  return weft_run_with(&config, call);
}

struct notes {
  int reports, code, ended;
  char message[128];
};
static int note(weft_loop_t *loop, const weft_error_context_t *context, void *data) {
  (void)loop;
  struct notes *notes = data;
  notes->reports++;
  notes->code = context->error != NULL ? context->error->code : 0;
  snprintf(notes->message, sizeof notes->message, "%s", context->message);
  return 0;
}

/* ---- what is left ------------------------------------------------------------------------------------------------------ */

static WEFT_ASYNC(takes_its_time, struct notes *, int);
static int takes_its_time(struct notes *notes, int answer) {
  int rc = weft_sleep(WEFT_FOREVER);
  if (rc != WEFT_CANCELLED || weft_sleep(3) < 0) return -EILSEQ; /* a clean-up that suspends */
  notes->ended++;
  return answer < 0 ? weft_fail(answer, "on purpose") : rc;
}
static WEFT_ASYNC(leaves_tasks, struct notes *, int);
static int leaves_tasks(struct notes *notes, int answer) {
  weft_loop_set_exception_handler(weft_get_running_loop(), note, notes);
  weft_detach(weft_create_task(takes_its_time_async(notes, answer)));
  weft_detach(weft_create_task(takes_its_time_async(notes, 0)));
  int rc = weft_sleep(1);
  return rc < 0 ? rc : 6;
}
static void what_is_left_is_cancelled_and_awaited(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers += 3) {
    struct notes notes = {0, 0, 0, ""};
    assert_int_equal(run_on(workers, leaves_tasks_async(&notes, 0)), 6);
    assert_int_equal(notes.ended, 2);
    assert_int_equal(notes.reports, 0);
    assert_int_equal(run_on(workers, leaves_tasks_async(&notes, WEFT_VALUE)), 6);
    assert_int_equal(notes.ended, 4);
    assert_int_equal(notes.reports, 1);
    assert_int_equal(notes.code, WEFT_VALUE);
    assert_string_equal(notes.message, "unhandled exception during asyncio.run() shutdown");
  }
}

static void a_loop_that_is_closed_tells_of_pending_tasks(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers += 3) {
    struct notes notes = {0, 0, 0, ""};
    weft_loop_t *loop;
    assert_int_equal(weft_loop_open(&(weft_config_t){.workers = workers, .virtual_time = true}, &loop), 0);
    assert_int_equal(weft_loop_run_until_complete(loop, leaves_tasks_async(&notes, 0)), 6);
    assert_int_equal(weft_all_tasks(loop, NULL, 0), 2);
    assert_int_equal(weft_loop_close(loop), 0);
    assert_int_equal(notes.ended, 0);
    assert_int_equal(notes.reports, 2);
    assert_string_equal(notes.message, "Task was destroyed but it is pending!");
  }
}

/* ---- nesting ----------------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(runs_again);
static int runs_again(void) {
  int rc = weft_run(weft_sleep_async(0));
  if (rc != WEFT_RUNTIME || strstr(weft_error()->message, "cannot be called from a running event loop") == NULL)
    return -EILSEQ;
  weft_loop_t *other;
  rc = weft_loop_open(NULL, &other);
  if (rc == 0 && weft_loop_run_forever(other) != WEFT_RUNTIME) rc = -EILSEQ;
  return rc < 0 ? rc : weft_loop_close(other);
}
static void runs_do_not_nest(void **state) {
  (void)state;
  assert_int_equal(run_on(1, runs_again_async()), 0);
  assert_int_equal(run_on(3, runs_again_async()), 0);
}

/* ---- base errors ------------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(exits);
static int exits(void) { return weft_fail(WEFT_EXIT, "enough"); }
static WEFT_ASYNC(a_child_exits, int *);
static int a_child_exits(int *status) {
  weft_detach(weft_create_task(exits_async()));
  *status = weft_sleep(WEFT_FOREVER); /* cancelled by the run's clean-up */
  return *status;
}
static void a_base_error_ends_the_run(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers += 3) {
    int status = 0;
    assert_int_equal(run_on(workers, a_child_exits_async(&status)), WEFT_EXIT);
    assert_string_equal(weft_error()->message, "enough");
    assert_int_equal(status, WEFT_CANCELLED);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_left_is_cancelled_and_awaited),
      cmocka_unit_test(a_loop_that_is_closed_tells_of_pending_tasks),
      cmocka_unit_test(runs_do_not_nest),
      cmocka_unit_test(a_base_error_ends_the_run),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
