/* executors.c: the executor interface: submit, map, shutdown, close, and opening pools of threads.
 *
 * A submitted job and its future are two objects that hold each other: the job has a reference of the future until it has
 * completed it, the future one of the job until its own end, so that cancel() finds it. Cancelling:
 *   the job waits                    it is withdrawn, the future cancelled
 *   it runs, future of a loop        asyncio's: the future is cancelled at once, the job's result will be dropped
 *   it runs, future of no loop       concurrent.futures': false, nothing changes
 * A future of no loop comes from a thread that runs none: its callbacks run on whatever thread ends it. */
#include <weft/executors.h>

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "exec/default_pool.h"
#include "exec/pinning.h"
#include "exec/thread_pool.h"
#include "exec/visitors.h"
#include "sched/loop.h"
#include "task/contextvars.h"
#include "task/task.h"
#include "task/wait.h"

/* ---- jobs with a future ------------------------------------------------------------------------------------------------ */

typedef struct promised {
  weft__job_t job;
  _Atomic(int) refs; /* the pool's and the future's */
  weft_call_t call;
  weft_loop_t *loop;     /* NULL: none */
  weft_future_t *future; /* a reference, until it is completed by the pool */
} promised_t;

static void unref_promised(promised_t *self) {
  if (atom_sub(&self->refs, 1, acq_rel) != 1) return; /* acq_rel: both sides are through */
  weft__executor_unref(self->job.executor);
  weft__output_drop(&self->job.output);
  weft__free(self, sizeof *self);
}

static bool forget_job(weft_future_t *future) {
  unref_promised(future->hook_data);
  return false;
}

/* The pool's side ends: nobody else does. */
static void conclude(promised_t *self, enum weft__outcome outcome, int status, weft__record_t *record) {
  weft_loop_t *loop = self->loop;
  weft_future_t *future = self->future;
  weft__future_complete(future, outcome, &status, record); /* lost to cancel(): fine */
  weft_future_unref(future);
  unref_promised(self);
  weft__visitor_leave(loop);
}

static void finish_promised(weft__job_t *job, int status, weft__record_t *record) {
  promised_t *self = weft__container_of(job, promised_t, job);
  atom_store(&job->state, WEFT__JOB_DONE, relaxed); /* a hint */
  enum weft__outcome outcome = status >= 0 ? WEFT__RESULT : status == WEFT_CANCELLED ? WEFT__CANCELLED : WEFT__ERROR;
  conclude(self, outcome, status, record);
}

static bool cancel_promised(weft_future_t *future, weft__record_t *reason) {
  promised_t *self = future->hook_data;
  if (reason == NULL) reason = weft__record_cancelled();
  if (weft__job_withdraw(&self->job)) {
    weft__job_tell(&self->job);
    weft_future_ref(future);
    bool cancelled = weft__future_complete(future, WEFT__CANCELLED, NULL, weft__record_ref(reason)) == 0;
    conclude(self, WEFT__CANCELLED, 0, NULL);
    weft_future_unref(future);
    return cancelled;
  }
  atom_store(&self->job.cancelled, true, relaxed); /* a flag alone */
  weft__job_tell(&self->job);
  if (self->loop == NULL) return false;
  return weft__future_complete(future, WEFT__CANCELLED, NULL, weft__record_ref(reason)) == 0;
}

static weft_future_t *new_future(weft_loop_t *loop) {
  if (loop != NULL) return weft_loop_create_future(loop, sizeof(int));
  weft_future_t *future = weft__alloc(sizeof *future);
  if (future != NULL) weft__future_init(future, NULL, WEFT__KIND_FUTURE, sizeof(int));
  return future;
}

static weft_future_t *submit(weft_executor_t *executor, const weft_call_t *call) {
  weft_loop_t *loop = weft__current_loop();
  if (executor == NULL && loop != NULL) {
    executor = weft__default_executor(loop, WEFT__LANE_USER);
    if (executor == NULL) return NULL;
  }
  if (executor == NULL || call->entry == NULL) {
    weft_ignore(weft_fail(executor == NULL ? -EINVAL : WEFT_TYPE, "weft_executor_submit: no %s",
                          executor == NULL ? "executor" : "function"));
    return NULL;
  }
  weft_future_t *future = new_future(loop);
  promised_t *self = future != NULL ? weft__alloc(sizeof *self) : NULL;
  if (self == NULL) {
    weft_future_unref(future);
    weft_ignore(weft_fail(-ENOMEM, "weft_executor_submit: no memory"));
    return NULL;
  }
  self->call = *call;
  weft__job_init(&self->job, &self->call, finish_promised);
  self->job.executor = weft__executor_ref(executor);
  atom_init(&self->refs, 2);
  self->loop = loop;
  self->future = weft_future_ref(future);
  future->hook_data = self;
  future->cancel_hook = cancel_promised;
  future->drop_hook = forget_job;
  weft__visitor_enter(loop);
  if (weft__job_submit(&self->job, executor, false) == 0) return future;
  weft__visitor_leave(loop);
  weft_future_unref(self->future);
  unref_promised(self);
  weft_future_unref(future); /* and with it the job */
  return NULL;
}

weft_future_t *weft_executor_submit(weft_executor_t *executor, weft_call_t call) { return submit(executor, &call); }

bool weft_future_running(const weft_future_t *future) {
  if (future == NULL || future->kind == WEFT__KIND_TASK || future->cancel_hook != cancel_promised ||
      weft__future_done(future))
    return false;
  const promised_t *self = future->hook_data;
  return atom_load(&self->job.state, relaxed) == WEFT__JOB_RUNNING;
}

/* ---- map --------------------------------------------------------------------------------------------------------------- */

typedef struct mapping mapping_t;

typedef struct mapped {
  weft__job_t job;
  mapping_t *mapping;
  weft_call_t call;
  int status;
  weft__record_t *record;
} mapped_t;

/* In memory of the calling task, which waits for all of it. */
struct mapping {
  weft__spin_t lock;
  weft_task_t *task;
  weft_loop_t *loop;
  size_t unfinished; /* under lock */
};

/* As announce in threads.c: the claim is made under the lock, the task queued without it. */
static void count_down(mapping_t *mapping) {
  weft_loop_t *loop = mapping->loop;
  weft__spin_lock(&mapping->lock);
  weft_task_t *task = --mapping->unfinished == 0 ? mapping->task : NULL;
  if (task != NULL && !weft__word_wake(&task->future.word, WEFT__READY)) task = NULL;
  weft__spin_unlock(&mapping->lock);
  if (task != NULL) weft__schedule_task(task);
  weft__visitor_leave(loop);
}

static void finish_mapped(weft__job_t *job, int status, weft__record_t *record) {
  mapped_t *self = weft__container_of(job, mapped_t, job);
  self->status = status;
  self->record = record;
  count_down(self->mapping);
}

/* Ends one without running it. */
static void refuse_mapped(mapped_t *self, int code) {
  self->status = code;
  self->record = weft__record_for(code);
  count_down(self->mapping);
}

static void cancel_mapped(mapped_t jobs[], size_t submitted) {
  for (size_t i = 0; i < submitted; i++) {
    atom_store(&jobs[i].job.cancelled, true, relaxed); /* a flag alone */
    bool withdrawn = weft__job_withdraw(&jobs[i].job);
    weft__job_tell(&jobs[i].job);
    if (withdrawn) refuse_mapped(&jobs[i], WEFT_CANCELLED);
  }
}

static int map(weft_executor_t *executor, mapping_t *mapping, mapped_t jobs[], size_t n) {
  int rc = 0;
  size_t submitted = 0;
  for (; submitted < n && rc == 0; submitted++) {
    weft__visitor_enter(mapping->loop);
    rc = weft__job_submit(&jobs[submitted].job, executor, true);
    if (rc < 0) refuse_mapped(&jobs[submitted], rc);
  }
  for (size_t i = submitted; i < n; i++) {
    weft__visitor_enter(mapping->loop);
    refuse_mapped(&jobs[i], rc);
  }
  weft__record_t *reason = rc < 0 ? weft__record_for(rc) : NULL; /* why not all ran */
  if (rc < 0) cancel_mapped(jobs, submitted - 1);
  /* Once cancelled it waits to the end in any case. */
  weft__hush_t hushed = reason != NULL ? weft__hush(mapping->task) : NULL;
  weft__spin_lock(&mapping->lock);
  while (mapping->unfinished > 0) {
    weft__wait_t wait;
    weft__wait_init(&wait);
    rc = weft__wait_park(&wait, &mapping->lock);
    if (rc < 0 && reason == NULL) {
      reason = weft__record_ref(weft__last_record());
      hushed = weft__hush(mapping->task);
      cancel_mapped(jobs, submitted);
    }
    weft__spin_lock(&mapping->lock);
  }
  weft__spin_unlock(&mapping->lock);
  if (reason == NULL) return 0;
  weft__unhush(mapping->task, hushed);
  rc = reason->error.code;
  weft__set_error(reason);
  return rc;
}

/* The first error in order. */
static int report(mapped_t jobs[], size_t n, int statuses[]) {
  weft__record_t *first = NULL;
  for (size_t i = 0; i < n; i++) {
    if (statuses != NULL) statuses[i] = jobs[i].status;
    if (first == NULL) first = weft__record_ref(jobs[i].record);
    weft__record_unref(jobs[i].record);
    weft__output_drop(&jobs[i].job.output);
  }
  if (first == NULL) return 0;
  weft__set_error(first);
  return first->error.code;
}

int weft_executor_map(weft_executor_t *executor, const weft_call_t calls[], size_t n, int statuses[]) {
  int rc = weft__check_suspend("weft_executor_map");
  if (rc < 0) return rc;
  if (executor == NULL && (executor = weft__default_executor(weft__current_loop(), WEFT__LANE_USER)) == NULL)
    return weft_error()->code;
  if (n == 0) return 0;
  if (calls == NULL) return weft_fail(-EINVAL, "weft_executor_map: no calls");
  for (size_t i = 0; i < n; i++)
    if (calls[i].entry == NULL) return weft_fail(WEFT_TYPE, "weft_executor_map: call %zu is without a function", i);
  mapped_t *jobs = n <= SIZE_MAX / sizeof *jobs ? weft__alloc(n * sizeof *jobs) : NULL;
  if (jobs == NULL) return weft_fail(-ENOMEM, "weft_executor_map: no memory for %zu jobs", n);
  weft_task_t *task = weft__current_task();
  mapping_t mapping = {.task = task, .loop = task->future.loop, .unfinished = n};
  for (size_t i = 0; i < n; i++) {
    jobs[i].mapping = &mapping;
    jobs[i].call = calls[i];
    weft__job_init(&jobs[i].job, &jobs[i].call, finish_mapped);
    jobs[i].status = 0;
    jobs[i].record = NULL;
  }
  weft__executor_ref(executor); /* for withdrawals that are late */
  rc = map(executor, &mapping, jobs, n);
  weft__executor_unref(executor);
  weft__record_t *reason = rc < 0 ? weft__record_for(rc) : NULL;
  int result = report(jobs, n, statuses);
  weft__free(jobs, n * sizeof *jobs);
  if (reason == NULL) return result;
  weft__set_error(reason);
  return rc;
}

/* ---- the end of an executor -------------------------------------------------------------------------------------------- */

static int check_waiting(weft_executor_t *executor, const char *what) {
  if (weft__job_executor_here() == executor)
    return weft_fail(WEFT_RUNTIME, "%s: a job cannot wait for the end of its own pool", what);
  return weft__current_loop() != NULL ? weft__check_suspend(what) : 0;
}

int weft_executor_shutdown(weft_executor_t *executor, bool wait, bool cancel_futures) {
  if (executor == NULL) return weft_fail(-EINVAL, "weft_executor_shutdown: no executor");
  int rc = wait ? check_waiting(executor, "weft_executor_shutdown") : 0;
  if (rc < 0) return rc;
  executor->kind->shutdown(executor, cancel_futures);
  if (!wait) return 0;
  rc = weft__gate_wait(&executor->ended, "weft_executor_shutdown");
  if (rc == 0) executor->kind->reap(executor);
  return rc;
}

int weft_executor_shutdown_within(weft_executor_t *executor, bool cancel_futures, double seconds) {
  if (executor == NULL) return weft_fail(-EINVAL, "weft_executor_shutdown_within: no executor");
  if (isnan(seconds)) return weft_fail(-EINVAL, "weft_executor_shutdown_within: the limit is not a number");
  int rc = check_waiting(executor, "weft_executor_shutdown_within");
  if (rc < 0) return rc;
  executor->kind->shutdown(executor, cancel_futures);
  rc = weft__gate_wait_within(&executor->ended, seconds, "weft_executor_shutdown_within");
  if (rc == 0) executor->kind->reap(executor);
  return rc;
}

int weft_executor_close(weft_executor_t *executor) {
  if (executor == NULL) return 0;
  int rc = check_waiting(executor, "weft_executor_close");
  if (rc < 0) return rc;
  executor->kind->shutdown(executor, false);
  rc = weft__gate_wait_anyway(&executor->ended);
  executor->kind->reap(executor);
  if (executor->kind->close != NULL) executor->kind->close(executor);
  weft__executor_unref(executor);
  return rc;
}

/* ---- pools of threads -------------------------------------------------------------------------------------------------- */

int weft_thread_pool_open_with(const weft_thread_pool_options_t *options, weft_executor_t **out) {
  static const weft_thread_pool_options_t defaults;
  if (out == NULL) return weft_fail(-EINVAL, "weft_thread_pool_open: no place for the pool");
  *out = NULL;
  if (options == NULL) options = &defaults;
  if (options->max_threads > WEFT__POOL_THREADS_MAX)
    return weft_fail(-EINVAL, "weft_thread_pool_open: %u threads were asked for, the most is %d", options->max_threads,
                     WEFT__POOL_THREADS_MAX);
  if (options->initializer != NULL && options->initializer->entry == NULL)
    return weft_fail(WEFT_TYPE, "weft_thread_pool_open: the initializer is a call without a function");
  if (options->cpus != NULL && options->cpu_count == 0)
    return weft_fail(-EINVAL, "weft_thread_pool_open: cpus without a count");
  for (size_t i = 0; options->cpus != NULL && i < options->cpu_count; i++)
    if (options->cpus[i] >= WEFT__PIN_CPUS)
      return weft_fail(-EINVAL, "weft_thread_pool_open: there is no cpu %u", options->cpus[i]);
  unsigned lanes[WEFT__LANES] = {0};
  lanes[WEFT__LANE_USER] = options->max_threads != 0 ? options->max_threads : weft__thread_pool_default_size();
  int rc = weft__thread_pool_open(lanes, options, out);
  return rc < 0 ? weft_fail(rc, "weft_thread_pool_open: no memory") : 0;
}

int weft_thread_pool_open(unsigned max_threads, const char *name, weft_executor_t **out) {
  const weft_thread_pool_options_t options = {.max_threads = max_threads, .name = name};
  return weft_thread_pool_open_with(&options, out);
}
