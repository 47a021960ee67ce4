/* weft/executors.h: pools of threads and of processes behind one interface. */
#ifndef WEFT_EXECUTORS_H
#define WEFT_EXECUTORS_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

/* [S] NULL: the default pool */
WEFT_API WEFT_NODISCARD int weft_run_in_executor(weft_executor_t *executor, weft_call_t call);
/* [A] owned; its value is the call's status */
WEFT_API WEFT_NODISCARD weft_future_t *weft_executor_submit(weft_executor_t *executor, weft_call_t call);
/* [S] */
WEFT_API WEFT_NODISCARD int weft_executor_map(weft_executor_t *executor, const weft_call_t calls[], size_t n,
                                              int statuses[]);
WEFT_ASYNC_TWIN_4(weft_executor_map, weft_executor_t *, const weft_call_t *, size_t, int *);
/* [S] no new jobs; the handle lives until close */
WEFT_API int weft_executor_shutdown(weft_executor_t *executor, bool wait, bool cancel_futures);
WEFT_ASYNC_TWIN_3(weft_executor_shutdown, weft_executor_t *, bool, bool);
/* [S] */
WEFT_API int weft_executor_close(weft_executor_t *executor);
WEFT_ASYNC_TWIN_1(weft_executor_close, weft_executor_t *);

typedef struct weft_thread_pool_options {
  unsigned max_threads;
  const char *name;
  const weft_call_t *initializer;
} weft_thread_pool_options_t;
WEFT_API int weft_thread_pool_open_with(const weft_thread_pool_options_t *options, weft_executor_t **out);
WEFT_API int weft_thread_pool_open(unsigned max_threads, const char *name, weft_executor_t **out);

/* [A] at the start of main, before any thread: forks the zygote */
WEFT_API int weft_process_pool_prepare(void);
enum { WEFT_POOL_ISOLATE = 1 }; /* a crash fails its own job only; else all pending, as in asyncio */
/* functions by WEFT_EXPORT(fn) */
WEFT_API int weft_process_pool_open(unsigned max_workers, unsigned flags, weft_executor_t **out);
#ifdef __cplusplus
}
#endif
#endif
