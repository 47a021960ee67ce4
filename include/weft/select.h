/* weft/select.h: waiting for the first of several operations, of which exactly one takes effect. */
#ifndef WEFT_SELECT_H
#define WEFT_SELECT_H
#include <weft/call.h>
#include <weft/queues.h>
#ifdef __cplusplus
extern "C" {
#endif

enum weft_select_kind {
  WEFT_SELECT_NONE,     /* skipped, so that a case can be switched off */
  WEFT_SELECT_FUTURE,   /* the future is done */
  WEFT_SELECT_GET,      /* an item was got from the queue */
  WEFT_SELECT_PUT,      /* an item was put into the queue */
  WEFT_SELECT_TIMER,    /* the seconds are over; <= 0: now, if no case before it is ready */
  WEFT_SELECT_READABLE, /* the descriptor can be read from, or is at its end, or has failed */
  WEFT_SELECT_WRITABLE  /* the descriptor can be written to, or has failed */
};

/* One operation. Made by the functions below, or by hand. */
typedef struct weft_select_case {
  int kind;    /* enum weft_select_kind */
  int status;  /* of the chosen case, filled: 0, or what the operation answers (WEFT_QUEUE_SHUTDOWN, -ENOMEM) */
  void *what;  /* the future or queue, borrowed */
  void *item;  /* GET: filled; PUT: copied from, not written to */
  size_t size; /* of the item */
  double seconds;
  int fd; /* READABLE, WRITABLE: stays the caller's and open meanwhile; a socket, pipe or the like, no file */
} weft_select_case_t;

static inline weft_select_case_t weft_select_future(weft_future_t *future) {
  weft_select_case_t c = {WEFT_SELECT_FUTURE, 0, NULL, NULL, 0, 0, -1};
  c.what = future;
  return c;
}
static inline weft_select_case_t weft_select_get_sized(weft_queue_t *q, void *item, size_t size) {
  weft_select_case_t c = {WEFT_SELECT_GET, 0, NULL, NULL, 0, 0, -1};
  c.what = q;
  c.item = item;
  c.size = size;
  return c;
}
static inline weft_select_case_t weft_select_put_sized(weft_queue_t *q, const void *item, size_t size) {
  weft_select_case_t c = {WEFT_SELECT_PUT, 0, NULL, NULL, 0, 0, -1};
  c.what = q;
  c.item = (void *)(uintptr_t)item;
  c.size = size;
  return c;
}
static inline weft_select_case_t weft_select_timer(double seconds) {
  weft_select_case_t c = {WEFT_SELECT_TIMER, 0, NULL, NULL, 0, 0, -1};
  c.seconds = seconds;
  return c;
}
static inline weft_select_case_t weft_select_readable(int fd) {
  weft_select_case_t c = {WEFT_SELECT_READABLE, 0, NULL, NULL, 0, 0, -1};
  c.fd = fd;
  return c;
}
static inline weft_select_case_t weft_select_writable(int fd) {
  weft_select_case_t c = {WEFT_SELECT_WRITABLE, 0, NULL, NULL, 0, 0, -1};
  c.fd = fd;
  return c;
}
/* The usual spellings: weft_select_get(&q, &item), weft_select_put(&q, &item). */
#define weft_select_get(q, item) weft_select_get_sized((q), (item), sizeof *(item))
#define weft_select_put(q, item) weft_select_put_sized((q), (item), sizeof *(item))

/* weft_select [S], Go's select: does the first operation that can be done, waiting until one can; if several can at once,
 * the first in the array. Answers its index, its status is in the case; no other case has any effect. Futures are not
 * cancelled. Cancelled: nothing was done. WEFT_VALUE: nothing to wait for; -EINVAL: a case that makes no sense; -ENOMEM.
 * cases is kept until it returns. */
WEFT_API WEFT_NODISCARD int weft_select(weft_select_case_t cases[], size_t n);
WEFT_ASYNC_TWIN_2(weft_select, weft_select_case_t *, size_t);

/* weft_wait_readable [S], trio.lowlevel.wait_readable: until fd can be read from without waiting, is at its end, or has
 * failed; 0. fd stays the caller's, and open meanwhile. -EPERM: a file, which is always ready; -EBADF and its kin. */
WEFT_API WEFT_NODISCARD int weft_wait_readable(int fd);
WEFT_ASYNC_TWIN_1(weft_wait_readable, int);

/* weft_wait_writable [S], trio.lowlevel.wait_writable: likewise until it can be written to. */
WEFT_API WEFT_NODISCARD int weft_wait_writable(int fd);
WEFT_ASYNC_TWIN_1(weft_wait_writable, int);
#ifdef __cplusplus
}
#endif
#endif
