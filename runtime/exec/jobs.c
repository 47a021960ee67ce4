/* jobs.c: jobs and executors as such: see executor.h. */
#include <errno.h>
#include <string.h>
#include <weft/threads.h>

#include "base/alloc.h"
#include "exec/executor.h"
#include "task/contextvars.h"
#include "task/future.h"

/* ---- executors --------------------------------------------------------------------------------------------------------- */

/* How many forks lie between this process and the first one. An executor of an earlier one has no threads here. */
static _Atomic(unsigned) forks;
static weft__once_t once = WEFT__ONCE_INIT;
static void count_fork(void) { atom_add(&forks, 1, relaxed); } /* in the child, which has one thread */
static void watch_forks(void) { weft__around_forks(NULL, NULL, count_fork); }

void weft__executor_init(weft_executor_t *executor, const weft__executor_kind_t *kind) {
  weft__once(&once, watch_forks);
  executor->born = atom_load(&forks, relaxed);
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
  job->ticket = NULL;
  job->output = (weft__output_t){NULL, 0, false};
  atom_init(&job->state, WEFT__JOB_PENDING);
  atom_init(&job->cancelled, false);
  job->finish = finish;
}

int weft__job_submit(weft__job_t *job, weft_executor_t *executor, bool room) {
  job->executor = executor;
  if (weft__unlikely(executor->born != atom_load(&forks, relaxed)))
    return weft_fail(WEFT_RUNTIME, "this is the child of a fork(), the executor's threads stayed in the parent");
  int rc = executor->kind->submit(executor, job);
  if (weft__likely(rc != WEFT_QUEUE_FULL) || !room || executor->kind->await_room == NULL) return rc;
  weft__executor_ref(executor); /* it may be closed meanwhile */
  do {
    rc = executor->kind->await_room(executor);
    if (rc == 0) rc = executor->kind->submit(executor, job);
  } while (rc == WEFT_QUEUE_FULL);
  weft__executor_unref(executor);
  return rc;
}

bool weft__job_withdraw(weft__job_t *job) { return job->executor->kind->withdraw(job->executor, job); }

void weft__job_tell(weft__job_t *job) {
  if (job->executor->kind->tell != NULL) job->executor->kind->tell(job->executor, job);
}

/* The job that this thread runs, and where its result goes. Jobs do not change threads. */
static __thread weft__job_t *running;
static __thread weft__output_t *output_here;

void weft__output_drop(weft__output_t *output) {
  weft__free(output->data, output->size);
  *output = (weft__output_t){NULL, 0, false};
}

int weft__call_run(weft_call_t *call, weft_contextvars_t *context, weft__output_t *output, weft__record_t **record) {
  weft__context_frame_t frame;
  weft__output_t *outer = output_here;
  weft__context_enter(&frame, context);
  weft__set_error(NULL); /* the record here is this job's from now on */
  output_here = output;
  int status = call->entry(call->args.bytes);
  output_here = outer;
  *record = status < 0 ? weft__record_for(status) : NULL;
  weft__context_leave(&frame);
  return status;
}

int weft__job_call(weft__job_t *job, weft__record_t **record) {
  weft_contextvars_t *context = job->context;
  weft__job_t *outer = running;
  job->context = NULL;
  running = job;
  int status = weft__call_run(job->call, context, &job->output, record);
  running = outer;
  return status;
}

void weft__job_run(weft__job_t *job) {
  weft__record_t *record;
  int status = weft__job_call(job, &record);
  job->finish(job, status, record);
}

int weft_job_result_sized(const void *data, size_t size) {
  if (output_here == NULL || weft__current_loop() != NULL)
    return weft_fail(-EPERM, "weft_job_result: not inside of a job");
  if (data == NULL && size > 0) return weft_fail(-EINVAL, "weft_job_result: no data");
  void *copy = size > 0 ? weft__alloc(size) : NULL;
  if (size > 0 && copy == NULL) return weft_fail(-ENOMEM, "weft_job_result: no memory for %zu bytes", size);
  if (size > 0) memcpy(copy, data, size);
  weft__output_drop(output_here);
  *output_here = (weft__output_t){copy, size, true};
  return 0;
}

weft_executor_t *weft__job_executor_here(void) { return running != NULL ? running->executor : NULL; }

bool weft_job_cancelled(void) {
  return running != NULL && atom_load(&running->cancelled, relaxed); /* a flag alone: nothing else is read by it */
}
