/* weft/streams.h: TCP connections, read and written like blocking ones. */
#ifndef WEFT_STREAMS_H
#define WEFT_STREAMS_H
#include <limits.h>
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

/* [S] */
WEFT_API WEFT_NODISCARD int weft_open_connection(const char *host, int port, weft_stream_t **out);
WEFT_ASYNC_TWIN_3(weft_open_connection, const char *, int, weft_stream_t **);
/* [S] 0 at the end */
WEFT_API WEFT_NODISCARD ssize_t weft_stream_read(weft_stream_t *s, void *buffer, size_t size);
/* [S] */
WEFT_API WEFT_NODISCARD ssize_t weft_stream_readline(weft_stream_t *s, char *line, size_t size);
/* [S] through the separator's last byte */
WEFT_API WEFT_NODISCARD ssize_t weft_stream_readuntil(weft_stream_t *s, const char *separator, char *buffer,
                                                      size_t size);
/* [S] */
WEFT_API WEFT_NODISCARD int weft_stream_read_exactly(weft_stream_t *s, void *buffer, size_t size);
WEFT_ASYNC_TWIN_3(weft_stream_read_exactly, weft_stream_t *, void *, size_t);
/* [S] all of it handed to the kernel or buffered below the mark */
WEFT_API WEFT_NODISCARD int weft_stream_write(weft_stream_t *s, const void *data, size_t size);
WEFT_ASYNC_TWIN_3(weft_stream_write, weft_stream_t *, const void *, size_t);
/* [S] */
WEFT_API WEFT_NODISCARD int weft_stream_drain(weft_stream_t *s);
WEFT_ASYNC_TWIN_1(weft_stream_drain, weft_stream_t *);
/* [S] */
WEFT_API int weft_stream_write_eof(weft_stream_t *s);
WEFT_ASYNC_TWIN_1(weft_stream_write_eof, weft_stream_t *);
/* [S] */
WEFT_API int weft_stream_close(weft_stream_t *s);
WEFT_ASYNC_TWIN_1(weft_stream_close, weft_stream_t *);
#ifdef __cplusplus
}
#endif
#endif
