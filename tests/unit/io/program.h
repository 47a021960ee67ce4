/* program.h: tests that run as tasks: checks inside them (cmocka's jumps would leave the task), and what a run leaves. */
#ifndef WEFT_TEST_IO_PROGRAM_H
#define WEFT_TEST_IO_PROGRAM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weft.h>

#include "io/streams.h"

/* In a task: a false condition is noted (the first of a run) and ends the function. */
static char program_failure[512];
static weft__spin_t program_failure_lock;
static inline void note_failure(const char *file, int line, const char *condition) {
  weft__spin_lock(&program_failure_lock);
  if (program_failure[0] == '\0')
    snprintf(program_failure, sizeof program_failure, "%s:%d: %s (last error: %s: %s)", file, line, condition,
             weft_error()->name, weft_error()->message);
  weft__spin_unlock(&program_failure_lock);
}
#define CHECK(condition)                                                                                               \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      note_failure(__FILE__, __LINE__, #condition);                                                                    \
      return -EBADMSG;                                                                                                 \
    }                                                                                                                  \
  } while (0)

static inline long scaled(long n) {
  const char *scale = getenv("WEFT_TEST_SCALE");
  double scaled = (double)n * (scale != NULL ? atof(scale) : 1);
  return scaled < 10 ? 10 : (long)scaled;
}

/* An exception handler. */
static inline int say_nothing(weft_loop_t *loop, const weft_error_context_t *context, void *data) {
  (void)loop, (void)context, (void)data;
  return 0;
}

static inline int count_descriptors(void) {
  DIR *dir = opendir("/proc/self/fd");
  if (dir == NULL) abort();
  int n = 0;
  while (readdir(dir) != NULL) n++;
  closedir(dir);
  return n;
}

/* As many as when this was first called; a lookup that nobody waits for any more may still have one for a moment. */
static inline void assert_descriptors(void) {
  static int expected;
  if (expected == 0) { /* libuv keeps a pipe from its first loop on, and the portable reactor has one from the start */
    weft__reactor_t *reactor = NULL;
    int error;
    assert_int_equal(weft__reactor_open(&reactor), 0);
    assert_non_null(weft__reactor_uv(reactor, &error));
    weft__reactor_close(reactor);
    expected = count_descriptors();
  }
  for (int i = 0; i < 1000 && count_descriptors() != expected; i++) usleep(5000);
  assert_int_equal(count_descriptors(), expected);
}

/* Runs the program with 1 and with 4 workers; it must end well and leave no descriptor behind. */
static inline void run_program(weft_call_t call) {
  const unsigned workers[] = {1, 4};
  for (size_t i = 0; i < 2; i++) {
    weft_config_t config = {.workers = workers[i]};
    assert_descriptors();
    program_failure[0] = '\0';
    int rc = weft_run_with(&config, call);
    if (program_failure[0] != '\0') print_error("with %u workers: %s\n", workers[i], program_failure);
    if (rc < 0) print_error("with %u workers: %s: %s\n", workers[i], weft_error()->name, weft_error()->message);
    assert_int_equal(rc, 0);
    assert_string_equal(program_failure, "");
    assert_descriptors();
  }
}

/* A connected pair of streams inside this process. 0 or a negative error. */
static inline int open_stream(int fd, weft_stream_t **out) {
  weft__ready_t *ready = NULL;
  int rc = weft__ready_open(weft__io_reactor(), fd, &ready);
  if (rc < 0) return rc;
  *out = weft__stream_new(ready, weft_get_running_loop());
  return *out != NULL ? 0 : -ENOMEM;
}

static inline int open_streams(weft_stream_t **a, weft_stream_t **b) {
  int fds[2];
  *a = *b = NULL;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) return -errno;
  int rc = open_stream(fds[0], a);
  return rc < 0 ? rc : open_stream(fds[1], b);
}

#endif
