/* debug.h: what a loop says when something is wrong: the exception handler, the log, slow callbacks. */
#ifndef WEFT_RUN_DEBUG_H
#define WEFT_RUN_DEBUG_H

#include <weft/events.h>

void weft__report_context(weft_loop_t *loop, const char *message, const weft_error_t *error,
                          const weft_handle_t *handle, weft_future_t *future, weft_task_t *task);
/* An error that a callback returned; the message names fn by symbol where the program exports it. */
void weft__report_handle(weft_loop_t *loop, const void *fn, const weft_error_t *error, const weft_handle_t *handle);
/* Around a callback's run in debug mode: logs it if it took longer than the loop's slow_callback_duration. */
int64_t weft__debug_begin(weft_loop_t *loop);
void weft__debug_end(weft_loop_t *loop, int64_t begun, const char *kind, const char *name);

#endif
