/* weft/streams.h: TCP connections, read and written like blocking ones.
 *
 * One task reads and one writes at a time. A read that is cancelled has consumed nothing. Writing to a connection whose
 * peer is gone answers -EPIPE or -ECONNRESET and raises no signal. */
#ifndef WEFT_STREAMS_H
#define WEFT_STREAMS_H
#include <limits.h>
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

/* weft_open_connection [S], open_connection: looks the name up and connects. *out is filled: the stream, to be closed,
 * or NULL. -EINVAL: port outside 1 to 65535, no host; the resolver's error, with words; -ECONNREFUSED and its kin. */
WEFT_API WEFT_NODISCARD int weft_open_connection(const char *host, int port, weft_stream_t **out);
WEFT_ASYNC_TWIN_3(weft_open_connection, const char *, int, weft_stream_t **);

/* ---- reading ---- */

/* weft_stream_read [S], StreamReader.read(n): waits for data and fills buffer with what is there, up to size; how many
 * bytes; 0 at the end (or size 0). WEFT_RUNTIME: another task is reading. The system's error, -ECONNRESET… */
WEFT_API WEFT_NODISCARD ssize_t weft_stream_read(weft_stream_t *s, void *buffer, size_t size);

/* weft_stream_readline [S], StreamReader.readline: fills line with the next one, its newline and a NUL; how many bytes
 * without the NUL: at the end of the stream the last, partial line, then 0. WEFT_VALUE: longer than size - 1. */
WEFT_API WEFT_NODISCARD ssize_t weft_stream_readline(weft_stream_t *s, char *line, size_t size);

/* weft_stream_readuntil [S], StreamReader.readuntil: fills buffer up to and with the separator (a string, not empty)
 * and a NUL; how many bytes without it. WEFT_LIMIT_OVERRUN: not within size - 1 bytes, which stay to be read;
 * WEFT_INCOMPLETE_READ: the stream ended before. */
WEFT_API WEFT_NODISCARD ssize_t weft_stream_readuntil(weft_stream_t *s, const char *separator, char *buffer,
                                                      size_t size);

/* weft_stream_read_exactly [S], StreamReader.readexactly: fills buffer with exactly size bytes; 0.
 * WEFT_INCOMPLETE_READ: the stream ended before; what there was is in buffer, the record says how much. */
WEFT_API WEFT_NODISCARD int weft_stream_read_exactly(weft_stream_t *s, void *buffer, size_t size);
WEFT_ASYNC_TWIN_3(weft_stream_read_exactly, weft_stream_t *, void *, size_t);

/* ---- writing ---- */

/* weft_stream_write [S], StreamWriter.write and drain: hands all of data to the kernel, or copies a rest below the high
 * mark, suspending while more than that would be held; 0. Cancelled: a part may have been sent. WEFT_RUNTIME: after
 * write_eof, or another task is writing. */
WEFT_API WEFT_NODISCARD int weft_stream_write(weft_stream_t *s, const void *data, size_t size);
WEFT_ASYNC_TWIN_3(weft_stream_write, weft_stream_t *, const void *, size_t);

/* weft_stream_drain [S], StreamWriter.drain: waits until what is held has fallen below the low mark; 0. */
WEFT_API WEFT_NODISCARD int weft_stream_drain(weft_stream_t *s);
WEFT_ASYNC_TWIN_1(weft_stream_drain, weft_stream_t *);

/* weft_stream_write_eof [S], StreamWriter.write_eof: sends what is held, then the end; reading goes on; 0. */
WEFT_API int weft_stream_write_eof(weft_stream_t *s);
WEFT_ASYNC_TWIN_1(weft_stream_write_eof, weft_stream_t *);

/* weft_stream_close [S], close and wait_closed: sends what is held, closes and frees the stream, consumed, also when
 * it is cancelled or answers an error of the last bytes. Nobody may be reading or writing. NULL: 0. */
WEFT_API int weft_stream_close(weft_stream_t *s);
WEFT_ASYNC_TWIN_1(weft_stream_close, weft_stream_t *);

/* The twins of the functions that answer a count, which a status carries up to INT_MAX: a read asks for no more. */
static inline int weft_stream_read_status_(weft_stream_t *s, void *buffer, size_t size) {
  return (int)weft_stream_read(s, buffer, size < INT_MAX ? size : INT_MAX);
}
static inline int weft_stream_readline_status_(weft_stream_t *s, char *line, size_t size) {
  return (int)weft_stream_readline(s, line, size < INT_MAX ? size : INT_MAX);
}
static inline int weft_stream_readuntil_status_(weft_stream_t *s, const char *separator, char *buffer, size_t size) {
  return (int)weft_stream_readuntil(s, separator, buffer, size < INT_MAX ? size : INT_MAX);
}
WEFT_ASYNC_TWIN_3(weft_stream_read_status_, weft_stream_t *, void *, size_t);
WEFT_ASYNC_TWIN_3(weft_stream_readline_status_, weft_stream_t *, char *, size_t);
WEFT_ASYNC_TWIN_4(weft_stream_readuntil_status_, weft_stream_t *, const char *, char *, size_t);
#define weft_stream_read_async(s, buffer, size) weft_stream_read_status__async((s), (buffer), (size))
#define weft_stream_readline_async(s, line, size) weft_stream_readline_status__async((s), (line), (size))
#define weft_stream_readuntil_async(s, separator, buffer, size)                                                        \
  weft_stream_readuntil_status__async((s), (separator), (buffer), (size))
#ifdef __cplusplus
}
#endif
#endif
