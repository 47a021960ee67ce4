/* http.h: HTTP/1.1 on one connection: keep-alive, pipelining, limits, and errors in words. */
#ifndef WEFT_DEMO_HTTP_H
#define WEFT_DEMO_HTTP_H

#include <weft.h>

enum {
  HTTP_HEAD_LIMIT = 8192,      /* request line and headers: 431 beyond */
  HTTP_TARGET_LIMIT = 1024,    /* the request's target: 414 beyond */
  HTTP_BODY_LIMIT = 64 * 1024, /* a body is read and dropped; 413 beyond */
  HTTP_REQUEST_SECONDS = 10,   /* from a request's first byte to its last: 408 */
  HTTP_IDLE_SECONDS = 60,      /* between two requests: the connection is closed */
};

/* Once, before the first connection. */
void http_prepare(void);

/* Serves a connection to its end: a weft_client_fn. */
int http_serve(weft_stream_t *stream, void *data);

#endif
