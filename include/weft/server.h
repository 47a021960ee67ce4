/* weft/server.h: TCP servers: a task per connection. */
#ifndef WEFT_SERVER_H
#define WEFT_SERVER_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

/* runs as a task per connection; the server closes the stream */
typedef int (*weft_client_fn)(weft_stream_t *stream, void *data);
/* [S] */
WEFT_API int weft_start_server(const char *host, int port, weft_client_fn fn, void *data, weft_server_t **out);
WEFT_ASYNC_TWIN_5(weft_start_server, const char *, int, weft_client_fn, void *, weft_server_t **);
/* the port it listens on (asked with port 0) */
WEFT_API int weft_server_port(const weft_server_t *server);
/* [S] */
WEFT_API WEFT_NODISCARD int weft_server_serve_forever(weft_server_t *server);
WEFT_ASYNC_TWIN_1(weft_server_serve_forever, weft_server_t *);
/* [S] */
WEFT_API int weft_server_close(weft_server_t *server);
WEFT_ASYNC_TWIN_1(weft_server_close, weft_server_t *);
#ifdef __cplusplus
}
#endif
#endif
