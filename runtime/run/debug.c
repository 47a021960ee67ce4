/* debug.c: the exception handler, the log, slow callbacks. */
#include "run/debug.h"

#include <dlfcn.h>
#include <stdio.h>
#include <weft/inspect.h>

#include "base/clock.h"
#include "sched/loop.h"
#include "sched/steps.h"

enum { LOG_WARNING = 30, LOG_ERROR = 40 }; /* Python's levels */

static void log_line(weft_loop_t *loop, int level, const char *text) {
  if (loop->logger != NULL)
    loop->logger(level, text, loop->logger_data);
  else
    fprintf(stderr, "%s\n", text);
}

/* asyncio's default_exception_handler: one line for the message, one for each thing that is known. */
static void default_handler(weft_loop_t *loop, const weft_error_context_t *context) {
  char text[1024];
  int used = snprintf(text, sizeof text, "%s",
                      context->message != NULL ? context->message : "Unhandled exception in event loop");
  if (context->task != NULL && used > 0 && (size_t)used < sizeof text)
    used += snprintf(text + used, sizeof text - (size_t)used, "\ntask: %s", weft_task_get_name(context->task));
  if (context->error != NULL && used > 0 && (size_t)used < sizeof text)
    snprintf(text + used, sizeof text - (size_t)used, "\n%s%s%s", context->error->name,
             context->error->message[0] != '\0' ? ": " : "", context->error->message);
  log_line(loop, LOG_ERROR, text);
}

void weft_loop_default_exception_handler(weft_loop_t *loop, const weft_error_context_t *context) {
  if (loop != NULL && context != NULL) default_handler(loop, context);
}

void weft_loop_call_exception_handler(weft_loop_t *loop, const weft_error_context_t *context) {
  if (loop == NULL || context == NULL) return;
  if (loop->exception_handler == NULL) {
    default_handler(loop, context);
    return;
  }
  int rc = loop->exception_handler(loop, context, loop->exception_handler_data);
  if (rc >= 0) return;
  weft__record_t *record = weft__record_for(rc);
  weft_error_context_t nested = {.message = "Unhandled error in exception handler", .error = &record->error};
  default_handler(loop, &nested);
  weft__record_unref(record);
}

void weft__report_context(weft_loop_t *loop, const char *message, const weft_error_t *error,
                          const weft_handle_t *handle, weft_future_t *future, weft_task_t *task) {
  weft_error_context_t context = {message, error, handle, future, task};
  weft_loop_call_exception_handler(loop, &context);
}

void weft__report(weft_loop_t *loop, const char *message, const weft_error_t *error, weft_future_t *future,
                  weft_task_t *task) {
  weft__report_context(loop, message, error, NULL, future, task);
}

void weft__report_handle(weft_loop_t *loop, const void *fn, const weft_error_t *error, const weft_handle_t *handle) {
  char message[128];
  Dl_info info;
  if (dladdr(fn, &info) != 0 && info.dli_sname != NULL && info.dli_saddr == fn)
    snprintf(message, sizeof message, "Exception in callback %s", info.dli_sname);
  else
    snprintf(message, sizeof message, "Exception in callback %p", fn);
  weft__report_context(loop, message, error, handle, NULL, NULL);
}

void weft__report_callback(weft_loop_t *loop, const void *fn, const weft_error_t *error) {
  static const weft_handle_t handle; /* a done callback's handle cannot be cancelled any more */
  weft__report_handle(loop, fn, error, &handle);
}

void weft_loop_set_exception_handler(weft_loop_t *loop, weft_exception_handler_fn fn, void *data) {
  loop->exception_handler = fn;
  loop->exception_handler_data = data;
}

weft_exception_handler_fn weft_loop_get_exception_handler(const weft_loop_t *loop, void **data) {
  if (data != NULL) *data = loop->exception_handler_data;
  return loop->exception_handler;
}

void weft_loop_set_debug(weft_loop_t *loop, bool debug) {
  loop->config.debug = debug;
  weft__steps_set(loop);
}
bool weft_loop_get_debug(const weft_loop_t *loop) { return loop->config.debug; }

void weft_loop_set_logger(weft_loop_t *loop, weft_log_fn fn, void *data) {
  loop->logger = fn;
  loop->logger_data = data;
}

void weft_loop_set_slow_callback_duration(weft_loop_t *loop, double seconds) {
  int64_t ns;
  if (weft__seconds_to_ns(seconds, &ns) == 0 && ns >= 0) loop->slow_callback_ns = ns;
}

void weft__report_slow_step(weft_loop_t *loop, weft_task_t *task, int64_t took) {
  char repr[256], text[320];
  weft_ignore(weft_task_repr(task, repr, sizeof repr));
  snprintf(text, sizeof text, "Executing %s took %.3f seconds", repr, (double)took / 1e9);
  log_line(loop, LOG_WARNING, text);
}

int64_t weft__debug_begin(weft_loop_t *loop) { return loop->config.debug ? weft__loop_now(loop) : 0; }

void weft__debug_end(weft_loop_t *loop, int64_t begun, const char *kind, const char *name) {
  if (!loop->config.debug) return;
  int64_t took = weft__loop_now(loop) - begun;
  if (took < loop->slow_callback_ns) return;
  char text[256];
  snprintf(text, sizeof text, "Executing <%s%s%s> took %.3f seconds", kind, name != NULL ? " " : "",
           name != NULL ? name : "", (double)took / 1e9);
  log_line(loop, LOG_WARNING, text);
}
