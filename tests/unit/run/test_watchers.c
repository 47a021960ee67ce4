/* Descriptor callbacks: level-triggered, replaced, removed (also by themselves), errors, bad descriptors, an end of the run
 * with some left. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <weft.h>

#define RETURN_UNLESS(condition)                                                                                       \
  do {                                                                                                                 \
    if (!(condition)) return (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), -EILSEQ);                \
  } while (0)

static void at_one_and_four(weft_call_t call) {
  for (unsigned workers = 1; workers <= 4; workers += 3) {
    weft_config_t config = {.workers = workers};
    assert_int_equal(weft_run_with(&config, call), 0);
  }
}

struct end {
  int fd;
  atomic_int calls, reported;
  weft_future_t *enough;
  int limit; /* calls until the future is set */
  int rc;
};
/* Takes one byte; the rest stays and has to be reported again. */
static int takes_one(void *data) {
  struct end *end = data;
  char byte;
  ssize_t n = read(end->fd, &byte, 1);
  end->calls++;
  if (end->calls == end->limit || n == 0) {
    weft_loop_remove_reader(weft_get_running_loop(), end->fd); /* by itself */
    weft_future_set_done(end->enough);
  }
  return end->rc != 0 ? weft_fail(end->rc, "from a reader") : 0;
}
static int counts(void *data) {
  struct end *end = data;
  end->calls++;
  return 0;
}
static int counts_reports(weft_loop_t *loop, const weft_error_context_t *context, void *data) {
  (void)loop;
  if (context->error->code == WEFT_VALUE) ((struct end *)data)->reported++;
  return 0;
}

static WEFT_ASYNC(levels);
static int levels(void) {
  weft_loop_t *loop = weft_get_running_loop();
  int pair[2];
  RETURN_UNLESS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  struct end end = {.fd = pair[0], .limit = 4, .enough = weft_future_open(0), .rc = WEFT_VALUE};
  weft_loop_set_exception_handler(loop, counts_reports, &end);
  RETURN_UNLESS(weft_loop_add_reader(loop, pair[0], takes_one, &end) == 0);
  RETURN_UNLESS(write(pair[1], "abcd", 4) == 4);
  RETURN_UNLESS(weft_wait_for_future(end.enough, 20, NULL) == 0);
  RETURN_UNLESS(end.calls == 4 && end.reported >= 3 && end.reported <= 4); /* the last one is on its way */
  RETURN_UNLESS(!weft_loop_remove_reader(loop, pair[0]));
  RETURN_UNLESS(weft_sleep(0.01) == 0 && end.reported == 4);
  weft_loop_set_exception_handler(loop, NULL, NULL);
  RETURN_UNLESS(write(pair[1], "e", 1) == 1 && weft_sleep(0.02) == 0 && end.calls == 4);
  weft_future_unref(end.enough);

  /* the end of the stream, and one that replaces another */
  struct end last = {.fd = pair[0], .limit = 9, .enough = weft_future_open(0)}, never = {0};
  RETURN_UNLESS(read(pair[0], &(char){0}, 1) == 1);
  RETURN_UNLESS(weft_loop_add_reader(loop, pair[0], counts, &never) == 0);
  RETURN_UNLESS(weft_loop_add_reader(loop, pair[0], takes_one, &last) == 0);
  close(pair[1]);
  RETURN_UNLESS(weft_wait_for_future(last.enough, 20, NULL) == 0);
  RETURN_UNLESS(last.calls == 1 && never.calls == 0);
  close(pair[0]);
  weft_future_unref(last.enough);
  return 0;
}
static void reports_as_long_as_it_is_ready(void **state) {
  (void)state;
  at_one_and_four(levels_async());
}

static WEFT_ASYNC(both);
static int both(void) {
  weft_loop_t *loop = weft_get_running_loop();
  int pair[2];
  RETURN_UNLESS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  struct end in = {.fd = pair[0], .limit = 1, .enough = weft_future_open(0)}, out = {.fd = pair[0]};
  RETURN_UNLESS(weft_loop_add_reader(loop, pair[0], takes_one, &in) == 0);
  RETURN_UNLESS(weft_loop_add_writer(loop, pair[0], counts, &out) == 0);
  while (out.calls < 3) RETURN_UNLESS(weft_sleep(0.001) == 0);
  RETURN_UNLESS(in.calls == 0 && weft_loop_remove_writer(loop, pair[0]) && !weft_loop_remove_writer(loop, pair[0]));
  RETURN_UNLESS(weft_sleep(0.01) == 0);
  int calls = out.calls;
  RETURN_UNLESS(write(pair[1], "x", 1) == 1 && weft_wait_for_future(in.enough, 20, NULL) == 0);
  RETURN_UNLESS(in.calls == 1 && out.calls == calls);
  weft_future_unref(in.enough);
  close(pair[0]);
  close(pair[1]);
  return 0;
}
static void directions_are_apart(void **state) {
  (void)state;
  assert_int_equal(weft_run_with(&(weft_config_t){.workers = 1}, both_async()), 0);
}

static WEFT_ASYNC(misuse);
static int misuse(void) {
  weft_loop_t *loop = weft_get_running_loop();
  struct end end = {0};
  RETURN_UNLESS(weft_loop_add_reader(loop, -1, counts, &end) == -EINVAL);
  RETURN_UNLESS(weft_loop_add_reader(loop, 0, NULL, &end) == -EINVAL);
  RETURN_UNLESS(weft_loop_add_reader(NULL, 0, counts, &end) == -EINVAL);
  RETURN_UNLESS(weft_loop_add_writer(loop, 987, counts, &end) == -EBADF);
  RETURN_UNLESS(!weft_loop_remove_reader(loop, 987) && !weft_loop_remove_writer(NULL, 0));
  int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  RETURN_UNLESS(file >= 0 && weft_loop_add_reader(loop, file, counts, &end) == -EPERM);
  close(file);
  return 0;
}
static void bad_descriptors_are_refused(void **state) {
  (void)state;
  at_one_and_four(misuse_async());
}

static WEFT_ASYNC(leaves, int, struct end *);
static int leaves(int fd, struct end *end) {
  RETURN_UNLESS(weft_loop_add_writer(weft_get_running_loop(), fd, counts, end) == 0);
  return weft_sleep(0.01);
}
static void a_run_may_end_with_some_left(void **state) {
  (void)state;
  int pair[2];
  struct end end = {0};
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  at_one_and_four(leaves_async(pair[0], &end));
  assert_true(end.calls > 0);
  close(pair[0]);
  close(pair[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reports_as_long_as_it_is_ready),
      cmocka_unit_test(directions_are_apart),
      cmocka_unit_test(bad_descriptors_are_refused),
      cmocka_unit_test(a_run_may_end_with_some_left),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
