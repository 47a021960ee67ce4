/* connections.c: see connections.h.
 *
 * A connection's stream has two holders: the handler, whose reference ends with the stream's close, by the handler itself
 * or after it, and the task, whose reference keeps the memory until then. A task that was cancelled before its first step
 * has no handler: the stream, which nobody used, is dropped as the task ends. */
#include "io/connections.h"

#include <errno.h>
#include <unistd.h>
#include <weft/error.h>

static WEFT_ASYNC(serve_connection, weft_stream_t *, weft_client_fn, void *);
static int serve_connection(weft_stream_t *stream, weft_client_fn fn, void *data) {
  weft__task_ending(weft_current_task())->data = NULL; /* from here on the stream is ours to close */
  int rc = fn(stream, data);
  if (rc < 0 && rc != WEFT_CANCELLED) {
    weft__record_t *record = weft__record_for(rc);
    weft__report(weft__current_loop(), "Unhandled exception in client_connected_cb", &record->error, NULL,
                 weft_current_task());
    weft__record_unref(record);
  }
  weft_ignore(weft_stream_close(stream));
  weft__stream_unref(stream);
  return rc == WEFT_CANCELLED ? rc : 0;
}

static void drop_unserved(weft_task_t *task) {
  weft_stream_t *stream = weft__task_ending(task)->data;
  if (stream == NULL) return;
  weft__stream_drop(stream);
  weft__stream_unref(stream);
}

int weft__connection_start(weft_loop_t *loop, int fd, unsigned turn, weft_client_fn fn, void *data) {
  weft__ready_t *ready = NULL;
  int rc = weft__ready_open(weft__io_reactor_at(loop, turn), fd, &ready);
  if (rc < 0) {
    close(fd);
    return rc;
  }
  weft_stream_t *stream = weft__stream_new(ready, loop);
  if (stream == NULL) return -ENOMEM;
  weft__stream_ref(stream);
  weft_call_t call = serve_connection_async(stream, fn, data);
  weft_task_t *task = weft__create_task_ending(&call, WEFT__ENDING_BEFORE, drop_unserved, stream);
  if (task == NULL) {
    weft__stream_drop(stream);
    weft__stream_unref(stream);
    return -ENOMEM;
  }
  weft_detach(task);
  return 0;
}
