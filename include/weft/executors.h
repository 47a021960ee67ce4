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
 * by weft_future_unref; cancelling it withdraws a job that has not started. Inside the runtime: a future of the loop,
 * which cancelling ends even while the job runs on; executor NULL: the default pool. From other threads, as in
 * concurrent.futures: a running job's cannot be cancelled, callbacks run on the thread that ends it. NULL: -ENOMEM,
 * -EAGAIN (no thread), WEFT_RUNTIME (shut down), WEFT_BROKEN_POOL, WEFT_QUEUE_FULL. */
WEFT_API WEFT_NODISCARD weft_future_t *weft_executor_submit(weft_executor_t *executor, weft_call_t call);

/* weft_future_running [A], concurrent.futures' running(): whether it is a submitted job's and the job has started and
 * not ended. */
WEFT_API bool weft_future_running(const weft_future_t *future);

/* weft_executor_map [S], Executor.map: runs n calls there and waits for all; the first error in order, else 0. statuses
 * (NULL: not wanted) are filled. Cancelled: withdraws what has not started, waits for the rest. */
WEFT_API WEFT_NODISCARD int weft_executor_map(weft_executor_t *executor, const weft_call_t calls[], size_t n,
                                              int statuses[]);
WEFT_ASYNC_TWIN_4(weft_executor_map, weft_executor_t *, const weft_call_t *, size_t, int *);

/* weft_executor_shutdown [S], Executor.shutdown: no new jobs from now on; cancel_futures: those that have not started
 * are cancelled; wait: returns when the others have ended; from a thread that runs no loop it blocks meanwhile. The
 * handle lives until close. 0; WEFT_RUNTIME: waiting in a job of that very pool. */
WEFT_API int weft_executor_shutdown(weft_executor_t *executor, bool wait, bool cancel_futures);
WEFT_ASYNC_TWIN_3(weft_executor_shutdown, weft_executor_t *, bool, bool);

/* weft_executor_shutdown_within [S]: weft_executor_shutdown that waits, but for so many seconds at most: then
 * WEFT_TIMEOUT, the jobs run on, and it may be called again. WEFT_FOREVER: without limit. Also from a thread that runs
 * no loop. -EINVAL: NaN. */
WEFT_API WEFT_NODISCARD int weft_executor_shutdown_within(weft_executor_t *executor, bool cancel_futures,
                                                          double seconds);
WEFT_ASYNC_TWIN_3(weft_executor_shutdown_within, weft_executor_t *, bool, double);

/* weft_executor_close [S], leaving `with executor`: shutdown(wait), then frees it; consumed. Cancelled: still waits, then
 * WEFT_CANCELLED. NULL: 0. */
WEFT_API int weft_executor_close(weft_executor_t *executor);
WEFT_ASYNC_TWIN_1(weft_executor_close, weft_executor_t *);

/* ---- threads that run no loop ---- */

/* weft_wait_blocking, concurrent.futures.wait: blocks this thread until all, the first or the first failed of n futures
 * is done (return_when as in weft_wait), or so many seconds have passed; how many are done. NULL entries are skipped;
 * done (NULL: not wanted) tells which. Repeated with FIRST_COMPLETED and without those that are done it is as_completed.
 * -EPERM on a worker; -EINVAL, -ENOMEM. */
WEFT_API WEFT_NODISCARD int weft_wait_blocking(weft_future_t *const futures[], size_t n, int return_when,
                                               double seconds, bool done[]);

/* weft_wrap_future, asyncio.wrap_future: a future of the running loop that ends as the given one does, which may belong
 * to no loop or to another. Cancelling it cancels that one too. One of the running loop is answered itself. Owned, ended
 * by weft_future_unref. NULL: -ENOMEM, -EINVAL, WEFT_RUNTIME (no running loop). */
WEFT_API WEFT_NODISCARD weft_future_t *weft_wrap_future(weft_future_t *future);

/* ---- the default pool ---- */

/* weft_loop_set_default_executor [A], set_default_executor: where weft_to_thread and executor NULL run from now on. The
 * pool is consumed: the loop closes it. 0; -EINVAL: no pool of threads; -ENOMEM; WEFT_RUNTIME: closed, or the default
 * pool was shut down; on error it stays the caller's. */
WEFT_API int weft_loop_set_default_executor(weft_loop_t *loop, weft_executor_t *executor);

/* weft_loop_shutdown_default_executor [S], shutdown_default_executor: no new jobs there, name resolution included;
 * returns when all have ended. 0. */
WEFT_API WEFT_NODISCARD int weft_loop_shutdown_default_executor(weft_loop_t *loop);
WEFT_ASYNC_TWIN_1(weft_loop_shutdown_default_executor, weft_loop_t *);

/* weft_loop_shutdown_default_executor_within [S], shutdown_default_executor(timeout): likewise, but for so many seconds at
 * most: then WEFT_TIMEOUT, and the jobs run on. The loop's end waits for them all the same: they may use what is on its
 * tasks' stacks. -EINVAL: NaN. */
WEFT_API WEFT_NODISCARD int weft_loop_shutdown_default_executor_within(weft_loop_t *loop, double seconds);
WEFT_ASYNC_TWIN_2(weft_loop_shutdown_default_executor_within, weft_loop_t *, double);

/* ---- pools of threads ---- */

/* All zero: the defaults. Copied. */
typedef struct weft_thread_pool_options {
  unsigned max_threads;           /* 0: min(32, processors + 4) */
  const char *name;               /* of the threads, 15 bytes of it; NULL: a default */
  const weft_call_t *initializer; /* run first on each thread; its failure breaks the pool; NULL: none */
  size_t queue_limit;             /* jobs that may wait: then tasks wait for room, submit fails; 0: no limit */
  const unsigned *cpus;           /* the processors that its threads may run on; NULL: all that the process may use */
  size_t cpu_count;               /* how many those are */
} weft_thread_pool_options_t;

/* weft_thread_pool_open_with [A], ThreadPoolExecutor: *out is filled: the pool, to be closed, or NULL. options NULL:
 * the defaults. Threads start as jobs come; one that may run on none of the cpus breaks the pool. -EINVAL, -ENOMEM. */
WEFT_API int weft_thread_pool_open_with(const weft_thread_pool_options_t *options, weft_executor_t **out);

/* weft_thread_pool_open [A]: the same with the two usual options. */
WEFT_API int weft_thread_pool_open(unsigned max_threads, const char *name, weft_executor_t **out);

/* ---- executors of your own ---- */

/* A job in the hands of such an executor, until it gives it back. Opaque. */
typedef struct weft_job weft_job_t;

/* What such an executor does; data is weft_executor_open_with's. Called from any thread, workers included, by several at a
 * time, with none of the library's locks held; they may neither suspend nor block for long, but for close. */
typedef struct weft_executor_methods {
  /* A job comes. 0: it is yours now: give it back exactly once, by weft_job_run or weft_job_end, from any thread, maybe
     before submit returns. < 0: refused; that error, with the text of weft_fail, is the submitter's. */
  int (*submit)(void *data, weft_job_t *job);
  /* Somebody cancelled it. Had it not begun, it is over for everybody else, and giving it back does nothing more: drop it
     from your queue now, or when it comes up. Else weft_job_cancelled tells its function, and you may interrupt it. It may
     have been given back a moment ago: compare job with what you hold, under your lock. NULL: nothing. */
  void (*cancel)(void *data, weft_job_t *job);
  /* No jobs come from now on; what you hold is still to be given back. cancel_futures: those that had not begun have been
     cancelled already. May be called more than once. NULL: nothing. */
  void (*shutdown)(void *data, bool cancel_futures);
  /* The last call, in weft_executor_close, on its thread, once every job has been given back: ends threads, frees data.
     NULL: nothing. */
  void (*close)(void *data);
} weft_executor_methods_t;

/* weft_executor_open_with [A]: an executor of your own, concurrent.futures' Executor as a base class: *out is filled, to be
 * closed, or NULL. methods are copied (submit is required), data is kept until close. Everything that takes an executor
 * takes it, but weft_loop_set_default_executor. -EINVAL, -ENOMEM. */
WEFT_API int weft_executor_open_with(const weft_executor_methods_t *methods, void *data, weft_executor_t **out);

/* weft_job_run: gives it back by running its function on this thread, which must run no loop; nothing is run if it was
 * cancelled. job is consumed. 0; -EPERM on a worker, -EINVAL: nothing happened. */
WEFT_API int weft_job_run(weft_job_t *job);

/* weft_job_end [A]: gives it back by an answer that was found otherwise: status, as the function's; message (copied; NULL:
 * the code's text) if that is an error. Nothing if it was cancelled. job is consumed. 0; -EINVAL: no job. */
WEFT_API int weft_job_end(weft_job_t *job, int status, const char *message);

/* weft_job_begin [A]: for who will answer by weft_job_end: from now on it runs and cannot be withdrawn. false: it was
 * cancelled, and is still to be given back. */
WEFT_API bool weft_job_begin(weft_job_t *job);

/* weft_job_call [A]: what is to be called; borrowed as long as the job. What its arguments point to lives only between a
 * true weft_job_begin and weft_job_end. */
WEFT_API const weft_call_t *weft_job_call(const weft_job_t *job);

/* ---- pools of processes ---- */

/* A function that processes of a pool may be asked to run. */
typedef struct weft_export {
  int (*entry)(void *args);
  const char *file, *name;
  struct weft_export *next;
} weft_export_t;

/* weft_export_register [A]: by WEFT_EXPORT. export is kept for ever. */
WEFT_API void weft_export_register(weft_export_t *export_);

/* WEFT_EXPORT(fn): at file scope, behind WEFT_ASYNC(fn, …): lets pools of processes run fn, by its file and name. Of two
 * functions of one name a call means the one that is exported where it is built. */
#define WEFT_EXPORT(fn)                                                                                                \
  static weft_export_t fn##_export_ = {fn##_entry_, __FILE__, #fn, NULL};                                              \
  __attribute__((constructor)) static void fn##_export_register_(void) { weft_export_register(&fn##_export_); }        \
  struct weft_export

/* Flags of weft_process_pool_options. */
enum weft_pool_flags {
  WEFT_POOL_ISOLATE = 1 /* a crash fails its own job only; else all pending ones, as in asyncio */
};

/* All zero: the defaults. Copied. */
typedef struct weft_process_pool_options {
  unsigned max_workers;           /* 0: the processors */
  unsigned flags;                 /* enum weft_pool_flags */
  unsigned max_tasks_per_child;   /* a process ends after so many jobs, another takes its place; 0: never */
  const weft_call_t *initializer; /* exported; run first in each process; its failure breaks the pool; NULL: none */
  size_t queue_limit;             /* jobs that may wait, as in a pool of threads; 0: no limit */
} weft_process_pool_options_t;

/* weft_process_pool_prepare: forks the process from which all pools' processes come; opening a pool does it if need be.
 * Best at the start of main: a lock that another thread holds at that moment stays locked in all of them. Of the heap, stdio,
 * the time zone, the loader and random it is checked that they are free, else it forks again; locks of yours and of other
 * libraries are yours to see to. 0, or the system's error. */
WEFT_API int weft_process_pool_prepare(void);

/* weft_process_pool_open_with [A], ProcessPoolExecutor: *out is filled: the pool, to be closed, or NULL. Processes start
 * as jobs come. A call's bytes cross to the process, so its arguments must be plain values; so do its status and its
 * error. A function that is not exported fails its job with WEFT_VALUE; a process that dies, with WEFT_BROKEN_POOL.
 * options NULL: the defaults. -EINVAL, -ENOMEM, -EAGAIN. */
WEFT_API int weft_process_pool_open_with(const weft_process_pool_options_t *options, weft_executor_t **out);

/* weft_process_pool_open [A]: the same with the two usual options. */
WEFT_API int weft_process_pool_open(unsigned max_workers, unsigned flags, weft_executor_t **out);

/* weft_run_for_result [S]: weft_run_in_executor for a job that gives bytes back, on any pool: result is filled with the
 * size bytes that the function passed to weft_job_result. WEFT_VALUE: it ended well and passed none, or another
 * number. */
WEFT_API WEFT_NODISCARD int weft_run_for_result(weft_executor_t *executor, weft_call_t call, void *result, size_t size);

/* weft_job_result_sized: for the function of a job: the bytes that weft_run_for_result is to be given; copied, the last
 * ones count. 0; -EPERM outside of jobs; -ENOMEM. Usually through the macro below. */
WEFT_API int weft_job_result_sized(const void *data, size_t size);
/* weft_job_result(&value): the size is the value's. */
#define weft_job_result(value) weft_job_result_sized((value), sizeof *(value))
#ifdef __cplusplus
}
#endif
#endif
