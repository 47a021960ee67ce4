/* test_locks_semaphore.c: Semaphore and Barrier: never more inside than permits, no permit lost with a cancelled waiter. */
#include "transcript.h"

#include <stdatomic.h>

/* How many are inside, and the most there ever were. */
struct inside {
  atomic_int n, most;
};
static void go_in(struct inside *inside) {
  int n = atomic_fetch_add(&inside->n, 1) + 1, most = atomic_load(&inside->most);
  while (n > most && !atomic_compare_exchange_weak(&inside->most, &most, n)) continue;
}
static void go_out(struct inside *inside) { atomic_fetch_sub(&inside->n, 1); }

/* ---- Semaphore ---- */

struct c194 {
  weft_semaphore_t semaphore;
  struct inside inside;
};
static WEFT_ASYNC(c194_t, struct c194 *, int);
static int c194_t(struct c194 *c, int i) {
  TRY(S(10 * i));
  TRY(weft_semaphore_acquire(&c->semaphore));
  go_in(&c->inside);
  T("%d", i);
  int rc = S(100);
  go_out(&c->inside);
  weft_semaphore_release(&c->semaphore);
  return rc;
}
CASE(194, semaphore_limits_and_fifo, CAUSAL, VIRTUAL) {
  struct c194 c = {.inside = {0, 0}};
  weft_task_t *tasks[5];
  TRY(weft_semaphore_init(&c.semaphore, 2));
  for (int i = 0; i < 5; i++) tasks[i] = weft_create_task(c194_t_async(&c, i));
  TRY(S(15));
  P("%s", repr_bool(weft_semaphore_locked(&c.semaphore)));
  TRY(weft_gather_tasks(tasks, 5, NULL, 0));
  P("%d %s", atomic_load(&c.inside.most), repr_bool(weft_semaphore_locked(&c.semaphore)));
  for (int i = 0; i < 5; i++) weft_detach(tasks[i]);
  weft_semaphore_t negative;
  if (weft_semaphore_init(&negative, -1) == WEFT_VALUE) P("%s", E(weft_error()));
  return 0;
}

static WEFT_ASYNC(c196_w, weft_semaphore_t *, const char *);
static int c196_w(weft_semaphore_t *semaphore, const char *name) {
  int rc = weft_semaphore_acquire(semaphore);
  if (rc == WEFT_CANCELLED) T("%s cancelled", name);
  if (rc < 0) return rc;
  T("%s got", name);
  weft_semaphore_release(semaphore);
  return 0;
}
CASE(196, semaphore_cancel_waiter, SINGLE, VIRTUAL) {
  weft_semaphore_t s;
  TRY(weft_semaphore_init(&s, 1));
  TRY(weft_semaphore_acquire(&s));
  weft_task_t *a = weft_create_task(c196_w_async(&s, "W1")), *b = weft_create_task(c196_w_async(&s, "W2"));
  TRY(S(10));
  weft_semaphore_release(&s);
  weft_task_cancel(a, NULL);
  TRY(S(10));
  P("%s %s", repr_bool(weft_task_done(b)), repr_bool(weft_semaphore_locked(&s)));
  TRY(weft_semaphore_acquire(&s));
  P("%s", repr_bool(weft_semaphore_locked(&s)));
  weft_detach(a);
  weft_detach(b);
  return 0;
}

static WEFT_ASYNC(c197_w, weft_semaphore_t *);
static int c197_w(weft_semaphore_t *semaphore) {
  TRY(weft_semaphore_acquire(semaphore));
  T("W");
  weft_semaphore_release(semaphore);
  return 0;
}
CASE(197, semaphore_no_barging, SINGLE, VIRTUAL) {
  weft_semaphore_t s;
  TRY(weft_semaphore_init(&s, 1));
  TRY(weft_semaphore_acquire(&s));
  weft_task_t *t = weft_create_task(c197_w_async(&s));
  TRY(S(10));
  weft_semaphore_release(&s);
  P("%s", repr_bool(weft_semaphore_locked(&s)));
  TRY(weft_semaphore_acquire(&s));
  T("main");
  weft_detach(t);
  return 0;
}

static WEFT_ASYNC(c202_w, weft_semaphore_t *, const char *, double);
static int c202_w(weft_semaphore_t *semaphore, const char *name, double ms) {
  TRY(S(ms));
  outcome(weft_semaphore_acquire(semaphore), name, repr_bool(true));
  return 0;
}
CASE(202, semaphore_cancel_waiter_timed, CAUSAL, VIRTUAL) {
  weft_semaphore_t s;
  TRY(weft_semaphore_init(&s, 1));
  TRY(weft_semaphore_acquire(&s));
  weft_task_t *a = weft_create_task(c202_w_async(&s, "W1", 10)), *b = weft_create_task(c202_w_async(&s, "W2", 20));
  TRY(S(30));
  weft_task_cancel(a, NULL);
  TRY(S(10));
  weft_semaphore_release(&s);
  TRY(S(10));
  weft_semaphore_release(&s);
  TRY(weft_semaphore_acquire(&s));
  T("%s", repr_bool(weft_semaphore_locked(&s)));
  weft_detach(a);
  weft_detach(b);
  return 0;
}

struct c266 {
  weft_semaphore_t semaphore;
  struct inside inside;
  weft_event_t cancelled;
};
static WEFT_ASYNC(c266_w, struct c266 *);
static int c266_w(struct c266 *c) {
  for (int i = 0; i < 10; i++) {
    TRY(weft_semaphore_acquire(&c->semaphore));
    go_in(&c->inside);
    int rc = weft_sleep(0);
    go_out(&c->inside);
    weft_semaphore_release(&c->semaphore);
    TRY(rc);
  }
  return weft_event_wait(&c->cancelled);
}
/* At the end each task waits until main has cancelled: other workers may be through with all rounds before main, which has
 * yielded five times, is given a processor again, and then there would be nobody left to cancel. */
CASE(266, inv_semaphore_bound, CAUSAL, VIRTUAL) {
  struct c266 c = {.inside = {0, 0}};
  weft_task_t *tasks[30];
  int statuses[30], cancelled = 0;
  TRY(weft_semaphore_init(&c.semaphore, 3));
  weft_event_init(&c.cancelled);
  for (int i = 0; i < 30; i++) tasks[i] = weft_create_task(c266_w_async(&c));
  for (int i = 0; i < 5; i++) TRY(weft_sleep(0));
  for (int i = 0; i < 30; i += 7) weft_task_cancel(tasks[i], NULL);
  weft_event_set(&c.cancelled);
  TRY(weft_gather_tasks(tasks, 30, statuses, WEFT_RETURN_EXCEPTIONS));
  for (int i = 0; i < 30; i++) {
    cancelled += statuses[i] == WEFT_CANCELLED;
    weft_detach(tasks[i]);
  }
  P("%d %d %s", atomic_load(&c.inside.most), atomic_load(&c.inside.n), repr_bool(cancelled > 0));
  for (int i = 0; i < 3; i++) TRY(weft_semaphore_acquire(&c.semaphore));
  P("%s", repr_bool(weft_semaphore_locked(&c.semaphore)));
  return 0;
}

/* ---- Barrier ---- */

static WEFT_ASYNC(c199_wait, weft_barrier_t *);
static int c199_wait(weft_barrier_t *barrier) {
  int rc = weft_barrier_wait(barrier);
  outcome(rc, "W", repr_int(rc));
  return 0;
}
CASE(199, barrier_abort_reset_cancel, FIFO, VIRTUAL) {
  weft_barrier_t b;
  TRY(weft_barrier_init(&b, 2));
  weft_task_t *w = weft_create_task(c199_wait_async(&b));
  TRY(S(10));
  weft_barrier_abort(&b);
  TRY(weft_join(w));
  P("%s", repr_bool(weft_barrier_broken(&b)));
  int rc = weft_barrier_wait(&b);
  outcome(rc, "later", repr_int(rc));
  weft_barrier_reset(&b);
  P("%s", repr_bool(weft_barrier_broken(&b)));

  w = weft_create_task(c199_wait_async(&b));
  TRY(S(10));
  weft_barrier_reset(&b);
  TRY(weft_join(w));
  P("%s", repr_bool(weft_barrier_broken(&b)));

  w = weft_create_task(weft_barrier_wait_async(&b));
  TRY(S(10));
  weft_task_cancel(w, NULL);
  outcome(weft_join(w), "W", NONE);
  P("%u %s", weft_barrier_n_waiting(&b), repr_bool(weft_barrier_broken(&b)));
  weft_call_t calls[] = {weft_barrier_wait_async(&b), weft_barrier_wait_async(&b)};
  int places[2];
  TRY(weft_gather_n(calls, 2, places, 0));
  sort_ints(places, 2);
  P("%s", repr_ints(places, 2));
  return 0;
}
