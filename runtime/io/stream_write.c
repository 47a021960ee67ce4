/* stream_write.c: writing to a stream, and the flusher; see streams.h. */
#include <errno.h>
#include <string.h>
#include <weft/error.h>

#include "io/streams.h"
#include "sync/waiters.h"

/* ---- the right to send ------------------------------------------------------------------------------------------------- */

/* Under lock: why nobody may write any more, raised after unlocking; 0: one may. */
static int refuse(weft_stream_t *stream, const char *function, const char *what) {
  if (stream->write_error == 0 && !stream->closing && !stream->eof_wanted) return 0;
  int error = stream->write_error;
  bool closing = stream->closing;
  weft__spin_unlock(&stream->lock);
  if (error < 0) return weft__io_fail(error);
  if (closing) return weft_fail(WEFT_RUNTIME, "%s: the stream is closed", function);
  return weft_fail(WEFT_RUNTIME, "Cannot call %s() after write_eof()", what);
}

/* Takes the right for this task; waits for the flusher, which never holds it for long. 0, or why not. */
static int begin_send(weft_stream_t *stream, const char *function, const char *what) {
  int rc = weft__stream_check(stream, function);
  if (rc == 0) rc = weft__io_turn();
  if (rc < 0) return rc;
  weft__spin_lock(&stream->lock);
  for (;;) {
    if ((rc = refuse(stream, function, what)) < 0) return rc;
    if (stream->sender == WEFT__SEND_NOBODY) break;
    if (stream->sender == WEFT__SEND_TASK) {
      weft__spin_unlock(&stream->lock);
      return weft_fail(WEFT_RUNTIME, "%s: another task is writing to this stream", function);
    }
    bool woken;
    rc = weft__waiters_wait(&stream->waiters, &stream->lock, &woken);
    if (rc == 0) continue;
    weft__spin_unlock(&stream->lock);
    return rc;
  }
  stream->sender = WEFT__SEND_TASK;
  weft__spin_unlock(&stream->lock);
  return 0;
}

static void arm_flusher(weft_stream_t *stream);

/* Gives the right back. error: 0, or the socket's, which ends all writing. */
static void end_send(weft_stream_t *stream, int error) {
  weft__spin_lock(&stream->lock);
  if (error < 0) {
    stream->write_error = error;
    weft__buffer_consume(&stream->out, stream->out.used);
  }
  stream->held = stream->out.used;
  stream->sender = WEFT__SEND_NOBODY;
  bool arm = (stream->held > 0 || (stream->eof_wanted && !stream->eof_sent && error == 0)) && !stream->flush_pending;
  if (arm) stream->flush_pending = true;
  if (weft__unlikely(!weft__list_empty(&stream->waiters))) weft__waiters_wake_all(&stream->waiters);
  weft__spin_unlock(&stream->lock);
  if (arm) arm_flusher(stream);
}

/* Sends of the output buffer what the socket takes: 0: all of it, and the end if it is wanted; -EAGAIN or its error. */
static int send_held(weft_stream_t *stream) {
  while (stream->out.used > 0) {
    ssize_t n = weft__socket_try_send(stream->ready, weft__buffer_front(&stream->out), stream->out.used);
    if (n < 0) return (int)n;
    weft__buffer_consume(&stream->out, (size_t)n);
  }
  return 0;
}

/* With the output buffer empty. */
static int send_eof(weft_stream_t *stream) {
  int rc = shutdown(weft__ready_fd(stream->ready), SHUT_WR) < 0 ? -errno : 0;
  weft__spin_lock(&stream->lock);
  stream->eof_sent = true;
  weft__spin_unlock(&stream->lock);
  return rc;
}

/* ---- the flusher ------------------------------------------------------------------------------------------------------- */

static void flush(weft__item_t *item) {
  weft_stream_t *stream = weft__container_of(item, weft_stream_t, flush_item);
  weft__spin_lock(&stream->lock);
  bool needed = stream->sender == WEFT__SEND_NOBODY && stream->write_error == 0 &&
                (stream->held > 0 || (stream->eof_wanted && !stream->eof_sent));
  if (!needed) { /* a task sends, and will arm us again if it leaves something; or all is sent */
    stream->flush_pending = false;
    weft__waiters_wake_all(&stream->waiters);
    weft__spin_unlock(&stream->lock); /* a closer may free the stream now */
    return;
  }
  stream->sender = WEFT__SEND_FLUSHER;
  bool eof = stream->eof_wanted && !stream->eof_sent;
  weft__spin_unlock(&stream->lock);
  int rc = weft__ready_closing(stream->ready) ? -ECONNABORTED : send_held(stream);
  if (rc == 0 && eof) rc = send_eof(stream);
  weft__spin_lock(&stream->lock);
  bool again = rc == -EAGAIN;
  if (rc < 0 && !again) {
    stream->write_error = rc;
    weft__buffer_consume(&stream->out, stream->out.used);
  }
  stream->held = stream->out.used;
  stream->sender = WEFT__SEND_NOBODY;
  stream->flush_pending = again;
  weft__waiters_wake_all(&stream->waiters);
  weft__spin_unlock(&stream->lock); /* likewise, unless we are to go on */
  if (again) arm_flusher(stream);
}

/* Under the readiness object's lock. */
static void flusher_is_ready(weft__ready_waiter_t *waiter) {
  weft_stream_t *stream = weft__container_of(waiter, weft_stream_t, flush_waiter);
  weft__post(stream->loop, &stream->flush_item, NULL);
}

/* With flush_pending set by the caller, who thereby has the flusher's node and item. */
static void arm_flusher(weft_stream_t *stream) {
  weft__ready_t *ready = stream->ready;
  weft__spin_lock(&ready->lock);
  bool linked = weft__ready_wait_locked(ready, WEFT__READY_OUT, &stream->flush_waiter);
  weft__spin_unlock(&ready->lock);
  if (!linked) weft__post(stream->loop, &stream->flush_item, NULL); /* ready again, or shut */
}

void weft__stream_init_flusher(weft_stream_t *stream) {
  stream->flush_waiter.wake = flusher_is_ready;
  weft__link_init(&stream->flush_waiter.link);
  weft__link_init(&stream->flush_item.link);
  stream->flush_item.run = flush;
}

/* ---- the public functions ---------------------------------------------------------------------------------------------- */

/* With the right to send. 0, WEFT_CANCELLED, or the socket's error. */
static int send_all(weft_stream_t *stream, const unsigned char *data, size_t size) {
  int rc = 0;
  while (rc == 0) {
    /* What is held comes first; behind it, or in its place, there may be room. */
    if (stream->out.used > 0) {
      if (size <= WEFT__STREAM_HIGH - stream->out.used && weft__buffer_append(&stream->out, data, size)) return 0;
      rc = send_held(stream);
    }
    while (rc == 0 && size > 0) {
      ssize_t n = weft__socket_try_send(stream->ready, data, size);
      if (n >= 0) {
        data += n;
        size -= (size_t)n;
      } else {
        rc = (int)n;
      }
    }
    if (rc == 0) return 0;
    if (rc != -EAGAIN) return rc;
    if (stream->out.used == 0 && size <= WEFT__STREAM_HIGH && weft__buffer_append(&stream->out, data, size)) return 0;
    rc = weft__io_wait(stream->ready, WEFT__READY_OUT);
  }
  return rc;
}

int weft_stream_write(weft_stream_t *stream, const void *data, size_t size) {
  if (data == NULL && size > 0) return weft_fail(-EINVAL, "weft_stream_write: no data");
  int rc = begin_send(stream, "weft_stream_write", "write");
  if (rc < 0) return rc;
  rc = send_all(stream, data, size);
  end_send(stream, rc == WEFT_CANCELLED || rc == -ECANCELED ? 0 : rc);
  if (rc == -ECANCELED) return weft_fail(WEFT_RUNTIME, "weft_stream_write: the stream is closed");
  return rc < 0 && rc != WEFT_CANCELLED ? weft__io_fail(rc) : rc;
}

/* Under lock: waits until no more than `mark` bytes are held, or nothing can be sent any more. Unlocks. */
static int drain_to(weft_stream_t *stream, size_t mark, const bool *sent) {
  int rc = 0;
  bool woken;
  while (rc == 0 && stream->write_error == 0 && (stream->held > mark || (sent != NULL && !*sent)))
    rc = weft__waiters_wait(&stream->waiters, &stream->lock, &woken);
  int error = stream->write_error;
  weft__spin_unlock(&stream->lock);
  return rc == 0 && error < 0 ? weft__io_fail(error) : rc;
}

int weft_stream_drain(weft_stream_t *stream) {
  int rc = weft__stream_check(stream, "weft_stream_drain");
  if (rc < 0) return rc;
  weft__spin_lock(&stream->lock);
  if (stream->closed) {
    weft__spin_unlock(&stream->lock);
    return weft_fail(-ECONNRESET, "Connection lost");
  }
  return drain_to(stream, WEFT__STREAM_LOW, NULL);
}

int weft_stream_write_eof(weft_stream_t *stream) {
  int rc = weft__stream_check(stream, "weft_stream_write_eof");
  if (rc < 0) return rc;
  weft__spin_lock(&stream->lock);
  bool again = stream->eof_wanted;
  weft__spin_unlock(&stream->lock);
  if (!again) {
    rc = begin_send(stream, "weft_stream_write_eof", "write_eof");
    if (rc < 0) return rc;
    weft__spin_lock(&stream->lock);
    stream->eof_wanted = true;
    weft__spin_unlock(&stream->lock);
    rc = send_held(stream);
    if (rc == 0) rc = send_eof(stream);
    end_send(stream, rc == -EAGAIN ? 0 : rc);
    if (rc < 0 && rc != -EAGAIN) return weft__io_fail(rc);
  }
  weft__spin_lock(&stream->lock);
  return drain_to(stream, 0, &stream->eof_sent);
}
