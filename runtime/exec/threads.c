/* threads.c: blocking calls of a task: to_thread in its two forms, run_in_executor, and the lanes for lower floors.
 *
 * Both kinds of job have a spin lock under which the waiting task parks and the pool's thread says that the job is done:
 *   pool's thread:  lock; done := true; claim the task if it is parked; unlock; queue it if claimed; leave the loop
 *   task:           lock; while not done: park (unlocks once its context is saved); lock; unlock
 * The claim is the word's WAITING -> READY, so a task that cancel() has claimed meanwhile finds `done` by itself. The task
 * leaves only after it has had the lock, or was claimed under it, so the lock's memory outlives the thread's last access.
 *
 * A cancelled task first tries to take its job back from the queue, under its own lock: as long as the job is not done its
 * executor lives. The executor's lock decides. If the job runs:
 *   to_thread        the job and its arguments are in the task's frame: it waits on, and a further cancellation changes
 *                    nothing; in the end the answer is WEFT_CANCELLED
 *   to_thread_owned  the job is in memory of its own, with two references, the task's and the pool's; the task takes its
 *                    wait away and leaves */
#include <weft/threads.h>

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "exec/default_pool.h"
#include "exec/visitors.h"
#include "sched/loop.h"
#include "task/contextvars.h"
#include "task/wait.h"

typedef struct awaited {
  weft__job_t job;
  weft__spin_t lock;
  bool done;    /* under lock */
  bool visitor; /* the thread is a visitor of the loop: exec/visitors.h */
  int status;
  weft_task_t *task; /* under lock: to be woken; NULL: nobody waits any more */
  weft_loop_t *loop;
  weft__record_t *record; /* owned */
} awaited_t;

static void awaited_init(awaited_t *self, weft_call_t *call,
                         void (*finish)(weft__job_t *job, int status, weft__record_t *record)) {
  weft__job_init(&self->job, call, finish);
  self->loop = weft__current_loop();
  self->visitor = false;
  weft__spin_init(&self->lock);
  self->task = weft__current_task();
  self->done = false;
  self->status = 0;
  self->record = NULL;
}

/* By the pool's thread. Afterwards a job in a frame is gone. */
static void announce(awaited_t *self, int status, weft__record_t *record) {
  weft_loop_t *loop = self->loop;
  weft_contextvars_unref(self->job.context); /* of a job that was dismissed */
  self->job.context = NULL;
  weft__spin_lock(&self->lock);
  atom_store(&self->job.state, WEFT__JOB_DONE, relaxed); /* a hint */
  self->status = status;
  self->record = record;
  self->done = true;
  bool visitor = self->visitor;
  weft_task_t *task = self->task;
  if (task != NULL && !weft__word_wake(&task->future.word, WEFT__READY)) task = NULL;
  weft__spin_unlock(&self->lock);
  if (task != NULL) weft__schedule_task(task);
  if (visitor) weft__visitor_leave(loop);
}

/* With the lock held on both sides. 0 or WEFT_CANCELLED; the job is done, or not. */
static int park(awaited_t *self) {
  weft__wait_t wait;
  weft__wait_init(&wait);
  int rc = weft__wait_park(&wait, &self->lock);
  weft__spin_lock(&self->lock);
  return rc;
}

/* A cancellation that was asked for before the job is there: it is never submitted. */
static int deliver_pending_cancel(void) {
  weft_task_t *task = weft__current_task();
  while (weft__unlikely(atom_load(&task->future.word, relaxed) & WEFT__W_MUST_CANCEL)) {
    int rc = weft__yield();
    if (rc < 0) return rc;
  }
  return 0;
}

static int check(const weft_call_t *call, const char *what) {
  int rc = weft__check_suspend(what);
  if (rc < 0) return rc;
  if (call->entry == NULL) return weft_fail(WEFT_TYPE, "%s: a call without a function", what);
  return deliver_pending_cancel();
}

/* own: the executor is the loop's, which ends its threads before itself: they need not be counted as visitors, but for the
 * virtual clock, which waits for them. */
static int submit(awaited_t *self, weft_executor_t *executor, weft_contextvars_t *context, enum weft__lane lane,
                  bool own) {
  self->job.context = context;
  self->job.lane = lane;
  self->visitor = !own || self->loop->config.virtual_time;
  if (self->visitor) weft__visitor_enter(self->loop);
  int rc = executor != NULL ? weft__job_submit(&self->job, executor, true) : weft_error()->code;
  if (rc == 0) return 0;
  if (self->visitor) weft__visitor_leave(self->loop);
  weft_contextvars_unref(context);
  return rc;
}

/* Under the lock; not done. True: it will never run. An executor that wants to hear of it is told without the lock. */
static bool call_off(awaited_t *self) {
  weft_executor_t *executor = self->job.executor;
  atom_store(&self->job.cancelled, true, relaxed); /* a flag alone */
  bool withdrawn = weft__job_withdraw(&self->job);
  if (executor->kind->tell == NULL) return withdrawn;
  weft__executor_ref(executor); /* until here the job kept it */
  weft__spin_unlock(&self->lock);
  weft__job_tell(&self->job);
  weft__executor_unref(executor);
  weft__spin_lock(&self->lock);
  return withdrawn;
}

/* Called off: what the pool would have done at the end. */
static void take_back(awaited_t *self) {
  weft_contextvars_unref(self->job.context);
  self->job.context = NULL;
  if (self->visitor) weft__visitor_leave(self->loop);
}

/* ---- the job in the task's frame --------------------------------------------------------------------------------------- */

static void finish_framed(weft__job_t *job, int status, weft__record_t *record) {
  announce(weft__container_of(job, awaited_t, job), status, record);
}

static int answer(int status, weft__record_t *record) {
  if (record != NULL) weft__set_error(record);
  return status;
}

/* A result that is waited for, or result NULL. */
static int take_result(awaited_t *self, void *result, size_t size) {
  weft__output_t *output = &self->job.output;
  int rc = self->status;
  if (result != NULL && rc >= 0) {
    if (output->given && output->size == size)
      memcpy(result, output->data, size);
    else
      rc = weft_fail(WEFT_VALUE,
                     output->given ? "%s gave a result of %zu bytes, %zu were expected" : "%s gave no result",
                     self->job.call->name, output->size, size);
  }
  weft__output_drop(output);
  return rc == self->status ? answer(rc, self->record) : rc;
}

/* executor NULL: the default one. */
static int run_framed(weft_executor_t *executor, weft_call_t *call, weft_contextvars_t *context, void *result,
                      size_t size) {
  bool own = executor == NULL;
  WEFT__CACHE_ALIGNED awaited_t self;
  awaited_init(&self, call, finish_framed);
  if (own) executor = weft__default_executor(self.loop, WEFT__LANE_USER);
  int rc = submit(&self, executor, context, WEFT__LANE_USER, own);
  if (rc < 0) return rc;
  weft__record_t *reason = NULL;
  weft_task_t *task = weft__current_task();
  weft__hush_t hushed = NULL;
  weft__spin_lock(&self.lock);
  while (!self.done) {
    if (park(&self) == 0 || reason != NULL) continue;
    hushed = weft__hush(task);
    reason = weft__record_ref(weft__last_record());
    if (self.done || !call_off(&self)) continue;
    weft__spin_unlock(&self.lock);
    take_back(&self);
    weft__unhush(task, hushed);
    return answer(WEFT_CANCELLED, reason);
  }
  weft__spin_unlock(&self.lock);
  if (hushed != NULL) weft__unhush(task, hushed);
  if (reason == NULL) return take_result(&self, result, size);
  weft__record_unref(self.record);
  weft__output_drop(&self.job.output);
  return answer(WEFT_CANCELLED, reason);
}

int weft_to_thread(weft_call_t call) {
  int rc = check(&call, "weft_to_thread");
  if (rc < 0) return rc;
  return run_framed(NULL, &call, weft__context_of_new_task(), NULL, 0);
}

static int run_there(weft_executor_t *executor, weft_call_t *call, void *result, size_t size, const char *what) {
  int rc = check(call, what);
  if (rc < 0) return rc;
  return run_framed(executor, call, NULL, result, size);
}

int weft_run_in_executor(weft_executor_t *executor, weft_call_t call) {
  return run_there(executor, &call, NULL, 0, "weft_run_in_executor");
}

int weft_run_for_result(weft_executor_t *executor, weft_call_t call, void *result, size_t size) {
  if (result == NULL) return weft_fail(-EINVAL, "weft_run_for_result: no place for the result");
  return run_there(executor, &call, result, size, "weft_run_for_result");
}

/* ---- the job that owns its arguments ------------------------------------------------------------------------------------ */

typedef struct owned {
  awaited_t base; /* first */
  _Atomic(int) refs;
  weft_call_t call;
  void (*drop)(void *args);
} owned_t;

static void unref_owned(owned_t *self) {
  if (atom_sub(&self->refs, 1, acq_rel) != 1) return; /* acq_rel: both sides are through */
  weft__record_unref(self->base.record);
  weft__output_drop(&self->base.job.output);
  weft__free(self, sizeof *self);
}

static void drop_args(owned_t *self) {
  if (self->drop != NULL) self->drop(self->call.args.bytes);
}

static void finish_owned(weft__job_t *job, int status, weft__record_t *record) {
  owned_t *self = weft__container_of(job, owned_t, base.job);
  drop_args(self);
  announce(&self->base, status, record);
  unref_owned(self);
}

static int run_owned(enum weft__lane lane, weft_call_t *call, void (*drop)(void *args)) {
  owned_t *self = weft__alloc(sizeof *self);
  if (self == NULL) {
    if (drop != NULL) drop(call->args.bytes);
    return weft_fail(-ENOMEM, "%s: no memory for a job", call->name);
  }
  self->call = *call;
  self->drop = drop;
  atom_init(&self->refs, 2);
  awaited_init(&self->base, &self->call, finish_owned);
  weft_executor_t *executor = weft__default_executor(self->base.loop, lane);
  int rc = submit(&self->base, executor, weft__context_of_new_task(), lane, true);
  if (rc < 0) {
    drop_args(self);
    weft__free(self, sizeof *self);
    return rc;
  }
  weft__spin_lock(&self->base.lock);
  while (!self->base.done && rc == 0) rc = park(&self->base);
  self->base.task = NULL;
  bool called_off = !self->base.done && call_off(&self->base);
  weft__spin_unlock(&self->base.lock);
  if (called_off) {
    take_back(&self->base);
    drop_args(self);
    unref_owned(self); /* the pool's */
  } else if (rc == 0) {
    rc = answer(self->base.status, weft__record_ref(self->base.record));
  }
  unref_owned(self);
  return rc;
}

static int check_owned(const weft_call_t *call, void (*drop)(void *args), const char *what) {
  int rc = check(call, what);
  if (rc < 0 && drop != NULL) drop((void *)(uintptr_t)call->args.bytes);
  return rc;
}

int weft_to_thread_owned(weft_call_t call, void (*drop)(void *args)) {
  int rc = check_owned(&call, drop, "weft_to_thread_owned");
  return rc < 0 ? rc : run_owned(WEFT__LANE_USER, &call, drop);
}

int weft__to_lane(enum weft__lane lane, weft_call_t call, void (*drop)(void *args)) {
  int rc = check_owned(&call, drop, call.name != NULL ? call.name : "a blocking call");
  return rc < 0 ? rc : run_owned(lane, &call, drop);
}
