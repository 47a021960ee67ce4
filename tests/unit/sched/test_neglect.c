/* Several workers: what a busy worker left behind, and what comes from outside while everybody sleeps, is looked after.
 * ctest: timeout=60 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <weft.h>

#include "base/threads.h"

enum { ROUNDS = 5 };

static int run_on(unsigned workers, weft_call_t call) {
  weft_config_t config = {.workers = workers};
  return weft_run_with(&config, call);
}

/* Never suspends; gives up when the test has clearly failed. */
static int spin_until(atomic_int *flag) {
  time_t end = time(NULL) + 10;
  while (atomic_load(flag) == 0)
    if (time(NULL) > end) return -ETIMEDOUT;
  return 0;
}
static int raise_flag(void *flag) {
  atomic_store((atomic_int *)flag, 1);
  return 0;
}

/* ---- timers ------------------------------------------------------------------------------------------------------------ */

static WEFT_ASYNC(arms_and_spins, atomic_int *);
static int arms_and_spins(atomic_int *flag) {
  weft_call_later(weft_get_running_loop(), 0.001, raise_flag, flag);
  return spin_until(flag);
}
/* Pinned: the timer is this worker's, and this worker looks at nothing any more. */
static WEFT_ASYNC(timer_of_a_busy_worker, unsigned);
static int timer_of_a_busy_worker(unsigned worker) {
  atomic_int flag = 0;
  return weft_join(weft_create_task_with(arms_and_spins_async(&flag), &(weft_task_options_t){.worker = worker}));
}
static void timers_of_a_busy_worker_fire(void **state) {
  (void)state;
  for (unsigned i = 0; i < ROUNDS; i++) assert_int_equal(run_on(2, timer_of_a_busy_worker_async(1 + i % 2)), 0);
}

/* ---- sockets ----------------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(replies, weft_stream_t *);
static int replies(weft_stream_t *stream) {
  char byte;
  ssize_t n = weft_stream_read(stream, &byte, 1);
  return n == 1 ? weft_stream_write(stream, &byte, 1) : (int)n;
}
static int on_client(weft_stream_t *stream, void *data) {
  (void)data;
  return replies(stream);
}
struct client {
  int port;
  atomic_int answered;
};
static int connects(void *argument) { /* a foreign thread, with plain sockets */
  struct client *client = argument;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)client->port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  char byte = 'x';
  bool good = fd >= 0 && connect(fd, (struct sockaddr *)(void *)&to, sizeof to) == 0 && write(fd, &byte, 1) == 1 &&
              read(fd, &byte, 1) == 1;
  if (good) atomic_store(&client->answered, 1);
  close(fd);
  return 0;
}
/* Everything of the server was made on this worker, which is then busy until somebody else has served the client. */
static WEFT_ASYNC(serves_and_spins);
static int serves_and_spins(void) {
  weft_server_t *server;
  int rc = weft_start_server("127.0.0.1", 0, on_client, NULL, &server);
  if (rc < 0) return rc;
  rc = weft_sleep(0.01); /* the accepting task waits for its descriptor now */
  struct client client = {weft_server_port(server), 0};
  weft__thread_t thread;
  if (rc == 0) rc = weft__thread_start(&thread, connects, &client, "client");
  if (rc == 0) {
    rc = spin_until(&client.answered);
    weft__thread_join(thread);
  }
  int closed = weft_server_close(server);
  return rc < 0 ? rc : closed;
}
static WEFT_ASYNC(sockets_of_a_busy_worker);
static int sockets_of_a_busy_worker(void) {
  return weft_join(weft_create_task_with(serves_and_spins_async(), &(weft_task_options_t){.worker = 1}));
}
static void sockets_of_a_busy_worker_are_served(void **state) {
  (void)state;
  for (int i = 0; i < ROUNDS; i++) assert_int_equal(run_on(2, sockets_of_a_busy_worker_async()), 0);
}

/* ---- from outside, while all sleep ------------------------------------------------------------------------------------- */

struct errand {
  weft_loop_t *loop;
  weft_future_t *future;
  weft_task_t *task;
};
static WEFT_ASYNC(sets, weft_future_t *);
static int sets(weft_future_t *future) { return weft_future_set_done(future); }
static int ends_it_late(void *argument) {
  struct errand *errand = argument;
  usleep(50000); /* by now everybody sleeps without a limit */
  if (errand->loop == NULL)
    weft_ignore(weft_future_set_done(errand->future));
  else
    errand->task = weft_loop_create_task(errand->loop, sets_async(errand->future));
  return 0;
}
static WEFT_ASYNC(waits_for_outside, bool);
static int waits_for_outside(bool by_task) {
  struct errand errand = {by_task ? weft_get_running_loop() : NULL, weft_future_open(0), NULL};
  weft__thread_t thread;
  int rc = weft__thread_start(&thread, ends_it_late, &errand, "outside");
  if (rc == 0) {
    rc = weft_await_future(errand.future, NULL);
    weft__thread_join(thread);
  }
  if (by_task && rc == 0) rc = weft_join(errand.task);
  weft_future_unref(errand.future);
  return rc;
}
static void what_comes_from_outside_wakes_a_sleeper(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 4; workers++) {
    assert_int_equal(run_on(workers, waits_for_outside_async(false)), 0);
    assert_int_equal(run_on(workers, waits_for_outside_async(true)), 0);
  }
}

/* ---- pinned, while its worker sleeps ----------------------------------------------------------------------------------- */

static WEFT_ASYNC(visits_each);
static int visits_each(void) {
  int rc = 0;
  for (unsigned worker = 1; worker <= 3 && rc == 0; worker++) {
    rc = weft_sleep(0.02); /* the others sleep without a limit */
    if (rc == 0) rc = weft_join(weft_create_task_with(weft_yield_async(), &(weft_task_options_t){.worker = worker}));
  }
  return rc;
}
static void a_pinned_task_wakes_its_worker(void **state) {
  (void)state;
  assert_int_equal(run_on(3, visits_each_async()), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(timers_of_a_busy_worker_fire),
      cmocka_unit_test(sockets_of_a_busy_worker_are_served),
      cmocka_unit_test(what_comes_from_outside_wakes_a_sleeper),
      cmocka_unit_test(a_pinned_task_wakes_its_worker),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
