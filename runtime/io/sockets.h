/* sockets.h: non-blocking stream sockets for tasks: try the call, wait where it says EAGAIN.
 *
 * Every waiting function may answer WEFT_CANCELLED (record set) and has then done nothing: nothing read, accepted or
 * connected is lost. All other errors are plain negative errnos without a record: the caller knows the words. -ECANCELED:
 * the readiness object was shut or is being closed by somebody else. */
#ifndef WEFT_IO_SOCKETS_H
#define WEFT_IO_SOCKETS_H

#include <sys/types.h>
#include <weft/types.h>

#include "io/addresses.h"
#include "loop/ready.h"

/* Parks the current task until `bit` (IN or OUT) may be set again. 0, WEFT_CANCELLED or -ECANCELED. */
int weft__io_wait(weft__ready_t *ready, uint64_t bit);
/* To be called before each operation: one that is always ready lets others have a turn now and then. 0 or WEFT_CANCELLED. */
int weft__io_turn(void);

/* Where this task's sockets are watched: the reactor of the worker that runs it. */
weft__reactor_t *weft__io_reactor(void);
/* Spreads connections over all workers: the turn-th one's. */
weft__reactor_t *weft__io_reactor_at(weft_loop_t *loop, unsigned turn);

/* size > 0. How many bytes; 0: the end. try: -EAGAIN instead of waiting. */
ssize_t weft__socket_try_receive(weft__ready_t *ready, void *buffer, size_t size);
ssize_t weft__socket_receive(weft__ready_t *ready, void *buffer, size_t size);
/* size > 0. A part of it. Never raises SIGPIPE. */
ssize_t weft__socket_try_send(weft__ready_t *ready, const void *data, size_t size);

/* A connected socket, watched by this worker. */
int weft__socket_connect(const weft__address_t *address, weft__ready_t **out);
/* A listening descriptor; not watched yet. */
int weft__socket_listen(const weft__address_t *address);
/* A connected descriptor, non-blocking, not watched yet. Errors of a connection that is gone already are skipped. */
int weft__socket_accept(weft__ready_t *ready);
/* The port that a descriptor is bound to, or a negative errno. */
int weft__socket_port(int fd);

#endif
