/* Reading from streams: what each call returns at its edges, and that a cancelled one has consumed nothing.
 * ctest: timeout=40 (a lost wake-up hangs) */
#include "program.h"

static WEFT_ASYNC(read_into, weft_stream_t *, char *, size_t);
static int read_into(weft_stream_t *s, char *buffer, size_t size) { return (int)weft_stream_read(s, buffer, size); }

static WEFT_ASYNC(send_later, weft_stream_t *, const char *);
static int send_later(weft_stream_t *s, const char *text) {
  int rc = weft_sleep(0.005);
  return rc < 0 ? rc : weft_stream_write(s, text, strlen(text));
}

static WEFT_ASYNC(end_later, weft_stream_t *, const char *);
static int end_later(weft_stream_t *s, const char *text) {
  int rc = send_later(s, text);
  return rc < 0 ? rc : weft_stream_close(s);
}

/* ---- read ---- */

static WEFT_ASYNC(read_what_is_there);
static int read_what_is_there(void) {
  weft_stream_t *a, *b;
  char buffer[100];
  CHECK(open_streams(&a, &b) == 0);
  CHECK(weft_stream_read(a, buffer, 0) == 0);
  CHECK(weft_stream_write(b, "abcde", 5) == 0);
  CHECK(weft_stream_read(a, buffer, 3) == 3 && memcmp(buffer, "abc", 3) == 0);
  CHECK(weft_stream_read(a, buffer, sizeof buffer) == 2 && memcmp(buffer, "de", 2) == 0);
  weft_task_t *later = weft_create_task(end_later_async(b, "fgh"));
  CHECK(weft_stream_read(a, buffer, sizeof buffer) == 3 && memcmp(buffer, "fgh", 3) == 0);
  CHECK(weft_stream_read(a, buffer, sizeof buffer) == 0); /* the end */
  CHECK(weft_stream_read(a, buffer, sizeof buffer) == 0); /* is sticky */
  CHECK(weft_join(later) == 0);
  CHECK(weft_stream_close(a) == 0);
  return 0;
}
static void read_returns_what_is_there(void **state) {
  (void)state;
  run_program(read_what_is_there_async());
}

/* ---- lines ---- */

static WEFT_ASYNC(read_lines);
static int read_lines(void) {
  weft_stream_t *a, *b;
  char line[100];
  CHECK(open_streams(&a, &b) == 0);
  CHECK(weft_stream_write(b, "one\n\ntwo", 8) == 0);
  CHECK(weft_stream_readline(a, line, sizeof line) == 4 && strcmp(line, "one\n") == 0);
  CHECK(weft_stream_readline(a, line, sizeof line) == 1 && strcmp(line, "\n") == 0);
  weft_task_t *later = weft_create_task(end_later_async(b, "and"));
  CHECK(weft_stream_readline(a, line, sizeof line) == 6 && strcmp(line, "twoand") == 0); /* without its newline */
  CHECK(weft_stream_readline(a, line, sizeof line) == 0 && strcmp(line, "") == 0);
  CHECK(weft_join(later) == 0);
  CHECK(weft_stream_close(a) == 0);
  return 0;
}
static void lines_and_a_last_partial_one(void **state) {
  (void)state;
  run_program(read_lines_async());
}

static WEFT_ASYNC(read_long_lines);
static int read_long_lines(void) {
  weft_stream_t *a, *b;
  char line[6];
  CHECK(open_streams(&a, &b) == 0);
  CHECK(weft_stream_write(b, "1234\n12345\nok\n123456789", 23) == 0);
  CHECK(weft_stream_readline(a, line, sizeof line) == 5 && strcmp(line, "1234\n") == 0); /* as long as may be */
  CHECK(weft_stream_readline(a, line, sizeof line) == WEFT_VALUE);
  CHECK(strcmp(weft_error()->message, "Separator is found, but chunk is longer than limit") == 0);
  CHECK(weft_error()->context == WEFT_LIMIT_OVERRUN);
  CHECK(weft_stream_readline(a, line, sizeof line) == 3 && strcmp(line, "ok\n") == 0); /* the long one was dropped */
  CHECK(weft_stream_readline(a, line, sizeof line) == WEFT_VALUE);
  CHECK(strcmp(weft_error()->message, "Separator is not found, and chunk exceed the limit") == 0);
  CHECK(weft_stream_write(b, "12345", 5) == 0);
  CHECK(weft_stream_close(b) == 0);
  CHECK(weft_stream_readline(a, line, sizeof line) == 5 &&
        strcmp(line, "12345") == 0); /* everything had been dropped */
  CHECK(weft_stream_readline(a, line, 0) == -EINVAL);
  CHECK(weft_stream_close(a) == 0);
  return 0;
}
static void lines_beyond_the_room(void **state) {
  (void)state;
  run_program(read_long_lines_async());
}

static WEFT_ASYNC(read_until);
static int read_until(void) {
  weft_stream_t *a, *b;
  char text[8];
  CHECK(open_streams(&a, &b) == 0);
  CHECK(weft_stream_write(b, "ab--cd-", 7) == 0);
  CHECK(weft_stream_readuntil(a, "--", text, sizeof text) == 4 && strcmp(text, "ab--") == 0);
  weft_task_t *later = weft_create_task(send_later_async(b, "-0123456789--"));
  CHECK(weft_stream_readuntil(a, "--", text, sizeof text) == 4 &&
        strcmp(text, "cd--") == 0); /* arrived in two halves */
  CHECK(weft_join(later) == 0);
  CHECK(weft_stream_readuntil(a, "--", text, sizeof text) == WEFT_LIMIT_OVERRUN);
  CHECK(weft_stream_read(a, text, 3) == 3 && memcmp(text, "012", 3) == 0); /* nothing was consumed */
  CHECK(weft_stream_readuntil(a, "", text, sizeof text) == WEFT_VALUE);
  CHECK(weft_stream_close(b) == 0);
  CHECK(weft_stream_read_exactly(a, text, 7) == 0);
  CHECK(weft_stream_readuntil(a, "!", text, sizeof text) == WEFT_INCOMPLETE_READ && strcmp(text, "--") == 0);
  CHECK(weft_stream_readuntil(a, "!", text, sizeof text) == WEFT_INCOMPLETE_READ && strcmp(text, "") == 0);
  CHECK(weft_stream_close(a) == 0);
  return 0;
}
static void until_a_separator(void **state) {
  (void)state;
  run_program(read_until_async());
}

/* Lines of all lengths, through whatever the kernel cuts them into. */
static WEFT_ASYNC(write_long_lines, weft_stream_t *, int);
static int write_long_lines(weft_stream_t *s, int n) {
  static char line[70000];
  memset(line, 'x', sizeof line);
  for (int i = 0; i < n; i++) {
    size_t length = (size_t)i * 61;
    CHECK(weft_stream_write(s, line, length) == 0);
    CHECK(weft_stream_write(s, "\n", 1) == 0);
  }
  return weft_stream_close(s);
}

static WEFT_ASYNC(read_all_lengths);
static int read_all_lengths(void) {
  enum { N = 1000 };
  static char line[70000];
  weft_stream_t *a, *b;
  CHECK(open_streams(&a, &b) == 0);
  weft_task_t *writer = weft_create_task(write_long_lines_async(b, N));
  for (int i = 0; i < N; i++) CHECK(weft_stream_readline(a, line, sizeof line) == (ssize_t)i * 61 + 1);
  CHECK(weft_stream_readline(a, line, sizeof line) == 0);
  CHECK(weft_join(writer) == 0);
  return weft_stream_close(a);
}
static void lines_of_all_lengths(void **state) {
  (void)state;
  run_program(read_all_lengths_async());
}

/* ---- exactly ---- */

static WEFT_ASYNC(read_exactly);
static int read_exactly(void) {
  weft_stream_t *a, *b;
  char buffer[100];
  CHECK(open_streams(&a, &b) == 0);
  CHECK(weft_stream_write(b, "abcdefghij", 10) == 0);
  CHECK(weft_stream_read_exactly(a, buffer, 4) == 0 && memcmp(buffer, "abcd", 4) == 0);
  CHECK(weft_stream_read_exactly(a, buffer, 0) == 0);
  CHECK(weft_stream_read_exactly(a, buffer, (size_t)-1) == WEFT_VALUE);
  CHECK(strcmp(weft_error()->message, "readexactly size can not be less than zero") == 0);
  CHECK(weft_stream_close(b) == 0);
  CHECK(weft_stream_read_exactly(a, buffer, 100) == WEFT_INCOMPLETE_READ && memcmp(buffer, "efghij", 6) == 0);
  CHECK(strcmp(weft_error()->message, "6 bytes read on a total of 100 expected bytes") == 0);
  CHECK(weft_stream_read(a, buffer, 100) == 0); /* the part was consumed */
  return weft_stream_close(a);
}
static void exactly_so_many(void **state) {
  (void)state;
  run_program(read_exactly_async());
}

/* ---- cancelled reads ---- */

static WEFT_ASYNC(cancel_a_read);
static int cancel_a_read(void) {
  weft_stream_t *a, *b;
  char buffer[100];
  CHECK(open_streams(&a, &b) == 0);
  weft_task_t *reader = weft_create_task(read_into_async(a, buffer, sizeof buffer));
  CHECK(weft_sleep(0.005) == 0);
  weft_task_cancel(reader, NULL);
  CHECK(weft_join(reader) == WEFT_CANCELLED);
  CHECK(weft_stream_write(b, "abc", 3) == 0);
  CHECK(weft_wait_for(weft_stream_read_exactly_async(a, buffer, 5), 0.01) == WEFT_TIMEOUT);
  CHECK(weft_stream_write(b, "de", 2) == 0);
  CHECK(weft_stream_read_exactly(a, buffer, 5) == 0 && memcmp(buffer, "abcde", 5) == 0);
  CHECK(weft_stream_close(b) == 0);
  return weft_stream_close(a);
}
static void a_cancelled_read_consumes_nothing(void **state) {
  (void)state;
  run_program(cancel_a_read_async());
}

/* The same with a size that is read straight into the caller's memory. */
static WEFT_ASYNC(cancel_a_large_read);
static int cancel_a_large_read(void) {
  enum { SIZE = 100000 };
  static char data[SIZE], buffer[SIZE];
  for (size_t i = 0; i < SIZE; i++) data[i] = (char)(i * 7 + i / 256);
  weft_stream_t *a, *b;
  CHECK(open_streams(&a, &b) == 0);
  CHECK(weft_stream_write(b, data, 10) == 0);
  CHECK(weft_stream_read_exactly(a, buffer, 3) == 0);
  size_t sent = 10;
  for (int i = 0; i < 4; i++) {
    CHECK(weft_stream_write(b, data + sent, 20000) == 0);
    sent += 20000;
    CHECK(weft_wait_for(weft_stream_read_exactly_async(a, buffer, SIZE - 3), 0.005) == WEFT_TIMEOUT);
  }
  CHECK(weft_stream_write(b, data + sent, SIZE - sent) == 0);
  memset(buffer, 0, sizeof buffer);
  CHECK(weft_stream_read_exactly(a, buffer, SIZE - 3) == 0);
  CHECK(memcmp(buffer, data + 3, SIZE - 3) == 0);
  CHECK(weft_stream_close(b) == 0);
  return weft_stream_close(a);
}
static void a_cancelled_large_read_consumes_nothing(void **state) {
  (void)state;
  run_program(cancel_a_large_read_async());
}

/* Reads cancelled at random times while bytes stream in: every byte arrives once, in order. */
static size_t piece_size(long i) { return 1 + ((size_t)i * 2654435761u >> 7) % 16; }

static WEFT_ASYNC(send_numbers, weft_stream_t *, long);
static int send_numbers(weft_stream_t *s, long n) {
  for (long i = 0; i < n; i++) {
    unsigned char bytes[16];
    memset(bytes, (int)(i & 255), sizeof bytes);
    CHECK(weft_stream_write(s, bytes, piece_size(i)) == 0);
    if (i % 7 == 0) CHECK(weft_yield() == 0);
    if (i % 97 == 0) CHECK(weft_sleep(0.0005) == 0);
  }
  return weft_stream_close(s);
}

/* The read's own status: the task's may be "cancelled" all the same, if the request came after the read was over. */
static WEFT_ASYNC(read_noting_status, weft_stream_t *, unsigned char *, size_t, int *);
static int read_noting_status(weft_stream_t *s, unsigned char *bytes, size_t size, int *status) {
  return *status = weft_stream_read_exactly(s, bytes, size);
}

static WEFT_ASYNC(read_under_cancellation);
static int read_under_cancellation(void) {
  long n = scaled(3000), cancelled = 0;
  weft_stream_t *a, *b;
  CHECK(open_streams(&a, &b) == 0);
  weft_task_t *writer = weft_create_task(send_numbers_async(b, n));
  for (long i = 0; i < n; i++) {
    size_t size = piece_size(i);
    unsigned char bytes[16];
    int status = WEFT_CANCELLED; /* also if it never began */
    weft_task_t *reader = weft_create_task(read_noting_status_async(a, bytes, size, &status));
    if (i % 3 == 0) CHECK(weft_yield() == 0);
    if (i % 2 == 0) weft_task_cancel(reader, NULL);
    weft_ignore(weft_join(reader));
    if (status == WEFT_CANCELLED) {
      cancelled++;
      status = weft_stream_read_exactly(a, bytes, size);
    }
    CHECK(status == 0);
    for (size_t k = 0; k < size; k++) CHECK(bytes[k] == (unsigned char)i);
  }
  CHECK(cancelled > 0);
  CHECK(weft_join(writer) == 0);
  return weft_stream_close(a);
}
static void cancelled_at_any_moment_no_byte_is_lost(void **state) {
  (void)state;
  run_program(read_under_cancellation_async());
}

/* ---- errors ---- */

static WEFT_ASYNC(read_twice_at_once);
static int read_twice_at_once(void) {
  weft_stream_t *a, *b;
  char first[10], second[10];
  CHECK(open_streams(&a, &b) == 0);
  weft_task_t *reader = weft_create_task(read_into_async(a, first, sizeof first));
  CHECK(weft_sleep(0.005) == 0);
  CHECK(weft_stream_read(a, second, sizeof second) == WEFT_RUNTIME);
  CHECK(strcmp(weft_error()->message, "read() called while another coroutine is already waiting for incoming data") ==
        0);
  CHECK(weft_stream_write(b, "x", 1) == 0);
  CHECK(weft_join(reader) == 1 && first[0] == 'x');
  CHECK(weft_stream_close(b) == 0);
  return weft_stream_close(a);
}
static void one_reader_at_a_time(void **state) {
  (void)state;
  run_program(read_twice_at_once_async());
}

static WEFT_ASYNC(read_wrongly);
static int read_wrongly(void) {
  weft_stream_t *a, *b;
  char buffer[10];
  CHECK(open_streams(&a, &b) == 0);
  CHECK(weft_stream_read(NULL, buffer, 1) == -EINVAL);
  CHECK(weft_stream_read(a, NULL, 1) == -EINVAL);
  CHECK(weft_stream_readline(NULL, buffer, 1) == -EINVAL);
  CHECK(weft_stream_readuntil(a, NULL, buffer, 10) == WEFT_VALUE);
  CHECK(weft_stream_readuntil(a, "x", NULL, 10) == -EINVAL);
  CHECK(weft_stream_read_exactly(a, NULL, 10) == -EINVAL);
  CHECK(weft_stream_close(b) == 0);
  return weft_stream_close(a);
}
static void misuse_is_told(void **state) {
  (void)state;
  run_program(read_wrongly_async());
}

/* A task that reads what is always there gives the others their turns. */
static WEFT_ASYNC(count_turns, const bool *, long *);
static int count_turns(const bool *stop, long *turns) {
  while (!*stop) {
    ++*turns;
    CHECK(weft_yield() == 0);
  }
  return 0;
}

static WEFT_ASYNC(read_greedily);
static int read_greedily(void) {
  static bool stop;
  long turns = 0;
  stop = false;
  weft_stream_t *a, *b;
  char byte;
  CHECK(open_streams(&a, &b) == 0);
  static char data[20000];
  CHECK(weft_stream_write(b, data, sizeof data) == 0);
  weft_task_t *other = weft_create_task(count_turns_async(&stop, &turns));
  for (size_t i = 0; i < sizeof data; i++) CHECK(weft_stream_read(a, &byte, 1) == 1);
  stop = true;
  CHECK(weft_join(other) == 0);
  CHECK(turns > 20);
  CHECK(weft_stream_close(b) == 0);
  return weft_stream_close(a);
}
static void a_socket_that_is_always_ready_is_no_excuse(void **state) {
  (void)state;
  weft_config_t config = {.workers = 1};
  assert_int_equal(weft_run_with(&config, read_greedily_async()), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(read_returns_what_is_there),
      cmocka_unit_test(lines_and_a_last_partial_one),
      cmocka_unit_test(lines_beyond_the_room),
      cmocka_unit_test(until_a_separator),
      cmocka_unit_test(lines_of_all_lengths),
      cmocka_unit_test(exactly_so_many),
      cmocka_unit_test(a_cancelled_read_consumes_nothing),
      cmocka_unit_test(a_cancelled_large_read_consumes_nothing),
      cmocka_unit_test(cancelled_at_any_moment_no_byte_is_lost),
      cmocka_unit_test(one_reader_at_a_time),
      cmocka_unit_test(misuse_is_told),
      cmocka_unit_test(a_socket_that_is_always_ready_is_no_excuse),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
