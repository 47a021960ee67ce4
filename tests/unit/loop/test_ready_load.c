/* Readiness objects under load: bytes to and fro by the protocol in loop/ready.h, objects opened and closed all the time,
 * while two threads poll. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
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

struct sleeper {
  weft__ready_waiter_t waiter;
  _Atomic(int) woken;
};
static void wake_sleeper(weft__ready_waiter_t *waiter) {
  atom_store(&weft__container_of(waiter, struct sleeper, waiter)->woken, 1, release);
}

static weft__reactor_t *load_reactor;
static _Atomic(bool) load_stop;
static _Atomic(long) load_given_up;

/* Waits up to `patience` yields for readiness; false: it gave up, having unlinked itself. */
static bool sleep_until_ready(weft__ready_t *ready, struct sleeper *sleeper, long patience) {
  weft__spin_lock(&ready->lock);
  atom_store(&sleeper->woken, 0, relaxed);
  sleeper->waiter.wake = wake_sleeper;
  bool linked = weft__ready_wait_locked(ready, WEFT__READY_IN, &sleeper->waiter);
  weft__spin_unlock(&ready->lock);
  if (!linked) return true;
  while (atom_load(&sleeper->woken, acquire) == 0) {
    if (patience-- == 0 && weft__ready_unwait(ready, &sleeper->waiter)) {
      atom_add(&load_given_up, 1, relaxed);
      return false;
    }
    sched_yield();
  }
  return true;
}

static void read_byte(weft__ready_t *ready, bool gives_up) {
  struct sleeper sleeper;
  for (;;) {
    uint64_t seen = weft__ready_load(ready);
    if (seen & WEFT__READY_IN) {
      char bytes[8];
      ssize_t n = read(weft__ready_fd(ready), bytes, sizeof bytes);
      if (n == 1) {
        if (weft__ready_may_clear(seen)) weft__ready_clear(ready, seen, WEFT__READY_IN);
        return;
      }
      if (n != -1 || errno != EAGAIN) abort();
      if (!weft__ready_clear(ready, seen, WEFT__READY_IN)) continue;
    }
    sleep_until_ready(ready, &sleeper, gives_up ? 20 : 1000000000);
  }
}

struct player {
  weft__ready_t *ready;
  bool serves;
};

static int play(void *argument) {
  struct player *player = argument;
  for (long i = scaled(20000); i > 0; i--) {
    if (!weft__ready_begin(player->ready)) return 1;
    if (player->serves && write(weft__ready_fd(player->ready), "b", 1) != 1) return 2;
    read_byte(player->ready, i % 3 == 0);
    if (!player->serves && write(weft__ready_fd(player->ready), "b", 1) != 1) return 3;
    weft__ready_end(player->ready);
  }
  return 0;
}

static int poll_beside(void *unused) {
  (void)unused;
  while (!atom_load(&load_stop, relaxed)) {
    weft__reactor_poll_other(load_reactor);
    sched_yield();
  }
  return 0;
}

static int poll_as_owner(void *unused) {
  (void)unused;
  while (!atom_load(&load_stop, relaxed)) weft__reactor_poll(load_reactor, -1);
  return 0;
}

static void no_byte_is_lost_under_load(void **state) {
  (void)state;
  load_reactor = open_reactor();
  int fds[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  struct player a = {.serves = true}, b = {.serves = false};
  assert_int_equal(weft__ready_open(load_reactor, fds[0], &a.ready), 0);
  assert_int_equal(weft__ready_open(load_reactor, fds[1], &b.ready), 0);
  atom_store(&load_stop, false, relaxed);
  weft__thread_t owner, other, pa, pb;
  assert_int_equal(weft__thread_start(&owner, poll_as_owner, NULL, "owner"), 0);
  assert_int_equal(weft__thread_start(&other, poll_beside, NULL, "other"), 0);
  assert_int_equal(weft__thread_start(&pa, play, &a, "a"), 0);
  assert_int_equal(weft__thread_start(&pb, play, &b, "b"), 0);
  assert_int_equal(weft__thread_join(pa), 0);
  assert_int_equal(weft__thread_join(pb), 0);
  atom_store(&load_stop, true, relaxed);
  weft__reactor_ring(load_reactor);
  weft__thread_join(owner);
  weft__thread_join(other);
  assert_int_equal(weft__reactor_waiting(load_reactor), 0);
  weft__ready_close(a.ready);
  weft__ready_close(b.ready);
  weft__reactor_close(load_reactor);
}

/* Opening, using and closing from several threads while two poll: descriptors and objects are reused all the time. */
static int open_and_close(void *unused) {
  (void)unused;
  for (long i = scaled(3000); i > 0; i--) {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0) return 1;
    weft__ready_t *ready = NULL;
    if (weft__ready_open(load_reactor, fds[0], &ready) != 0) return 2;
    if (!weft__ready_begin(ready)) return 3;
    if (write(fds[1], "x", 1) != 1) return 4;
    read_byte(ready, false);
    if (i % 2 == 0) weft__ready_end(ready);
    close(fds[1]);
    weft__ready_close(ready);
    if (i % 2 != 0) weft__ready_end(ready);
  }
  return 0;
}

static void objects_are_reused_under_load(void **state) {
  (void)state;
  weft__alloc_counting(true);
  load_reactor = open_reactor();
  atom_store(&load_stop, false, relaxed);
  weft__thread_t owner, other, users[2];
  assert_int_equal(weft__thread_start(&owner, poll_as_owner, NULL, "owner"), 0);
  assert_int_equal(weft__thread_start(&other, poll_beside, NULL, "other"), 0);
  for (int i = 0; i < 2; i++) assert_int_equal(weft__thread_start(&users[i], open_and_close, NULL, "user"), 0);
  for (int i = 0; i < 2; i++) assert_int_equal(weft__thread_join(users[i]), 0);
  atom_store(&load_stop, true, relaxed);
  weft__reactor_ring(load_reactor);
  weft__thread_join(owner);
  weft__thread_join(other);
  assert_int_equal(weft__reactor_interest(load_reactor), 0);
  assert_int_equal(weft__reactor_waiting(load_reactor), 0);
  weft__reactor_close(load_reactor);
  assert_int_equal(weft__alloc_live_bytes(), 0);
  weft__alloc_counting(false);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_byte_is_lost_under_load),
      cmocka_unit_test(objects_are_reused_under_load),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
