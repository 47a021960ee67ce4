/* weft/server.h: TCP servers: a task per connection. */
#ifndef WEFT_SERVER_H
#define WEFT_SERVER_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

/* Serves one connection, as a task of its own; may suspend. The server closes the stream afterwards. < 0 goes to the
 * exception handler, except a cancellation. */
typedef int (*weft_client_fn)(weft_stream_t *stream, void *data);

/* weft_start_server [S], start_server: listens on every address of host (NULL: all of this machine's) and serves in
 * the background from now on. port 0: a free one. data is kept until the server is closed and its last connection has
 * ended. *out is filled: the server, to be closed, or NULL. -EINVAL: port outside 0 to 65535; the resolver's error;
 * -EADDRINUSE and its kin. */
WEFT_API WEFT_NODISCARD int weft_start_server(const char *host, int port, weft_client_fn fn, void *data,
                                              weft_server_t **out);
WEFT_ASYNC_TWIN_5(weft_start_server, const char *, int, weft_client_fn, void *, weft_server_t **);

/* weft_server_port [A], Server.sockets[0].getsockname: the port it listens on, for those who asked with 0. */
WEFT_API int weft_server_port(const weft_server_t *server);

/* weft_server_serve_forever [S], Server.serve_forever: waits until it is cancelled, then stops accepting;
 * WEFT_CANCELLED. */
WEFT_API WEFT_NODISCARD int weft_server_serve_forever(weft_server_t *server);
WEFT_ASYNC_TWIN_1(weft_server_serve_forever, weft_server_t *);

/* weft_server_close [S], Server.close: stops accepting and frees the server, consumed; connections that are being
 * served go on. NULL: 0. */
WEFT_API int weft_server_close(weft_server_t *server);
WEFT_ASYNC_TWIN_1(weft_server_close, weft_server_t *);
#ifdef __cplusplus
}
#endif
#endif
