/* stream_read.c: reading from a stream; see streams.h.
 *
 * A read takes bytes out of the socket only when it holds the right to read and has not been cancelled; what it took and
 * does not return goes into, or stays in, the input buffer. So a cancelled read has consumed nothing. */
#include <errno.h>
#include <string.h>
#include <weft/error.h>

#include "io/streams.h"
#include "sync/waiters.h"

/* ---- the right to read ------------------------------------------------------------------------------------------------- */

static void end_read(weft_stream_t *stream) {
  int busy = WEFT__READ_BUSY;
  /* release: partner of the next reader's acquire, for the buffer */
  if (weft__likely(atom_cas(&stream->reading, &busy, WEFT__READ_FREE, release, relaxed))) return;
  weft__spin_lock(&stream->lock); /* WANTED, by a closer that waits */
  atom_store(&stream->reading, WEFT__READ_CLOSED, release);
  weft__waiters_wake_all(&stream->waiters);
  weft__spin_unlock(&stream->lock);
}

bool weft__stream_end_reading(weft_stream_t *stream) {
  int state = atom_load(&stream->reading, acquire);
  if (state == WEFT__READ_FREE && atom_cas(&stream->reading, &state, WEFT__READ_CLOSED, acquire, acquire)) return true;
  if (state == WEFT__READ_BUSY) {
    if (atom_cas(&stream->reading, &state, WEFT__READ_WANTED, acquire, acquire)) return false;
    /* it has become FREE meanwhile, and nobody begins while we close */
    return state == WEFT__READ_FREE && atom_cas(&stream->reading, &state, WEFT__READ_CLOSED, acquire, relaxed);
  }
  return state == WEFT__READ_CLOSED;
}

/* 0, or why not. function: the public name; what: asyncio's. */
static int begin_read(weft_stream_t *stream, const char *function, const char *what) {
  int rc = weft__stream_check(stream, function);
  if (rc < 0) return rc;
  int free = WEFT__READ_FREE;
  if (!atom_cas(&stream->reading, &free, WEFT__READ_BUSY, acquire, relaxed)) {
    if (free == WEFT__READ_CLOSED) return weft_fail(WEFT_RUNTIME, "%s: the stream is closed", function);
    return weft_fail(WEFT_RUNTIME, "%s() called while another coroutine is already waiting for incoming data", what);
  }
  rc = weft__io_turn();
  if (rc == 0 && stream->read_error < 0) rc = weft__io_fail(stream->read_error);
  if (rc < 0) end_read(stream);
  return rc;
}

/* ---- from the socket --------------------------------------------------------------------------------------------------- */

/* Into the caller's memory: how many bytes, 0 at the end, or an error, raised. */
static ssize_t receive(weft_stream_t *stream, void *buffer, size_t size) {
  if (stream->eof) return 0;
  ssize_t n = weft__socket_receive(stream->ready, buffer, size < SSIZE_MAX ? size : SSIZE_MAX);
  if (n > 0 || n == WEFT_CANCELLED) return n;
  if (n < 0 && n != -ECANCELED) {
    stream->read_error = (int)n;
    return weft__io_fail((int)n);
  }
  stream->eof = true; /* a stream that is being closed has ended, too */
  return 0;
}

/* Behind what the input buffer holds already. */
static ssize_t fill(weft_stream_t *stream) {
  size_t wanted = stream->in.used == 0 ? WEFT__STREAM_CHUNK / 4 : WEFT__STREAM_CHUNK;
  if (weft__buffer_room(&stream->in) < wanted / 4 && !weft__buffer_reserve(&stream->in, wanted))
    return weft_fail(-ENOMEM, "no memory to read into");
  ssize_t n = receive(stream, weft__buffer_end(&stream->in), weft__buffer_room(&stream->in));
  if (n > 0) stream->in.used += (size_t)n;
  return n;
}

static size_t take(weft_stream_t *stream, void *buffer, size_t size) {
  size_t n = size < stream->in.used ? size : stream->in.used;
  if (n > 0) {
    memcpy(buffer, weft__buffer_front(&stream->in), n);
    weft__buffer_consume(&stream->in, n);
  }
  return n;
}

/* ---- the public functions ---------------------------------------------------------------------------------------------- */

ssize_t weft_stream_read(weft_stream_t *stream, void *buffer, size_t size) {
  if (buffer == NULL && size > 0) return weft_fail(-EINVAL, "weft_stream_read: nowhere to put the data");
  ssize_t n = begin_read(stream, "weft_stream_read", "read");
  if (n < 0) return n;
  if (size > 0) n = stream->in.used > 0 ? (ssize_t)take(stream, buffer, size) : receive(stream, buffer, size);
  end_read(stream);
  return n;
}

static int incomplete(size_t got, size_t wanted) {
  return weft_fail(WEFT_INCOMPLETE_READ, "%zu bytes read on a total of %zu expected bytes", got, wanted);
}

/* The rest of an exact read beyond what is buffered, straight into the caller's memory. Cancelled, or on an error, what
 * came goes behind the buffered bytes, which were not taken out yet. */
static int read_rest(weft_stream_t *stream, unsigned char *rest, size_t size) {
  size_t got = 0;
  while (got < size) {
    ssize_t n = receive(stream, rest + got, size - got);
    if (n > 0) {
      got += (size_t)n;
      continue;
    }
    if (!weft__buffer_append(&stream->in, rest, got)) {
      stream->read_error = -ENOMEM; /* bytes are lost: nothing after them may be taken for what follows */
      return weft_fail(-ENOMEM, "no memory to keep what was read");
    }
    return (int)n;
  }
  return 1;
}

static int read_exactly(weft_stream_t *stream, unsigned char *buffer, size_t size) {
  ssize_t n = 1;
  while (n > 0 && stream->in.used < size && size - stream->in.used < WEFT__STREAM_CHUNK) n = fill(stream);
  size_t buffered = stream->in.used;
  if (n > 0 && buffered < size) {
    n = read_rest(stream, buffer + buffered, size - buffered);
    if (n > 0) {
      (void)take(stream, buffer, buffered);
      return 0;
    }
  }
  if (n < 0) return (int)n;
  size_t got = take(stream, buffer, size);
  return got == size ? 0 : incomplete(got, size);
}

int weft_stream_read_exactly(weft_stream_t *stream, void *buffer, size_t size) {
  if (buffer == NULL && size > 0) return weft_fail(-EINVAL, "weft_stream_read_exactly: nowhere to put the data");
  if (size > SSIZE_MAX) return weft_fail(WEFT_VALUE, "readexactly size can not be less than zero");
  int rc = begin_read(stream, "weft_stream_read_exactly", "readexactly");
  if (rc < 0) return rc;
  rc = read_exactly(stream, buffer, size);
  end_read(stream);
  return rc;
}

/* Fills the input buffer until the separator is in it, within the first `limit` bytes: the length with the separator. */
static ssize_t find(weft_stream_t *stream, const char *separator, size_t length, size_t limit) {
  size_t searched = 0;
  for (;;) {
    size_t used = stream->in.used;
    if (used - searched >= length) {
      const unsigned char *front = weft__buffer_front(&stream->in);
      const unsigned char *found = memmem(front + searched, used - searched, separator, length);
      if (found != NULL) {
        size_t end = (size_t)(found - front) + length;
        if (end <= limit) return (ssize_t)end;
        return weft_fail(WEFT_LIMIT_OVERRUN, "Separator is found, but chunk is longer than limit");
      }
      searched = used + 1 - length;
    }
    if (used > limit) /* with exactly `limit` bytes the stream may still end here */
      return weft_fail(WEFT_LIMIT_OVERRUN, "Separator is not found, and chunk exceed the limit");
    ssize_t n = fill(stream);
    if (n <= 0) return n;
  }
}

/* What readline drops when the line is too long: the whole line if its end is there, else everything. */
static void drop_line(weft_stream_t *stream) {
  const unsigned char *front = weft__buffer_front(&stream->in);
  const unsigned char *end = memchr(front, '\n', stream->in.used);
  weft__buffer_consume(&stream->in, end != NULL ? (size_t)(end - front) + 1 : stream->in.used);
}

/* The text up to and with the separator, or, with *ended, what was left at the end of the stream; its length. */
static ssize_t read_until(weft_stream_t *stream, const char *separator, char *buffer, size_t size, bool *ended) {
  ssize_t n = find(stream, separator, strlen(separator), size - 1);
  if (n < 0) return n;
  *ended = n == 0;
  size_t length = take(stream, buffer, *ended ? size - 1 : (size_t)n);
  buffer[length] = '\0';
  return (ssize_t)length;
}

static int check_text(const char *function, const char *buffer, size_t size) {
  if (buffer == NULL || size == 0) return weft_fail(-EINVAL, "%s: no room for the text and its NUL", function);
  return 0;
}

ssize_t weft_stream_readuntil(weft_stream_t *stream, const char *separator, char *buffer, size_t size) {
  int rc = check_text("weft_stream_readuntil", buffer, size);
  if (rc < 0) return rc;
  if (separator == NULL || *separator == '\0')
    return weft_fail(WEFT_VALUE, "Separator should be at least one-byte string");
  rc = begin_read(stream, "weft_stream_readuntil", "readuntil");
  if (rc < 0) return rc;
  bool ended = false;
  ssize_t n = read_until(stream, separator, buffer, size, &ended);
  if (n >= 0 && ended) n = weft_fail(WEFT_INCOMPLETE_READ, "%zd bytes read on a total of undefined expected bytes", n);
  end_read(stream);
  return n;
}

ssize_t weft_stream_readline(weft_stream_t *stream, char *line, size_t size) {
  int rc = check_text("weft_stream_readline", line, size);
  if (rc < 0) return rc;
  rc = begin_read(stream, "weft_stream_readline", "readuntil");
  if (rc < 0) return rc;
  bool ended = false;
  ssize_t n = read_until(stream, "\n", line, size, &ended);
  if (n == WEFT_LIMIT_OVERRUN) {
    drop_line(stream);
    n = weft_fail(WEFT_VALUE, "%s", weft_error()->message);
  }
  end_read(stream);
  return n;
}
