/* test_interrupt.c: Ctrl-C during a run: what it does to the main task and to the run, and whose handlers stay. */
#include <signal.h>
#include <unistd.h>

#include "unit/exec/blocking.h"

static void *disposition(void) {
  struct sigaction now;
  assert_int_equal(sigaction(SIGINT, NULL, &now), 0);
  return (void *)(uintptr_t)now.sa_handler;
}
static void assert_default(void) { assert_ptr_equal(disposition(), (void *)(uintptr_t)SIG_DFL); }

static int interrupt(void *data) {
  (void)data;
  return kill(getpid(), SIGINT);
}

/* From a thread outside, so that sleeping workers have to be woken. */
static _Atomic(int) armed;
static int interrupt_when_armed(void *data) {
  for (int n = *(int *)data; n > 0; n--) {
    while (!atom_load(&armed, seq_cst)) nap(0.2);
    nap(3);
    atom_store(&armed, 0, seq_cst);
    kill(getpid(), SIGINT);
  }
  return 0;
}

static void each(void (*test)(unsigned workers)) {
  for (unsigned workers = 1; workers <= 4; workers += 3) {
    test(workers);
    assert_default();
  }
}

/* ---- the main task ----------------------------------------------------------------------------------------------------- */

static int sleeps(void) {
  assert_ptr_not_equal(disposition(), (void *)(uintptr_t)SIG_DFL);
  atom_store(&armed, 1, seq_cst);
  int rc = weft_sleep(1000);
  assert_int_equal(rc, WEFT_CANCELLED);
  assert_int_equal(weft_task_cancelling(weft_current_task()), 1);
  weft_ignore(weft_sleep(0.001)); /* clean-up may await */
  return rc;
}
static WEFT_ASYNC(sleeps);
static void sleeping(unsigned workers) {
  weft__thread_t thread;
  int once = 1;
  assert_int_equal(weft__thread_start(&thread, interrupt_when_armed, &once, NULL), 0);
  assert_int_equal(run_on(workers, sleeps_async()), WEFT_INTERRUPT);
  assert_string_equal(weft_error()->name, "KeyboardInterrupt");
  weft__thread_join(thread);
}
static void a_sleeping_main_is_cancelled(void **state) {
  (void)state;
  each(sleeping);
  each(sleeping);
}

static int swallows(void) {
  weft_call_later(weft_get_running_loop(), 0.002, interrupt, NULL);
  return weft_sleep(1000) == WEFT_CANCELLED ? 7 : 0;
}
static WEFT_ASYNC(swallows);
static void swallowing(unsigned workers) { assert_int_equal(run_on(workers, swallows_async()), 7); }
static void main_may_swallow_it(void **state) {
  (void)state;
  each(swallowing);
}

/* Somebody else cancelled main too: then it is a cancellation. */
static int cancelled_twice(void) {
  weft_task_cancel(weft_current_task(), "other");
  interrupt(NULL);
  return weft_sleep(1000);
}
static WEFT_ASYNC(cancelled_twice);
static void twice(unsigned workers) {
  int rc = run_on(workers, cancelled_twice_async());
  assert_true(rc == WEFT_CANCELLED || rc == WEFT_INTERRUPT); /* the signal may come after the end of the sleep */
}
static void with_another_request(void **state) {
  (void)state;
  each(twice);
}

/* ---- the second one ---------------------------------------------------------------------------------------------------- */

static _Atomic(int) refused;
static int refuses(void) {
  for (int i = 0; i < 2; i++) { /* the second sleep is the clean-up's to end */
    atom_store(&armed, 1, seq_cst);
    if (weft_sleep(1000) == WEFT_CANCELLED) atom_add(&refused, 1, seq_cst);
  }
  return 0;
}
static WEFT_ASYNC(refuses);
static void refusing(unsigned workers) {
  weft__thread_t thread;
  int two = 2;
  atom_store(&refused, 0, seq_cst);
  assert_int_equal(weft__thread_start(&thread, interrupt_when_armed, &two, NULL), 0);
  assert_int_equal(run_on(workers, refuses_async()), WEFT_INTERRUPT);
  weft__thread_join(thread);
  assert_int_equal(atom_load(&refused, seq_cst), 2);
}
static void the_second_ends_the_run(void **state) {
  (void)state;
  each(refusing);
}

/* ---- where nothing may happen ------------------------------------------------------------------------------------------ */

static int interrupts_itself(void) {
  interrupt(NULL);
  for (int i = 0; i < 5; i++)
    if (weft_sleep(0.001) < 0) return -1;
  return 4;
}
static WEFT_ASYNC(interrupts_itself);
static void ignored_stays_ignored(void **state) {
  (void)state;
  signal(SIGINT, SIG_IGN);
  assert_int_equal(run_on(1, interrupts_itself_async()), 4);
  assert_ptr_equal(disposition(), (void *)(uintptr_t)SIG_IGN);
  signal(SIGINT, SIG_DFL);
}

static volatile sig_atomic_t users;
static void users_handler(int number) {
  (void)number;
  users++;
}
static void a_users_handler_stays(void **state) {
  (void)state;
  users = 0;
  signal(SIGINT, users_handler);
  assert_int_equal(run_on(4, interrupts_itself_async()), 4);
  assert_int_equal(users, 1);
  assert_ptr_equal(disposition(), (void *)(uintptr_t)users_handler);
  signal(SIGINT, SIG_DFL);
}

/* A handler that main installs outlives the run. */
static int installs(void) {
  signal(SIGINT, users_handler);
  return 0;
}
static WEFT_ASYNC(installs);
static void a_handler_installed_meanwhile_stays(void **state) {
  (void)state;
  assert_int_equal(run_on(1, installs_async()), 0);
  assert_ptr_equal(disposition(), (void *)(uintptr_t)users_handler);
  signal(SIGINT, SIG_DFL);
}

static int looks(void) {
  assert_default();
  return 3;
}
static WEFT_ASYNC(looks);
static int run_elsewhere(void *data) {
  (void)data;
  return run_on(2, looks_async());
}
static void other_threads_leave_it_alone(void **state) {
  (void)state;
  weft__thread_t thread;
  assert_int_equal(weft__thread_start(&thread, run_elsewhere, NULL, NULL), 0);
  assert_int_equal(weft__thread_join(thread), 3);
}

/* ---- at any moment ----------------------------------------------------------------------------------------------------- */

/* The handler runs on a thread of the user's, once per run, while the workers are in the middle of anything. */
static _Atomic(int) phase; /* 0: rest, 1: one shot, 2: leave */
static int fire(void *data) {
  (void)data;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  for (;;) {
    int now = atom_load(&phase, seq_cst);
    if (now == 2) return 0;
    for (volatile int spin = rand() % 30000; spin > 0; spin--) {
    }
    if (now == 0) continue;
    raise(SIGINT);
    atom_store(&phase, 0, seq_cst);
  }
}

static int busy(void) {
  int rc = 0;
  atom_store(&phase, 1, seq_cst);
  for (int i = 0; rc == 0; i++) rc = i % 5 ? weft_yield() : weft_sleep(0.0001);
  return rc;
}
static WEFT_ASYNC(busy);

static void at_any_moment(void **state) {
  (void)state;
  weft__thread_t thread;
  atom_store(&phase, 0, seq_cst);
  assert_int_equal(weft__thread_start(&thread, fire, NULL, NULL), 0);
  for (int i = 0; i < scaled(200); i++) {
    assert_int_equal(run_on(1 + (unsigned)(i % 3), busy_async()), WEFT_INTERRUPT);
    while (atom_load(&phase, seq_cst) != 0) nap(0.01); /* out of its handler */
    assert_default();
  }
  atom_store(&phase, 2, seq_cst);
  weft__thread_join(thread);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_sleeping_main_is_cancelled),
      cmocka_unit_test(main_may_swallow_it),
      cmocka_unit_test(with_another_request),
      cmocka_unit_test(the_second_ends_the_run),
      cmocka_unit_test(ignored_stays_ignored),
      cmocka_unit_test(a_users_handler_stays),
      cmocka_unit_test(a_handler_installed_meanwhile_stays),
      cmocka_unit_test(other_threads_leave_it_alone),
      cmocka_unit_test(at_any_moment),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
