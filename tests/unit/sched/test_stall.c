/* Several workers, all of them stuck: spares stand in, no more than are needed, and go again. Counts and orders are
 * asserted, never short times.
 * ctest: timeout=120 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <weft.h>

#include "base/threads.h"
#include "sched/loop.h"

enum { PATIENCE = 20 };

static int run_on(unsigned workers, weft_call_t call) {
  weft_config_t config = {.workers = workers};
  return weft_run_with(&config, call);
}
static weft_loop_t *this_loop(void) { return weft_get_running_loop(); }

/* Everything that the tasks of a stall share. */
struct stall {
  unsigned workers;
  bool computes;  /* else it blocks */
  bool announced; /* and says so */
  atomic_uint inside;
  atomic_int timers, replies, ended;
  int wanted;
  int port;
};
static bool served(struct stall *stall) {
  return atomic_load(&stall->timers) >= stall->wanted && atomic_load(&stall->replies) >= stall->wanted;
}

static void sit(struct stall *stall) {
  if (stall->announced) weft_blocking_enter();
  if (stall->computes)
    for (volatile int i = 0; i < 1000000; i++) {
    }
  else
    usleep(200000);
  if (stall->announced) weft_blocking_exit();
}
/* Holds its worker until 100 timers and 100 replies have come, or until the test has clearly failed. Pinned: so that all
 * of them together hold every worker. */
static WEFT_ASYNC(staller, struct stall *);
static int staller(struct stall *stall) {
  time_t end = time(NULL) + PATIENCE;
  if (atomic_fetch_add(&stall->inside, 1) + 1 == stall->workers) { /* now everybody is in */
    atomic_store(&stall->timers, 0);
    atomic_store(&stall->replies, 0);
  }
  while (atomic_load(&stall->inside) < stall->workers || !served(stall)) {
    if (time(NULL) > end) return -ETIMEDOUT;
    sit(stall);
  }
  atomic_fetch_add(&stall->ended, 1);
  return 0;
}

static WEFT_ASYNC(counts_timers, struct stall *);
static int counts_timers(struct stall *stall) {
  while ((unsigned)atomic_load(&stall->ended) < stall->workers) {
    int rc = weft_sleep(0.001);
    if (rc < 0) return rc;
    atomic_fetch_add(&stall->timers, 1);
  }
  return 0;
}
static int on_client(weft_stream_t *stream, void *data) {
  (void)data;
  char byte;
  ssize_t n;
  while ((n = weft_stream_read(stream, &byte, 1)) == 1) {
    int rc = weft_stream_write(stream, &byte, 1);
    if (rc < 0) return rc;
  }
  return n < 0 ? (int)n : 0;
}
static int client(void *argument) { /* a foreign thread, with plain sockets */
  struct stall *stall = argument;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)stall->port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  char byte = 'x';
  if (fd >= 0 && connect(fd, (struct sockaddr *)(void *)&to, sizeof to) == 0)
    while ((unsigned)atomic_load(&stall->ended) < stall->workers && write(fd, &byte, 1) == 1 && read(fd, &byte, 1) == 1)
      atomic_fetch_add(&stall->replies, 1);
  close(fd);
  return 0;
}

static WEFT_ASYNC(stalled, struct stall *);
static int stalled(struct stall *stall) {
  weft_server_t *server;
  weft__thread_t thread;
  weft_task_t *stallers[8];
  atomic_store(&stall->inside, 0);
  atomic_store(&stall->ended, 0);
  int rc = weft_start_server("127.0.0.1", 0, on_client, NULL, &server);
  if (rc < 0) return rc;
  stall->port = weft_server_port(server);
  rc = weft__thread_start(&thread, client, stall, "client");
  if (rc < 0) return rc;
  weft_task_t *timers = weft_create_task(counts_timers_async(stall));
  rc = weft_sleep(0.01); /* the client is connected */
  for (unsigned i = 0; i < stall->workers; i++)
    stallers[i] = weft_create_task_with(staller_async(stall), &(weft_task_options_t){.worker = i + 1});
  for (unsigned i = 0; i < stall->workers; i++) {
    int joined = weft_join(stallers[i]);
    if (rc == 0) rc = joined;
  }
  atomic_store(&stall->ended, (int)stall->workers);
  int joined = weft_join(timers);
  weft__thread_join(thread);
  int closed = weft_server_close(server);
  return rc < 0 ? rc : joined < 0 ? joined : closed;
}

static void timers_and_sockets_outlive_a_stall_of_all_workers(void **state) {
  (void)state;
  for (unsigned workers = 2; workers <= 4; workers++) {
    struct stall stall = {.workers = workers, .wanted = 100};
    assert_int_equal(run_on(workers, stalled_async(&stall)), 0);
  }
}
static void announced_stalls_are_survived(void **state) {
  (void)state;
  for (unsigned workers = 2; workers <= 4; workers++) {
    struct stall stall = {.workers = workers, .announced = true, .wanted = 100};
    assert_int_equal(run_on(workers, stalled_async(&stall)), 0);
  }
}

/* ---- computing: a single one ---- */

static void timers_and_sockets_go_on_while_all_compute(void **state) {
  (void)state;
  for (unsigned workers = 2; workers <= 3; workers++) {
    struct stall stall = {.workers = workers, .computes = true, .wanted = 100};
    assert_int_equal(run_on(workers, stalled_async(&stall)), 0);
  }
}

static WEFT_ASYNC(computes);
static int computes(void) {
  struct timespec begin, now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
  do clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  while ((now.tv_sec - begin.tv_sec) * 1000000000L + (now.tv_nsec - begin.tv_nsec) < 20000000);
  return 0;
}
static WEFT_ASYNC(many_compute, unsigned *);
static int many_compute(unsigned *spares) {
  weft_task_t *tasks[40];
  for (int i = 0; i < 40; i++) tasks[i] = weft_create_task(computes_async());
  int rc = 0;
  for (int i = 0; i < 40; i++) {
    int joined = weft_join(tasks[i]);
    if (rc == 0) rc = joined;
  }
  weft_loop_t *loop = this_loop();
  *spares = atomic_load(&loop->slots) - loop->worker_count;
  return rc;
}
/* More computing tasks than threads: each spare that is added is stuck at once, and the next one would be asked for. Six: on
 * a machine that is out of breath a thread may seem to sleep. */
static void computing_workers_get_a_few_spares(void **state) {
  (void)state;
  for (unsigned workers = 2; workers <= 3; workers++) {
    unsigned spares = 0;
    assert_int_equal(run_on(workers, many_compute_async(&spares)), 0);
    print_message("%u spare workers\n", spares);
#ifdef WEFT_VALGRIND /* runs one thread at a time: nobody stands still beside another */
    assert_in_range(spares, 0, 6);
#else
    assert_in_range(spares, 1, 6);
#endif
  }
}

/* ---- retiring ---- */

static WEFT_ASYNC(comes_and_goes, int);
static int comes_and_goes(int times) {
  weft_loop_t *loop = this_loop();
  for (int i = 0; i < times; i++) {
    struct stall stall = {.workers = 2, .wanted = 20};
    int rc = stalled(&stall);
    if (rc < 0) return rc;
    time_t end = time(NULL) + PATIENCE;
    while (weft__spares_active(loop) > 0) { /* the workers have nothing to do: the spare finds itself redundant */
      if (time(NULL) > end) return -ETIMEDOUT;
      if ((rc = weft_sleep(0.01)) < 0) return rc;
    }
  }
  size_t activations = atomic_load(&loop->spares.activations);
  if (atomic_load(&loop->spares.retirements) != activations) return -EILSEQ;
  if (activations < (size_t)times) return -ENOENT;
  /* How many at once is a matter of luck; a slot for each activation would be no recycling. */
  return 2 * (atomic_load(&loop->slots) - loop->worker_count) <= activations ? 0 : -ERANGE;
}
static void spares_retire_and_their_slots_are_recycled(void **state) {
  (void)state;
  assert_int_equal(run_on(2, comes_and_goes_async(12)), 0);
}

/* ---- the bound ---- */

static WEFT_ASYNC(sleeps_hard, atomic_int *);
static int sleeps_hard(atomic_int *done) {
  usleep(100000);
  atomic_fetch_add(done, 1);
  return 0;
}
static WEFT_ASYNC(many_sleep_hard, int);
static int many_sleep_hard(int n) {
  atomic_int done = 0;
  weft_loop_t *loop = this_loop();
  weft_task_t **tasks = malloc((size_t)n * sizeof *tasks);
  if (tasks == NULL) return -ENOMEM;
  for (int i = 0; i < n; i++) tasks[i] = weft_create_task(sleeps_hard_async(&done));
  int rc = 0;
  for (int i = 0; i < n; i++) {
    int joined = weft_join(tasks[i]);
    if (rc == 0) rc = joined;
  }
  free(tasks);
  if (rc < 0) return rc;
  if (atomic_load(&done) != n) return -ERANGE;
  unsigned spares = atomic_load(&loop->slots) - loop->worker_count;
  return spares >= 1 && spares <= WEFT__SPARES_MAX ? 0 : -E2BIG;
}
static void blocked_spares_are_replaced_up_to_a_bound(void **state) {
  (void)state;
  assert_int_equal(run_on(2, many_sleep_hard_async(300)), 0);
}

/* ---- what a spare runs belongs to permanent workers ---- */

struct orphan {
  atomic_int stage;
  unsigned index;
};
static int stage_is_reached(struct orphan *orphan, int stage) {
  time_t end = time(NULL) + PATIENCE;
  while (atomic_load(&orphan->stage) < stage) {
    if (time(NULL) > end) return -ETIMEDOUT;
    usleep(1000);
  }
  return 0;
}
static WEFT_ASYNC(holds, struct orphan *);
static int holds(struct orphan *orphan) { return stage_is_reached(orphan, 1); }
/* Runs on a spare, because both workers are held until it does; the timer that it arms there fires when that is gone. */
static WEFT_ASYNC(lives_on_a_spare, struct orphan *);
static int lives_on_a_spare(struct orphan *orphan) {
  orphan->index = weft__worker()->index;
  atomic_store(&orphan->stage, 1);
  int rc = weft_sleep(0.2);
  if (rc == 0 && weft__spares_active(this_loop()) > 0) rc = weft_sleep(0.2);
  atomic_store(&orphan->stage, 2);
  return rc;
}
static WEFT_ASYNC(orphans);
static int orphans(void) {
  struct orphan orphan = {.stage = 0};
  weft_task_t *held[2];
  for (unsigned i = 0; i < 2; i++)
    held[i] = weft_create_task_with(holds_async(&orphan), &(weft_task_options_t){.worker = i + 1});
  weft_task_t *task = weft_create_task(lives_on_a_spare_async(&orphan));
  int rc = 0;
  for (unsigned i = 0; i < 2; i++) {
    int joined = weft_join(held[i]);
    if (rc == 0) rc = joined;
  }
  int joined = weft_join(task);
  return rc < 0 ? rc : joined < 0 ? joined : atomic_load(&orphan.stage) == 2 ? 0 : -EILSEQ;
}
static void timers_made_on_a_spare_outlive_it(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) assert_int_equal(run_on(2, orphans_async()), 0);
}

/* ---- one worker, virtual time: none ---- */

static WEFT_ASYNC(nothing);
static int nothing(void) { return 0; }
static WEFT_ASYNC(sits_beside, atomic_int *);
static int sits_beside(atomic_int *inside) {
  atomic_store(inside, 1);
  usleep(60000);
  return 0;
}
/* Blocks the worker, and the second one if there is one, with tasks queued behind it. */
static WEFT_ASYNC(blocks_alone, unsigned *);
static int blocks_alone(unsigned *slots) {
  atomic_int inside = 0;
  weft_task_t *beside = NULL, *tasks[4];
  if (this_loop()->worker_count > 1) {
    bool first = weft__worker()->index == 0;
    beside = weft_create_task_with(sits_beside_async(&inside), &(weft_task_options_t){.worker = first ? 2 : 1});
    while (atomic_load(&inside) == 0) usleep(1000);
  }
  for (int i = 0; i < 4; i++) tasks[i] = weft_create_task(nothing_async());
  usleep(50000);
  *slots = atomic_load(&this_loop()->slots);
  int rc = 0;
  for (int i = 0; i < 4; i++) {
    int joined = weft_join(tasks[i]);
    if (rc == 0) rc = joined;
  }
  int joined = beside != NULL ? weft_join(beside) : 0;
  return rc < 0 ? rc : joined;
}
static void one_worker_has_no_spares(void **state) {
  (void)state;
  unsigned slots = 0;
  assert_int_equal(run_on(1, blocks_alone_async(&slots)), 0);
  assert_int_equal(slots, 1);
  weft_config_t config = {.workers = 2, .virtual_time = true};
  assert_int_equal(weft_run_with(&config, blocks_alone_async(&slots)), 0);
  assert_int_equal(slots, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(timers_and_sockets_outlive_a_stall_of_all_workers),
      cmocka_unit_test(announced_stalls_are_survived),
      cmocka_unit_test(timers_and_sockets_go_on_while_all_compute),
      cmocka_unit_test(computing_workers_get_a_few_spares),
      cmocka_unit_test(spares_retire_and_their_slots_are_recycled),
      cmocka_unit_test(blocked_spares_are_replaced_up_to_a_bound),
      cmocka_unit_test(timers_made_on_a_spare_outlive_it),
      cmocka_unit_test(one_worker_has_no_spares),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
