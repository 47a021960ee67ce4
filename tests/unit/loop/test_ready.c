/* Readiness objects: what an event sets, what a clear may take away, and who closes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "loop/reactor_core.h"

struct pair {
  weft__reactor_t *reactor;
  weft__ready_t *ready;
  int mine, peer;
};

static void open_pair(struct pair *pair, weft__reactor_t *reactor) {
  int fds[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
  *pair = (struct pair){.reactor = reactor, .mine = fds[0], .peer = fds[1]};
  assert_int_equal(weft__ready_open(reactor, fds[0], &pair->ready), 0);
}

static weft__reactor_t *open_reactor(void) {
  weft__reactor_t *reactor = NULL;
  assert_int_equal(weft__reactor_open(&reactor), 0);
  return reactor;
}

static void drain_events(weft__reactor_t *reactor) {
  while (weft__reactor_poll(reactor, 0) > 0) {
  }
}

static bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

struct counting_waiter {
  weft__ready_waiter_t waiter;
  int woken;
};
static void count_wake(weft__ready_waiter_t *waiter) {
  weft__container_of(waiter, struct counting_waiter, waiter)->woken++;
}
static bool wait_for(weft__ready_t *ready, uint64_t bit, struct counting_waiter *waiter) {
  *waiter = (struct counting_waiter){.waiter.wake = count_wake};
  weft__spin_lock(&ready->lock);
  bool linked = weft__ready_wait_locked(ready, bit, &waiter->waiter);
  weft__spin_unlock(&ready->lock);
  return linked;
}

/* ---- events and clears ---- */

static void the_first_operation_tries(void **state) {
  (void)state;
  weft__reactor_t *reactor = open_reactor();
  struct pair pair;
  open_pair(&pair, reactor);
  assert_int_equal(weft__ready_load(pair.ready) & (WEFT__READY_IN | WEFT__READY_OUT), WEFT__READY_IN | WEFT__READY_OUT);
  struct counting_waiter waiter;
  assert_false(wait_for(pair.ready, WEFT__READY_IN, &waiter));
  assert_int_equal(weft__reactor_interest(reactor), 1);
  assert_int_equal(weft__reactor_waiting(reactor), 0);
  weft__ready_close(pair.ready);
  assert_false(is_open(pair.mine));
  assert_int_equal(weft__reactor_interest(reactor), 0);
  close(pair.peer);
  weft__reactor_close(reactor);
}

static void an_event_wakes_its_direction_once(void **state) {
  (void)state;
  weft__reactor_t *reactor = open_reactor();
  struct pair pair;
  open_pair(&pair, reactor);
  drain_events(reactor);
  uint64_t seen = weft__ready_load(pair.ready);
  assert_true(weft__ready_clear(pair.ready, seen, WEFT__READY_IN));
  struct counting_waiter first, second;
  assert_true(wait_for(pair.ready, WEFT__READY_IN, &first));
  assert_true(wait_for(pair.ready, WEFT__READY_IN, &second));
  assert_int_equal(weft__reactor_waiting(reactor), 2);
  assert_int_equal(weft__reactor_poll(reactor, 0), 0);
  assert_int_equal(write(pair.peer, "x", 1), 1);
  assert_int_equal(weft__reactor_poll(reactor, -1), 1);
  assert_int_equal(first.woken, 1);
  assert_int_equal(second.woken, 1);
  assert_int_equal(weft__reactor_waiting(reactor), 0);
  /* Edge-triggered: nothing was read, and yet there is no further event. */
  assert_int_equal(weft__reactor_poll(reactor, 0), 0);
  assert_false(wait_for(pair.ready, WEFT__READY_IN, &first));
  /* A second byte is a second edge. */
  seen = weft__ready_load(pair.ready);
  assert_true(weft__ready_clear(pair.ready, seen, WEFT__READY_IN));
  assert_int_equal(write(pair.peer, "y", 1), 1);
  assert_int_equal(weft__reactor_poll(reactor, -1), 1);
  assert_true(weft__ready_load(pair.ready) & WEFT__READY_IN);
  weft__ready_close(pair.ready);
  close(pair.peer);
  weft__reactor_close(reactor);
}

static void an_event_between_load_and_clear_survives(void **state) {
  (void)state;
  weft__reactor_t *reactor = open_reactor();
  struct pair pair;
  open_pair(&pair, reactor);
  drain_events(reactor);
  char byte;
  uint64_t seen = weft__ready_load(pair.ready);
  assert_int_equal(read(pair.mine, &byte, 1), -1);
  assert_int_equal(errno, EAGAIN);
  assert_int_equal(write(pair.peer, "x", 1), 1);
  /* "Ready" is set; it was already. With epoll the clear is refused; the portable reactor watches only for what is clear,
   * and reports it afterwards. */
  drain_events(reactor);
  if (weft__ready_clear(pair.ready, seen, WEFT__READY_IN)) assert_int_equal(weft__reactor_poll(reactor, 0), 1);
  assert_true(weft__ready_load(pair.ready) & WEFT__READY_IN);
  assert_int_equal(read(pair.mine, &byte, 1), 1);
  /* The other direction's clear is no event. */
  seen = weft__ready_load(pair.ready);
  assert_true(weft__ready_clear(pair.ready, weft__ready_load(pair.ready), WEFT__READY_OUT));
  assert_true(weft__ready_clear(pair.ready, seen, WEFT__READY_IN));
  assert_int_equal(weft__ready_load(pair.ready) & (WEFT__READY_IN | WEFT__READY_OUT), 0);
  weft__ready_close(pair.ready);
  close(pair.peer);
  weft__reactor_close(reactor);
}

/* One event carries data and the end; a reader that took the short read for "empty" would sleep for ever. */
static void data_and_end_in_one_event(void **state) {
  (void)state;
  weft__reactor_t *reactor = open_reactor();
  struct pair pair;
  open_pair(&pair, reactor);
  drain_events(reactor);
  assert_true(weft__ready_clear(pair.ready, weft__ready_load(pair.ready), WEFT__READY_IN));
  assert_true(weft__ready_may_clear(weft__ready_load(pair.ready)));
  assert_int_equal(write(pair.peer, "last", 4), 4);
  shutdown(pair.peer, SHUT_WR);
  assert_int_equal(weft__reactor_poll(reactor, -1), 1);
  uint64_t seen = weft__ready_load(pair.ready);
  assert_true(seen & WEFT__READY_IN);
  assert_true((seen & WEFT__READY_RDHUP) && !(seen & WEFT__READY_HUP));
  char buffer[100];
  assert_int_equal(read(pair.mine, buffer, sizeof buffer), 4);
  assert_false(weft__ready_may_clear(seen));           /* so IN stays, and the next read is tried */
  assert_int_equal(weft__reactor_poll(reactor, 0), 0); /* no further edge */
  assert_int_equal(read(pair.mine, buffer, sizeof buffer), 0);
  weft__ready_close(pair.ready);
  close(pair.peer);
  weft__reactor_close(reactor);
}

static void a_reset_readies_both(void **state) {
  (void)state;
  weft__reactor_t *reactor = open_reactor();
  struct pair pair;
  open_pair(&pair, reactor);
  drain_events(reactor);
  assert_true(weft__ready_clear(pair.ready, weft__ready_load(pair.ready), WEFT__READY_IN | WEFT__READY_OUT));
  struct counting_waiter reader, writer;
  assert_true(wait_for(pair.ready, WEFT__READY_IN, &reader));
  assert_true(wait_for(pair.ready, WEFT__READY_OUT, &writer));
  assert_int_equal(write(pair.mine, "unread", 6), 6);
  close(pair.peer); /* with unread data: ECONNRESET */
  while (reader.woken == 0 || writer.woken == 0) weft__reactor_poll(reactor, -1);
  assert_int_equal(reader.woken, 1);
  assert_int_equal(writer.woken, 1);
  weft__ready_close(pair.ready);
  weft__reactor_close(reactor);
}

static void a_waiter_gives_up(void **state) {
  (void)state;
  weft__reactor_t *reactor = open_reactor();
  struct pair pair;
  open_pair(&pair, reactor);
  drain_events(reactor);
  assert_true(weft__ready_clear(pair.ready, weft__ready_load(pair.ready), WEFT__READY_IN));
  struct counting_waiter first, second;
  assert_true(wait_for(pair.ready, WEFT__READY_IN, &first));
  assert_true(wait_for(pair.ready, WEFT__READY_IN, &second));
  assert_true(weft__ready_unwait(pair.ready, &first.waiter));
  assert_int_equal(weft__reactor_waiting(reactor), 1);
  assert_int_equal(write(pair.peer, "x", 1), 1);
  assert_int_equal(weft__reactor_poll(reactor, -1), 1);
  assert_int_equal(first.woken, 0);
  assert_int_equal(second.woken, 1);
  assert_false(weft__ready_unwait(pair.ready, &second.waiter));
  assert_int_equal(weft__reactor_waiting(reactor), 0);
  weft__ready_close(pair.ready);
  close(pair.peer);
  weft__reactor_close(reactor);
}

/* ---- life ---- */

static void a_late_event_does_not_reach_the_next_owner(void **state) {
  (void)state;
  weft__reactor_t *reactor = open_reactor();
  struct pair old, new;
  open_pair(&old, reactor);
  uint64_t data = weft__event_data(old.ready->generation, old.ready->index);
  assert_true(weft__ready_deliver(reactor, data, WEFT__READY_IN));
  weft__ready_close(old.ready);
  open_pair(&new, reactor);
  assert_ptr_equal(new.ready, old.ready); /* the memory is used again */
  assert_int_equal(new.mine, old.mine);   /* and so is the descriptor */
  drain_events(reactor);
  assert_true(weft__ready_clear(new.ready, weft__ready_load(new.ready), WEFT__READY_IN));
  struct counting_waiter waiter;
  assert_true(wait_for(new.ready, WEFT__READY_IN, &waiter));
  uint64_t before = weft__ready_load(new.ready);
  assert_false(weft__ready_deliver(reactor, data, WEFT__READY_IN | WEFT__READY_RDHUP));
  assert_int_equal(weft__ready_load(new.ready), before);
  assert_int_equal(waiter.woken, 0);
  assert_true(weft__ready_unwait(new.ready, &waiter.waiter));
  weft__ready_close(new.ready);
  close(old.peer);
  close(new.peer);
  weft__reactor_close(reactor);
}

static void a_duplicate_elsewhere_reports_nothing_after_close(void **state) {
  (void)state;
  weft__reactor_t *reactor = open_reactor();
  struct pair pair;
  open_pair(&pair, reactor);
  drain_events(reactor);
  int twin = dup(pair.mine);
  weft__ready_close(pair.ready);
  assert_int_equal(write(pair.peer, "x", 1), 1);
  assert_int_equal(weft__reactor_poll(reactor, 20000000), 0);
  close(twin);
  close(pair.peer);
  weft__reactor_close(reactor);
}

static void the_last_one_out_closes(void **state) {
  (void)state;
  weft__reactor_t *reactor = open_reactor();
  struct pair pair;
  open_pair(&pair, reactor);
  drain_events(reactor);
  assert_true(weft__ready_begin(pair.ready));
  assert_true(weft__ready_begin(pair.ready));
  assert_true(weft__ready_clear(pair.ready, weft__ready_load(pair.ready), WEFT__READY_IN));
  struct counting_waiter waiter;
  assert_true(wait_for(pair.ready, WEFT__READY_IN, &waiter));
  assert_false(weft__ready_closing(pair.ready));
  weft__ready_close(pair.ready);
  assert_int_equal(waiter.woken, 1);
  assert_true(weft__ready_closing(pair.ready));
  assert_false(weft__ready_begin(pair.ready));
  struct counting_waiter late;
  assert_false(wait_for(pair.ready, WEFT__READY_IN, &late));
  assert_true(is_open(pair.mine));
  weft__ready_end(pair.ready);
  assert_true(is_open(pair.mine));
  weft__ready_end(pair.ready);
  assert_false(is_open(pair.mine));
  close(pair.peer);
  weft__reactor_close(reactor);
}

static void a_borrowed_descriptor_stays_open(void **state) {
  (void)state;
  weft__reactor_t *reactor = open_reactor();
  int fds[2];
  assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
  weft__ready_t *ready = NULL, *twice = NULL;
  assert_int_equal(weft__ready_open_borrowed(reactor, fds[0], &ready), 0);
  assert_int_equal(weft__ready_open_borrowed(reactor, fds[0], &twice), -EEXIST);
  weft__ready_close(ready);
  assert_true(is_open(fds[0]));
  assert_int_equal(weft__ready_open_borrowed(reactor, fds[0], &ready), 0);
  weft__ready_close(ready);
  close(fds[0]);
  close(fds[1]);
  weft__reactor_close(reactor);
}

static void what_cannot_be_watched_is_refused(void **state) {
  (void)state;
  weft__reactor_t *reactor = open_reactor();
  weft__ready_t *ready = NULL;
  int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  assert_true(file >= 0);
  assert_int_equal(weft__ready_open(reactor, file, &ready), -EPERM);
  assert_true(is_open(file)); /* a failed open takes nothing over */
  close(file);
  assert_int_equal(weft__ready_open(reactor, file, &ready), -EBADF);
  assert_null(ready);
  assert_int_equal(weft__reactor_interest(reactor), 0);
  weft__reactor_close(reactor);
}

static void an_object_survives_its_reactor(void **state) {
  (void)state;
  weft__alloc_counting(true);
  weft__reactor_t *reactor = open_reactor();
  struct pair pair;
  open_pair(&pair, reactor);
  weft__reactor_close(reactor);
  assert_true(weft__alloc_live_bytes() > 0);
  assert_false(weft__ready_begin(pair.ready));
  assert_true(weft__ready_closing(pair.ready));
  assert_true(is_open(pair.mine));
  weft__ready_close(pair.ready);
  assert_false(is_open(pair.mine));
  assert_int_equal(weft__alloc_live_bytes(), 0);
  weft__alloc_counting(false);
  close(pair.peer);
}

static void memory_runs_out(void **state) {
  (void)state;
  weft__reactor_t *reactor = open_reactor();
  int fds[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  weft__ready_t *ready = NULL;
  weft__alloc_fail_after(1);
  assert_int_equal(weft__ready_open(reactor, fds[0], &ready), -ENOMEM);
  weft__alloc_fail_after(-1);
  assert_true(is_open(fds[0]));
  assert_int_equal(weft__ready_open(reactor, fds[0], &ready), 0);
  weft__ready_close(ready);
  close(fds[1]);
  weft__reactor_close(reactor);
}

static void the_table_grows_and_keeps_its_addresses(void **state) {
  (void)state;
  enum { N = 3000 };
  static weft__ready_t *taken[N];
  weft__ready_table_t table;
  weft__ready_table_init(&table);
  for (uint32_t i = 0; i < N; i++) {
    taken[i] = weft__ready_table_take(&table);
    assert_non_null(taken[i]);
    assert_int_equal(taken[i]->index, i);
  }
  for (uint32_t i = 0; i < N; i++) assert_ptr_equal(weft__ready_table_at(&table, i), taken[i]);
  weft__ready_table_give(&table, taken[7]);
  weft__ready_table_give(&table, taken[9]);
  assert_ptr_equal(weft__ready_table_take(&table), taken[9]);
  assert_ptr_equal(weft__ready_table_take(&table), taken[7]);
  assert_int_equal(weft__ready_table_size(&table), N);
  weft__ready_table_destroy(&table);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_first_operation_tries),
      cmocka_unit_test(an_event_wakes_its_direction_once),
      cmocka_unit_test(an_event_between_load_and_clear_survives),
      cmocka_unit_test(data_and_end_in_one_event),
      cmocka_unit_test(a_reset_readies_both),
      cmocka_unit_test(a_waiter_gives_up),
      cmocka_unit_test(a_late_event_does_not_reach_the_next_owner),
      cmocka_unit_test(a_duplicate_elsewhere_reports_nothing_after_close),
      cmocka_unit_test(the_last_one_out_closes),
      cmocka_unit_test(a_borrowed_descriptor_stays_open),
      cmocka_unit_test(what_cannot_be_watched_is_refused),
      cmocka_unit_test(an_object_survives_its_reactor),
      cmocka_unit_test(memory_runs_out),
      cmocka_unit_test(the_table_grows_and_keeps_its_addresses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
