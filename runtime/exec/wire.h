/* wire.h: what crosses between a pool and its processes, and how. Both ends are the same program, so structures cross as
 * they are; sizes are checked on arrival. */
#ifndef WEFT_EXEC_WIRE_H
#define WEFT_EXEC_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  WEFT__WIRE_TEXT_MAX = 4096, /* a name, a file, an error's message */
  WEFT__WIRE_RESULT_MAX = 1024 * 1024 * 1024,
};

/* Followed by file, name and arguments, without terminators. */
typedef struct weft__wire_request {
  uint32_t file_size, name_size, args_size;
} weft__wire_request_t;

/* Followed by the message and the result. */
typedef struct weft__wire_response {
  int32_t status;
  int32_t context; /* of the error */
  uint32_t message_size;
  uint32_t result_size;
  uint8_t found; /* else the function is unknown there, and nothing follows */
  uint8_t has_result;
} weft__wire_response_t;

/* All of it, or false: the other end is gone. Blocking; never raises SIGPIPE. */
bool weft__wire_send(int fd, const void *data, size_t size);
bool weft__wire_receive(int fd, void *data, size_t size);

/* What a pool asks of the zygote, one message each way. */
enum weft__zygote_op { WEFT__ZYGOTE_SPAWN, WEFT__ZYGOTE_KILL, WEFT__ZYGOTE_REAP };
typedef struct weft__zygote_request {
  int64_t op;
  uint64_t serial; /* of the process; never used again */
} weft__zygote_request_t;
/* SPAWN: with the process's socket as ancillary data. REAP: the wait status. */
typedef struct weft__zygote_reply {
  uint64_t serial;
  int32_t rc, pid;
  int64_t status;
} weft__zygote_reply_t;

#endif
