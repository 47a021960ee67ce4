/* What only the epoll reactor has: the timerfd of old kernels, and libuv on demand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "loop/reactor_epoll.h"

static weft__reactor_t *open_reactor(void) {
  weft__reactor_t *reactor = NULL;
  assert_int_equal(weft__reactor_open(&reactor), 0);
  return reactor;
}

static int count_descriptors(void) {
  DIR *dir = opendir("/proc/self/fd");
  assert_non_null(dir);
  int n = 0;
  while (readdir(dir) != NULL) n++;
  closedir(dir);
  return n;
}

static void sleep_keeps_its_time(weft__reactor_t *reactor) {
  for (int i = 0; i < 5; i++) {
    int64_t start = weft__clock_now();
    assert_int_equal(weft__reactor_poll(reactor, 3000001), 0);
    assert_true(weft__clock_now() - start >= 3000001);
  }
  /* A long one may be split, but gets on. */
  int64_t until = weft__clock_now() + 120000000, left;
  int rounds = 0;
  while ((left = until - weft__clock_now()) > 0) {
    weft__reactor_poll(reactor, left);
    assert_true(++rounds < 50);
  }
}

static void time_passes_on_an_old_kernel(void **state) {
  (void)state;
  weft__reactor_t *reactor = open_reactor();
  weft__reactor_force_timerfd(reactor);
  sleep_keeps_its_time(reactor);
  weft__reactor_ring(reactor);
  assert_int_equal(weft__reactor_poll(reactor, INT64_MAX), 0);
  weft__reactor_close(reactor);
}

static void the_timer_is_left_to_nobody(void **state) {
  (void)state;
  int before = count_descriptors();
  weft__reactor_t *reactor = open_reactor();
  weft__reactor_force_timerfd(reactor);
  weft__reactor_poll(reactor, 0);
  weft__reactor_close(reactor);
  assert_int_equal(count_descriptors(), before);
}

static void memory_for_libuv_runs_out(void **state) {
  (void)state;
  weft__reactor_t *first = open_reactor();
  assert_non_null(weft__reactor_uv(first, NULL)); /* libuv keeps a pipe of its own from its first loop on */
  weft__reactor_close(first);
  int before = count_descriptors();
  weft__reactor_t *reactor = open_reactor();
  int error = 0;
  weft__alloc_fail_after(1);
  assert_null(weft__reactor_uv(reactor, &error));
  assert_int_equal(error, -ENOMEM);
  weft__alloc_fail_after(-1);
  assert_non_null(weft__reactor_uv(reactor, &error));
  weft__reactor_close(reactor);
  assert_int_equal(count_descriptors(), before);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(time_passes_on_an_old_kernel),
      cmocka_unit_test(the_timer_is_left_to_nobody),
      cmocka_unit_test(memory_for_libuv_runs_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
