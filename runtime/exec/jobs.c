/* jobs.c: jobs and executors as such: see executor.h. */
#include <weft/threads.h>

#include "exec/executor.h"
#include "task/contextvars.h"
#include "task/future.h"

/* ---- executors --------------------------------------------------------------------------------------------------------- */

void weft__executor_init(weft_executor_t *executor, const weft__executor_kind_t *kind) {
  executor->kind = kind;
  atom_init(&executor->refs, 1);
  weft__gate_init(&executor->ended);
  executor->next = NULL;
}

weft_executor_t *weft__executor_ref(weft_executor_t *executor) {
  atom_add(&executor->refs, 1, relaxed); /* the caller has one, or its owner's word that it lives */
  return executor;
}

void weft__executor_unref(weft_executor_t *executor) {
  /* acq_rel: what every holder did comes before the memory goes */
  if (atom_sub(&executor->refs, 1, acq_rel) == 1) executor->kind->free(executor);
}

/* ---- jobs -------------------------------------------------------------------------------------------------------------- */

void weft__job_init(weft__job_t *job, weft_call_t *call,
                    void (*finish)(weft__job_t *job, int status, weft__record_t *record)) {
  weft__link_init(&job->link);
  job->executor = NULL;
  job->call = call;
  job->context = NULL;
  job->lane = WEFT__LANE_USER;
  atom_init(&job->state, WEFT__JOB_PENDING);
  atom_init(&job->cancelled, false);
  job->finish = finish;
}

int weft__job_submit(weft__job_t *job, weft_executor_t *executor, bool room) {
  job->executor = executor;
  int rc = executor->kind->submit(executor, job);
  if (weft__likely(rc != WEFT_QUEUE_FULL) || !room) return rc;
  weft__executor_ref(executor); /* it may be closed meanwhile */
  do {
    rc = executor->kind->await_room(executor);
    if (rc == 0) rc = executor->kind->submit(executor, job);
  } while (rc == WEFT_QUEUE_FULL);
  weft__executor_unref(executor);
  return rc;
}

bool weft__job_withdraw(weft__job_t *job) { return job->executor->kind->withdraw(job->executor, job); }

/* The job that this thread runs. Jobs do not change threads. */
static __thread weft__job_t *running;

void weft__job_run(weft__job_t *job) {
  weft__context_frame_t frame;
  weft__context_enter(&frame, job->context);
  job->context = NULL;
  weft__set_error(NULL); /* the record here is this job's from now on */
  weft__job_t *outer = running;
  running = job;
  int status = job->call->entry(job->call->args.bytes);
  running = outer;
  weft__record_t *record = status < 0 ? weft__record_for(status) : NULL;
  weft__set_error(NULL);
  weft__context_leave(&frame);
  job->finish(job, status, record);
}

weft_executor_t *weft__job_executor_here(void) { return running != NULL ? running->executor : NULL; }

bool weft_job_cancelled(void) {
  return running != NULL && atom_load(&running->cancelled, relaxed); /* a flag alone: nothing else is read by it */
}
