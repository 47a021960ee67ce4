/* test_generator.c: generators whose bodies suspend, that are resumed by one task after the other, on several workers, or
 * are left open when the run ends. */
#include <errno.h>

#include "unit/sync/trace.h"

/* Shows what an operation on a generator of ints answered. */
static void show(const char *what, int rc, int item) {
  if (rc == 1)
    mark("%s=%d", what, item);
  else if (rc == 0)
    mark("%s end", what);
  else
    mark("%s %s(%s)", what, weft_error_name(rc), weft_error()->code == rc ? weft_error()->message : "?");
}

static void next(weft_gen_t *gen) {
  int item = -1;
  int rc = weft_gen_next(gen, &item);
  show("next", rc, item);
}

static void throw_code(weft_gen_t *gen, int code, const char *message) {
  int item = -1;
  int rc = weft_gen_throw(gen, code, message, &item);
  show("throw", rc, item);
}

static int yield_int(int item, int *sent) { return weft_gen_yield(&item, sent); }

static WEFT_ASYNC(countdown, int);
static int countdown(int from) {
  int rc = 0;
  for (; from > 0 && rc == 0; from--) rc = yield_int(from, NULL);
  mark("fin");
  return rc;
}

/* ---- awaiting inside --------------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(slow, int, double);
static int slow(int n, double ms) {
  int rc = 0;
  for (int i = 1; i <= n && rc == 0; i++) {
    rc = weft_sleep(ms / 1000);
    if (rc == 0) rc = yield_int(i, NULL);
  }
  if (rc == WEFT_CANCELLED) mark("body %s", weft_error()->name);
  weft_ignore(weft_sleep(0.01));
  mark("[%d] fin", ms_now());
  return rc;
}

static WEFT_ASYNC(next_of, weft_gen_t *);
static int next_of(weft_gen_t *gen) {
  next(gen);
  return 0;
}

static WEFT_ASYNC(concurrent);
static int concurrent(void) {
  weft_gen_t *gen = weft_gen_open(slow_async(2, 20), sizeof(int));
  weft_task_t *a = weft_create_task(next_of_async(gen));
  weft_ignore(weft_sleep(0.01));
  next(gen);
  throw_code(gen, WEFT_VALUE, "x");
  mark("%s", weft_error_name(weft_gen_close(gen)));
  weft_ignore(weft_join(a));
  next(gen);                                      /* another task goes on with it */
  int start = ms_now(), rc = weft_gen_close(gen); /* waits for the clean-up */
  mark("close %d [%d]", rc, ms_now() - start);
  return 0;
}

static void two_at_once(void **state) {
  (void)state;
  assert_int_equal(run1(concurrent_async()), 0);
  assert_trace(
      "next RuntimeError(anext(): asynchronous generator is already running) throw RuntimeError(athrow(): "
      "asynchronous generator is already running) RuntimeError next=1 next=2 body GeneratorExit [50] fin close 0 "
      "[10]");
}

static WEFT_ASYNC(consume, weft_gen_t *);
static int consume(weft_gen_t *gen) {
  int rc, item;
  while ((rc = weft_gen_next(gen, &item)) > 0) mark("item %d", item);
  if (rc == WEFT_CANCELLED) mark("consumer %s", weft_error()->message);
  return rc;
}

static WEFT_ASYNC(cancels);
static int cancels(void) {
  weft_gen_t *gen = weft_gen_open(slow_async(9, 20), sizeof(int));
  weft_task_t *task = weft_create_task(consume_async(gen));
  weft_ignore(weft_sleep(0.03));
  weft_task_cancel(task, "why");
  mark("%s", weft_error_name(weft_join(task)));
  next(gen);
  weft_ignore(weft_gen_close(gen));
  /* a cancellation that arrives while close waits for the clean-up comes out of close */
  gen = weft_gen_open(slow_async(9, 20), sizeof(int));
  next(gen);
  task = weft_create_task(weft_gen_close_async(gen));
  weft_ignore(weft_sleep(0.005));
  weft_task_cancel(task, NULL);
  mark("%s", weft_error_name(weft_join(task)));
  return 0;
}

static void cancelled_inside(void **state) {
  (void)state;
  assert_int_equal(run1(cancels_async()), 0);
  assert_trace("item 1 body CancelledError [40] fin consumer why CancelledError next end "
               "next=1 body GeneratorExit [65] fin CancelledError");
}

/* ---- what the run closes ----------------------------------------------------------------------------------------------- */

static WEFT_ASYNC(failing);
static int failing(void) {
  int rc = yield_int(1, NULL);
  return rc < 0 ? weft_fail(WEFT_VALUE, "from finally") : rc;
}

static weft_gen_t *left[4];

/* Its clean-up closes another one, which the run wants to close too. */
static WEFT_ASYNC(owner, weft_gen_t **);
static int owner(weft_gen_t **other) {
  next(*other);
  int rc = yield_int(7, NULL);
  mark("owner");
  weft_ignore(weft_gen_close(*other));
  return rc;
}

static WEFT_ASYNC(leaves);
static int leaves(void) {
  left[0] = weft_gen_open(slow_async(3, 5), sizeof(int));
  left[1] = weft_gen_open(slow_async(3, 5), sizeof(int));
  left[2] = weft_gen_open(countdown_async(3), sizeof(int)); /* never started */
  weft_gen_t *out = weft_gen_open(owner_async(&left[3]), sizeof(int));
  left[3] = weft_gen_open(countdown_async(3), sizeof(int));
  next(left[0]);
  next(left[1]);
  next(out);
  weft_gen_t *bad = weft_gen_open(failing_async(), sizeof(int));
  next(bad);
  return 0;
}

static int handler(weft_loop_t *loop, const weft_error_context_t *context, void *data) {
  (void)loop;
  (void)data;
  mark("{%s: %s}", context->message, context->error->message);
  return 0;
}

static WEFT_ASYNC(leaves_with_handler);
static int leaves_with_handler(void) {
  weft_loop_set_exception_handler(weft_get_running_loop(), handler, NULL);
  return leaves();
}

static void left_open(void **state) {
  (void)state;
  assert_int_equal(run1(leaves_with_handler_async()), 0);
  assert_trace(
      "next=1 next=1 next=3 next=7 next=1 body GeneratorExit body GeneratorExit owner fin {an error occurred during "
      "closing of asynchronous generator: from finally} [20] fin [20] fin");
  assert_int_equal(run4(leaves_with_handler_async()), 0);
}

/* ---- many workers ------------------------------------------------------------------------------------------------------ */

static WEFT_ASYNC(numbers, int);
static int numbers(int n) {
  int rc = 0;
  for (int i = 1; i <= n && rc == 0; i++) {
    if (i % 3 == 0) rc = weft_yield(); /* goes on on another worker, perhaps */
    if (i % 7 == 0 && rc == 0) rc = weft_sleep(0.0001);
    if (rc == 0) rc = yield_int(i, NULL);
  }
  return rc;
}

static WEFT_ASYNC(through, int);
static int through(int n) {
  weft_gen_t *gen = weft_gen_open(numbers_async(n), sizeof(int));
  int rc = weft_gen_yield_from(gen);
  int closed = weft_gen_close(gen);
  return rc < 0 ? rc : closed;
}

typedef struct shared {
  weft_lock_t lock;
  weft_gen_t *gen;
  long sum;
  long refused;
  long count;
} shared_t;

/* Tasks on all workers ask one generator in turn, under a lock; each sees what the others left. */
static WEFT_ASYNC(asks, shared_t *);
static int asks(shared_t *shared) {
  for (;;) {
    int item, rc = weft_lock_acquire(&shared->lock);
    if (rc < 0) return rc;
    rc = weft_gen_next(shared->gen, &item);
    if (rc > 0) {
      shared->sum += item;
      shared->count++;
    }
    weft_lock_release(&shared->lock);
    if (rc <= 0) return rc;
  }
}

static WEFT_ASYNC(passes_around, shared_t *, int);
static int passes_around(shared_t *shared, int n) {
  weft_lock_init(&shared->lock);
  shared->gen = weft_gen_open(through_async(n), sizeof(int));
  weft_call_t calls[8];
  for (int i = 0; i < 8; i++) calls[i] = asks_async(shared);
  int rc = weft_gather_n(calls, 8, NULL, 0);
  weft_ignore(weft_gen_close(shared->gen));
  return rc;
}

static void passed_around(void **state) {
  (void)state;
  int n = scaled(3000);
  shared_t shared = {.sum = 0};
  assert_int_equal(run4(passes_around_async(&shared, n)), 0);
  assert_int_equal(shared.count, n);
  assert_int_equal(shared.sum, (long)n * (n + 1) / 2);
}

/* Without the lock: everybody is served or refused, nobody sees an item twice. */
static WEFT_ASYNC(grabs, shared_t *, int);
static int grabs(shared_t *shared, int n) {
  for (int i = 0; i < n; i++) {
    int item, rc = weft_gen_next(shared->gen, &item);
    if (rc == 1) {
      __atomic_fetch_add(&shared->sum, item, __ATOMIC_RELAXED);
      __atomic_fetch_add(&shared->count, 1, __ATOMIC_RELAXED);
    } else if (rc == WEFT_VALUE || rc == WEFT_RUNTIME) {
      __atomic_fetch_add(&shared->refused, 1, __ATOMIC_RELAXED);
    } else {
      return rc;
    }
    if (i % 5 == 0 && weft_yield() < 0) return WEFT_CANCELLED;
  }
  return 0;
}

static WEFT_ASYNC(grab_all, shared_t *, int);
static int grab_all(shared_t *shared, int n) {
  shared->gen = weft_gen_open(numbers_async(1 << 30), sizeof(int));
  weft_call_t calls[4];
  for (int i = 0; i < 4; i++) calls[i] = grabs_async(shared, n);
  int rc = weft_gather_n(calls, 4, NULL, 0);
  weft_ignore(weft_gen_close(shared->gen));
  return rc;
}

static void grabbed(void **state) {
  (void)state;
  int n = scaled(2000);
  shared_t shared = {.sum = 0};
  assert_int_equal(run4(grab_all_async(&shared, n)), 0);
  assert_int_equal(shared.count + shared.refused, 4L * n);
  assert_int_equal(shared.sum, shared.count * (shared.count + 1) / 2);
}

/* ---- memory ------------------------------------------------------------------------------------------------------------ */

static int failing_call(void *data) {
  (void)data;
  weft_gen_t *gen = weft_gen_open(countdown_async(1), sizeof(int));
  if (gen == NULL) return weft_error()->code;
  int item, rc = weft_gen_next(gen, &item);
  weft_ignore(weft_gen_close(gen));
  return rc;
}

static WEFT_ASYNC(memory_fails);
static int memory_fails(void) {
  for (long n = 1; n < 50; n++) {
    weft__alloc_fail_after(n);
    int rc = failing_call(NULL);
    bool failed = weft__alloc_failed();
    weft__alloc_fail_after(-1);
    trace();
    assert_int_equal(rc, rc == 1 ? 1 : -ENOMEM);
    if (!failed) return rc;
  }
  return -1;
}

static void no_memory(void **state) {
  (void)state;
  assert_int_equal(run1(memory_fails_async()), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(two_at_once),   cmocka_unit_test(cancelled_inside), cmocka_unit_test(left_open),
      cmocka_unit_test(passed_around), cmocka_unit_test(grabbed),          cmocka_unit_test(no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
