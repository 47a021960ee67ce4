/* test_after_fork.c: fork() by the user (rule 38): in the child the runtime is dead and says so, whoever forked; the parent
 * goes on, and a program that closed its loops before may start afresh in the child. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/exec/blocking.h"

/* In the child: what is not right is its exit status, the line. */
#define CHILD_CHECK(condition)                                                                                         \
  do {                                                                                                                 \
    if (!(condition)) _exit(__LINE__ % 200 + 1);                                                                       \
  } while (0)

static int status_of(pid_t child) {
  int status = -1;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

static int nothing(void *data) {
  (void)data;
  return 0;
}

static void ask_everything(weft_loop_t *loop, weft_executor_t *pool) {
  alarm(20); /* a call that hangs is a failure too */
  CHILD_CHECK(weft_get_running_loop() == NULL);
  CHILD_CHECK(weft_loop_is_closed(loop));
  CHILD_CHECK(weft_sleep(0.001) == -EPERM);
  CHILD_CHECK(strstr(weft_error()->message, "child of a fork()") != NULL);
  CHILD_CHECK(weft_yield() == -EPERM);
  CHILD_CHECK(weft_to_thread(give_async(1)) == -EPERM);
  CHILD_CHECK(weft_await_call(give_async(1)) == -EPERM || weft_error() != NULL);
  CHILD_CHECK(weft_create_task(give_async(1)) == NULL);
  CHILD_CHECK(weft_loop_create_task(loop, give_async(1)) == NULL);
  CHILD_CHECK(weft_error()->code == WEFT_RUNTIME);
  CHILD_CHECK(weft_loop_run_until_complete(loop, give_async(1)) == WEFT_RUNTIME);
  CHILD_CHECK(!weft_handle_cancel(weft_call_soon(loop, nothing, NULL)));
  CHILD_CHECK(weft_executor_submit(pool, give_async(1)) == NULL);
  CHILD_CHECK(weft_error()->code == WEFT_RUNTIME);
  _exit(0);
}

RUNS(forked_by_a_task) {
  weft_executor_t *pool;
  assert_int_equal(weft_thread_pool_open(1, NULL, &pool), 0);
  assert_int_equal(weft_run_in_executor(pool, give_async(1)), 1);
  weft_loop_t *loop = weft_get_running_loop();
  pid_t child = fork();
  if (child == 0) ask_everything(loop, pool);
  int status = status_of(child);
  if (status != 0) fail_msg("the child's status: %#x", status);
  assert_int_equal(weft_sleep(0.001), 0); /* the parent's is alive */
  assert_int_equal(weft_run_in_executor(pool, give_async(2)), 2);
  return weft_executor_close(pool);
}

/* By a thread of the user's, beside a running loop. */
static WEFT_ASYNC(wait_for_door, door_t *, weft_loop_t **);
static int wait_for_door(door_t *door, weft_loop_t **loop) {
  *loop = weft_get_running_loop();
  atom_add(&door->arrived, 1, seq_cst);
  while (!atom_load(&door->open, seq_cst)) {
    int rc = weft_yield();
    if (rc < 0) return rc;
  }
  return 5;
}
typedef struct beside {
  door_t door;
  weft_loop_t *loop;
  int rc;
} beside_t;
static int run_beside(void *data) {
  beside_t *beside = data;
  beside->rc = run_on(3, wait_for_door_async(&beside->door, &beside->loop));
  return 0;
}
static void forked_by_a_thread(void **state) {
  (void)state;
  weft_executor_t *pool;
  assert_int_equal(weft_thread_pool_open(1, NULL, &pool), 0);
  beside_t beside = {.rc = 0};
  weft__thread_t thread;
  assert_int_equal(weft__thread_start(&thread, run_beside, &beside, NULL), 0);
  await_arrived_blocking(&beside.door, 1);
  for (int i = 0; i < scaled(20); i++) {
    pid_t child = fork();
    if (child == 0) ask_everything(beside.loop, pool);
    int status = status_of(child);
    if (status != 0) fail_msg("the child's status: %#x", status);
  }
  door_open(&beside.door);
  weft__thread_join(thread);
  assert_int_equal(beside.rc, 5);
  assert_int_equal(weft_executor_close(pool), 0);
}

/* A task that goes on in the child as if nothing had been, and returns. */
static WEFT_ASYNC(returns_twice, int);
static int returns_twice(int write_end) {
  pid_t child = fork();
  if (child == 0) {
    alarm(20);
    signal(SIGABRT, SIG_DFL);
    dup2(write_end, 2);
    return 3;
  }
  int status = status_of(child);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  return 4;
}
static void a_task_that_returns_in_the_child(void **state) {
  (void)state;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  assert_int_equal(run_on(1, returns_twice_async(ends[1])), 4);
  char words[512] = "";
  assert_true(read(ends[0], words, sizeof words - 1) > 0);
  if (strstr(words, "child of a fork()") == NULL) fail_msg("%s", words);
  close(ends[0]);
  close(ends[1]);
}

/* Without a loop at that moment the child is a program like any other. */
static void afresh(void **state) {
  (void)state;
  assert_int_equal(run_on(2, give_async(1)), 1);
  pid_t child = fork();
  if (child == 0) {
    alarm(20);
    _exit(run_on(2, give_async(77)));
  }
  int status = status_of(child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 77);
}

int main(void) {
#ifdef __SANITIZE_THREAD__
  return 0; /* ThreadSanitizer does not follow a fork of a process that has threads */
#endif
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(run_forked_by_a_task),
      cmocka_unit_test(forked_by_a_thread),
      cmocka_unit_test(a_task_that_returns_in_the_child),
      cmocka_unit_test(afresh),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
