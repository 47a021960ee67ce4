/* sleep.c: weft_sleep and weft_yield.
 *
 * A sleeping task is a wait and a timer in its frame; the timers' lock guards both. It becomes visible to the expiry
 * together with the unlock, once its context is saved. Expiry takes the timer out and claims the task under that lock and
 * touches neither afterwards; a sleeper that was cancelled takes the lock to remove its timer, so its frame outlives every
 * access. */
#include <weft/sleep.h>

#include <errno.h>

#include "base/clock.h"
#include "sched/clock.h"
#include "task/task.h"
#include "task/wait.h"

typedef struct sleeper {
  weft__wait_t wait;
  weft__timer_t timer;
} sleeper_t;

static void expired(weft__timer_t *timer) {
  (void)weft__wait_wake_by_timer(&weft__container_of(timer, sleeper_t, timer)->wait);
}

static int sleep_for(int64_t ns) {
  sleeper_t sleeper;
  weft__wait_init(&sleeper.wait);
  if (ns == WEFT__TIME_NEVER) return weft__wait_park(&sleeper.wait, NULL);
  weft__timer_init(&sleeper.timer);
  weft_loop_t *loop = weft__current_loop();
  weft__timers_t *timers = weft__current_timers();
  int64_t deadline = weft__time_add(weft__loop_now(loop), ns);
  weft__spin_lock(&timers->lock);
  /* Ringing under the lock is unusual: only where workers share timers, and there is no later moment to do it. */
  if (weft__timers_add_locked(timers, &sleeper.timer, deadline, expired)) weft__timers_armed(loop, timers);
  int rc = weft__wait_park(&sleeper.wait, &timers->lock);
  if (rc < 0) (void)weft__timers_remove(&sleeper.timer);
  return rc;
}

static int yield_once(void) {
  weft_task_t *task = weft__current_task();
  if (weft__likely(task != NULL)) weft__before_suspend(task);
  return weft__yield();
}

int weft_sleep(double seconds) {
  int rc = weft__check_suspend("weft_sleep");
  if (rc < 0) return rc;
  int64_t ns;
  if (weft__seconds_to_ns(seconds, &ns) < 0) return weft_fail(-EINVAL, "Invalid delay: NaN (not a number)");
  return ns <= 0 ? yield_once() : sleep_for(ns);
}

int weft_yield(void) { return yield_once(); }
