/* Several workers: nothing waits behind a task that does not suspend; pinned tasks stay; strands are serial and first in
 * first out; foreign threads submit; an idle loop sleeps. Orders and counts are asserted, never short times. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <weft.h>

#include "base/threads.h"
#include "sched/loop.h"

static int scaled(int n) {
  const char *scale = getenv("WEFT_TEST_SCALE");
  int m = (int)(n * (scale != NULL ? atof(scale) : 1.0));
  return m > 2 ? m : 2;
}

static int run_on(unsigned workers, bool serial, weft_call_t call) {
  weft_config_t config = {.workers = workers, .serial = serial};
  return weft_run_with(&config, call);
}

/* ---- hostages ---- */

/* Holds its worker without ever suspending, until `release`, or until the test has clearly failed. */
static int spin_until(atomic_int *flag, int at_least) {
  time_t end = time(NULL) + 20;
  while (atomic_load(flag) < at_least)
    if (time(NULL) > end) return -ETIMEDOUT;
  return 0;
}

static WEFT_ASYNC(hostage_taker, atomic_int *, atomic_int *);
static int hostage_taker(atomic_int *started, atomic_int *progress) {
  atomic_fetch_add(started, 1);
  return spin_until(progress, 100);
}
static WEFT_ASYNC(sleeps_and_counts, atomic_int *);
static int sleeps_and_counts(atomic_int *progress) {
  for (int i = 0; i < 100; i++) {
    int rc = weft_sleep(i % 10 == 0 ? 0.0001 : 0);
    if (rc < 0) return rc;
    atomic_fetch_add(progress, 1);
  }
  return 0;
}
/* The counting task, its timers included, stands on the worker that the other one then occupies for good. */
static WEFT_ASYNC(hostage);
static int hostage(void) {
  atomic_int started = 0, progress = 0;
  weft_task_t *counter = weft_create_task(sleeps_and_counts_async(&progress));
  weft_task_t *taker = weft_create_task(hostage_taker_async(&started, &progress));
  int rc = weft_join(taker);
  int rc2 = weft_join(counter);
  return rc < 0 ? rc : rc2;
}
static void a_busy_worker_holds_no_other_task(void **state) {
  (void)state;
  for (int i = 0; i < scaled(20); i++) assert_int_equal(run_on(2, false, hostage_async()), 0);
}

/* What is ready behind a task that spins at once after waking it, alone in the queue: nobody was woken for it. */
static WEFT_ASYNC(sets_flag, atomic_int *);
static int sets_flag(atomic_int *flag) {
  atomic_fetch_add(flag, 100);
  return 0;
}
static WEFT_ASYNC(lone_newest);
static int lone_newest(void) {
  atomic_int flag = 0;
  weft_task_t *task = weft_create_task(sets_flag_async(&flag));
  int rc = spin_until(&flag, 100); /* only another worker can run it */
  int rc2 = weft_join(task);
  return rc < 0 ? rc : rc2;
}
static void a_lone_newest_task_is_taken_over(void **state) {
  (void)state;
  for (int i = 0; i < scaled(20); i++) assert_int_equal(run_on(2 + i % 3u, false, lone_newest_async()), 0);
}

/* ---- pinned tasks ---- */

static WEFT_ASYNC(stays, unsigned);
static int stays(unsigned worker) {
  for (int i = 0; i < 200; i++) {
    if (weft__worker()->index + 1 != worker) return -EXDEV;
    int rc = weft_sleep(i % 50 == 0 ? 0.0002 : 0);
    if (rc < 0) return rc;
  }
  return 0;
}
static WEFT_ASYNC(roams);
static int roams(void) {
  for (int i = 0; i < 200; i++) {
    int rc = weft_yield();
    if (rc < 0) return rc;
  }
  return 0;
}
static WEFT_ASYNC(pinned_main);
static int pinned_main(void) {
  enum { EACH = 24 };
  weft_task_t *pinned[EACH], *others[EACH];
  for (unsigned i = 0; i < EACH; i++) {
    weft_task_options_t options = {.worker = 1 + i % 3};
    pinned[i] = weft_create_task_with(stays_async(options.worker), &options);
    others[i] = weft_create_task(roams_async());
  }
  int rc = 0;
  for (unsigned i = 0; i < EACH; i++) {
    int a = weft_join(pinned[i]), b = weft_join(others[i]);
    if (rc == 0) rc = a < 0 ? a : b;
  }
  weft_task_options_t nowhere = {.worker = 4};
  if (weft_create_task_with(roams_async(), &nowhere) != NULL || weft_error()->code != -EINVAL) return -EILSEQ;
  return rc;
}
static void pinned_tasks_run_on_their_worker_only(void **state) {
  (void)state;
  for (int i = 0; i < scaled(10); i++) assert_int_equal(run_on(3, false, pinned_main_async()), 0);
}

/* ---- strands ---- */

struct unguarded {
  long value; /* plain on purpose: ThreadSanitizer watches */
  int inside;
  int order[64], n;
};
static WEFT_ASYNC(adds, struct unguarded *, int, int);
static int adds(struct unguarded *shared, int id, int times) {
  shared->order[shared->n++] = id;
  for (int i = 0; i < times; i++) {
    if (shared->inside++ != 0) return -EDEADLK;
    long value = shared->value;
    for (volatile int spin = 0; spin < 50; spin++) {
    }
    shared->value = value + 1;
    shared->inside--;
    int rc = weft_yield(); /* releases the strand */
    if (rc < 0) return rc;
  }
  return 0;
}
static WEFT_ASYNC(strand_main, int);
static int strand_main(int times) {
  enum { TASKS = 32 };
  struct unguarded shared = {0};
  weft_strand_t *strand = weft_strand_open();
  if (strand == NULL) return -ENOMEM;
  weft_task_t *tasks[TASKS];
  weft_task_options_t options = {.strand = strand};
  for (int i = 0; i < TASKS; i++) tasks[i] = weft_create_task_with(adds_async(&shared, i, times), &options);
  int rc = 0;
  for (int i = 0; i < TASKS; i++) {
    int joined = weft_join(tasks[i]);
    if (rc == 0) rc = joined;
  }
  weft_strand_unref(strand);
  if (rc < 0) return rc;
  for (int i = 0; i < TASKS; i++)
    if (shared.order[i] != i) return -EILSEQ;
  return shared.value == (long)TASKS * times ? 0 : -ERANGE;
}
static void strands_are_serial_and_first_in_first_out(void **state) {
  (void)state;
  for (unsigned workers = 1; workers <= 8; workers *= 2)
    assert_int_equal(run_on(workers, false, strand_main_async(scaled(100))), 0);
}

static WEFT_ASYNC(inside_adds, struct unguarded *, int);
static int inside_adds(struct unguarded *shared, int times) { return adds(shared, 0, times); }
static WEFT_ASYNC(visits, weft_strand_t *, struct unguarded *);
static int visits(weft_strand_t *strand, struct unguarded *shared) {
  int rc = weft_strand_run(strand, inside_adds_async(shared, 5));
  return rc < 0 ? rc : weft_yield();
}
static WEFT_ASYNC(visitors);
static int visitors(void) {
  enum { TASKS = 10 };
  struct unguarded shared = {0};
  weft_strand_t *strand = weft_strand_open();
  if (strand == NULL) return -ENOMEM;
  weft_task_t *tasks[TASKS];
  for (int i = 0; i < TASKS; i++) tasks[i] = weft_create_task(visits_async(strand, &shared));
  int rc = 0;
  for (int i = 0; i < TASKS; i++) {
    int joined = weft_join(tasks[i]);
    if (rc == 0) rc = joined;
  }
  weft_strand_unref(strand);
  return rc < 0 ? rc : shared.value == TASKS * 5 ? 0 : -ERANGE;
}
static void tasks_enter_and_leave_a_strand(void **state) {
  (void)state;
  for (int i = 0; i < scaled(20); i++) assert_int_equal(run_on(1 + (unsigned)i % 4, false, visitors_async()), 0);
}

static WEFT_ASYNC(serial_main, int);
static int serial_main(int times) {
  enum { TASKS = 16 };
  struct unguarded shared = {0};
  weft_task_t *tasks[TASKS];
  for (int i = 0; i < TASKS; i++) tasks[i] = weft_create_task(adds_async(&shared, i, times));
  int rc = 0;
  for (int i = 0; i < TASKS; i++) {
    int joined = weft_join(tasks[i]);
    if (rc == 0) rc = joined;
  }
  return rc < 0 ? rc : shared.value == (long)TASKS * times ? 0 : -ERANGE;
}
static void serial_runs_are_atomic_between_suspensions(void **state) {
  (void)state;
  for (int i = 0; i < scaled(5); i++) assert_int_equal(run_on(4, true, serial_main_async(50)), 0);
}

/* ---- foreign threads ---- */

struct foreign {
  weft_loop_t *loop;
  weft_future_t *done;
  atomic_int finished;
  int callbacks, expected; /* counted in callbacks: one at a time */
  int last[4];
};
struct submission {
  struct foreign *foreign;
  int thread, number;
};
static int counted(void *data) {
  struct submission *submission = data;
  struct foreign *foreign = submission->foreign;
  int rc = 0;
  if (foreign->last[submission->thread] != submission->number) rc = -EILSEQ; /* each thread's order is kept */
  foreign->last[submission->thread] = submission->number + 1;
  if (++foreign->callbacks == foreign->expected) weft_future_set_done(foreign->done);
  free(submission);
  return rc;
}
struct submitter {
  struct foreign *foreign;
  int thread, times, status;
};
static WEFT_ASYNC(from_outside, int);
static int from_outside(int value) {
  int rc = weft_yield();
  return rc < 0 ? rc : value;
}
static int submit_all(void *argument) {
  struct submitter *submitter = argument;
  for (int i = 0; i < submitter->times; i++) {
    struct submission *submission = malloc(sizeof *submission);
    if (submission == NULL) abort();
    *submission = (struct submission){submitter->foreign, submitter->thread, i};
    weft_call_soon(submitter->foreign->loop, counted, submission);
    weft_task_t *task = weft_loop_create_task(submitter->foreign->loop, from_outside_async(i));
    int rc = weft_future_wait_blocking(weft_task_future(task), 60, NULL);
    weft_detach(task);
    if (rc != i) submitter->status = rc < 0 ? rc : -EILSEQ;
  }
  atomic_fetch_add(&submitter->foreign->finished, 1);
  return 0;
}
static int broken_order;
static int note_report(weft_loop_t *loop, const weft_error_context_t *context, void *data) {
  (void)loop, (void)context;
  ++*(int *)data;
  return 0;
}
static WEFT_ASYNC(awaits, weft_future_t *);
static int awaits(weft_future_t *future) { return weft_await_future(future, NULL); }
static void foreign_threads_submit_and_wait(void **state) {
  (void)state;
  enum { THREADS = 4 };
  for (unsigned workers = 1; workers <= 4; workers += 3) {
    weft_config_t config = {.workers = workers};
    struct foreign foreign = {.expected = THREADS * scaled(100)};
    assert_int_equal(weft_loop_open(&config, &foreign.loop), 0);
    broken_order = 0;
    weft_loop_set_exception_handler(foreign.loop, note_report, &broken_order);
    foreign.done = weft_loop_create_future(foreign.loop, 0);
    weft__thread_t threads[THREADS];
    struct submitter submitters[THREADS];
    for (int i = 0; i < THREADS; i++) {
      submitters[i] = (struct submitter){&foreign, i, scaled(100), 0};
      assert_int_equal(weft__thread_start(&threads[i], submit_all, &submitters[i], "submitter"), 0);
    }
    assert_int_equal(weft_loop_run_until_complete(foreign.loop, awaits_async(foreign.done)), 0);
    /* The last callback may be in before the last tasks: pass after pass until the threads have their answers. */
    while (atomic_load(&foreign.finished) < THREADS) {
      weft_loop_stop(foreign.loop);
      weft_ignore(weft_loop_run_forever(foreign.loop));
    }
    for (int i = 0; i < THREADS; i++) {
      weft__thread_join(threads[i]);
      assert_int_equal(submitters[i].status, 0);
    }
    assert_int_equal(broken_order, 0);
    assert_int_equal(foreign.callbacks, foreign.expected);
    weft_future_unref(foreign.done);
    assert_int_equal(weft_loop_close(foreign.loop), 0);
  }
}

/* ---- sleep ---- */

static long voluntary_switches(void) {
  long sum = 0;
  char command[64], line[256];
  snprintf(command, sizeof command, "cat /proc/%d/task/*/status", (int)getpid());
  FILE *pipe = popen(command, "r");
  if (pipe == NULL) return -1;
  while (fgets(line, sizeof line, pipe) != NULL) {
    long n;
    if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1) sum += n;
  }
  pclose(pipe);
  return sum;
}
static WEFT_ASYNC(idles, long *);
static int idles(long *switches) {
  int rc = weft_sleep(1); /* everybody goes to sleep, the lookout dozes off */
  if (rc < 0) return rc;
  rc = weft_sleep(0.5);
  long before = voluntary_switches();
  if (rc == 0) rc = weft_sleep(3);
  *switches = voluntary_switches() - before;
  return rc;
}
static void an_idle_loop_sleeps(void **state) {
  (void)state;
  long switches = -1;
  assert_int_equal(run_on(4, false, idles_async(&switches)), 0);
  /* A lookout that did not doze would count 10000. The pipe to cat, our own wake-up, and the 3 ms until the lookout dozes
   * again after it, leave room for far less than that. */
  print_message("%ld voluntary switches in 3 s\n", switches);
  assert_in_range(switches, 0, 200);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_busy_worker_holds_no_other_task),
      cmocka_unit_test(a_lone_newest_task_is_taken_over),
      cmocka_unit_test(pinned_tasks_run_on_their_worker_only),
      cmocka_unit_test(strands_are_serial_and_first_in_first_out),
      cmocka_unit_test(tasks_enter_and_leave_a_strand),
      cmocka_unit_test(serial_runs_are_atomic_between_suspensions),
      cmocka_unit_test(foreign_threads_submit_and_wait),
      cmocka_unit_test(an_idle_loop_sleeps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
