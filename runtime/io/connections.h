/* connections.h: a task per accepted connection. */
#ifndef WEFT_IO_CONNECTIONS_H
#define WEFT_IO_CONNECTIONS_H

#include <weft/server.h>

#include "io/streams.h"
#include "task/task.h"

/* Serves a connected descriptor, which is consumed, in a task of its own; the turn-th worker watches it. 0 or a negative
 * errno. In a task. */
int weft__connection_start(weft_loop_t *loop, int fd, unsigned turn, weft_client_fn fn, void *data);

#endif
