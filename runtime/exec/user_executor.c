/* user_executor.c: executors that the user writes: weft_executor_open_with.
 *
 * Their side never sees a job, which may be in a task's frame, but a ticket. A ticket is out from submit until it is given
 * back (weft_job_run, weft_job_end, or a submit that refuses). Under the executor's lock ticket and job know each other:
 *   ticket->job  NULL once the job was withdrawn, dismissed or finished: giving the ticket back is then all that is left
 *   job->ticket  NULL once the job is finished or dismissed; a withdrawn one keeps it until tell
 *   job's state  PENDING -> RUNNING by the ticket's holder, PENDING -> WITHDRAWN by the job's owner; the lock decides
 * Every ticket that is out and every method that is being called is a use. `ended` opens when the executor is closed and
 * there is no use left, so no method is called after `close`, and the executor's memory outlives all that come here.
 * A withdrawal reserves a use and a reference of the ticket for the call of `cancel` that follows it, for its caller may
 * hold a lock. References of a ticket: of the methods until it is given back, and of calls of `cancel`, so that a pointer
 * they look for in their queue is no other ticket's meanwhile. */
#include <errno.h>
#include <weft/threads.h>

#include "base/alloc.h"
#include "base/spin.h"
#include "exec/executor.h"
#include "task/future.h"
#include "task/schedule.h"

typedef struct user_executor {
  weft_executor_t base; /* first */
  weft__spin_t lock;
  bool closed, ended;
  size_t uses;          /* of tickets and calls */
  weft__list_t waiting; /* tickets whose jobs wait */
  weft_executor_methods_t methods;
  void *data;
} user_executor_t;

struct weft_job {
  weft__link_t link; /* in waiting */
  user_executor_t *executor;
  _Atomic(unsigned) refs;
  weft__job_t *job; /* under the executor's lock */
  weft_call_t call; /* a copy: the job's own may be gone */
};

static user_executor_t *user_of(weft_executor_t *executor) {
  return weft__container_of(executor, user_executor_t, base);
}

/* ---- uses and references ----------------------------------------------------------------------------------------------- */

static void leave(user_executor_t *user) {
  weft__spin_lock(&user->lock);
  user->uses--;
  bool end = user->closed && user->uses == 0 && !user->ended;
  if (end) user->ended = true;
  weft__spin_unlock(&user->lock);
  if (end) weft__gate_open(&user->base.ended);
}

static void unref_ticket(weft_job_t *ticket) {
  /* acq_rel: what every holder did with it comes before the memory goes */
  if (atom_sub(&ticket->refs, 1, acq_rel) == 1) weft__free(ticket, sizeof *ticket);
}

static void give_back(weft_job_t *ticket) {
  user_executor_t *user = ticket->executor;
  unref_ticket(ticket);
  leave(user);
}

/* ---- the executor ------------------------------------------------------------------------------------------------------ */

/* The methods refused it. False: it was dismissed meanwhile, which counts as taken. */
static bool take_back(user_executor_t *user, weft__job_t *job, weft_job_t *ticket) {
  weft__spin_lock(&user->lock);
  bool mine = ticket->job != NULL;
  weft__list_unlink(&ticket->link);
  ticket->job = NULL;
  if (mine) job->ticket = NULL;
  weft__spin_unlock(&user->lock);
  give_back(ticket);
  return mine;
}

static int submit(weft_executor_t *executor, weft__job_t *job) {
  user_executor_t *user = user_of(executor);
  weft_job_t *ticket = weft__alloc(sizeof *ticket);
  if (ticket == NULL) return weft_fail(-ENOMEM, "no memory for a job");
  weft__link_init(&ticket->link);
  ticket->executor = user;
  atom_init(&ticket->refs, 1);
  ticket->job = job;
  ticket->call = *job->call;
  weft__spin_lock(&user->lock);
  bool closed = user->closed;
  if (!closed) {
    user->uses += 2; /* the ticket, and this call */
    job->ticket = ticket;
    weft__list_push_back(&user->waiting, &ticket->link);
  }
  weft__spin_unlock(&user->lock);
  if (closed) {
    weft__free(ticket, sizeof *ticket);
    return weft_fail(WEFT_RUNTIME, "cannot schedule new futures after shutdown");
  }
  int rc = user->methods.submit(user->data, ticket);
  if (rc >= 0)
    rc = 0; /* the ticket may be gone, and so may the job */
  else if (!take_back(user, job, ticket))
    rc = 0;
  else if (weft_error() == NULL || weft_error()->code != rc)
    rc = weft_fail(rc, "the executor refused the job: %s", weft_strerror(rc));
  leave(user);
  return rc;
}

static bool withdraw(weft_executor_t *executor, weft__job_t *job) {
  user_executor_t *user = user_of(executor);
  weft__spin_lock(&user->lock);
  weft_job_t *ticket = job->ticket;
  bool pending = ticket != NULL && atom_load(&job->state, relaxed) == WEFT__JOB_PENDING;
  if (pending) {
    atom_store(&job->state, WEFT__JOB_WITHDRAWN, relaxed); /* the lock orders what matters */
    weft__list_unlink(&ticket->link);
    ticket->job = NULL;
    atom_add(&ticket->refs, 1, relaxed); /* for tell; not given back: that needs our use */
    user->uses++;
  }
  weft__spin_unlock(&user->lock);
  return pending;
}

static void tell(weft_executor_t *executor, weft__job_t *job) {
  user_executor_t *user = user_of(executor);
  weft__spin_lock(&user->lock);
  weft_job_t *ticket = job->ticket;
  if (atom_load(&job->state, relaxed) == WEFT__JOB_WITHDRAWN) {
    job->ticket = NULL;
  } else if (ticket != NULL) {
    atom_add(&ticket->refs, 1, relaxed); /* it is out: the methods have a reference */
    user->uses++;
  }
  weft__spin_unlock(&user->lock);
  if (ticket == NULL) return;
  if (user->methods.cancel != NULL) user->methods.cancel(user->data, ticket);
  give_back(ticket);
}

static void shut_down(weft_executor_t *executor, bool dismiss) {
  user_executor_t *user = user_of(executor);
  weft__list_t dismissed;
  weft__list_init(&dismissed);
  weft__link_t *link;
  weft__spin_lock(&user->lock);
  user->closed = true;
  user->uses++;
  while (dismiss && (link = weft__list_pop_front(&user->waiting)) != NULL) {
    weft_job_t *ticket = weft__container_of(link, weft_job_t, link);
    weft__job_t *job = ticket->job;
    WEFT__ASSERT(job != NULL); /* it waits */
    ticket->job = NULL;
    job->ticket = NULL;
    atom_store(&job->state, WEFT__JOB_WITHDRAWN, relaxed); /* the lock orders what matters */
    weft__list_push_back(&dismissed, &job->link);
  }
  weft__spin_unlock(&user->lock);
  while ((link = weft__list_pop_front(&dismissed)) != NULL) {
    weft__job_t *job = weft__container_of(link, weft__job_t, link);
    job->finish(job, WEFT_CANCELLED, weft__record_ref(weft__record_cancelled()));
  }
  if (user->methods.shutdown != NULL) user->methods.shutdown(user->data, dismiss);
  leave(user);
}

static void reap(weft_executor_t *executor) { (void)executor; }

static void close_user(weft_executor_t *executor) {
  user_executor_t *user = user_of(executor);
  if (user->methods.close != NULL) user->methods.close(user->data);
}

static void free_user(weft_executor_t *executor) { weft__free(user_of(executor), sizeof(user_executor_t)); }

static const weft__executor_kind_t kind = {.name = "user's executor",
                                           .submit = submit,
                                           .withdraw = withdraw,
                                           .tell = tell,
                                           .shutdown = shut_down,
                                           .reap = reap,
                                           .close = close_user,
                                           .free = free_user};

int weft_executor_open_with(const weft_executor_methods_t *methods, void *data, weft_executor_t **out) {
  if (out == NULL) return weft_fail(-EINVAL, "weft_executor_open_with: no place for the executor");
  *out = NULL;
  if (methods == NULL || methods->submit == NULL)
    return weft_fail(-EINVAL, "weft_executor_open_with: submit is missing");
  user_executor_t *user = weft__alloc_zero(sizeof *user);
  if (user == NULL) return weft_fail(-ENOMEM, "weft_executor_open_with: no memory");
  weft__executor_init(&user->base, &kind);
  weft__spin_init(&user->lock);
  weft__list_init(&user->waiting);
  user->methods = *methods;
  user->data = data;
  *out = &user->base;
  return 0;
}

/* ---- what its methods do with a job ------------------------------------------------------------------------------------ */

const weft_call_t *weft_job_call(const weft_job_t *ticket) { return ticket != NULL ? &ticket->call : NULL; }

/* The job, which runs from now on; NULL: nobody wants it. */
static weft__job_t *begin(weft_job_t *ticket) {
  weft__spin_lock(&ticket->executor->lock);
  weft__job_t *job = ticket->job;
  if (job != NULL) {
    weft__list_unlink(&ticket->link);
    atom_store(&job->state, WEFT__JOB_RUNNING, relaxed); /* the lock orders what matters */
  }
  weft__spin_unlock(&ticket->executor->lock);
  return job;
}

bool weft_job_begin(weft_job_t *ticket) { return ticket != NULL && begin(ticket) != NULL; }

/* Of a job that runs. Its ticket is given back last: the executor does not end before its jobs have. */
static void conclude(weft_job_t *ticket, weft__job_t *job, int status, weft__record_t *record) {
  weft__spin_lock(&ticket->executor->lock);
  ticket->job = NULL;
  job->ticket = NULL;
  weft__spin_unlock(&ticket->executor->lock);
  job->finish(job, status, record);
  give_back(ticket);
}

int weft_job_run(weft_job_t *ticket) {
  if (ticket == NULL) return weft_fail(-EINVAL, "weft_job_run: no job");
  if (weft__current_loop() != NULL) return weft_fail(-EPERM, "weft_job_run would block a worker");
  weft__job_t *job = begin(ticket);
  if (job == NULL) {
    give_back(ticket);
    return 0;
  }
  weft__record_t *record;
  int status = weft__job_call(job, &record);
  conclude(ticket, job, status, record);
  return 0;
}

int weft_job_end(weft_job_t *ticket, int status, const char *message) {
  if (ticket == NULL) return weft_fail(-EINVAL, "weft_job_end: no job");
  weft__job_t *job = begin(ticket);
  if (job == NULL) {
    give_back(ticket);
    return 0;
  }
  weft__record_t *record =
      status < 0 ? weft__record_make(status, 0, "%s", message != NULL ? message : weft_strerror(status)) : NULL;
  conclude(ticket, job, status, record);
  return 0;
}
