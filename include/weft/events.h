/* weft/events.h: the loop: the whole runtime as asyncio's user sees it. Its callbacks run one at a time, in order. */
#ifndef WEFT_EVENTS_H
#define WEFT_EVENTS_H
#include <weft/call.h>
#include <weft/error.h>
#include <weft/runners.h>
#ifdef __cplusplus
extern "C" {
#endif
struct weft_task_options;
struct uv_loop_s;

/* A scheduled callback, by value: never dangles; zero when memory ran out. */
typedef struct weft_handle {
  uint64_t opaque_[2];
} weft_handle_t;
/* must not suspend: [S] calls answer -EPERM there; < 0 goes to the exception handler */
typedef int (*weft_callback_fn)(void *data);

/* [A] new_event_loop */
WEFT_API int weft_loop_open(const weft_config_t *config, weft_loop_t **out);
/* [A] NULL outside */
WEFT_API weft_loop_t *weft_get_running_loop(void);
WEFT_API WEFT_NODISCARD int weft_loop_run_until_complete(weft_loop_t *loop, weft_call_t call);
WEFT_API WEFT_NODISCARD int weft_loop_run_until_future(weft_loop_t *loop, weft_future_t *future);
WEFT_API WEFT_NODISCARD int weft_loop_run_forever(weft_loop_t *loop);
/* [A] */
WEFT_API int weft_loop_stop(weft_loop_t *loop);
WEFT_API bool weft_loop_is_running(const weft_loop_t *loop);
WEFT_API bool weft_loop_is_closed(const weft_loop_t *loop);
WEFT_API int weft_loop_close(weft_loop_t *loop);
/* the libuv loop for a user's own handles, locked; no suspending until: */
WEFT_API struct uv_loop_s *weft_loop_uv_lock(weft_loop_t *loop);
WEFT_API void weft_loop_uv_unlock(weft_loop_t *loop);
/* [A] monotonic seconds */
WEFT_API double weft_loop_time(const weft_loop_t *loop);
/* [A] also asyncio's call_soon_threadsafe */
WEFT_API weft_handle_t weft_call_soon(weft_loop_t *loop, weft_callback_fn fn, void *data);
/* [A] */
WEFT_API weft_handle_t weft_call_later(weft_loop_t *loop, double seconds, weft_callback_fn fn, void *data);
/* [A] */
WEFT_API weft_handle_t weft_call_at(weft_loop_t *loop, double when, weft_callback_fn fn, void *data);
/* [A] true: it will not run */
WEFT_API bool weft_handle_cancel(weft_handle_t handle);
/* [A] a timer's deadline, else NaN */
WEFT_API double weft_handle_when(weft_handle_t handle);

typedef struct weft_error_context {
  const char *message;
  const weft_error_t *error;
  const weft_handle_t *handle;
  weft_future_t *future;
  weft_task_t *task;
} weft_error_context_t;
/* < 0: the default one takes over */
typedef int (*weft_exception_handler_fn)(weft_loop_t *loop, const weft_error_context_t *context, void *data);
/* NULL: the default, standard error */
WEFT_API void weft_loop_set_exception_handler(weft_loop_t *loop, weft_exception_handler_fn fn, void *data);
WEFT_API void weft_loop_call_exception_handler(weft_loop_t *loop, const weft_error_context_t *context);
typedef void (*weft_log_fn)(int level, const char *message, void *data);
WEFT_API void weft_loop_set_logger(weft_loop_t *loop, weft_log_fn fn, void *data);
WEFT_API void weft_loop_set_slow_callback_duration(weft_loop_t *loop, double seconds);
typedef weft_task_t *(*weft_task_factory_fn)(weft_loop_t *loop, weft_call_t call,
                                             const struct weft_task_options *options);
WEFT_API void weft_loop_set_task_factory(weft_loop_t *loop, weft_task_factory_fn fn);
/* virtual time only: as blocking code would */
WEFT_API int weft_loop_advance(weft_loop_t *loop, double seconds);
/* up to size unfinished ones, a reference each; how many there are */
WEFT_API int weft_all_tasks(const weft_loop_t *loop, weft_task_t *tasks[], size_t size);
/* [A] bound to that loop, also before it runs */
WEFT_API weft_future_t *weft_loop_create_future(weft_loop_t *loop, size_t value_size);
#ifdef __cplusplus
}
#endif
#endif
