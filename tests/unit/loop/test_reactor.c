/* The reactor's sleep: the doorbell, other pollers, and time.
 * ctest: timeout=40 (a lost wake-up hangs) */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/threads.h"
#include "loop/ready.h"

static long scaled(long n) {
  const char *scale = getenv("WEFT_TEST_SCALE");
  double scaled = (double)n * (scale != NULL ? atof(scale) : 1);
  return scaled < 10 ? 10 : (long)scaled;
}

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

/* ---- the doorbell ---- */

static void a_ring_before_the_sleep_prevents_it(void **state) {
  (void)state;
  weft__reactor_t *reactor = open_reactor();
  for (int i = 0; i < 100; i++) weft__reactor_ring(reactor);
  assert_int_equal(weft__reactor_poll(reactor, -1), 0); /* returns at all */
  /* The hundred were one: the next sleep is a whole one. */
  int64_t start = weft__clock_now();
  assert_int_equal(weft__reactor_poll(reactor, 20000000), 0);
  assert_true(weft__clock_now() - start >= 20000000);
  weft__reactor_close(reactor);
}

/* Messages through a plain word: the ring is all that orders and delivers them. */
struct mailbox {
  weft__reactor_t *reactor;
  _Atomic(long) sent, seen;
  long payload; /* plain */
  long last;
};

static int receive(void *argument) {
  struct mailbox *box = argument;
  long seen = 0;
  while (seen < box->last) {
    long sent = atom_load(&box->sent, relaxed);
    if (sent > seen) {
      seen = sent;
      atom_store(&box->seen, seen, release);
    } else {
      weft__reactor_poll(box->reactor, -1);
    }
  }
  return 0;
}

/* The receiver sleeps without limit: a lost ring hangs the test. Another poller takes events away all the time. */
static void no_ring_is_lost(void **state) {
  (void)state;
  struct mailbox box = {.reactor = open_reactor(), .last = scaled(30000)};
  weft__thread_t receiver;
  assert_int_equal(weft__thread_start(&receiver, receive, &box, "receiver"), 0);
  for (long i = 1; i <= box.last; i++) {
    atom_store(&box.sent, i, relaxed);
    weft__reactor_ring(box.reactor);
    if (i % 4 == 0) weft__reactor_ring(box.reactor);
    while (atom_load(&box.seen, acquire) < i) {
      if (i % 2 == 0) weft__reactor_poll_other(box.reactor);
      sched_yield();
    }
  }
  assert_int_equal(weft__thread_join(receiver), 0);
  weft__reactor_close(box.reactor);
}

static int read_payload(void *argument) {
  struct mailbox *box = argument;
  while (weft__reactor_poll(box->reactor, -1) == 0 && !weft__reactor_asleep(box->reactor)) {
    if (atom_load(&box->sent, relaxed) != 0) return box->payload == 42 ? 0 : 1;
  }
  return 2;
}

/* ThreadSanitizer complains if the ring does not order the payload (the word itself is relaxed). */
static void a_ring_publishes_what_came_before(void **state) {
  (void)state;
  for (long i = scaled(200); i > 0; i--) {
    struct mailbox box = {.reactor = open_reactor()};
    weft__thread_t reader;
    assert_int_equal(weft__thread_start(&reader, read_payload, &box, "reader"), 0);
    if (i % 2 == 0)
      while (!weft__reactor_asleep(box.reactor)) sched_yield();
    box.payload = 42;
    atom_store(&box.sent, 1, relaxed);
    weft__reactor_ring(box.reactor);
    assert_int_equal(weft__thread_join(reader), 0);
    weft__reactor_close(box.reactor);
  }
}

/* ---- other pollers ---- */

static void another_thread_delivers(void **state) {
  (void)state;
  weft__reactor_t *reactor = open_reactor();
  int fds[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  weft__ready_t *ready = NULL;
  assert_int_equal(weft__ready_open(reactor, fds[0], &ready), 0);
  while (weft__reactor_poll_other(reactor) > 0) {
  }
  assert_true(weft__ready_clear(ready, weft__ready_load(ready), WEFT__READY_IN));
  assert_int_equal(write(fds[1], "x", 1), 1);
  assert_int_equal(weft__reactor_poll_other(reactor), 1);
  assert_true(weft__ready_load(ready) & WEFT__READY_IN);
  assert_int_equal(weft__reactor_poll(reactor, 0), 0); /* each event to one of them */
  weft__ready_close(ready);
  close(fds[1]);
  weft__reactor_close(reactor);
}

struct owner {
  weft__reactor_t *reactor;
  _Atomic(bool) stop;
};

static int poll_until_stopped(void *argument) {
  struct owner *owner = argument;
  while (!atom_load(&owner->stop, relaxed)) weft__reactor_poll(owner->reactor, -1);
  return 0;
}

/* What another thread clears while the owner sleeps is reported all the same: a lost event hangs the test. */
static void a_clear_reaches_a_sleeper(void **state) {
  (void)state;
  struct owner owner = {.reactor = open_reactor()};
  int fds[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  weft__ready_t *ready = NULL;
  assert_int_equal(weft__ready_open(owner.reactor, fds[0], &ready), 0);
  while (weft__reactor_poll(owner.reactor, 0) > 0) continue;
  weft__thread_t thread;
  assert_int_equal(weft__thread_start(&thread, poll_until_stopped, &owner, "owner"), 0);
  for (long i = scaled(200); i > 0; i--) {
    while (!weft__reactor_asleep(owner.reactor)) sched_yield();
    assert_true(weft__ready_clear(ready, weft__ready_load(ready), WEFT__READY_IN));
    assert_int_equal(write(fds[1], "x", 1), 1);
    while (!(weft__ready_load(ready) & WEFT__READY_IN)) sched_yield();
    char byte;
    assert_int_equal(read(fds[0], &byte, 1), 1);
  }
  atom_store(&owner.stop, true, relaxed);
  weft__reactor_ring(owner.reactor);
  assert_int_equal(weft__thread_join(thread), 0);
  weft__ready_close(ready);
  close(fds[1]);
  weft__reactor_close(owner.reactor);
}

/* ---- time ---- */

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

static void time_passes_precisely(void **state) {
  (void)state;
  weft__reactor_t *reactor = open_reactor();
  sleep_keeps_its_time(reactor);
  weft__reactor_close(reactor);
}

static _Atomic(int) signals;
static void on_signal(int number) {
  (void)number;
  atom_add(&signals, 1, relaxed);
}

static void a_signal_ends_the_sleep(void **state) {
  (void)state;
  weft__reactor_t *reactor = open_reactor();
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, old;
  assert_int_equal(sigaction(SIGALRM, &action, &old), 0);
  timer_t timer;
  assert_int_equal(timer_create(CLOCK_MONOTONIC, NULL, &timer), 0);
  struct itimerspec soon = {.it_value.tv_nsec = 2000000, .it_interval.tv_nsec = 2000000};
  assert_int_equal(timer_settime(timer, 0, &soon, NULL), 0);
  while (atom_load(&signals, relaxed) == 0) assert_int_equal(weft__reactor_poll(reactor, -1), 0);
  timer_delete(timer);
  sigaction(SIGALRM, &old, NULL);
  weft__reactor_close(reactor);
}

/* ---- resources ---- */

static void nothing_is_left_behind(void **state) {
  (void)state;
  weft__reactor_t *first = open_reactor();
  assert_non_null(weft__reactor_uv(first, NULL)); /* libuv keeps a pipe of its own from its first loop on */
  weft__reactor_close(first);
  int before = count_descriptors();
  weft__alloc_counting(true);
  for (int i = 0; i < 50; i++) {
    weft__reactor_t *reactor = open_reactor();
    if (i % 3 == 0) assert_non_null(weft__reactor_uv(reactor, NULL));
    weft__reactor_poll(reactor, 0);
    weft__reactor_close(reactor);
  }
  weft__reactor_close(NULL);
  assert_int_equal(weft__alloc_live_bytes(), 0);
  weft__alloc_counting(false);
  assert_int_equal(count_descriptors(), before);
}

static void memory_runs_out(void **state) {
  (void)state;
  int before = count_descriptors();
  weft__reactor_t *reactor = NULL;
  weft__alloc_fail_after(1);
  assert_int_equal(weft__reactor_open(&reactor), -ENOMEM);
  weft__alloc_fail_after(-1);
  assert_null(reactor);
  assert_int_equal(count_descriptors(), before);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_ring_before_the_sleep_prevents_it),
      cmocka_unit_test(no_ring_is_lost),
      cmocka_unit_test(a_ring_publishes_what_came_before),
      cmocka_unit_test(another_thread_delivers),
      cmocka_unit_test(a_clear_reaches_a_sleeper),
      cmocka_unit_test(time_passes_precisely),
      cmocka_unit_test(a_signal_ends_the_sleep),
      cmocka_unit_test(nothing_is_left_behind),
      cmocka_unit_test(memory_runs_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
