/* test_process_pool.c: pools of processes: results and errors that cross, crashes that break a pool or one job, limits,
 * initializers, and what is left behind: no process, no zombie, no descriptor, also after this program's sudden death.
 * ctest: timeout=120 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec/thread_pool.h"
#include "unit/exec/blocking.h"
#include "unit/exec/processes.h"

/* ---- functions of the processes ---------------------------------------------------------------------------------------- */

WEFT_EXPORT(give);

static WEFT_ASYNC(get_pid);
static int get_pid(void) { return getpid(); }
WEFT_EXPORT(get_pid);

static WEFT_ASYNC(sleep_then, int, int);
static int sleep_then(int ms, int status) {
  nap(ms);
  return status;
}
WEFT_EXPORT(sleep_then);

static WEFT_ASYNC(leave, int, int);
static int leave(int ms, int status) {
  nap(ms);
  _exit(status);
}
WEFT_EXPORT(leave);

static WEFT_ASYNC(crash, int);
static int crash(int number) {
  kill(getpid(), number);
  nap(1000);
  return 0;
}
WEFT_EXPORT(crash);

struct page {
  int pid;
  char text[20];
  double numbers[1000];
};
static WEFT_ASYNC(fill_page, int, char);
static int fill_page(int n, char c) {
  struct page page;
  memset(&page, 0, sizeof page);
  page.pid = getpid();
  memset(page.text, c, 5);
  for (int i = 0; i < 1000; i++) page.numbers[i] = n + i;
  int rc = weft_job_result(&page.pid); /* the last one counts */
  return rc < 0 ? rc : n < 0 ? n : weft_job_result(&page);
}
WEFT_EXPORT(fill_page);

static WEFT_ASYNC(fail_loudly, int);
static int fail_loudly(int code) {
  weft_ignore(weft_fail(-EIO, "first"));
  return weft_fail(code, "from process %d", 7);
}
WEFT_EXPORT(fail_loudly);

static int set_up_by;
static WEFT_ASYNC(set_up, int);
static int set_up(int by) {
  set_up_by = by;
  return by < 0 ? weft_fail(WEFT_VALUE, "no") : 0;
}
WEFT_EXPORT(set_up);
static WEFT_ASYNC(get_set_up);
static int get_set_up(void) { return set_up_by++; }
WEFT_EXPORT(get_set_up);

static WEFT_ASYNC(look);
static int look(void) { return weft_get_running_loop() == NULL && weft_sleep(1) == -EPERM && !weft_job_cancelled(); }
WEFT_EXPORT(look);

/* How many descriptors it has beside the standard ones. */
static WEFT_ASYNC(count_fds);
static int count_fds(void) {
  int count = 0;
  for (int fd = 3; fd < 1000; fd++) count += fcntl(fd, F_GETFD) >= 0;
  return count;
}
WEFT_EXPORT(count_fds);

static WEFT_ASYNC(run_inside);
static int run_inside(void) { return weft_run_with(&(const weft_config_t){.workers = 2}, give_async(33)); }
WEFT_EXPORT(run_inside);

static int unknown(void) { return 1; }
static WEFT_ASYNC(unknown);

/* ---- help -------------------------------------------------------------------------------------------------------------- */

static weft_executor_t *open_pool(unsigned workers, unsigned flags) {
  weft_executor_t *pool;
  assert_int_equal(weft_process_pool_open(workers, flags, &pool), 0);
  return pool;
}

static int wait_for(weft_future_t *future) {
  int value = 0, rc = weft_future_wait_blocking(future, WEFT_FOREVER, &value);
  weft_future_unref(future);
  return rc < 0 ? rc : value;
}
static int run_there(weft_executor_t *pool, weft_call_t call) { return wait_for(weft_executor_submit(pool, call)); }

static void await_processes(const char *name, int n) {
  while (count_processes(name) != n) nap(1);
}

/* ---- what crosses ------------------------------------------------------------------------------------------------------ */

static void results_and_errors(void **state) {
  (void)state;
  weft_executor_t *pool = open_pool(1, 0);
  assert_int_equal(run_there(pool, give_async(42)), 42);
  int pid = run_there(pool, get_pid_async());
  assert_int_not_equal(pid, getpid());
  assert_int_equal(run_there(pool, get_pid_async()), pid); /* it is kept */
  assert_int_equal(run_there(pool, fail_loudly_async(WEFT_VALUE)), WEFT_VALUE);
  assert_string_equal(weft_error()->message, "from process 7");
  assert_int_equal(weft_error()->context, -EIO);
  assert_int_equal(run_there(pool, fail_loudly_async(WEFT_CANCELLED)), WEFT_CANCELLED);
  assert_int_equal(run_there(pool, look_async()), 1);
  assert_int_equal(run_there(pool, run_inside_async()), 33);
#ifdef WEFT_REACTOR_UV
  assert_int_equal(run_there(pool, count_fds_async()), 3); /* its socket, and the pipe that libuv keeps */
#else
  assert_int_equal(run_there(pool, count_fds_async()), 1); /* its socket */
#endif
  assert_int_equal(run_there(pool, unknown_async()), WEFT_VALUE); /* fails that job only */
  assert_string_equal(weft_error()->message, "unknown cannot run in a process: it is not exported: WEFT_EXPORT");
  assert_int_equal(run_there(pool, give_async(1)), 1);
  assert_int_equal(weft_executor_close(pool), 0);
}

RUNS(results_as_bytes) {
  weft_executor_t *pool = open_pool(2, 0), *threads;
  struct page page;
  int pid;
  assert_int_equal(weft_run_for_result(pool, fill_page_async(3, 'x'), &page, sizeof page), 0);
  assert_int_not_equal(page.pid, getpid());
  assert_string_equal(page.text, "xxxxx");
  assert_true(page.numbers[999] > 1001 && page.numbers[999] < 1003);
  assert_int_equal(weft_run_for_result(pool, fill_page_async(3, 'x'), &page, sizeof page - 1), WEFT_VALUE);
  assert_int_equal(weft_run_for_result(pool, give_async(3), &page, sizeof page), WEFT_VALUE);
  assert_string_equal(weft_error()->message, "give gave no result");
  assert_int_equal(weft_run_for_result(pool, fill_page_async(-5, 'x'), &pid, sizeof pid), -5); /* its own error */
  assert_int_equal(weft_run_for_result(pool, give_async(3), NULL, 0), -EINVAL);
  assert_int_equal(weft_run_in_executor(pool, fill_page_async(3, 'x')), 0); /* nobody wants it */
  assert_int_equal(weft_executor_close(pool), 0);
  /* threads give bytes too */
  assert_int_equal(weft_thread_pool_open(1, NULL, &threads), 0);
  assert_int_equal(weft_run_for_result(threads, fill_page_async(4, 'y'), &page, sizeof page), 0);
  assert_string_equal(page.text, "yyyyy");
  assert_int_equal(page.pid, getpid());
  assert_int_equal(weft_run_in_executor(threads, fill_page_async(3, 'x')), 0);
  assert_int_equal(weft_job_result(&pid), -EPERM);
  return weft_executor_close(threads);
}

RUNS(in_a_loop) {
  weft_executor_t *pool = open_pool(2, 0);
  enum { N = 30 };
  weft_call_t calls[N];
  int statuses[N];
  for (int i = 0; i < N; i++) calls[i] = give_async(i);
  assert_int_equal(weft_executor_map(pool, calls, N, statuses), 0);
  for (int i = 0; i < N; i++) assert_int_equal(statuses[i], i);
  assert_int_equal(weft_run_in_executor(pool, fail_loudly_async(-EIO)), -EIO);
  weft_executor_t *refused = pool;
  assert_int_equal(weft_loop_set_default_executor(weft_get_running_loop(), refused), -EINVAL);
  assert_int_equal(weft_executor_shutdown(pool, true, false), 0);
  assert_int_equal(weft_run_in_executor(pool, give_async(1)), WEFT_RUNTIME);
  return weft_executor_close(pool);
}

static void several_processes_at_once(void **state) {
  (void)state;
  enum { N = 4 };
  weft_executor_t *pool = open_pool(N, 0);
  weft_future_t *futures[N];
  for (int i = 0; i < N; i++) futures[i] = weft_executor_submit(pool, sleep_then_async(100, i));
  await_processes("weft-process", N);
  for (int i = 0; i < N; i++) assert_int_equal(wait_for(futures[i]), i);
  assert_int_equal(weft_executor_close(pool), 0);
  assert_int_equal(count_processes("weft-process"), 0);
}

/* ---- crashes ----------------------------------------------------------------------------------------------------------- */

static void a_crash_breaks_the_pool(void **state) {
  (void)state;
  weft_executor_t *pool = open_pool(1, 0), *other = open_pool(1, 0);
  assert_int_equal(run_there(pool, leave_async(0, 3)), WEFT_BROKEN_POOL);
  assert_string_equal(weft_error()->name, "BrokenProcessPool");
  assert_non_null(strstr(weft_error()->message, "terminated abruptly"));
  assert_non_null(strstr(weft_error()->message, "exit status 3"));
  assert_null(weft_executor_submit(pool, give_async(1)));
  assert_int_equal(weft_error()->code, WEFT_BROKEN_POOL);
  assert_int_equal(run_there(other, give_async(5)), 5);
  assert_int_equal(weft_executor_close(pool), 0);
  assert_int_equal(weft_executor_close(other), 0);
}

static void all_pending_jobs_fail(void **state) {
  (void)state;
  weft_executor_t *pool = open_pool(2, 0);
  weft_future_t *futures[6];
  futures[0] = weft_executor_submit(pool, sleep_then_async(100000, 1)); /* runs elsewhere */
  futures[1] = weft_executor_submit(pool, leave_async(20, 3));
  for (int i = 2; i < 6; i++) futures[i] = weft_executor_submit(pool, give_async(i));
  int broken = 0;
  for (int i = 0; i < 6; i++) broken += wait_for(futures[i]) == WEFT_BROKEN_POOL;
  assert_true(broken >= 2); /* those that came before the crash may have ended well */
  assert_int_equal(weft_executor_close(pool), 0);
  /* with one process none can */
  pool = open_pool(1, 0);
  futures[0] = weft_executor_submit(pool, leave_async(20, 3));
  for (int i = 1; i < 4; i++) futures[i] = weft_executor_submit(pool, give_async(i));
  for (int i = 0; i < 4; i++) assert_int_equal(wait_for(futures[i]), WEFT_BROKEN_POOL);
  assert_int_equal(weft_executor_close(pool), 0);
}

static void isolated_crashes(void **state) {
  (void)state;
  weft_executor_t *pool = open_pool(1, WEFT_POOL_ISOLATE);
  for (int i = 0; i < 3; i++) {
    weft_future_t *crashes = weft_executor_submit(pool, crash_async(i == 1 ? SIGSEGV : SIGKILL));
    weft_future_t *waits = weft_executor_submit(pool, give_async(5));
    assert_int_equal(wait_for(crashes), WEFT_BROKEN_POOL);
    if (strstr(weft_error()->message, i == 1 ? "signal 11" : "signal 9") == NULL) fail_msg("%s", weft_error()->message);
    assert_int_equal(wait_for(waits), 5);
  }
  assert_int_equal(run_there(pool, leave_async(0, 77)), WEFT_BROKEN_POOL);
  assert_non_null(strstr(weft_error()->message, "exit status 77"));
  /* one that died while it had nothing to do costs nobody anything */
  int pid = run_there(pool, get_pid_async());
  kill(pid, SIGKILL);
  while (kill(pid, 0) == 0) nap(1); /* the zygote buries it */
  int next = run_there(pool, get_pid_async());
  assert_true(next > 0 && next != pid);
  assert_int_equal(weft_executor_close(pool), 0);
  /* without isolation it breaks the pool */
  pool = open_pool(1, 0);
  pid = run_there(pool, get_pid_async());
  kill(pid, SIGKILL);
  while (kill(pid, 0) == 0) nap(1);
  assert_int_equal(run_there(pool, give_async(1)), WEFT_BROKEN_POOL);
  assert_int_equal(weft_executor_close(pool), 0);
}

RUNS(a_crash_leaves_the_loop_alone) {
  weft_executor_t *pool = open_pool(1, 0);
  assert_int_equal(weft_run_in_executor(pool, leave_async(0, 3)), WEFT_BROKEN_POOL);
  assert_int_equal(weft_run_in_executor(pool, give_async(1)), WEFT_BROKEN_POOL);
  assert_int_equal(weft_executor_close(pool), 0);
  pool = open_pool(1, 0);
  assert_int_equal(weft_run_in_executor(pool, give_async(1)), 1);
  assert_int_equal(weft_to_thread(give_async(2)), 2);
  return weft_executor_close(pool);
}

/* ---- settings ---------------------------------------------------------------------------------------------------------- */

static void max_tasks_per_child(void **state) {
  (void)state;
  weft_executor_t *pool;
  const weft_process_pool_options_t options = {.max_workers = 1, .max_tasks_per_child = 2};
  assert_int_equal(weft_process_pool_open_with(&options, &pool), 0);
  int pids[6];
  for (int i = 0; i < 6; i++) pids[i] = run_there(pool, get_pid_async());
  for (int i = 0; i < 6; i += 2) assert_int_equal(pids[i], pids[i + 1]);
  assert_int_not_equal(pids[1], pids[2]);
  assert_int_not_equal(pids[3], pids[4]);
  assert_true(count_processes("weft-process") <= 1);
  assert_int_equal(weft_executor_close(pool), 0);
}

static void initializers(void **state) {
  (void)state;
  weft_executor_t *pool;
  const weft_call_t good = set_up_async(40), bad = set_up_async(-1), unexported = unknown_async();
  assert_int_equal(
      weft_process_pool_open_with(&(const weft_process_pool_options_t){.max_workers = 1, .initializer = &good}, &pool),
      0);
  assert_int_equal(run_there(pool, get_set_up_async()), 40);
  assert_int_equal(run_there(pool, get_set_up_async()), 41); /* once per process */
  assert_int_equal(weft_executor_close(pool), 0);
  const weft_call_t *failing[] = {&bad, &unexported};
  for (int i = 0; i < 2; i++) {
    const weft_process_pool_options_t options = {.max_workers = 1, .initializer = failing[i]};
    assert_int_equal(weft_process_pool_open_with(&options, &pool), 0);
    assert_int_equal(run_there(pool, give_async(1)), WEFT_BROKEN_POOL);
    assert_null(weft_executor_submit(pool, give_async(1)));
    assert_int_equal(weft_executor_close(pool), 0);
  }
  weft_call_t none = {0};
  assert_int_equal(weft_process_pool_open_with(&(const weft_process_pool_options_t){.initializer = &none}, &pool),
                   WEFT_TYPE);
  assert_int_equal(weft_process_pool_open(100000, 0, &pool), -EINVAL);
  assert_int_equal(weft_process_pool_open(1, 0x100, &pool), -EINVAL);
  assert_int_equal(weft_process_pool_open(1, 0, NULL), -EINVAL);
}

static void shutdown_cancels_and_waits(void **state) {
  (void)state;
  weft_executor_t *pool = open_pool(1, 0);
  weft_future_t *running = weft_executor_submit(pool, sleep_then_async(30, 6));
  weft_future_t *waiting = weft_executor_submit(pool, give_async(7));
  while (!weft_future_running(running)) nap(0.2);
  assert_int_equal(weft_executor_shutdown(pool, true, true), 0);
  assert_int_equal(count_processes("weft-process"), 0);
  assert_int_equal(wait_for(running), 6);
  assert_int_equal(wait_for(waiting), WEFT_CANCELLED);
  assert_int_equal(weft_executor_close(pool), 0);
}

/* ---- memory ------------------------------------------------------------------------------------------------------------ */

static void every_allocation_may_fail(void **state) {
  (void)state;
  for (long n = 1;; n++) {
    weft_executor_t *pool = NULL;
    weft__alloc_fail_after(n);
    int rc = weft_process_pool_open(1, 0, &pool);
    weft_future_t *future = rc == 0 ? weft_executor_submit(pool, give_async(4)) : NULL;
    int result = future != NULL ? wait_for(future) : -ENOMEM;
    bool failed = weft__alloc_failed();
    weft__alloc_fail_after(-1);
    assert_true(result == 4 || result == -ENOMEM);
    if (pool != NULL) assert_int_equal(run_there(pool, give_async(4)), 4);
    assert_int_equal(weft_executor_close(pool), 0);
    if (!failed) return;
  }
}

/* ---- what is left ------------------------------------------------------------------------------------------------------ */

static void nothing_is_left(void **state) {
  (void)state;
  int before = count_descriptors();
  for (int i = 0; i < 5; i++) {
    weft_executor_t *pool = open_pool(3, 0);
    const weft_call_t calls[] = {give_async(1), give_async(2), give_async(3)};
    for (int k = 0; k < 3; k++) assert_int_equal(run_there(pool, calls[k]), k + 1);
    assert_int_equal(weft_executor_close(pool), 0);
    assert_int_equal(count_processes("weft-process"), 0);
  }
  assert_int_equal(count_descriptors(), before);
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no children to wait for */
  assert_int_equal(errno, ECHILD);
}

/* This program's copy opens a pool, has it busy, and is killed: everybody goes with it. */
static void no_orphans(void **state) {
  (void)state;
  int zygotes = count_processes("weft-zygote");
  pid_t child = fork();
  if (child == 0) {
    weft_executor_t *pool;
    if (weft_process_pool_open(2, 0, &pool) < 0) _exit(1);
    weft_future_t *a = weft_executor_submit(pool, sleep_then_async(1000000, 0));
    weft_future_t *b = weft_executor_submit(pool, sleep_then_async(1000000, 0));
    (void)a;
    (void)b;
    nap(1e6);
    _exit(0);
  }
  await_processes("weft-process", 2);
  assert_int_equal(count_processes("weft-zygote"), zygotes + 1);
  kill(child, SIGKILL);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  await_processes("weft-process", 0);
  await_processes("weft-zygote", zygotes);
}

/* The zygote's own death is survived: the processes go with it, the next ones come from another. */
static void the_zygote_may_die(void **state) {
  (void)state;
  weft_executor_t *pool = open_pool(1, WEFT_POOL_ISOLATE);
  int pid = run_there(pool, get_pid_async());
  char path[64], line[256];
  int parent = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  assert_non_null(fgets(line, sizeof line, file));
  fclose(file);
  assert_int_equal(sscanf(strrchr(line, ')') + 2, "%*c %d", &parent), 1);
  kill(parent, SIGKILL);
  while (kill(pid, 0) == 0) nap(1);
  assert_int_equal(run_there(pool, give_async(8)), 8);
  assert_int_equal(weft_executor_close(pool), 0);
}

int main(void) {
  setpgid(0, 0); /* what is counted is ours */
  if (weft_process_pool_prepare() < 0 || weft_process_pool_prepare() < 0) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(results_and_errors),
      cmocka_unit_test(run_results_as_bytes),
      cmocka_unit_test(run_in_a_loop),
      cmocka_unit_test(several_processes_at_once),
      cmocka_unit_test(a_crash_breaks_the_pool),
      cmocka_unit_test(all_pending_jobs_fail),
      cmocka_unit_test(isolated_crashes),
      cmocka_unit_test(run_a_crash_leaves_the_loop_alone),
      cmocka_unit_test(max_tasks_per_child),
      cmocka_unit_test(initializers),
      cmocka_unit_test(shutdown_cancels_and_waits),
      cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(nothing_is_left),
      cmocka_unit_test(no_orphans),
      cmocka_unit_test(the_zygote_may_die),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
