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
  bool virtual_time; /* the clock jumps to the next timer when nothing can run */
  bool debug;        /* also WEFT_DEBUG=1 */
} weft_config_t;

/* weft_run, asyncio.run: opens a runtime, whose first worker is the calling thread, runs main_call as a task until it
 * has ended, then cancels and awaits the tasks that are left, closes open generators, ends the pool and frees
 * everything. From any thread that runs no loop; two threads get two runtimes. Answers main's status, whose record
 * weft_error() then has on this thread; WEFT_RUNTIME inside a running loop, WEFT_TYPE (no call), -EINVAL (WEFT_WORKERS
 * unreadable), -ENOMEM, -EAGAIN. */
WEFT_API WEFT_NODISCARD int weft_run(weft_call_t main_call);

/* weft_run_with, asyncio.run(debug=, loop_factory=): weft_run with settings. config is copied; NULL: the defaults.
 * -EINVAL also for a setting out of range, named in the record. */
WEFT_API WEFT_NODISCARD int weft_run_with(const weft_config_t *config, weft_call_t main_call);
#ifdef __cplusplus
}
#endif
#endif
