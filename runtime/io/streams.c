/* streams.c: opening and closing streams; see streams.h for who may do what when. */
#include "io/streams.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weft/error.h>

#include "base/alloc.h"
#include "io/resolver.h"
#include "sync/waiters.h"

int weft__io_fail(int error) {
  const char *text = error > -4096 ? strerrordesc_np(-error) : NULL;
  return weft_fail(error, "%s", text != NULL ? text : weft_strerror(error));
}

weft_stream_t *weft__stream_new(weft__ready_t *ready, weft_loop_t *loop) {
  weft_stream_t *stream = weft__alloc_zero(sizeof *stream);
  if (stream == NULL) {
    weft__ready_close(ready);
    return NULL;
  }
  stream->ready = ready;
  stream->loop = loop;
  stream->references = 1;
  weft__spin_init(&stream->lock);
  weft__list_init(&stream->waiters);
  weft__stream_init_flusher(stream);
  return stream;
}

int weft__stream_check(const weft_stream_t *stream, const char *function) {
  if (stream == NULL) return weft_fail(-EINVAL, "%s: no stream", function);
  int rc = weft__check_suspend(function);
  if (rc < 0 || weft__likely(stream->loop == weft__current_loop())) return rc;
  return weft_fail(WEFT_RUNTIME, "%s: the stream is attached to a different loop", function);
}

void weft__stream_ref(weft_stream_t *stream) {
  weft__spin_lock(&stream->lock);
  stream->references++;
  weft__spin_unlock(&stream->lock);
}

void weft__stream_unref(weft_stream_t *stream) {
  weft__spin_lock(&stream->lock);
  bool last = --stream->references == 0;
  weft__spin_unlock(&stream->lock);
  if (!last) return;
  WEFT__ASSERT(stream->closed);
  weft__free(stream, sizeof *stream);
}

/* ---- connecting -------------------------------------------------------------------------------------------------------- */

/* One address after the other; the first error's code stands for all. */
static int connect_to_any(const weft__addresses_t *addresses, weft__ready_t **ready) {
  char words[512] = "", text[WEFT__ADDRESS_TEXT];
  int first = 0;
  for (size_t i = 0; i < addresses->count; i++) {
    int rc = weft__socket_connect(&addresses->list[i], ready);
    if (rc == 0 || rc == WEFT_CANCELLED) return rc;
    if (first == 0) first = rc;
    size_t used = strlen(words);
    snprintf(words + used, sizeof words - used, "%s[Errno %d] Connect call failed %s", i > 0 ? ", " : "", -rc,
             weft__address_text(&addresses->list[i], text));
  }
  if (addresses->count > 1) return weft_fail(first, "Multiple exceptions: %s", words);
  return weft_fail(first, "%s", strchr(words, ']') + 2);
}

int weft_open_connection(const char *host, int port, weft_stream_t **out) {
  if (out == NULL) return weft_fail(-EINVAL, "weft_open_connection: nowhere to put the stream");
  *out = NULL;
  int rc = weft__check_suspend("weft_open_connection");
  if (rc < 0) return rc;
  if (host == NULL || *host == '\0') return weft_fail(-EINVAL, "weft_open_connection: no host");
  if (port < 1 || port > 65535) return weft_fail(-EINVAL, "weft_open_connection: port must be 1-65535, not %d", port);
  weft__addresses_t *addresses = NULL;
  rc = weft__resolve(host, port, false, &addresses);
  if (rc < 0) return rc;
  weft__ready_t *ready = NULL;
  rc = connect_to_any(addresses, &ready);
  weft__addresses_free(addresses);
  if (rc < 0) return rc;
  *out = weft__stream_new(ready, weft__current_loop());
  return *out != NULL ? 0 : weft_fail(-ENOMEM, "no memory for a stream to %s", host);
}

/* ---- closing ----------------------------------------------------------------------------------------------------------- */

/* Under lock, which is given back. What is left of what was written is sent, or its error or a cancellation returned. */
static int send_rest(weft_stream_t *stream) {
  int rc = 0;
  bool woken, holding = stream->held > 0;
  while (rc == 0 && stream->held > 0 && stream->write_error == 0)
    rc = weft__waiters_wait(&stream->waiters, &stream->lock, &woken);
  int error = stream->write_error;
  weft__spin_unlock(&stream->lock);
  return rc == 0 && holding && error < 0 ? weft__io_fail(error) : rc;
}

/* Both rights, for good. A cancellation cannot keep us from it: everybody has been told to leave. */
static int take_rights(weft_stream_t *stream) {
  int rc = 0;
  bool woken;
  weft__spin_lock(&stream->lock);
  while (!weft__stream_end_reading(stream) || stream->sender != WEFT__SEND_NOBODY || stream->flush_pending) {
    int interrupted = weft__waiters_wait(&stream->waiters, &stream->lock, &woken);
    if (rc == 0) rc = interrupted;
  }
  weft__spin_unlock(&stream->lock);
  return rc;
}

/* With both rights taken. */
static void finish_close(weft_stream_t *stream) {
  weft__ready_close(stream->ready);
  weft__buffer_free(&stream->in);
  weft__buffer_free(&stream->out);
  weft__spin_lock(&stream->lock);
  stream->closed = true;
  weft__spin_unlock(&stream->lock);
  weft__stream_unref(stream);
}

void weft__stream_drop(weft_stream_t *stream) {
  weft__spin_lock(&stream->lock);
  stream->closing = true;
  bool idle = weft__stream_end_reading(stream) && stream->sender == WEFT__SEND_NOBODY && !stream->flush_pending;
  weft__spin_unlock(&stream->lock);
  WEFT__ASSERT(idle);
  finish_close(stream);
}

/* Its loop is gone, and with it everybody who read or wrote, and the flusher. */
static int close_stranded(weft_stream_t *stream) {
  bool lost = stream->held > 0;
  atom_store(&stream->reading, WEFT__READ_CLOSED, relaxed);
  finish_close(stream);
  return lost ? weft_fail(-ECONNABORTED, "weft_stream_close: the stream's loop was closed before all was sent") : 0;
}

int weft_stream_close(weft_stream_t *stream) {
  if (stream == NULL) return 0;
  if (weft__unlikely(weft__ready_stranded(stream->ready))) return close_stranded(stream);
  int rc = weft__stream_check(stream, "weft_stream_close");
  if (rc < 0) return rc;
  weft__spin_lock(&stream->lock);
  if (stream->closing) { /* a server's stream, closed by its handler already */
    weft__spin_unlock(&stream->lock);
    return 0;
  }
  stream->closing = true;
  rc = send_rest(stream);
  weft__ready_shut(stream->ready);
  int late = take_rights(stream);
  if (rc == 0) rc = late;
  finish_close(stream);
  return rc;
}
