/* test_overflow.c: a task that runs over its stack is named; every other fault goes where it went before. */
#include "fiber/overflow.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/threads.h"
#include "fiber/fiber.h"

/* Runs fn in a child; its stderr, and how it ended. */
static int run_child(void (*fn)(void), char *text, size_t size) {
  int ends[2], status;
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGABRT, SIG_DFL);
    signal(SIGSEGV, SIG_DFL);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    fn();
    _exit(0);
  }
  assert_true(child > 0);
  close(ends[1]);
  size_t length = 0;
  for (;;) {
    char rest[256];
    ssize_t got =
        length < size - 1 ? read(ends[0], text + length, size - 1 - length) : read(ends[0], rest, sizeof rest);
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    assert_true(got > 0);
    if (length < size - 1) length += (size_t)got;
  }
  text[length] = '\0';
  close(ends[0]);
  assert_int_equal(waitpid(child, &status, 0), child);
  return status;
}
static bool died_of(int status, int signal) { return WIFSIGNALED(status) && WTERMSIG(status) == signal; }

static weft__fiber_t base, *fiber;
static volatile int limit = 1 << 30;
static volatile uintptr_t nearly_null = 16;

static WEFT__NOINLINE int recurse(int depth) {
  volatile char frame[200];
  frame[0] = (char)depth;
  int below = depth < limit ? recurse(depth + 1) : 0;
  return below + frame[0];
}

static void overflow(void *arg) {
  (void)arg;
  recurse(0);
}
static void touch_null(void *arg) {
  (void)arg;
#ifdef WEFT_VALGRIND
  VALGRIND_DISABLE_ERROR_REPORTING; /* it is meant */
#endif
  *(volatile int *)nearly_null = 1;
}
/* A stray pointer into another stack's guard, while this one has plenty of room. */
static void touch_other_guard(void *arg) {
  weft__fiber_t *other = arg;
  *(volatile char *)(other->stack_low - 100) = 1;
}

static const char *described_name;
static size_t described_size;
static void describe(const char **name, size_t *size) {
  *name = described_name;
  if (described_size != 0) *size = described_size;
}

static void prepare(void) {
  static weft__overflow_thread_t thread;
  if (weft__overflow_install() != 0 || weft__overflow_enter_thread(&thread) != 0) _exit(9);
}

static void run_on_fiber(size_t size, void (*entry)(void *), void *arg) {
  prepare();
  weft__fiber_adopt_thread(&base);
  fiber = weft__fiber_new(NULL, size, entry, arg);
  weft__fiber_switch(&base, fiber);
  _exit(8);
}

static void overflow_named(void) {
  described_name = "Task-7";
  described_size = 65536;
  weft__overflow_describe = describe;
  run_on_fiber(1, overflow, NULL);
}
static void overflow_unnamed(void) { run_on_fiber(1, overflow, NULL); }
static void overflow_large(void) {
  described_name = "big";
  weft__overflow_describe = describe;
  run_on_fiber(1 << 20, overflow, NULL);
}
static void other_fault(void) { run_on_fiber(1, touch_null, NULL); }
static void stray(void) { run_on_fiber(1, touch_other_guard, weft__fiber_new(NULL, 1, overflow, NULL)); }

static const char named_report[] =
    "weft: stack overflow in task 'Task-7': its stack of 65536 bytes is full; give it more with "
    "weft_task_options_t.stack_size or weft_config_t.stack_size\n";

static void test_named(void **state) {
  (void)state;
  char text[4096];
  assert_true(died_of(run_child(overflow_named, text, sizeof text), SIGABRT));
  assert_string_equal(text, named_report);
}

static void test_unnamed(void **state) {
  (void)state;
  char text[4096], expected[256];
  assert_true(died_of(run_child(overflow_unnamed, text, sizeof text), SIGABRT));
  snprintf(expected, sizeof expected,
           "weft: stack overflow outside of a task: the stack of %d bytes is full; give it more with "
           "weft_config_t.stack_size\n",
           WEFT__FIBER_DEFAULT_USABLE);
  assert_string_equal(text, expected);
}

static void test_large_stack(void **state) {
  (void)state;
  char text[4096], expected[256];
  assert_true(died_of(run_child(overflow_large, text, sizeof text), SIGABRT));
  snprintf(expected, sizeof expected, "in task 'big': its stack of %d bytes is full",
           2 * 1024 * 1024 - WEFT__STACK_GUARD - WEFT__STACK_HEADER_MAX);
  assert_non_null(strstr(text, expected));
}

static int overflow_in_thread(void *arg) {
  (void)arg;
  overflow_named();
  return 0;
}
static void in_thread(void) {
  weft__thread_t thread;
  if (weft__thread_start(&thread, overflow_in_thread, NULL, "worker") != 0) _exit(7);
  weft__thread_join(thread);
}

/* In a helper thread, whose signals are blocked but for its own faults. */
static void test_in_a_thread(void **state) {
  (void)state;
  char text[4096];
  assert_true(died_of(run_child(in_thread, text, sizeof text), SIGABRT));
  assert_string_equal(text, named_report);
}

static void test_other_faults_pass(void **state) {
  (void)state;
  char text[4096];
  assert_true(died_of(run_child(other_fault, text, sizeof text), SIGSEGV));
  assert_string_equal(text, "");
  assert_true(died_of(run_child(stray, text, sizeof text), SIGSEGV));
  assert_string_equal(text, "");
}

static void plain_handler(int signal) { _exit(signal == SIGSEGV ? 41 : 1); }
static void full_handler(int signal, siginfo_t *info, void *context) {
  _exit(signal == SIGSEGV && info->si_addr == (void *)(uintptr_t)16 && context != NULL ? 42 : 1);
}
static void chain_plain(void) {
  signal(SIGSEGV, plain_handler);
  other_fault();
}
static void chain_full(void) {
  struct sigaction action = {.sa_sigaction = full_handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &action, NULL);
  other_fault();
}
static void chain_ignored(void) {
  signal(SIGSEGV, SIG_IGN);
  other_fault();
}
static void sent_by_somebody(void) {
  prepare();
  raise(SIGSEGV);
}
static void sent_and_ignored(void) {
  signal(SIGSEGV, SIG_IGN);
  prepare();
  raise(SIGSEGV);
  _exit(43);
}

static void test_chain(void **state) {
  (void)state;
  char text[4096];
  int status = run_child(chain_plain, text, sizeof text);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 41);
  status = run_child(chain_full, text, sizeof text);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 42);
  assert_true(died_of(run_child(chain_ignored, text, sizeof text), SIGSEGV));
  assert_true(died_of(run_child(sent_by_somebody, text, sizeof text), SIGSEGV));
  status = run_child(sent_and_ignored, text, sizeof text);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 43);
}

/* ---- coming and going, in this process ---- */

static void test_counted(void **state) {
  (void)state;
  struct sigaction before, during, after;
  sigaction(SIGSEGV, NULL, &before);
  assert_int_equal(weft__overflow_install(), 0);
  assert_int_equal(weft__overflow_install(), 0);
  sigaction(SIGSEGV, NULL, &during);
  assert_true((during.sa_flags & SA_ONSTACK) != 0);
  assert_true(during.sa_sigaction != before.sa_sigaction);
  weft__overflow_uninstall();
  sigaction(SIGSEGV, NULL, &after);
  assert_true(after.sa_sigaction == during.sa_sigaction);
  weft__overflow_uninstall();
  sigaction(SIGSEGV, NULL, &after);
  assert_true(after.sa_sigaction == before.sa_sigaction);
}

static void test_replaced_handler_stays(void **state) {
  (void)state;
  struct sigaction before, theirs = {.sa_sigaction = full_handler, .sa_flags = SA_SIGINFO}, after;
  sigaction(SIGSEGV, NULL, &before);
  assert_int_equal(weft__overflow_install(), 0);
  sigaction(SIGSEGV, &theirs, NULL);
  weft__overflow_uninstall();
  sigaction(SIGSEGV, NULL, &after);
  assert_true(after.sa_sigaction == full_handler);
  sigaction(SIGSEGV, &before, NULL);
}

static void test_signal_stack(void **state) {
  (void)state;
  stack_t before, none = {.ss_flags = SS_DISABLE}, during, after;
  sigaltstack(NULL, &before);
  sigaltstack(&none, NULL);
  weft__overflow_thread_t thread;
  assert_int_equal(weft__overflow_enter_thread(&thread), 0);
  sigaltstack(NULL, &during);
  assert_int_equal(during.ss_flags & SS_DISABLE, 0);
  assert_true(during.ss_size >= 32768);
  /* A thread that has one keeps it. */
  weft__overflow_thread_t second;
  assert_int_equal(weft__overflow_enter_thread(&second), 0);
  sigaltstack(NULL, &after);
  assert_ptr_equal(after.ss_sp, during.ss_sp);
  weft__overflow_leave_thread(&second);
  sigaltstack(NULL, &after);
  assert_ptr_equal(after.ss_sp, during.ss_sp);
  weft__overflow_leave_thread(&thread);
  sigaltstack(NULL, &after);
  assert_true((after.ss_flags & SS_DISABLE) != 0);
  if ((before.ss_flags & SS_DISABLE) == 0) sigaltstack(&before, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_named),
      cmocka_unit_test(test_unnamed),
      cmocka_unit_test(test_large_stack),
      cmocka_unit_test(test_in_a_thread),
      cmocka_unit_test(test_other_faults_pass),
      cmocka_unit_test(test_chain),
      cmocka_unit_test(test_counted),
      cmocka_unit_test(test_replaced_handler_stays),
      cmocka_unit_test(test_signal_stack),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
