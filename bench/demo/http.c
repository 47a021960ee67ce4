/* http.c: one connection, one task. Bytes go through Debian's http-parser; when a request is whole, the parser's callback
 * answers it right there: it is an ordinary call on this task's stack, so it may sleep, compute or wait for other tasks while
 * the parser stands still. Pipelined requests simply follow. Answers gather in a buffer that is sent when there is nothing
 * more to parse, when it is full, or before a route that takes its time. */
#include "http.h"

#include <errno.h>
#include <http_parser.h>
#include <stdio.h>
#include <string.h>

#include "routes.h"

typedef struct connection {
  weft_stream_t *stream;
  http_parser parser;
  int failed;          /* the negative error that ends the connection at once: cancelled, reset, ... */
  int refused;         /* the status of an answer that refuses this request and ends the connection, or 0 */
  bool closing;        /* nothing more is read as a request */
  bool in_request;     /* some of a request has come, but not all */
  double request_ends; /* loop time at which a half request is given up */
  size_t body;         /* bytes of the request's body so far */
  size_t target_length, in_used, out_used;
  char target[HTTP_TARGET_LIMIT + 1];
  char in[4096], out[4096];
} connection_t;

/* ---- answers ---------------------------------------------------------------------------------------------------------- */
static int flush(connection_t *c) {
  if (c->out_used == 0 || c->failed < 0) return c->failed;
  c->failed = weft_stream_write(c->stream, c->out, c->out_used);
  c->out_used = 0;
  return c->failed;
}

static void send_reply(connection_t *c, const reply_t *reply, bool with_body) {
  char head[320];
  int n = snprintf(head, sizeof head,
                   "HTTP/1.1 %d %s\r\nServer: weft-demo\r\nContent-Type: text/plain; charset=utf-8\r\n"
                   "Content-Length: %zu\r\n%s%s%s%s\r\n",
                   reply->status, http_status_str((enum http_status)reply->status), reply->length,
                   reply->allow != NULL ? "Allow: " : "", reply->allow != NULL ? reply->allow : "",
                   reply->allow != NULL ? "\r\n" : "",
                   c->closing                  ? "Connection: close\r\n"
                   : c->parser.http_minor == 0 ? "Connection: keep-alive\r\n"
                                               : "");
  size_t head_length = (size_t)n, body_length = with_body ? reply->length : 0;
  if (sizeof c->out - c->out_used < head_length + body_length && flush(c) < 0) return;
  memcpy(c->out + c->out_used, head, head_length);
  memcpy(c->out + c->out_used + head_length, reply->body, body_length);
  c->out_used += head_length + body_length;
}

/* The last answer on a connection whose peer sent what cannot be served. */
static void refuse(connection_t *c, int status, const char *words) {
  reply_t reply = {0};
  c->closing = true;
  reply_text(&reply, status, "%s\n", words);
  send_reply(c, &reply, true);
}

/* ---- the parser's callbacks: a result other than 0 stops the parser ----------------------------------------------------- */
static connection_t *connection_of(http_parser *parser) { return parser->data; }

static int on_message_begin(http_parser *parser) {
  connection_t *c = connection_of(parser);
  c->target_length = c->body = 0;
  c->in_request = true;
  c->request_ends = weft_loop_time(weft_get_running_loop()) + HTTP_REQUEST_SECONDS;
  return 0;
}

static int on_url(http_parser *parser, const char *at, size_t length) {
  connection_t *c = connection_of(parser);
  if (length > HTTP_TARGET_LIMIT - c->target_length) return c->refused = HTTP_STATUS_URI_TOO_LONG;
  memcpy(c->target + c->target_length, at, length);
  c->target_length += length;
  return 0;
}

static int on_headers_complete(http_parser *parser) {
  connection_t *c = connection_of(parser);
  parser->upgrade = 0; /* other protocols are not offered: the request counts as a plain one */
  if (parser->http_major != 1) c->refused = HTTP_STATUS_HTTP_VERSION_NOT_SUPPORTED;
  bool has_length = (parser->flags & F_CONTENTLENGTH) != 0;
  if (has_length && parser->content_length > HTTP_BODY_LIMIT) c->refused = HTTP_STATUS_PAYLOAD_TOO_LARGE;
  return c->refused != 0 ? -1 : 0; /* 1 would mean: no body */
}

static int on_body(http_parser *parser, const char *at, size_t length) {
  connection_t *c = connection_of(parser);
  (void)at;
  c->body += length;
  return c->body > HTTP_BODY_LIMIT ? c->refused = HTTP_STATUS_PAYLOAD_TOO_LARGE : 0;
}

static int on_message_complete(http_parser *parser) {
  connection_t *c = connection_of(parser);
  reply_t reply = {0};
  c->in_request = false;
  c->closing = !http_should_keep_alive(parser);
  c->target[c->target_length] = '\0';
  char *query = strchr(c->target, '?'), none[] = "";
  if (query != NULL) *query++ = '\0';
  if (route_is_slow(c->target) && flush(c) < 0) return -1;
  c->failed =
      route_answer(http_method_str((enum http_method)parser->method), c->target, query != NULL ? query : none, &reply);
  if (c->failed < 0) return -1;
  send_reply(c, &reply, parser->method != HTTP_HEAD);
  return c->failed < 0 || c->closing ? -1 : 0;
}

static http_parser_settings settings;

void http_prepare(void) {
  http_parser_settings_init(&settings);
  settings.on_message_begin = on_message_begin;
  settings.on_url = on_url;
  settings.on_headers_complete = on_headers_complete;
  settings.on_body = on_body;
  settings.on_message_complete = on_message_complete;
  http_parser_set_max_header_size(HTTP_HEAD_LIMIT);
}

/* What the parser's refusal means to the client. */
static void refuse_for_parser(connection_t *c) {
  enum http_errno code = HTTP_PARSER_ERRNO(&c->parser);
  switch (c->refused) {
  case HTTP_STATUS_URI_TOO_LONG: refuse(c, c->refused, "the target is longer than 1024 bytes"); return;
  case HTTP_STATUS_PAYLOAD_TOO_LARGE: refuse(c, c->refused, "the body is larger than 65536 bytes"); return;
  case HTTP_STATUS_HTTP_VERSION_NOT_SUPPORTED: refuse(c, c->refused, "HTTP/1.0 and HTTP/1.1 are spoken here"); return;
  default: break;
  }
  if (code == HPE_HEADER_OVERFLOW)
    refuse(c, HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE, "request line and headers are larger than 8192 bytes");
  else
    refuse(c, HTTP_STATUS_BAD_REQUEST, http_errno_description(code));
}

/* ---- the connection --------------------------------------------------------------------------------------------------- */
/* Reads what has come, or waits: for the next request a minute, for the rest of a begun one until its deadline. A count, 0
 * at the end, WEFT_TIMEOUT, or another error. */
static ssize_t read_more(connection_t *c) {
  weft_timeout_t limit;
  if (c->in_request)
    weft_timeout_at_enter(&limit, c->request_ends);
  else
    weft_timeout_enter(&limit, HTTP_IDLE_SECONDS);
  ssize_t n = weft_stream_read(c->stream, c->in, sizeof c->in);
  int rc = weft_timeout_exit(&limit, n < 0 ? (int)n : 0);
  return rc < 0 ? rc : n;
}

static void parse(connection_t *c, size_t length) {
  size_t used = http_parser_execute(&c->parser, &settings, c->in, length);
  if (c->failed < 0 || c->closing) return;
  if (HTTP_PARSER_ERRNO(&c->parser) != HPE_OK || used != length) refuse_for_parser(c);
}

/* After a refusal the peer may still be sending. Closing now would reset the connection and could destroy our answer on its
 * way: so say that nothing more comes, and read what does come for a second at most. */
static void linger(connection_t *c) {
  weft_timeout_t limit;
  weft_timeout_enter(&limit, 1.0);
  ssize_t n = weft_stream_write_eof(c->stream);
  if (n == 0)
    while ((n = weft_stream_read(c->stream, c->in, sizeof c->in)) > 0) continue;
  weft_ignore(weft_timeout_exit(&limit, (int)n));
}

int http_serve(weft_stream_t *stream, void *data) {
  connection_t c = {.stream = stream};
  (void)data;
  http_parser_init(&c.parser, HTTP_REQUEST);
  c.parser.data = &c;
  while (c.failed == 0 && !c.closing) {
    ssize_t n = read_more(&c);
    if (n == WEFT_TIMEOUT && c.in_request)
      refuse(&c, HTTP_STATUS_REQUEST_TIMEOUT, "the request did not become whole within 10 seconds");
    else if (n <= 0)
      return n == WEFT_CANCELLED ? (int)n : 0; /* the peer has gone, idled or reset: nothing to report */
    else
      parse(&c, (size_t)n);
    flush(&c);
  }
  if (c.failed == 0) linger(&c);
  return c.failed == WEFT_CANCELLED ? c.failed : 0;
}
