/* executor.h: what every executor is to the runtime, and a job.
 *
 * A job's states:
 *   PENDING --started--> RUNNING --ended--> DONE
 *   PENDING --withdrawn by its owner, dismissed by shutdown or a broken pool--> WITHDRAWN
 * The executor makes every transition under its own lock, so a withdrawal and a start never both win; others read the state
 * as a hint. Exactly one of three things happens to a submitted job: `finish` is called once, on whatever thread ended it
 * (after RUNNING, or when it was dismissed); or withdraw answers true, and finish is never called.
 * Until it is finished or withdrawn, a job keeps its executor from ending; who may be late with a withdrawal needs a
 * reference of the executor. */
#ifndef WEFT_EXEC_EXECUTOR_H
#define WEFT_EXEC_EXECUTOR_H

#include <weft/executors.h>

#include "base/atomics.h"
#include "base/error.h"
#include "base/list.h"
#include "base/threads.h"
#include "exec/gate.h"
#include "sched/blocking.h"

enum weft__job_state { WEFT__JOB_PENDING, WEFT__JOB_RUNNING, WEFT__JOB_DONE, WEFT__JOB_WITHDRAWN };

/* What a job's function handed to weft_job_result. */
typedef struct weft__output {
  void *data; /* owned; NULL: nothing, or nothing of it */
  size_t size;
  bool given;
} weft__output_t;
void weft__output_drop(weft__output_t *output);

typedef struct weft__job weft__job_t;
struct weft__job {
  /* The first line is all that a thread needs of a job that goes well. */
  weft__link_t link;           /* the executor's */
  weft_executor_t *executor;   /* borrowed */
  weft_call_t *call;           /* borrowed from the job's owner */
  weft_contextvars_t *context; /* to run in; owned; NULL: an empty one */
  /* record is owned by the callee; NULL unless status < 0. The job may be gone when it returns. */
  void (*finish)(weft__job_t *job, int status, weft__record_t *record);
  enum weft__lane lane;
  _Atomic(int) state;      /* enum weft__job_state */
  _Atomic(bool) cancelled; /* somebody asked for its end while it runs */

  weft_job_t *ticket;    /* of a user's executor; NULL: none */
  weft__output_t output; /* the owner's, once the job is finished */
};

typedef struct weft__executor_kind {
  const char *name;
  /* 0: the job is the executor's. Else an error with its record: WEFT_RUNTIME, WEFT_BROKEN_POOL, WEFT_QUEUE_FULL… */
  int (*submit)(weft_executor_t *executor, weft__job_t *job);
  /* A task waits until there is room in the queue: 0 or WEFT_CANCELLED. NULL: there always is. */
  int (*await_room)(weft_executor_t *executor);
  bool (*withdraw)(weft_executor_t *executor, weft__job_t *job);
  /* By who has withdrawn a job, or asked for the end of one that runs; a job that is over is fine. Without any lock. NULL:
   * it need not know. */
  void (*tell)(weft_executor_t *executor, weft__job_t *job);
  /* No new jobs; dismiss: those that have not started end as cancelled. More than once is fine. `ended` opens when nothing
   * runs any more. */
  void (*shutdown)(weft_executor_t *executor, bool dismiss);
  /* After `ended`: waits for what is left of its threads. May be called by several. */
  void (*reap)(weft_executor_t *executor);
  void (*close)(weft_executor_t *executor); /* after that, once: the handle is closed; NULL: nothing is to be done */
  void (*free)(weft_executor_t *executor);  /* the last reference is gone */
} weft__executor_kind_t;

/* The first member of every executor. */
struct weft_executor {
  const weft__executor_kind_t *kind;
  _Atomic(unsigned) refs; /* the handle's, and of jobs that may be late */
  unsigned born;          /* after so many forks */
  weft__gate_t ended;
  weft_executor_t *next; /* in a loop's list of default executors */
};

void weft__executor_init(weft_executor_t *executor, const weft__executor_kind_t *kind);
weft_executor_t *weft__executor_ref(weft_executor_t *executor);
void weft__executor_unref(weft_executor_t *executor);

void weft__job_init(weft__job_t *job, weft_call_t *call,
                    void (*finish)(weft__job_t *job, int status, weft__record_t *record));
/* room: a task waits where the queue is full. On error the context is the caller's again. */
int weft__job_submit(weft__job_t *job, weft_executor_t *executor, bool room);
/* True: it will never run, and is its owner's again. */
bool weft__job_withdraw(weft__job_t *job);
/* Tells the executor of a cancellation, after withdraw, whatever that answered. */
void weft__job_tell(weft__job_t *job);
/* By an executor, on a thread outside of every loop: calls the function; its status and record are for finish. */
int weft__job_call(weft__job_t *job, weft__record_t **record);
/* The same and finish. */
void weft__job_run(weft__job_t *job);
/* The call alone: its status, and *record, owned, if that is an error. Consumes the context. */
int weft__call_run(weft_call_t *call, weft_contextvars_t *context, weft__output_t *output, weft__record_t **record);
/* The executor whose job this thread runs, or NULL. */
weft_executor_t *weft__job_executor_here(void);

#endif
