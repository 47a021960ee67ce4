/* streams.h: the inside of a stream, and what its three files say to each other: streams.c (opening, closing),
 * stream_read.c, stream_write.c.
 *
 * Reading. `reading` is the right to read: one task at a time holds it, and with it the input buffer and eof.
 *   FREE --read begins (CAS)--> BUSY --read ends--> FREE
 *   FREE --close--> CLOSED       BUSY --close--> WANTED --read ends--> CLOSED (and close is woken)
 *
 * Writing. `sender` is the right to call send() and to touch the output buffer; it changes under lock.
 *   NOBODY -> TASK     a writing task, for the whole of its call
 *   NOBODY -> FLUSHER  internal work that sends what a write left behind, when the socket can take more
 * What a write leaves behind is at most the high mark. `held` is its size, for those that do not send: it is written
 * under lock whenever the right is given back. While held > 0 and nobody sends, flush_pending is set: the flusher's one
 * node is linked in the readiness object, or its one item is queued. It finds out there whether it is still needed.
 * Drainers, a closer and tasks that wait for the flusher's end lie in `waiters`; all are woken whenever the right is given
 * back, and look again.
 *
 * Locks: lock, then the readiness object's. No system call is made under either.
 *
 * Closing refuses new operations, waits until everything is sent (unless cancelled), then shuts the readiness object, which
 * ends every wait; takes both rights for good; and only then closes the descriptor, so no system call of ours can meet a
 * reused one. */
#ifndef WEFT_IO_STREAMS_H
#define WEFT_IO_STREAMS_H

#include <weft/streams.h>

#include "io/buffer.h"
#include "io/sockets.h"
#include "task/schedule.h"

enum { WEFT__STREAM_HIGH = 64 * 1024, WEFT__STREAM_LOW = WEFT__STREAM_HIGH / 4, WEFT__STREAM_CHUNK = 16 * 1024 };

enum weft__reading { WEFT__READ_FREE, WEFT__READ_BUSY, WEFT__READ_WANTED, WEFT__READ_CLOSED };
enum weft__sender { WEFT__SEND_NOBODY, WEFT__SEND_TASK, WEFT__SEND_FLUSHER };

struct weft_stream {
  weft__ready_t *ready;
  weft_loop_t *loop;
  /* the reader's */
  _Atomic(int) reading; /* enum weft__reading */
  bool eof;
  int read_error; /* 0 or a negative errno, for every later read */
  weft__buffer_t in;
  /* under lock */
  weft__spin_t lock;
  enum weft__sender sender;
  bool closing, closed;
  bool eof_wanted, eof_sent; /* write_eof */
  bool flush_pending;
  int write_error; /* 0 or a negative errno, for every later write */
  unsigned references;
  size_t held;
  weft__list_t waiters;
  /* the sender's */
  weft__buffer_t out;
  /* the flusher's node and item, see flush_pending */
  weft__ready_waiter_t flush_waiter;
  weft__item_t flush_item;
};

/* A stream over a connected, watched socket, which it owns (also on failure: it is closed). NULL when memory ran out. */
weft_stream_t *weft__stream_new(weft__ready_t *ready, weft_loop_t *loop);
/* One more holder of the memory: weft_stream_close gives one up. */
void weft__stream_ref(weft_stream_t *stream);
void weft__stream_unref(weft_stream_t *stream);
/* Closes a stream that nobody ever used, at once. */
void weft__stream_drop(weft_stream_t *stream);
/* 0 if the calling task may use the stream, else why not, raised: no stream, no task, a task of another loop. */
int weft__stream_check(const weft_stream_t *stream, const char *function);
/* Raises a system's error in its own words: "Connection reset by peer". */
int weft__io_fail(int error);

/* stream_read.c: for close. Under lock; true: nobody reads any more, nor will. False: wait in `waiters`. */
bool weft__stream_end_reading(weft_stream_t *stream);
/* stream_write.c: the flusher's beginning. */
void weft__stream_init_flusher(weft_stream_t *stream);

#endif
