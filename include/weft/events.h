/* weft/events.h: the loop: the whole runtime, with all its workers, as asyncio's user sees an event loop.
 *
 * Its callbacks (call_soon, call_later, call_at, done callbacks) run one at a time, in order, and must not suspend: an
 * [S] function answers -EPERM there. Most programs need none of this header: weft_run opens and closes a loop. */
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

/* A scheduled callback, by value: never dangles, copies mean the same one. All zero: it was not scheduled (no memory,
 * closed loop, NaN; the record says which), and every function accepts that. asyncio's Handle and TimerHandle. */
typedef struct weft_handle {
  uint64_t opaque_[2];
} weft_handle_t;

/* A callback. < 0 goes to the exception handler with the record raised in it; other results are ignored. */
typedef int (*weft_callback_fn)(void *data);

/* ---- a loop's life ---- */

/* weft_loop_open [A], new_event_loop: a loop that does not run yet. config is copied; NULL: the defaults. *out is
 * filled: the loop, to be closed, or NULL. -EINVAL (a setting out of range, named in the record), -ENOMEM, -EMFILE. */
WEFT_API int weft_loop_open(const weft_config_t *config, weft_loop_t **out);

/* weft_get_running_loop [A], get_running_loop: the loop whose task or callback the caller is; borrowed; NULL
 * outside. */
WEFT_API weft_loop_t *weft_get_running_loop(void);

/* weft_loop_run_until_complete, run_until_complete(coro): the calling thread becomes the first worker until the call,
 * run as a task, has ended; its status. Other tasks stay, and go on at the next run. From a thread that runs no loop.
 * WEFT_RUNTIME: the loop runs already or is closed, the thread runs another, or stop came before the call's end. */
WEFT_API WEFT_NODISCARD int weft_loop_run_until_complete(weft_loop_t *loop, weft_call_t call);

/* weft_loop_run_until_future, run_until_complete(future): likewise until the future, one of this loop's, is done. 0 or
 * the future's error; weft_future_result has the value. */
WEFT_API WEFT_NODISCARD int weft_loop_run_until_future(weft_loop_t *loop, weft_future_t *future);

/* weft_loop_run_forever, run_forever: likewise until weft_loop_stop; 0. Stopped before: exactly one pass. */
WEFT_API WEFT_NODISCARD int weft_loop_run_forever(weft_loop_t *loop);

/* weft_loop_stop [A], stop: the run ends after the pass it is in. 0; WEFT_RUNTIME if the loop is closed. */
WEFT_API int weft_loop_stop(weft_loop_t *loop);

/* weft_loop_is_running [A], is_running. */
WEFT_API bool weft_loop_is_running(const weft_loop_t *loop);

/* weft_loop_is_closed [A], is_closed. NULL counts as closed. */
WEFT_API bool weft_loop_is_closed(const weft_loop_t *loop);

/* weft_loop_close, close: releases what the loop holds; unfinished tasks do not run again, each is reported to the
 * exception handler ("Task was destroyed but it is pending!"). From a thread outside the loop. Afterwards the handle is
 * good for weft_loop_is_closed, is_running and another close only. NULL: 0. WEFT_RUNTIME while it runs. */
WEFT_API int weft_loop_close(weft_loop_t *loop);

/* weft_loop_advance: moves a virtual clock on, as code that blocks for so long would; due timers then fire as usual.
 * Under virtual time only: else WEFT_RUNTIME. -EINVAL: seconds < 0 or NaN. */
WEFT_API int weft_loop_advance(weft_loop_t *loop, double seconds);

/* ---- callbacks and timers ---- */

/* weft_loop_time [A], time: seconds on the loop's clock: monotonic or virtual. NaN for NULL. */
WEFT_API double weft_loop_time(const weft_loop_t *loop);

/* weft_call_soon [A], call_soon and call_soon_threadsafe: fn(data) in the loop's next pass, after those scheduled
 * before from the same thread, in a copy of the caller's context. data is kept until fn has run or the handle was
 * cancelled. */
WEFT_API weft_handle_t weft_call_soon(weft_loop_t *loop, weft_callback_fn fn, void *data);

/* weft_call_later [A], call_later: weft_call_soon when seconds have passed; <= 0: in the next pass. Equal deadlines
 * run in order of scheduling. data is kept likewise. */
WEFT_API weft_handle_t weft_call_later(weft_loop_t *loop, double seconds, weft_callback_fn fn, void *data);

/* weft_call_at [A], call_at: likewise at a loop time. */
WEFT_API weft_handle_t weft_call_at(weft_loop_t *loop, double when, weft_callback_fn fn, void *data);

/* weft_handle_cancel [A], Handle.cancel: true: fn will not run and data is the caller's again. false: it has run, is
 * running, or was cancelled before. */
WEFT_API bool weft_handle_cancel(weft_handle_t handle);

/* weft_handle_cancelled [A], Handle.cancelled: whether it was cancelled, be it too late. It is remembered while the
 * handle's memory is used for 63 others; then, and for a handle that is all zero, the answer is false. */
WEFT_API bool weft_handle_cancelled(weft_handle_t handle);

/* weft_handle_when [A], TimerHandle.when: the loop time of a timer that has not run, else NaN. */
WEFT_API double weft_handle_when(weft_handle_t handle);

/* ---- descriptors ---- */

/* weft_loop_add_reader [A], add_reader: fn(data) among the loop's callbacks whenever fd can be read from, is at its end or
 * has failed, again and again while that is so, in a copy of the caller's context. Replaces a reader that is there. fd
 * becomes non-blocking, and must stay open until the reader is removed; data is kept likewise. -EPERM: fd is a file; -EBADF
 * and its kin; -EEXIST, -ENOMEM. */
WEFT_API int weft_loop_add_reader(weft_loop_t *loop, int fd, weft_callback_fn fn, void *data);

/* weft_loop_remove_reader [A], remove_reader: whether there was one. It will not be called any more; on several
 * workers, and from other threads, it may be running, unless one of the loop's callbacks removes it. */
WEFT_API bool weft_loop_remove_reader(weft_loop_t *loop, int fd);

/* weft_loop_add_writer [A], add_writer: weft_loop_add_reader for whenever fd can be written to, or has failed. */
WEFT_API int weft_loop_add_writer(weft_loop_t *loop, int fd, weft_callback_fn fn, void *data);

/* weft_loop_remove_writer [A], remove_writer: likewise. */
WEFT_API bool weft_loop_remove_writer(weft_loop_t *loop, int fd);

/* ---- reports ---- */

/* What an exception handler is told; NULL where it does not apply. All of it is borrowed until the handler returns. */
typedef struct weft_error_context {
  const char *message;
  const weft_error_t *error;
  const weft_handle_t *handle;
  weft_future_t *future;
  weft_task_t *task;
} weft_error_context_t;

/* An exception handler. It must not suspend, may run on any worker, one call at a time. < 0: the default takes over. */
typedef int (*weft_exception_handler_fn)(weft_loop_t *loop, const weft_error_context_t *context, void *data);

/* weft_loop_set_exception_handler [A], set_exception_handler: who is told of errors that nobody waits for. NULL: the
 * default, which logs. data is kept until another handler is set or the loop is closed. */
WEFT_API void weft_loop_set_exception_handler(weft_loop_t *loop, weft_exception_handler_fn fn, void *data);

/* weft_loop_get_exception_handler [A], get_exception_handler: the handler that was set, or NULL: the default; data (NULL:
 * not wanted) is filled with its data. */
WEFT_API weft_exception_handler_fn weft_loop_get_exception_handler(const weft_loop_t *loop, void **data);

/* weft_loop_default_exception_handler [A], default_exception_handler: logs the message and what else is there; for a
 * handler that wants that as well. */
WEFT_API void weft_loop_default_exception_handler(weft_loop_t *loop, const weft_error_context_t *context);

/* weft_loop_call_exception_handler [A], call_exception_handler: reports something through the handler. */
WEFT_API void weft_loop_call_exception_handler(weft_loop_t *loop, const weft_error_context_t *context);

/* Levels of messages: those of Python's logging. */
enum weft_log_level {
  WEFT_LOG_DEBUG = 10,
  WEFT_LOG_INFO = 20,
  WEFT_LOG_WARNING = 30,
  WEFT_LOG_ERROR = 40,
  WEFT_LOG_CRITICAL = 50
};

/* A logger. It must not suspend; message is borrowed, without a newline at its end. */
typedef void (*weft_log_fn)(int level, const char *message, void *data);

/* weft_loop_set_logger [A], the logger "asyncio": where the runtime's messages go. NULL: standard error. data is kept
 * until another logger is set or the loop is closed. */
WEFT_API void weft_loop_set_logger(weft_loop_t *loop, weft_log_fn fn, void *data);

/* weft_loop_set_debug, set_debug: switches the debug mode on or off, as weft_config_t.debug does; before the loop runs,
 * or with one worker: several read it. */
WEFT_API void weft_loop_set_debug(weft_loop_t *loop, bool debug);

/* weft_loop_get_debug [A], get_debug. */
WEFT_API bool weft_loop_get_debug(const weft_loop_t *loop);

/* weft_loop_set_slow_callback_duration [A], slow_callback_duration: in debug mode a step that takes longer is logged;
 * 0.1 at first. NaN and negative values change nothing. */
WEFT_API void weft_loop_set_slow_callback_duration(weft_loop_t *loop, double seconds);

/* ---- tasks and futures of a loop ---- */

/* A task factory: makes the task for a create_task, usually by weft_create_task_with with changed options; inside the
 * factory that makes a plain task. Answers an owned task, or NULL with a record. */
typedef weft_task_t *(*weft_task_factory_fn)(weft_loop_t *loop, weft_call_t call,
                                             const struct weft_task_options *options);

/* weft_loop_set_task_factory [A], set_task_factory: who makes the tasks of this loop. NULL: the runtime. */
WEFT_API void weft_loop_set_task_factory(weft_loop_t *loop, weft_task_factory_fn fn);

/* weft_loop_get_task_factory [A], get_task_factory: the factory that was set, or NULL. */
WEFT_API weft_task_factory_fn weft_loop_get_task_factory(const weft_loop_t *loop);

/* weft_all_tasks [A], all_tasks: the unfinished tasks of the loop, in no order. tasks is filled with up to size of
 * them, a reference each (weft_task_unref); NULL with size 0. Answers how many there are, which may be more. */
WEFT_API int weft_all_tasks(const weft_loop_t *loop, weft_task_t *tasks[], size_t size);

/* weft_loop_create_future [A], create_future: weft_future_open on a given loop, also before it runs. Owned, ended by
 * weft_future_unref. NULL: -ENOMEM, or -EINVAL for more than 32 bytes, as the record says. */
WEFT_API WEFT_NODISCARD weft_future_t *weft_loop_create_future(weft_loop_t *loop, size_t value_size);

/* ---- libuv ---- */

/* weft_loop_uv_lock: the libuv loop for handles of the caller's own, locked; no suspending and no blocking until
 * unlock. Their callbacks run on a worker, must not suspend, and have the loop locked. NULL without memory. */
WEFT_API struct uv_loop_s *weft_loop_uv_lock(weft_loop_t *loop);

/* weft_loop_uv_unlock: ends it, on the same thread. */
WEFT_API void weft_loop_uv_unlock(weft_loop_t *loop);
#ifdef __cplusplus
}
#endif
#endif
