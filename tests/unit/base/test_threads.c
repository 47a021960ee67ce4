/* test_threads.c: the door to threads behaves alike on C11 threads and on pthreads. */
#include "base/threads.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/atomics.h"
#include "base/clock.h"

static int give_back(void *arg) { return *(int *)arg; }

static void test_result(void **state) {
  (void)state;
  for (int value = -3; value < 3; value++) {
    weft__thread_t thread;
    assert_int_equal(weft__thread_start(&thread, give_back, &value, NULL), 0);
    assert_int_equal(weft__thread_join(thread), value);
  }
}

typedef struct seen {
  char name[17];
  sigset_t blocked;
  weft__thread_t self;
  char *low, *high, *local;
} seen_t;
static int look(void *arg) {
  seen_t *seen = arg;
  prctl(PR_GET_NAME, seen->name);
  pthread_sigmask(SIG_SETMASK, NULL, &seen->blocked);
  seen->self = weft__thread_self();
  weft__thread_stack(&seen->low, &seen->high);
  seen->local = (char *)__builtin_frame_address(0);
  return 0;
}

static void test_name_mask_and_stack(void **state) {
  (void)state;
  sigset_t before, after;
  pthread_sigmask(SIG_SETMASK, NULL, &before);
  seen_t seen;
  memset(&seen, 0, sizeof seen);
  weft__thread_t thread;
  assert_int_equal(weft__thread_start(&thread, look, &seen, "weft-a-very-long-name"), 0);
  weft__thread_t copy = thread;
  weft__thread_join(thread);
  assert_string_equal(seen.name, "weft-a-very-lon");
  assert_true(weft__thread_equal(copy, seen.self));
  assert_false(weft__thread_equal(weft__thread_self(), seen.self));
  static const int theirs[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGPIPE, SIGALRM, SIGUSR1, SIGWINCH};
  static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
  for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++) assert_true(sigismember(&seen.blocked, theirs[i]));
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) assert_false(sigismember(&seen.blocked, own[i]));
  pthread_sigmask(SIG_SETMASK, NULL, &after);
  for (int i = 1; i < 32; i++) assert_int_equal(sigismember(&before, i), sigismember(&after, i));
  assert_true(seen.low < seen.local && seen.local < seen.high);
}

static void test_no_memory(void **state) {
  (void)state;
  weft__thread_t thread;
  weft__alloc_fail_after(1);
  assert_int_equal(weft__thread_start(&thread, give_back, NULL, NULL), -12);
  weft__alloc_fail_after(-1);
}

typedef struct shared {
  weft__mutex_t mutex;
  weft__cond_t cond;
  int turn, passes;
  long sum;
} shared_t;
enum { PASSES = 500 };

static int pass(shared_t *shared, int me) {
  for (int i = 0; i < PASSES; i++) {
    weft__mutex_lock(&shared->mutex);
    while (shared->turn != me) weft__cond_wait(&shared->cond, &shared->mutex);
    shared->turn = 1 - me;
    shared->passes++;
    weft__cond_signal(&shared->cond);
    weft__mutex_unlock(&shared->mutex);
  }
  return 0;
}
static int pass_back(void *arg) { return pass(arg, 1); }

static void init_shared(shared_t *shared) {
  memset(shared, 0, sizeof *shared);
  assert_int_equal(weft__mutex_init(&shared->mutex), 0);
  assert_int_equal(weft__cond_init(&shared->cond), 0);
}
static void destroy_shared(shared_t *shared) {
  weft__cond_destroy(&shared->cond);
  weft__mutex_destroy(&shared->mutex);
}

static void test_mutex_and_cond(void **state) {
  (void)state;
  shared_t shared;
  init_shared(&shared);
  weft__thread_t thread;
  assert_int_equal(weft__thread_start(&thread, pass_back, &shared, "back"), 0);
  pass(&shared, 0);
  weft__thread_join(thread);
  assert_int_equal(shared.passes, 2 * PASSES);
  assert_true(weft__mutex_trylock(&shared.mutex));
  weft__mutex_unlock(&shared.mutex);
  destroy_shared(&shared);
}

static int add(void *arg) {
  shared_t *shared = arg;
  for (int i = 0; i < 10000; i++) {
    weft__mutex_lock(&shared->mutex);
    shared->sum++;
    weft__mutex_unlock(&shared->mutex);
  }
  return 0;
}

static void test_exclusion(void **state) {
  (void)state;
  shared_t shared;
  init_shared(&shared);
  weft__thread_t threads[4];
  for (int i = 0; i < 4; i++) assert_int_equal(weft__thread_start(&threads[i], add, &shared, "add"), 0);
  for (int i = 0; i < 4; i++) weft__thread_join(threads[i]);
  assert_int_equal(shared.sum, 40000);
  destroy_shared(&shared);
}

/* Never early, by the monotonic clock; a deadline that has passed is met at once. */
static void test_deadline(void **state) {
  (void)state;
  shared_t shared;
  init_shared(&shared);
  weft__mutex_lock(&shared.mutex);
  int64_t deadline = weft__clock_now() + 20000000;
  while (weft__cond_wait_until(&shared.cond, &shared.mutex, deadline)) {
  }
  assert_true(weft__clock_now() >= deadline);
  while (weft__cond_wait_until(&shared.cond, &shared.mutex, INT64_MIN)) {
  }
  weft__mutex_unlock(&shared.mutex);
  destroy_shared(&shared);
}

static int tell(void *arg) {
  shared_t *shared = arg;
  weft__mutex_lock(&shared->mutex);
  shared->turn = 1;
  weft__cond_broadcast(&shared->cond);
  weft__mutex_unlock(&shared->mutex);
  return 0;
}

static void test_woken_before_deadline(void **state) {
  (void)state;
  static const int64_t limits[] = {WEFT__TIME_NEVER, INT64_C(3600) * WEFT__NS_PER_SECOND};
  for (int i = 0; i < 2; i++) {
    shared_t shared;
    init_shared(&shared);
    weft__thread_t thread;
    weft__mutex_lock(&shared.mutex);
    assert_int_equal(weft__thread_start(&thread, tell, &shared, "tell"), 0);
    while (shared.turn == 0)
      assert_true(weft__cond_wait_until(&shared.cond, &shared.mutex,
                                        i == 0 ? limits[0] : weft__time_add(weft__clock_now(), limits[1])));
    weft__mutex_unlock(&shared.mutex);
    weft__thread_join(thread);
    destroy_shared(&shared);
  }
}

static weft__once_t once = WEFT__ONCE_INIT;
static _Atomic(int) once_runs;
static void run_once(void) { atom_add(&once_runs, 1, relaxed); }
static int call_the_once(void *arg) {
  (void)arg;
  weft__once(&once, run_once);
  return atom_load(&once_runs, relaxed);
}

static void test_once(void **state) {
  (void)state;
  weft__thread_t threads[4];
  for (int i = 0; i < 4; i++) assert_int_equal(weft__thread_start(&threads[i], call_the_once, NULL, "once"), 0);
  for (int i = 0; i < 4; i++) assert_int_equal(weft__thread_join(threads[i]), 1);
}

static weft__tss_t key;
static _Atomic(int) destroyed;
static void destroy(void *value) { atom_add(&destroyed, *(int *)value, relaxed); }
static int use_key(void *arg) {
  bool empty = weft__tss_get(key) == NULL;
  weft__tss_set(key, arg);
  return empty && weft__tss_get(key) == arg;
}

static void test_tss(void **state) {
  (void)state;
  assert_int_equal(weft__tss_create(&key, destroy), 0);
  int ten = 10, one = 1;
  weft__tss_set(key, &one);
  weft__thread_t thread;
  assert_int_equal(weft__thread_start(&thread, use_key, &ten, "tss"), 0);
  assert_int_equal(weft__thread_join(thread), 1);
  assert_int_equal(atom_load(&destroyed, relaxed), 10);
  assert_ptr_equal(weft__tss_get(key), &one);
  weft__tss_delete(key);
}

static int flag_it(void *arg) {
  _Atomic(int) *flag = arg;
  atom_store(flag, 1, release);
  return 0;
}

static void test_detach(void **state) {
  (void)state;
  static _Atomic(int) flag;
  weft__thread_t thread;
  assert_int_equal(weft__thread_start(&thread, flag_it, &flag, "free"), 0);
  weft__thread_detach(thread);
  while (atom_load(&flag, acquire) == 0) atom_pause();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_result),    cmocka_unit_test(test_name_mask_and_stack),
      cmocka_unit_test(test_no_memory), cmocka_unit_test(test_mutex_and_cond),
      cmocka_unit_test(test_exclusion), cmocka_unit_test(test_deadline),
      cmocka_unit_test(test_once),      cmocka_unit_test(test_woken_before_deadline),
      cmocka_unit_test(test_tss),       cmocka_unit_test(test_detach),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
