/* weft/error.h: error codes, and the record that travels with a code.
 *
 * A function that fails returns a negative code; the words are in a record: one per task, future, callback, pool job,
 * and per foreign thread for its last run. The record goes with the code through await, join, gather and groups, so
 * after `if (rc < 0)` weft_error() tells what rc means. Scopes and groups trust the code and make a record where it
 * does not fit. */
#ifndef WEFT_ERROR_H
#define WEFT_ERROR_H
#include <weft/types.h>
#ifdef __cplusplus
extern "C" {
#endif

/* Weft's own kinds lie below every errno; asyncio's and Python's names beside them. */
enum weft_error_kind {
  WEFT_CANCELLED = -5000,       /* CancelledError */
  WEFT_TIMEOUT = -5001,         /* TimeoutError of timeout, wait_for (a socket's own timeout stays -ETIMEDOUT) */
  WEFT_INVALID_STATE = -5002,   /* InvalidStateError: done already, or not yet */
  WEFT_QUEUE_EMPTY = -5003,     /* QueueEmpty */
  WEFT_QUEUE_FULL = -5004,      /* QueueFull */
  WEFT_QUEUE_SHUTDOWN = -5005,  /* QueueShutDown */
  WEFT_INCOMPLETE_READ = -5006, /* IncompleteReadError: the stream ended first */
  WEFT_LIMIT_OVERRUN = -5007,   /* LimitOverrunError: no separator within the limit */
  WEFT_BROKEN_BARRIER = -5008,  /* BrokenBarrierError */
  WEFT_BROKEN_POOL = -5009,     /* BrokenProcessPool, BrokenThreadPool */
  WEFT_GROUP = -5010,           /* ExceptionGroup: the parts are in the record */
  WEFT_RUNTIME = -5011,         /* RuntimeError: a rule of use was broken */
  WEFT_VALUE = -5012,           /* ValueError */
  WEFT_TYPE = -5013,            /* TypeError */
  WEFT_STOP = -5014,            /* StopIteration: ended, where a call has no count */
  WEFT_EXIT = -5015,            /* SystemExit: a base error, never put into a group; ends the run, whose result it is */
  WEFT_INTERRUPT = -5016,       /* KeyboardInterrupt: likewise */
  WEFT_USER = -10000            /* applications' own kinds: this and below */
};

/* The record. It belongs to the task, future or thread that weft_error() and its kin took it from. */
typedef struct weft_error_record {
  int code;
  const char *name;    /* "ValueError", "ECONNREFUSED" */
  const char *message; /* may be empty, never NULL; asyncio's words wherever asyncio has some */
  int context;         /* the code of the failure here before this one (what was being handled), or 0 */
  size_t count;        /* parts of a group */
  const struct weft_error_record *const *parts;
} weft_error_t;

/* weft_fail [A], raise: fills the record here and returns code, so that `return weft_fail(WEFT_VALUE, "n is %d", n)` is
 * the whole statement. code < 0. format may be NULL: no message; the text is copied. Never fails: without memory the
 * record has the code and no message. */
WEFT_API int weft_fail(int code, const char *format, ...) WEFT_PRINTF(2, 3);

/* weft_error [A]: the last record here (this task's, this callback's, or this foreign thread's); never NULL, its code
 * is 0 when nothing has failed yet. Borrowed until the next failure here. */
WEFT_API const weft_error_t *weft_error(void);

/* weft_error_is [A]: whether the record has that code itself, or is a group that holds only such parts (except* with
 * one kind). error may be NULL: false. */
WEFT_API bool weft_error_is(const weft_error_t *error, int code);

/* weft_error_register [A]: names a kind of the application's own, as weft_error_t.name shows it. name is copied.
 * Registering the same name again is fine. -EINVAL: code above WEFT_USER, or no name; -EEXIST: another name;
 * -ENOMEM. */
WEFT_API int weft_error_register(int code, const char *name);

/* weft_strerror [A]: a sentence for any code, "unknown error" included; static or lasting until the process ends. */
WEFT_API const char *weft_strerror(int code);

/* weft_error_name [A]: the short name of any code: "TimeoutError", "ECONNREFUSED", a registered one; lasting
 * likewise. */
WEFT_API const char *weft_error_name(int code);

/* weft_ignore: a result left unread on purpose, for clean-up code: weft_ignore(weft_stream_close(s)). */
static inline void weft_ignore(int rc) { (void)rc; }
#ifdef __cplusplus
}
#endif
#endif
