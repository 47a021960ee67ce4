/* Writing to streams: nothing lost or out of order, marks, half close, close, and peers that go away.
 * ctest: timeout=40 (a lost wake-up hangs) */
#include "program.h"

#include <netinet/in.h>
#include <signal.h>

enum { BIG = 3000000 };
static unsigned char big[BIG];
static void fill_big(void) {
  for (size_t i = 0; i < BIG; i++) big[i] = (unsigned char)(i * 31 + i / 251);
}

static size_t held_by(weft_stream_t *s) {
  weft__spin_lock(&s->lock);
  size_t held = s->held;
  weft__spin_unlock(&s->lock);
  return held;
}

/* Reads to the end, now and then slowly, and compares. */
static WEFT_ASYNC(read_and_compare, weft_stream_t *, size_t, bool);
static int read_and_compare(weft_stream_t *s, size_t expected, bool slowly) {
  static unsigned char buffer[30000];
  size_t got = 0;
  for (long round = 0;; round++) {
    if (slowly && round % 8 == 0) CHECK(weft_sleep(0.0005) == 0);
    ssize_t n = weft_stream_read(s, buffer, sizeof buffer);
    CHECK(n >= 0);
    if (n == 0) break;
    CHECK(got + (size_t)n <= expected);
    CHECK(memcmp(buffer, big + got, (size_t)n) == 0);
    got += (size_t)n;
  }
  CHECK(got == expected);
  return weft_stream_close(s);
}

/* ---- order and completeness ---- */

static WEFT_ASYNC(write_pieces, weft_stream_t *, size_t);
static int write_pieces(weft_stream_t *s, size_t total) {
  size_t sent = 0;
  for (size_t i = 1; sent < total; i++) {
    size_t size = i * 7919 % 150000; /* below and above the high mark */
    if (size > total - sent) size = total - sent;
    CHECK(weft_stream_write(s, big + sent, size) == 0);
    sent += size;
    if (i % 5 == 0) CHECK(weft_stream_drain(s) == 0);
  }
  return 0;
}

static WEFT_ASYNC(transfer, bool);
static int transfer(bool slowly) {
  weft_stream_t *a, *b;
  CHECK(open_streams(&a, &b) == 0);
  weft_task_t *reader = weft_create_task(read_and_compare_async(b, BIG, slowly));
  CHECK(write_pieces(a, BIG) == 0);
  CHECK(weft_stream_close(a) == 0); /* sends what is held */
  return weft_join(reader);
}
static void all_arrives_in_order(void **state) {
  (void)state;
  fill_big();
  run_program(transfer_async(false));
  run_program(transfer_async(true));
}

/* What a write leaves behind is sent although nobody calls anything any more. */
static WEFT_ASYNC(write_and_wait);
static int write_and_wait(void) {
  weft_stream_t *a, *b;
  char reply[5];
  CHECK(open_streams(&a, &b) == 0);
  size_t sent = 0;
  while (held_by(a) == 0) { /* until the kernel takes no more */
    CHECK(weft_stream_write(a, big + sent, 1000) == 0);
    sent += 1000;
  }
  CHECK(held_by(a) <= WEFT__STREAM_HIGH);
  weft_task_t *reader = weft_create_task(weft_stream_read_exactly_async(a, reply, 5));
  static unsigned char got[BIG];
  CHECK(weft_stream_read_exactly(b, got, sent) == 0);
  CHECK(memcmp(got, big, sent) == 0);
  CHECK(weft_stream_write(b, "reply", 5) == 0);
  CHECK(weft_join(reader) == 0);
  CHECK(weft_stream_close(a) == 0);
  return weft_stream_close(b);
}
static void what_is_held_is_sent_in_the_background(void **state) {
  (void)state;
  fill_big();
  run_program(write_and_wait_async());
}

/* ---- drain ---- */

static int fill_up(weft_stream_t *s, size_t *sent) {
  while (held_by(s) <= WEFT__STREAM_LOW) {
    CHECK(weft_stream_write(s, big + *sent, 50000) == 0);
    *sent += 50000;
  }
  return 0;
}

static WEFT_ASYNC(drain_together);
static int drain_together(void) {
  weft_stream_t *a, *b;
  size_t sent = 0;
  CHECK(open_streams(&a, &b) == 0);
  CHECK(weft_stream_drain(a) == 0); /* nothing held: at once */
  CHECK(fill_up(a, &sent) == 0);
  weft_task_t *first = weft_create_task(weft_stream_drain_async(a));
  weft_task_t *second = weft_create_task(weft_stream_drain_async(a));
  CHECK(weft_wait_for(weft_stream_drain_async(a), 0.01) == WEFT_TIMEOUT);
  CHECK(!weft_task_done(first) && !weft_task_done(second));
  weft_task_t *reader = weft_create_task(read_and_compare_async(b, sent, false));
  CHECK(weft_join(first) == 0);
  CHECK(weft_join(second) == 0);
  CHECK(weft_stream_close(a) == 0);
  return weft_join(reader);
}
static void several_may_drain(void **state) {
  (void)state;
  fill_big();
  run_program(drain_together_async());
}

static WEFT_ASYNC(drain_a_lost_one);
static int drain_a_lost_one(void) {
  weft_stream_t *a, *b;
  size_t sent = 0;
  CHECK(open_streams(&a, &b) == 0);
  CHECK(fill_up(a, &sent) == 0);
  weft_task_t *drainer = weft_create_task(weft_stream_drain_async(a));
  CHECK(weft_sleep(0.005) == 0);
  CHECK(weft_stream_close(b) == 0);
  int rc = weft_join(drainer);
  CHECK(rc == -EPIPE || rc == -ECONNRESET);
  CHECK(weft_stream_drain(a) == rc); /* and so for every later one */
  CHECK(weft_stream_write(a, "x", 1) == rc);
  CHECK(weft_stream_close(a) == 0); /* nothing is held any more */
  return 0;
}
static void a_lost_connection_releases_drainers(void **state) {
  (void)state;
  fill_big();
  run_program(drain_a_lost_one_async());
}

/* ---- the end of writing ---- */

static WEFT_ASYNC(answer, weft_stream_t *);
static int answer(weft_stream_t *s) {
  char question[100];
  ssize_t n = 0, got = 0;
  while ((n = weft_stream_read(s, question + got, sizeof question - (size_t)got)) > 0) got += n;
  CHECK(n == 0 && got == 8);
  CHECK(weft_stream_write(s, "answer ", 7) == 0);
  CHECK(weft_sleep(0.005) == 0);
  CHECK(weft_stream_write(s, "to question", 11) == 0);
  return weft_stream_close(s);
}

static WEFT_ASYNC(half_close);
static int half_close(void) {
  weft_stream_t *a, *b;
  char text[100];
  CHECK(open_streams(&a, &b) == 0);
  weft_task_t *server = weft_create_task(answer_async(b));
  CHECK(weft_stream_write(a, "question", 8) == 0);
  CHECK(weft_stream_write_eof(a) == 0);
  CHECK(weft_stream_write_eof(a) == 0); /* twice is once */
  CHECK(weft_stream_write(a, "x", 1) == WEFT_RUNTIME);
  CHECK(strcmp(weft_error()->message, "Cannot call write() after write_eof()") == 0);
  CHECK(weft_stream_readline(a, text, sizeof text) == 18 && strcmp(text, "answer to question") == 0);
  CHECK(weft_join(server) == 0);
  return weft_stream_close(a);
}
static void the_other_half_goes_on(void **state) {
  (void)state;
  run_program(half_close_async());
}

static WEFT_ASYNC(end_behind_data);
static int end_behind_data(void) {
  weft_stream_t *a, *b;
  size_t sent = 0;
  CHECK(open_streams(&a, &b) == 0);
  CHECK(fill_up(a, &sent) == 0);
  /* Cancelled, the end is sent all the same, behind the data. */
  CHECK(weft_wait_for(weft_stream_write_eof_async(a), 0.005) == WEFT_TIMEOUT);
  CHECK(read_and_compare(b, sent, true) == 0);
  CHECK(weft_stream_write_eof(a) == 0);
  return weft_stream_close(a);
}
static void the_end_comes_behind_the_data(void **state) {
  (void)state;
  fill_big();
  run_program(end_behind_data_async());
}

/* ---- cancelling ---- */

static WEFT_ASYNC(cancel_a_write);
static int cancel_a_write(void) {
  weft_stream_t *a, *b;
  char byte;
  CHECK(open_streams(&a, &b) == 0);
  CHECK(weft_wait_for(weft_stream_write_async(a, big, BIG), 0.01) == WEFT_TIMEOUT);
  CHECK(weft_stream_write(b, "x", 1) == 0);
  CHECK(weft_stream_read(a, &byte, 1) == 1); /* the stream lives */
  /* A prefix has arrived. */
  static unsigned char buffer[30000];
  CHECK(weft_stream_write_eof(a) == 0);
  size_t got = 0;
  for (ssize_t n; (n = weft_stream_read(b, buffer, sizeof buffer)) != 0; got += (size_t)n)
    CHECK(n > 0 && memcmp(buffer, big + got, (size_t)n) == 0);
  CHECK(got > 0 && got < BIG);
  CHECK(weft_stream_close(a) == 0);
  return weft_stream_close(b);
}
static void a_cancelled_write_leaves_a_prefix(void **state) {
  (void)state;
  fill_big();
  run_program(cancel_a_write_async());
}

static WEFT_ASYNC(write_twice_at_once);
static int write_twice_at_once(void) {
  weft_stream_t *a, *b;
  CHECK(open_streams(&a, &b) == 0);
  weft_task_t *writer = weft_create_task(weft_stream_write_async(a, big, BIG));
  CHECK(weft_sleep(0.005) == 0);
  CHECK(weft_stream_write(a, "x", 1) == WEFT_RUNTIME);
  weft_task_cancel(writer, NULL);
  CHECK(weft_join(writer) == WEFT_CANCELLED);
  CHECK(weft_stream_close(b) == 0);
  return weft_stream_close(a);
}
static void one_writer_at_a_time(void **state) {
  (void)state;
  run_program(write_twice_at_once_async());
}

/* ---- close ---- */

static WEFT_ASYNC(close_it, weft_stream_t *);
static int close_it(weft_stream_t *s) { return weft_stream_close(s); }

static WEFT_ASYNC(cancel_a_close);
static int cancel_a_close(void) {
  weft_stream_t *a, *b;
  size_t sent = 0;
  CHECK(open_streams(&a, &b) == 0);
  CHECK(fill_up(a, &sent) == 0);
  weft_task_t *closer = weft_create_task(close_it_async(a));
  CHECK(weft_sleep(0.005) == 0);
  CHECK(!weft_task_done(closer)); /* it waits for the peer to read */
  weft_task_cancel(closer, NULL);
  CHECK(weft_join(closer) == WEFT_CANCELLED);
  /* It is closed nevertheless: the peer sees the end after a part. */
  static unsigned char buffer[30000];
  size_t got = 0;
  ssize_t n;
  while ((n = weft_stream_read(b, buffer, sizeof buffer)) > 0) got += (size_t)n;
  CHECK(n == 0 && got < sent);
  return weft_stream_close(b);
}
static void a_cancelled_close_closes(void **state) {
  (void)state;
  fill_big();
  run_program(cancel_a_close_async());
}

static WEFT_ASYNC(close_into_nothing);
static int close_into_nothing(void) {
  weft_stream_t *a, *b;
  size_t sent = 0;
  CHECK(open_streams(&a, &b) == 0);
  CHECK(fill_up(a, &sent) == 0);
  weft_task_t *closer = weft_create_task(close_it_async(a));
  CHECK(weft_sleep(0.005) == 0);
  CHECK(weft_stream_close(b) == 0);
  int rc = weft_join(closer);
  CHECK(rc == -EPIPE || rc == -ECONNRESET); /* the last bytes' error */
  CHECK(weft_stream_close(NULL) == 0);
  return 0;
}
static void close_tells_of_lost_bytes(void **state) {
  (void)state;
  fill_big();
  run_program(close_into_nothing_async());
}

/* A stream closed under a reader and a writer: both leave before the descriptor goes. */
static WEFT_ASYNC(read_one, weft_stream_t *);
static int read_one(weft_stream_t *s) {
  char byte;
  return (int)weft_stream_read(s, &byte, 1);
}
static WEFT_ASYNC(close_under_users);
static int close_under_users(void) {
  weft_stream_t *a, *b;
  CHECK(open_streams(&a, &b) == 0);
  weft_task_t *reader = weft_create_task(read_one_async(a));
  weft_task_t *writer = weft_create_task(weft_stream_write_async(a, big, BIG));
  CHECK(weft_sleep(0.005) == 0);
  CHECK(weft_stream_close(a) == 0);
  CHECK(weft_join(reader) == 0); /* the end */
  CHECK(weft_join(writer) == WEFT_RUNTIME);
  return weft_stream_close(b);
}
static void close_makes_users_leave(void **state) {
  (void)state;
  run_program(close_under_users_async());
}

/* ---- peers that go away ---- */

static WEFT_ASYNC(write_to_nobody);
static int write_to_nobody(void) {
  weft_stream_t *a, *b;
  CHECK(open_streams(&a, &b) == 0);
  CHECK(weft_stream_close(b) == 0);
  CHECK(weft_stream_write(a, "x", 1) == -EPIPE);
  CHECK(strcmp(weft_error()->message, "Broken pipe") == 0);
  CHECK(read_one(a) == 0); /* what the peer had sent, nothing, can still be read */
  return weft_stream_close(a);
}
static void no_signal_from_a_broken_pipe(void **state) {
  (void)state;
  assert_true(signal(SIGPIPE, SIG_DFL) == SIG_DFL); /* deadly, were it raised */
  run_program(write_to_nobody_async());
}

static int tcp_pair(weft_stream_t **client, int *server) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  *client = NULL;
  CHECK(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 5) == 0);
  CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
  CHECK(weft_open_connection("127.0.0.1", ntohs(address.sin_port), client) == 0);
  *server = accept(listener, NULL, NULL);
  close(listener);
  CHECK(*server >= 0);
  return 0;
}

static void reset_peer(int fd) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close(fd);
}

static WEFT_ASYNC(survive_a_reset);
static int survive_a_reset(void) {
  weft_stream_t *client;
  int server;
  CHECK(tcp_pair(&client, &server) == 0);
  weft_task_t *reader = weft_create_task(read_one_async(client));
  CHECK(weft_sleep(0.005) == 0);
  reset_peer(server);
  CHECK(weft_join(reader) == -ECONNRESET);
  CHECK(strcmp(weft_error()->name, "ECONNRESET") == 0);
  CHECK(strcmp(weft_error()->message, "Connection reset by peer") == 0);
  CHECK(read_one(client) == -ECONNRESET);
  int rc = weft_stream_write(client, "x", 1);
  CHECK(rc == -EPIPE || rc == -ECONNRESET);
  return weft_stream_close(client);
}
static void a_reset_is_survived(void **state) {
  (void)state;
  run_program(survive_a_reset_async());
}

/* ---- streams that outlive their run ---- */

static weft_stream_t *kept[2];
static WEFT_ASYNC(leave_open);
static int leave_open(void) {
  size_t sent = 0;
  CHECK(open_streams(&kept[0], &kept[1]) == 0);
  return fill_up(kept[0], &sent);
}
static WEFT_ASYNC(read_for_ever);
static int read_for_ever(void) { return read_one(kept[0]); }
static WEFT_ASYNC(use_what_is_left);
static int use_what_is_left(void) {
  CHECK(weft_stream_close(kept[0]) == -ECONNABORTED); /* it had not sent everything */
  return weft_stream_close(kept[1]);
}
static void a_stream_may_outlive_its_run(void **state) {
  (void)state;
  assert_descriptors();
  for (unsigned workers = 1; workers <= 4; workers += 3) {
    weft_config_t config = {.workers = workers};
    weft_loop_t *loop;
    assert_int_equal(weft_loop_open(&config, &loop), 0);
    assert_int_equal(weft_loop_run_until_complete(loop, leave_open_async()), 0);
    weft_task_t *reader = weft_loop_create_task(loop, read_for_ever_async());
    assert_int_equal(weft_loop_run_until_complete(loop, weft_sleep_async(0.005)), 0);
    weft_loop_set_exception_handler(loop, say_nothing, NULL); /* "Task was destroyed but it is pending!" */
    assert_int_equal(weft_loop_close(loop), 0);
    weft_detach(reader);
    assert_int_equal(weft_run_with(&config, use_what_is_left_async()), 0);
    assert_descriptors();
  }
}

static WEFT_ASYNC(use_from_elsewhere, int *);
static int use_from_elsewhere(int *codes) {
  char byte;
  codes[0] = (int)weft_stream_read(kept[0], &byte, 1);
  codes[1] = weft_stream_write(kept[0], "x", 1);
  codes[2] = weft_stream_close(kept[0]);
  return 0;
}
static WEFT_ASYNC(close_kept);
static int close_kept(void) {
  int rc = weft_stream_close(kept[1]);
  weft_ignore(weft_stream_close(kept[0]));
  return rc;
}
static void a_stream_belongs_to_its_loop(void **state) {
  (void)state;
  weft_config_t config = {.workers = 1};
  weft_loop_t *loop;
  int codes[3] = {0};
  assert_int_equal(weft_loop_open(&config, &loop), 0);
  assert_int_equal(weft_loop_run_until_complete(loop, leave_open_async()), 0);
  assert_int_equal(weft_run(use_from_elsewhere_async(codes)), 0);
  for (int i = 0; i < 3; i++) assert_int_equal(codes[i], WEFT_RUNTIME);
  assert_int_equal(weft_loop_run_until_complete(loop, close_kept_async()), 0);
  assert_int_equal(weft_loop_close(loop), 0);
}

static WEFT_ASYNC(write_wrongly);
static int write_wrongly(void) {
  weft_stream_t *a, *b;
  CHECK(open_streams(&a, &b) == 0);
  CHECK(weft_stream_write(NULL, "x", 1) == -EINVAL);
  CHECK(weft_stream_write(a, NULL, 1) == -EINVAL);
  CHECK(weft_stream_write(a, NULL, 0) == 0);
  CHECK(weft_stream_drain(NULL) == -EINVAL);
  CHECK(weft_stream_write_eof(NULL) == -EINVAL);
  CHECK(weft_stream_close(a) == 0);
  return weft_stream_close(b);
}
static void misuse_is_told(void **state) {
  (void)state;
  run_program(write_wrongly_async());
  assert_int_equal(weft_stream_drain(NULL), -EINVAL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_arrives_in_order),
      cmocka_unit_test(what_is_held_is_sent_in_the_background),
      cmocka_unit_test(several_may_drain),
      cmocka_unit_test(a_lost_connection_releases_drainers),
      cmocka_unit_test(the_other_half_goes_on),
      cmocka_unit_test(the_end_comes_behind_the_data),
      cmocka_unit_test(a_cancelled_write_leaves_a_prefix),
      cmocka_unit_test(one_writer_at_a_time),
      cmocka_unit_test(a_cancelled_close_closes),
      cmocka_unit_test(close_tells_of_lost_bytes),
      cmocka_unit_test(close_makes_users_leave),
      cmocka_unit_test(no_signal_from_a_broken_pipe),
      cmocka_unit_test(a_reset_is_survived),
      cmocka_unit_test(a_stream_may_outlive_its_run),
      cmocka_unit_test(a_stream_belongs_to_its_loop),
      cmocka_unit_test(misuse_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
