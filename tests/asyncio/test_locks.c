/* test_locks.c: Lock and Event: order of waiters, no barging, cancelled waiters. */
#include "transcript.h"

/* ---- Lock ---- */

static WEFT_ASYNC(c184_t, weft_lock_t *, int);
static int c184_t(weft_lock_t *lock, int i) {
  TRY(S(10 * (5 - i)));
  TRY(weft_lock_acquire(lock));
  T("%d got", i);
  int rc = S(10);
  weft_lock_release(lock);
  return rc;
}
CASE(184, lock_fifo, CAUSAL, VIRTUAL) {
  weft_lock_t lock;
  weft_task_t *tasks[4];
  weft_lock_init(&lock);
  P("%s", repr_bool(weft_lock_locked(&lock)));
  TRY(weft_lock_acquire(&lock));
  P("%s", repr_bool(weft_lock_locked(&lock)));
  for (int i = 0; i < 4; i++) tasks[i] = weft_create_task(c184_t_async(&lock, i + 1));
  TRY(S(50));
  weft_lock_release(&lock);
  TRY(weft_gather_tasks(tasks, 4, NULL, 0));
  P("%s", repr_bool(weft_lock_locked(&lock)));
  for (int i = 0; i < 4; i++) weft_detach(tasks[i]);
  return 0;
}

static WEFT_ASYNC(c185_w, weft_lock_t *);
static int c185_w(weft_lock_t *lock) {
  TRY(weft_lock_acquire(lock));
  T("W got");
  int rc = S(10);
  weft_lock_release(lock);
  return rc;
}
CASE(185, lock_no_barging, SINGLE, VIRTUAL) {
  weft_lock_t lock;
  weft_lock_init(&lock);
  TRY(weft_lock_acquire(&lock));
  weft_task_t *w = weft_create_task(c185_w_async(&lock));
  TRY(S(10));
  weft_lock_release(&lock);
  P("locked %s", repr_bool(weft_lock_locked(&lock)));
  TRY(weft_lock_acquire(&lock));
  T("main got");
  weft_lock_release(&lock);
  return weft_join(w);
}

static WEFT_ASYNC(c187_w, weft_lock_t *, const char *);
static int c187_w(weft_lock_t *lock, const char *name) {
  int rc = weft_lock_acquire(lock);
  if (rc == WEFT_CANCELLED) T("%s cancelled", name);
  if (rc < 0) return rc;
  T("%s got", name);
  weft_lock_release(lock);
  return 0;
}
CASE(187, lock_cancel_waiter, SINGLE, VIRTUAL) {
  weft_lock_t lock;
  weft_lock_init(&lock);
  TRY(weft_lock_acquire(&lock));
  weft_task_t *a = weft_create_task(c187_w_async(&lock, "W1")), *b = weft_create_task(c187_w_async(&lock, "W2"));
  TRY(S(10));
  weft_task_cancel(a, NULL);
  TRY(S(10));
  weft_lock_release(&lock);
  TRY(S(10));
  weft_detach(a);
  weft_detach(b);

  TRY(weft_lock_acquire(&lock));
  a = weft_create_task(c187_w_async(&lock, "W1")), b = weft_create_task(c187_w_async(&lock, "W2"));
  TRY(S(10));
  weft_lock_release(&lock);
  weft_task_cancel(a, NULL);
  TRY(S(10));
  P("%s", repr_bool(weft_lock_locked(&lock)));
  weft_detach(a);
  weft_detach(b);
  return 0;
}

static WEFT_ASYNC(c200_t, weft_lock_t *);
static int c200_t(weft_lock_t *lock) {
  outcome(weft_wait_for(weft_lock_acquire_async(lock), 0.01), "t", repr_bool(true));
  return 0;
}
CASE(200, lock_wait_for_timeout, CAUSAL, VIRTUAL) {
  weft_lock_t lock;
  weft_lock_init(&lock);
  TRY(weft_lock_acquire(&lock));
  TRY(weft_join(weft_create_task(c200_t_async(&lock))));
  weft_lock_release(&lock);
  outcome(weft_lock_acquire(&lock), "main", repr_bool(true));
  weft_lock_release(&lock);
  return 0;
}

/* ---- Event ---- */

static WEFT_ASYNC(c188_w, weft_event_t *, const char *);
static int c188_w(weft_event_t *event, const char *name) {
  TRY(weft_event_wait(event));
  T("%s", name);
  return 0;
}
CASE(188, event_basic, FIFO, VIRTUAL) {
  weft_event_t event;
  weft_task_t *tasks[] = {NULL, NULL, NULL};
  weft_event_init(&event);
  for (int i = 0; i < 3; i++) tasks[i] = weft_create_task(c188_w_async(&event, text("%d", i)));
  TRY(S(10));
  weft_event_set(&event);
  weft_event_set(&event);
  TRY(weft_gather_tasks(tasks, 3, NULL, 0));
  for (int i = 0; i < 3; i++) weft_detach(tasks[i]);
  bool waited = weft_event_wait(&event) == 0;
  T("%s %s", repr_bool(waited), repr_bool(weft_event_is_set(&event)));
  weft_event_clear(&event);
  weft_task_t *t = weft_create_task(c188_w_async(&event, "again"));
  TRY(S(10));
  P("%s", repr_bool(weft_task_done(t)));
  weft_event_set(&event);
  weft_event_clear(&event);
  TRY(weft_join(t));
  P("%s", repr_bool(weft_event_is_set(&event)));
  return 0;
}
