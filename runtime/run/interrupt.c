/* interrupt.c: see interrupt.h.
 *
 * The handler may run on any thread of the user's that does not block SIGINT (ours all do), in the middle of anything. It
 * only counts, marks the loop and rings its workers, which takes atomic operations and write(2) alone; the next worker that
 * is between two passes acts on it (on_signal).
 * end() must not take the loop away from under a handler that runs on another thread: a handler counts itself in before it
 * reads `running`, end() clears `running` before it looks at the count; sequentially consistent, so that either the
 * handler sees no loop or end() sees the handler, and waits. A handler that interrupts end() is over when end() goes on. */
#include "run/interrupt.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sched/loop.h"
#include "task/task.h"

static _Atomic(weft_loop_t *) running; /* NULL: our handler is not installed */
static _Atomic(int) inside;            /* handlers that may still use it */
static _Atomic(int) arrived, heeded;   /* signals since begin() */
static weft_task_t *main_task_of_run;  /* borrowed; written while the loop does not run */
static struct sigaction before;

static void on_sigint(int number) {
  (void)number;
  int saved = errno;
  atom_add(&inside, 1, seq_cst);
  weft_loop_t *loop = atom_load(&running, seq_cst);
  if (loop != NULL) {
    atom_add(&arrived, 1, relaxed);
    atom_store(&loop->signalled, true, release); /* partner: the exchange in sched/worker.c */
    weft__wake_all(loop);
  }
  atom_sub(&inside, 1, seq_cst);
  errno = saved;
}

/* On a worker, between two passes. Several workers may come here for several signals: each signal is heeded once. */
static void act(weft_loop_t *loop) {
  int now = atom_load(&arrived, relaxed), seen = atom_xchg(&heeded, now, acq_rel);
  if (seen >= now) return;
  bool first = seen == 0 && !weft__future_done(&main_task_of_run->future);
  if (first) weft_task_cancel(main_task_of_run, NULL);
  if (first && now == 1) return;
  weft__record_t *record = weft__record_make(WEFT_INTERRUPT, 0, NULL);
  weft__base_error(loop, record);
  weft__record_unref(record);
}

static bool on_main_thread(void) { return syscall(SYS_gettid) == getpid(); }

void weft__interrupt_begin(weft_loop_t *loop, weft_task_t *main_task) {
  struct sigaction action;
  if (!on_main_thread() || atom_load(&running, relaxed) != NULL) return;
  if (sigaction(SIGINT, NULL, &before) < 0 || (before.sa_flags & SA_SIGINFO) || before.sa_handler != SIG_DFL) return;
  atom_store(&arrived, 0, relaxed);
  atom_store(&heeded, 0, relaxed);
  main_task_of_run = main_task;
  loop->on_signal = act;
  atom_store(&running, loop, seq_cst);
  memset(&action, 0, sizeof action);
  action.sa_handler = on_sigint;
  action.sa_flags = SA_RESTART | SA_ONSTACK; /* not on a task's stack where there is another */
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGINT, &action, NULL) < 0) atom_store(&running, NULL, seq_cst);
}

bool weft__interrupt_end(weft_loop_t *loop) {
  if (!on_main_thread() || atom_load(&running, relaxed) != loop) return false;
  struct sigaction now;
  if (sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == on_sigint) sigaction(SIGINT, &before, NULL);
  atom_store(&running, NULL, seq_cst);
  while (atom_load(&inside, seq_cst) > 0) sched_yield();
  atom_store(&loop->signalled, false, relaxed);
  return atom_load(&arrived, relaxed) > 0;
}
