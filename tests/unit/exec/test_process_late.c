/* test_process_late.c: pools of processes opened in the middle of a run of several workers, whose threads the process that
 * is forked then has none of, and while a thread holds a lock.
 * ctest: timeout=120 */
#include <link.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/exec/blocking.h"

WEFT_EXPORT(give);

/* Needs more stack than a task has, memory, and a thread. */
static int grown(void *data) { return *(int *)data; }
static WEFT_ASYNC(spread, int);
static int spread(int n) {
  volatile char stack[512 * 1024];
  stack[0] = stack[sizeof stack - 1] = (char)n;
  char *heap = malloc(1 << 20);
  if (heap == NULL) return -ENOMEM;
  memset(heap, n, 1 << 20);
  int rc = heap[100];
  free(heap);
  weft__thread_t thread;
  if (weft__thread_start(&thread, grown, &rc, NULL) < 0) return -EAGAIN;
  return weft__thread_join(thread) + stack[0];
}
WEFT_EXPORT(spread);

static WEFT_ASYNC(noise, door_t *);
static int noise(door_t *door) {
  while (!atom_load(&door->open, seq_cst)) {
    free(malloc(1000));
    int rc = weft_yield();
    if (rc < 0) return rc;
  }
  return 0;
}

RUNS(opened_by_a_task) {
  door_t door = {0};
  weft_task_t *tasks[3];
  for (int i = 0; i < 3; i++) tasks[i] = weft_create_task(noise_async(&door));
  for (int i = 0; i < scaled(10); i++) { /* the last pool's end is the zygote's: each forks anew */
    weft_executor_t *pool;
    assert_int_equal(weft_process_pool_open(2, 0, &pool), 0);
    assert_int_equal(weft_run_in_executor(pool, give_async(i)), i);
    assert_int_equal(weft_run_in_executor(pool, spread_async(20)), 40);
    assert_int_equal(weft_executor_close(pool), 0);
  }
  door_open(&door);
  for (int i = 0; i < 3; i++) assert_int_equal(weft_join(tasks[i]), 0);
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
  return 0;
}

/* A lock of the loader is held by another thread when the zygote is forked, and not given back before the first one has
 * been given up: its processes would hang in whatever needs that lock. */
static int hold_here(struct dl_phdr_info *info, size_t size, void *data) {
  (void)info;
  (void)size;
  atom_store((_Atomic(int) *)data, 1, seq_cst);
  nap(500); /* half of the parent's patience */
  return 1;
}
static int hold(void *data) { return dl_iterate_phdr(hold_here, data); }
static int count_one(struct dl_phdr_info *info, size_t size, void *data) {
  (void)info;
  (void)size;
  ++*(int *)data;
  return 0;
}
static WEFT_ASYNC(count_libraries);
static int count_libraries(void) {
  int count = 0;
  dl_iterate_phdr(count_one, &count);
  return count;
}
WEFT_EXPORT(count_libraries);

static void born_with_a_lock_held(void **state) {
  (void)state;
  _Atomic(int) holds = 0;
  weft__thread_t thread;
  weft_executor_t *pool;
  assert_int_equal(weft__thread_start(&thread, hold, &holds, NULL), 0);
  while (!atom_load(&holds, seq_cst)) nap(0.1);
  assert_int_equal(weft_process_pool_open(1, 0, &pool), 0);
  weft_future_t *future = weft_executor_submit(pool, count_libraries_async());
  int value = 0;
  assert_int_equal(weft_future_wait_blocking(future, WEFT_FOREVER, &value), 0);
  assert_true(value > 0);
  weft_future_unref(future);
  assert_int_equal(weft_executor_close(pool), 0);
  weft__thread_join(thread);
}

int main(void) {
#ifdef __SANITIZE_THREAD__
  return 0; /* ThreadSanitizer does not follow a fork of a process that has threads; test_process_pool.c forks before */
#endif
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(run_opened_by_a_task),
      cmocka_unit_test(born_with_a_lock_held),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
