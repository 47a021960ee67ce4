/* weft/error.h: error codes and the record behind a code. */
#ifndef WEFT_ERROR_H
#define WEFT_ERROR_H
#include <weft/types.h>
#ifdef __cplusplus
extern "C" {
#endif

enum { /* Weft's own kinds lie below every errno; asyncio's names beside them. */
  WEFT_CANCELLED = -5000,      /* CancelledError */
  WEFT_TIMEOUT = -5001,        /* TimeoutError of timeout, wait_for (a socket's own timeout stays -ETIMEDOUT) */
  WEFT_INVALID_STATE = -5002,  /* InvalidStateError */
  WEFT_QUEUE_EMPTY = -5003,    /* QueueEmpty */
  WEFT_QUEUE_FULL = -5004,     /* QueueFull */
  WEFT_QUEUE_SHUTDOWN = -5005, /* QueueShutDown */
  WEFT_INCOMPLETE_READ = -5006, /* IncompleteReadError */
  WEFT_LIMIT_OVERRUN = -5007,  /* LimitOverrunError */
  WEFT_BROKEN_BARRIER = -5008, /* BrokenBarrierError */
  WEFT_BROKEN_POOL = -5009,    /* BrokenProcessPool */
  WEFT_GROUP = -5010,          /* ExceptionGroup: the parts are in the error record */
  WEFT_RUNTIME = -5011,        /* RuntimeError: a rule of use was broken */
  WEFT_VALUE = -5012,          /* ValueError */
  WEFT_TYPE = -5013,           /* TypeError */
  WEFT_STOP = -5014,           /* StopIteration: ended, where a call has no count */
  WEFT_EXIT = -5015,           /* SystemExit: never put into a group; ends the run, whose result it is */
  WEFT_INTERRUPT = -5016,      /* KeyboardInterrupt: likewise */
  WEFT_USER = -10000           /* applications' own kinds: this and below */
};

/* The record behind a code: one per task, future, callback, pool job, and per foreign thread for its last run. */
typedef struct weft_error {
  int code;
  const char *name;    /* "ValueError", "ECONNREFUSED" */
  const char *message; /* may be empty, never NULL */
  int context;         /* the code that was being handled when this one was raised, or 0 */
  size_t count;        /* parts of a group */
  const struct weft_error *const *parts;
} weft_error_t;

/* [A] raise: fills this task's record and returns code; format may be NULL */
WEFT_API int weft_fail(int code, const char *format, ...) WEFT_PRINTF(2, 3);
/* [A] the last record here; valid until the next failure */
WEFT_API const weft_error_t *weft_error(void);
/* the code itself, or a group that holds only such parts */
WEFT_API bool weft_error_is(const weft_error_t *error, int code);
/* [A] names a kind at or below WEFT_USER */
WEFT_API int weft_error_register(int code, const char *name);
/* [A] text of any code */
WEFT_API const char *weft_strerror(int code);
/* [A] "ValueError", "ECONNREFUSED" */
WEFT_API const char *weft_error_name(int code);
/* a result left unread on purpose (cleanup) */
static inline void weft_ignore(int rc) { (void)rc; }
#ifdef __cplusplus
}
#endif
#endif
