/* test_panic.c: the last words go to stderr, whole, and the process aborts. */
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

#include "base/base.h"

/* Runs fn in a child; its stderr, and how it ended. */
static int run_child(void (*fn)(void), char *text, size_t size) {
  int ends[2], status;
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGABRT, SIG_DFL);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    fn();
    _exit(0);
  }
  assert_true(child > 0);
  close(ends[1]);
  size_t length = 0;
  ssize_t got;
  while (length < size - 1 && (got = read(ends[0], text + length, size - 1 - length)) != 0) {
    if (got < 0 && errno == EINTR) continue;
    assert_true(got > 0);
    length += (size_t)got;
  }
  text[length] = '\0';
  close(ends[0]);
  assert_int_equal(waitpid(child, &status, 0), child);
  return status;
}

static void plain(void) { weft__panic("task '%s' joined %d times", "worker", 2); }
static void long_text(void) { weft__panic("%0*d", 5000, 7); }
static void broken(void) {
  volatile int two = 2;
  WEFT__ASSERT(two + two == 5);
}
static void kept(void) { WEFT__ASSERT(1 + 1 == 2); }

static void test_words(void **state) {
  (void)state;
  char text[8192];
  int status = run_child(plain, text, sizeof text);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  assert_string_equal(text, "weft: task 'worker' joined 2 times\n");
}

static void test_long_text_is_cut(void **state) {
  (void)state;
  char text[8192];
  int status = run_child(long_text, text, sizeof text);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  assert_memory_equal(text, "weft: 000", 9);
  assert_true(strlen(text) > 500);
  assert_int_equal(text[strlen(text) - 1], '\n');
}

static void test_assert(void **state) {
  (void)state;
  char text[8192];
  int status = run_child(broken, text, sizeof text);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  assert_non_null(strstr(text, "broken: broken invariant: two + two == 5"));
  assert_non_null(strstr(text, "test_panic.c:"));
  assert_int_equal(run_child(kept, text, sizeof text), 0);
  assert_string_equal(text, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_words),
      cmocka_unit_test(test_long_text_is_cut),
      cmocka_unit_test(test_assert),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
