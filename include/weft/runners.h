/* weft/runners.h: running a program: asyncio.run. */
#ifndef WEFT_RUNNERS_H
#define WEFT_RUNNERS_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

/* Settings of a run or a loop; all zero: the defaults. */
typedef struct weft_config {
  unsigned workers;  /* 0: WEFT_WORKERS, else the processors this process may use. 1: asyncio's order, exactly */
  size_t stack_size; /* promised to each task, in bytes; 0: 64 KiB */
  bool serial;       /* main and what it creates form one strand: asyncio's atomicity on several workers */
  /* The clock jumps to the next timer when nothing can run. Jobs on threads (to_thread, executors) hold it until they are
     done. Sockets do not: what is still on its way through the kernel is not seen, so a time limit around real I/O means
     nothing under virtual time. */
  bool virtual_time;
  bool debug; /* also WEFT_DEBUG=1 */
  unsigned
      pool_threads; /* threads of the default pool at most (to_thread); 0: min(32, processors + 4), at most 10000 */
} weft_config_t;

/* Ctrl-C during a run of the main thread, where SIGINT would end the process: the first one cancels the main task, and if
 * that gives in the run answers WEFT_INTERRUPT; the next one ends the run with it at once. asyncio.run's rule. */

/* weft_run, asyncio.run: opens a runtime, whose first worker is the calling thread, runs main_call as a task until it
 * has ended, then cancels and awaits the tasks that are left, closes open generators, ends the pool and frees
 * everything. From any thread that runs no loop; two threads get two runtimes. Answers main's status, whose record
 * weft_error() then has on this thread; WEFT_RUNTIME inside a running loop, WEFT_TYPE (no call), -EINVAL (WEFT_WORKERS
 * unreadable), -ENOMEM, -EAGAIN. */
WEFT_API WEFT_NODISCARD int weft_run(weft_call_t main_call);

/* weft_run_with, asyncio.run(debug=, loop_factory=): weft_run with settings. config is copied; NULL: the defaults.
 * -EINVAL also for a setting out of range, named in the record. */
WEFT_API WEFT_NODISCARD int weft_run_with(const weft_config_t *config, weft_call_t main_call);

/* weft_runner_open, asyncio.Runner: for several runs on one loop and in one context. *out is filled: the runner, to be
 * closed, or NULL. config is copied, and looked at by the first run; NULL: the defaults. -EINVAL, -ENOMEM. */
WEFT_API int weft_runner_open(const weft_config_t *config, weft_runner_t **out);

/* weft_runner_run, Runner.run: runs the call as a task until it has ended; its status. Tasks that are left go on at the
 * next run; what it sets in the context is there too. WEFT_RUNTIME: inside a running loop, or the runner is closed; else
 * errors as weft_run. */
WEFT_API WEFT_NODISCARD int weft_runner_run(weft_runner_t *runner, weft_call_t call);

/* weft_runner_get_loop, Runner.get_loop: its loop; borrowed until close. NULL: as the record says, as for run. */
WEFT_API weft_loop_t *weft_runner_get_loop(weft_runner_t *runner);

/* weft_runner_close, Runner.close: cancels and awaits what is left, as weft_run does at its end, and closes the loop;
 * consumed. Afterwards the handle is good for run, get_loop and another close only. NULL: 0. WEFT_RUNTIME inside a
 * running loop. */
WEFT_API int weft_runner_close(weft_runner_t *runner);
#ifdef __cplusplus
}
#endif
#endif
