/* weft/executors.h: pools of threads and of processes behind one interface: concurrent.futures. */
#ifndef WEFT_EXECUTORS_H
#define WEFT_EXECUTORS_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

/* ---- jobs ---- */

/* weft_run_in_executor [S], loop.run_in_executor: runs the call there and waits for it; its status. executor is
 * borrowed; NULL: the default pool. The context is not carried. Cancelled: as weft_to_thread. WEFT_RUNTIME: it is shut
 * down. */
WEFT_API WEFT_NODISCARD int weft_run_in_executor(weft_executor_t *executor, weft_call_t call);

/* weft_executor_submit [A], Executor.submit: queues the call; a future whose value is its status, an int. Owned, ended
 * by weft_future_unref; cancelling it withdraws a job that has not started. NULL: -ENOMEM, WEFT_RUNTIME,
 * WEFT_BROKEN_POOL. */
WEFT_API WEFT_NODISCARD weft_future_t *weft_executor_submit(weft_executor_t *executor, weft_call_t call);

/* weft_executor_map [S], Executor.map: runs n calls there and waits for all; the first error in order, else 0. statuses
 * (NULL: not wanted) are filled. Cancelled: withdraws what has not started, waits for the rest. */
WEFT_API WEFT_NODISCARD int weft_executor_map(weft_executor_t *executor, const weft_call_t calls[], size_t n,
                                              int statuses[]);
WEFT_ASYNC_TWIN_4(weft_executor_map, weft_executor_t *, const weft_call_t *, size_t, int *);

/* weft_executor_shutdown [S], Executor.shutdown: no new jobs from now on; cancel_futures: those that have not started
 * are cancelled; wait: returns when the others have ended. The handle lives until close. 0. */
WEFT_API int weft_executor_shutdown(weft_executor_t *executor, bool wait, bool cancel_futures);
WEFT_ASYNC_TWIN_3(weft_executor_shutdown, weft_executor_t *, bool, bool);

/* weft_executor_close [S], leaving `with executor`: shutdown(wait), then frees it; consumed. NULL: 0. */
WEFT_API int weft_executor_close(weft_executor_t *executor);
WEFT_ASYNC_TWIN_1(weft_executor_close, weft_executor_t *);

/* ---- pools of threads ---- */

/* All zero: the defaults. Copied. */
typedef struct weft_thread_pool_options {
  unsigned max_threads;           /* 0: min(32, processors + 4) */
  const char *name;               /* of the threads; NULL: a default */
  const weft_call_t *initializer; /* run first on each thread; its failure breaks the pool; NULL: none */
} weft_thread_pool_options_t;

/* weft_thread_pool_open_with [A], ThreadPoolExecutor: *out is filled: the pool, to be closed, or NULL. options NULL:
 * the defaults. Threads start as jobs come. -EINVAL, -ENOMEM. */
WEFT_API int weft_thread_pool_open_with(const weft_thread_pool_options_t *options, weft_executor_t **out);

/* weft_thread_pool_open [A]: the same with the two usual options. */
WEFT_API int weft_thread_pool_open(unsigned max_threads, const char *name, weft_executor_t **out);

/* ---- pools of processes ---- */

/* Flags of weft_process_pool_open. */
enum weft_pool_flags {
  WEFT_POOL_ISOLATE = 1 /* a crash fails its own job only; else all pending ones, as in asyncio */
};

/* weft_process_pool_prepare: forks the process from which pools' workers come; at the start of main, before any thread.
 * 0, or the system's error. */
WEFT_API int weft_process_pool_prepare(void);

/* weft_process_pool_open [A], ProcessPoolExecutor: *out is filled: the pool, to be closed, or NULL. A call's bytes
 * cross to the worker, so its arguments must be plain values, and its function be registered by WEFT_EXPORT(fn).
 * max_workers 0: the processors. -EINVAL, -ENOMEM, -EAGAIN. */
WEFT_API int weft_process_pool_open(unsigned max_workers, unsigned flags, weft_executor_t **out);
#ifdef __cplusplus
}
#endif
#endif
