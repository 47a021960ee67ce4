/* The libuv loop inside a reactor: run by polls, locked by its users.
 * ctest: timeout=40 (a lost wake-up hangs) */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <unistd.h>
#include <uv.h>

#include "base/atomics.h"
#include "base/clock.h"
#include "base/threads.h"
#include "loop/reactor.h"
#include "loop/uv.h"

static weft__reactor_t *reactor;
static weft__uv_t *uv;

static int set_up(void **state) {
  (void)state;
  if (weft__reactor_open(&reactor) != 0) return -1;
  uv = weft__reactor_uv(reactor, NULL);
  return uv == NULL ? -1 : 0;
}

static int tear_down(void **state) {
  (void)state;
  weft__reactor_close(reactor);
  return 0;
}

static int calls;
static void count_timer(uv_timer_t *timer) {
  (void)timer;
  calls++;
}
static void count_async(uv_async_t *async) {
  (void)async;
  calls++;
}

static void it_is_made_once(void **state) {
  (void)state;
  assert_ptr_equal(weft__reactor_uv(reactor, NULL), uv);
  assert_int_equal(weft__reactor_interest(reactor), 1);
}

static void an_idle_one_does_not_keep_the_reactor_awake(void **state) {
  (void)state;
  weft__reactor_poll(reactor, 0);
  assert_int_equal(weft__reactor_waiting(reactor), 0);
  int64_t start = weft__clock_now();
  weft__reactor_poll(reactor, 20000000);
  assert_true(weft__clock_now() - start >= 20000000);
}

static void its_timers_end_the_sleep(void **state) {
  (void)state;
  calls = 0;
  static uv_timer_t timer; /* closed with the loop */
  uv_loop_t *loop = weft__uv_lock(uv);
  uv_timer_init(loop, &timer);
  uv_timer_start(&timer, count_timer, 5, 0);
  weft__uv_unlock(uv);
  assert_true(weft__reactor_waiting(reactor) > 0);
  while (calls == 0) weft__reactor_poll(reactor, -1);
  assert_int_equal(calls, 1);
  weft__reactor_poll(reactor, 0);
  assert_int_equal(weft__reactor_waiting(reactor), 0);
}

static void descriptors_inside_end_the_sleep(void **state) {
  (void)state;
  calls = 0;
  static uv_async_t async; /* closed with the loop */
  uv_async_init(weft__uv_lock(uv), &async, count_async);
  weft__uv_unlock(uv);
  weft__reactor_poll(reactor, 0);
  uv_async_send(&async);
  while (calls == 0) weft__reactor_poll(reactor, -1);
  assert_int_equal(calls, 1);
}

/* uv_run does nothing while only unreferenced handles are left; ours has to. */
static void unreferenced_handles_run_too(void **state) {
  (void)state;
  calls = 0;
  static uv_async_t async; /* closed with the loop */
  uv_async_init(weft__uv_lock(uv), &async, count_async);
  uv_unref((uv_handle_t *)&async);
  weft__uv_unlock(uv);
  weft__reactor_poll(reactor, 0);
  assert_int_equal(weft__reactor_waiting(reactor), 0);
  uv_async_send(&async);
  while (calls == 0) weft__reactor_poll(reactor, -1);
}

static void other_pollers_run_it(void **state) {
  (void)state;
  calls = 0;
  static uv_async_t async; /* closed with the loop */
  uv_async_init(weft__uv_lock(uv), &async, count_async);
  weft__uv_unlock(uv);
  weft__reactor_poll(reactor, 0);
  uv_async_send(&async);
  while (calls == 0) weft__reactor_poll_other(reactor);
}

/* A change from elsewhere, while the owner sleeps without limit: libuv has not told the kernel yet. */
static int poll_until_called(void *unused) {
  (void)unused;
  while (calls == 0) weft__reactor_poll(reactor, -1);
  return 0;
}

static uv_poll_t watcher;
static void on_readable(uv_poll_t *handle, int status, int events) {
  (void)status, (void)events;
  uv_poll_stop(handle);
  calls++;
}

static void a_change_wakes_the_sleeping_owner(void **state) {
  (void)state;
  calls = 0;
  int fds[2];
  assert_int_equal(pipe(fds), 0);
  assert_int_equal(write(fds[1], "x", 1), 1);
  weft__reactor_poll(reactor, 0);
  weft__thread_t owner;
  assert_int_equal(weft__thread_start(&owner, poll_until_called, NULL, "owner"), 0);
  while (!weft__reactor_asleep(reactor)) sched_yield();
  uv_loop_t *loop = weft__uv_lock(uv);
  assert_int_equal(uv_poll_init(loop, &watcher, fds[0]), 0);
  assert_int_equal(uv_poll_start(&watcher, UV_READABLE, on_readable), 0);
  weft__uv_unlock(uv);
  weft__thread_join(owner);
  assert_int_equal(calls, 1);
  uv_close((uv_handle_t *)&watcher, NULL);
  weft__reactor_poll(reactor, 0);
  close(fds[0]);
  close(fds[1]);
}

static void lock_from_callback(uv_timer_t *timer) {
  (void)timer;
  assert_true(weft__uv_held_here());
  assert_non_null(weft__uv_lock(uv)); /* the poller that calls us holds it: no deadlock */
  weft__uv_unlock(uv);
  assert_true(weft__uv_held_here());
  calls++;
}

static void callbacks_may_lock_again(void **state) {
  (void)state;
  calls = 0;
  static uv_timer_t timer; /* closed with the loop */
  assert_false(weft__uv_held_here());
  uv_loop_t *loop = weft__uv_lock(uv);
  assert_ptr_equal(weft__uv_lock(uv), loop);
  weft__uv_unlock(uv);
  assert_true(weft__uv_held_here());
  uv_timer_init(loop, &timer);
  uv_timer_start(&timer, lock_from_callback, 0, 0);
  weft__uv_unlock(uv);
  assert_false(weft__uv_held_here());
  while (calls == 0) weft__reactor_poll(reactor, -1);
  assert_false(weft__uv_held_here());
}

/* First come, first served: while one thread holds it, others queue up one after the other. */
enum { QUEUE = 5 };
static int order[QUEUE], arrived;
static int queue_up(void *argument) {
  weft__uv_lock(uv);
  order[arrived++] = (int)(intptr_t)argument;
  weft__uv_unlock(uv);
  return 0;
}

static void the_lock_is_fifo(void **state) {
  (void)state;
  weft__thread_t threads[QUEUE];
  arrived = 0;
  weft__uv_lock(uv);
  for (int i = 0; i < QUEUE; i++) {
    assert_int_equal(weft__thread_start(&threads[i], queue_up, (void *)(intptr_t)i, "queue"), 0);
    while (weft__uv_wanted(uv) != (unsigned)i + 1) sched_yield();
  }
  weft__uv_unlock(uv);
  for (int i = 0; i < QUEUE; i++) weft__thread_join(threads[i]);
  for (int i = 0; i < QUEUE; i++) assert_int_equal(order[i], i);
}

static _Atomic(bool) stop;
static long guarded; /* plain: the lock guards it */
static int add_and_poll(void *argument) {
  bool polls = argument != NULL;
  for (int i = 0; i < 2000; i++) {
    weft__uv_lock(uv);
    guarded++;
    weft__uv_unlock(uv);
    if (polls) weft__reactor_poll_other(reactor);
  }
  return 0;
}
static int own(void *unused) {
  (void)unused;
  while (!atom_load(&stop, acquire)) weft__reactor_poll(reactor, 1000000);
  return 0;
}

static void count_repeatedly(uv_timer_t *timer) {
  (void)timer;
  guarded++;
}

static void users_and_pollers_exclude_each_other(void **state) {
  (void)state;
  weft__thread_t owner, users[2];
  guarded = 0;
  atom_store(&stop, false, relaxed);
  static uv_timer_t timer; /* closed with the loop */
  uv_loop_t *loop = weft__uv_lock(uv);
  uv_timer_init(loop, &timer);
  uv_timer_start(&timer, count_repeatedly, 1, 1);
  weft__uv_unlock(uv);
  assert_int_equal(weft__thread_start(&owner, own, NULL, "owner"), 0);
  for (int i = 0; i < 2; i++)
    assert_int_equal(weft__thread_start(&users[i], add_and_poll, i ? &guarded : NULL, "user"), 0);
  for (int i = 0; i < 2; i++) weft__thread_join(users[i]);
  atom_store(&stop, true, release);
  weft__thread_join(owner);
  assert_true(guarded >= 4000);
  assert_false(weft__uv_held_here());
}

static void close_takes_what_is_left(void **state) {
  (void)state;
  /* Handles that nobody closed, one of them running: tear_down must return, and under the sanitizers leak nothing. */
  static uv_timer_t timer;
  static uv_async_t async;
  uv_loop_t *loop = weft__uv_lock(uv);
  uv_timer_init(loop, &timer);
  uv_timer_start(&timer, count_timer, 1000000, 0);
  uv_async_init(loop, &async, count_async);
  weft__uv_unlock(uv);
  weft__reactor_poll(reactor, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(it_is_made_once),
      TEST(an_idle_one_does_not_keep_the_reactor_awake),
      TEST(its_timers_end_the_sleep),
      TEST(descriptors_inside_end_the_sleep),
      TEST(unreferenced_handles_run_too),
      TEST(other_pollers_run_it),
      TEST(a_change_wakes_the_sleeping_owner),
      TEST(callbacks_may_lock_again),
      TEST(the_lock_is_fifo),
      TEST(users_and_pollers_exclude_each_other),
      TEST(close_takes_what_is_left),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
