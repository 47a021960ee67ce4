/* gate.c: see gate.h.
 *
 * The opener takes each waiter off its list under the lock and leaves the lock before it makes the next one run, so no
 * system call is made under it. A waiting task's loop has the opener as a visitor from the beginning of the wait until the
 * opener is done with it, or until the task, cancelled, has taken itself off the list. */
#include "exec/gate.h"

#include <errno.h>
#include <weft/timeouts.h>

#include "base/clock.h"
#include "exec/parker.h"
#include "exec/visitors.h"
#include "sync/waiters.h"
#include "task/task.h"

typedef struct sleeper {
  weft__link_t link;
  weft__parker_t parker;
} sleeper_t;

void weft__gate_init(weft__gate_t *gate) {
  weft__spin_init(&gate->lock);
  gate->open = false;
  weft__list_init(&gate->tasks);
  weft__list_init(&gate->threads);
}

void weft__gate_open(weft__gate_t *gate) {
  weft__list_t tasks, threads;
  weft__list_init(&tasks);
  weft__list_init(&threads);
  weft__link_t *link;
  weft__spin_lock(&gate->lock);
  gate->open = true;
  while ((link = weft__list_pop_front(&gate->tasks)) != NULL) {
    weft__wait_t *wait = weft__wait_of_link(link);
    weft_task_t *task = wait->task;
    /* Claimed here, queued below: its frame lives until then. A cancelled one comes for the lock and sees `woken`. */
    wait->woken = true;
    if (weft__word_wake(&task->future.word, WEFT__READY))
      weft__list_push_back(&tasks, &task->item.link);
    else
      wait->woken = false;
  }
  while ((link = weft__list_pop_front(&gate->threads)) != NULL) weft__list_push_back(&threads, link);
  weft__spin_unlock(&gate->lock);
  while ((link = weft__list_pop_front(&tasks)) != NULL) {
    weft_task_t *task = weft__task_of_item(weft__container_of(link, weft__item_t, link));
    weft_loop_t *loop = task->future.loop;
    weft__schedule_task(task);
    weft__visitor_leave(loop);
  }
  while ((link = weft__list_pop_front(&threads)) != NULL)
    weft__parker_ring(&weft__container_of(link, sleeper_t, link)->parker);
}

static int wait_as_task(weft__gate_t *gate) {
  weft_loop_t *loop = weft__current_task()->future.loop;
  weft__spin_lock(&gate->lock);
  if (gate->open) {
    weft__spin_unlock(&gate->lock);
    return 0;
  }
  weft__visitor_enter(loop);
  bool woken;
  int rc = weft__waiters_wait(&gate->tasks, &gate->lock, &woken);
  weft__spin_unlock(&gate->lock);
  if (!woken) weft__visitor_leave(loop); /* nobody else will */
  return rc;
}

static int wait_as_thread(weft__gate_t *gate, int64_t deadline) {
  sleeper_t sleeper;
  int rc = 0;
  if (weft__parker_init(&sleeper.parker) < 0) return -ENOMEM;
  weft__link_init(&sleeper.link);
  weft__spin_lock(&gate->lock);
  bool open = gate->open;
  if (!open) weft__list_push_back(&gate->threads, &sleeper.link);
  weft__spin_unlock(&gate->lock);
  if (!open && !weft__parker_park(&sleeper.parker, deadline)) {
    weft__spin_lock(&gate->lock);
    open = gate->open;
    if (!open) weft__list_unlink(&sleeper.link);
    weft__spin_unlock(&gate->lock);
    if (open)
      weft__parker_park(&sleeper.parker, WEFT__TIME_NEVER); /* the opener has it in a list of its own, and will ring */
    else
      rc = WEFT_TIMEOUT;
  }
  weft__parker_destroy(&sleeper.parker);
  return rc;
}

static bool is_open(weft__gate_t *gate) {
  weft__spin_lock(&gate->lock);
  bool open = gate->open;
  weft__spin_unlock(&gate->lock);
  return open;
}

int weft__gate_wait(weft__gate_t *gate, const char *what) {
  if (is_open(gate)) return 0;
  if (weft__current_task() != NULL) return wait_as_task(gate);
  if (weft__current_loop() != NULL) return weft__check_suspend(what);
  int rc = wait_as_thread(gate, WEFT__TIME_NEVER);
  return rc < 0 ? weft_fail(rc, "%s: no memory", what) : 0;
}

int weft__gate_wait_within(weft__gate_t *gate, double seconds, const char *what) {
  int64_t limit;
  if (weft__seconds_to_ns(seconds, &limit) < 0) return weft_fail(-EINVAL, "%s: the limit is not a number", what);
  if (is_open(gate)) return 0;
  if (weft__current_task() != NULL) {
    weft_timeout_t scope = {{0}};
    weft_timeout_enter(&scope, seconds);
    return weft_timeout_exit(&scope, weft__gate_wait(gate, what));
  }
  if (weft__current_loop() != NULL) return weft__check_suspend(what);
  int64_t deadline = limit == WEFT__TIME_NEVER ? limit : weft__time_add(weft__clock_now(), limit > 0 ? limit : 0);
  int rc = wait_as_thread(gate, deadline);
  return rc == -ENOMEM ? weft_fail(rc, "%s: no memory", what)
         : rc < 0      ? weft_fail(rc, "%s: its jobs still run", what)
                       : 0;
}

int weft__gate_wait_anyway(weft__gate_t *gate) {
  int result = 0;
  weft_task_t *task = weft__current_task();
  weft__hush_t hushed = task != NULL ? weft__hush(task) : NULL;
  while (!is_open(gate)) {
    int rc = weft__current_task() != NULL ? wait_as_task(gate) : wait_as_thread(gate, WEFT__TIME_NEVER);
    if (rc == WEFT_CANCELLED) result = rc;
    if (rc == -ENOMEM) sched_yield();
  }
  if (task != NULL) weft__unhush(task, hushed);
  return result;
}
