/* thread_pool.c: what callers do with a thread pool: open, submit, withdraw, shut down; see pool.h. */
#include "exec/thread_pool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/processors.h"
#include "exec/pool.h"
#include "exec/visitors.h"
#include "sync/waiters.h"

typedef weft__thread_pool_t pool_t;
typedef weft__pool_lane_t lane_t;

static pool_t *pool_of(weft_executor_t *executor) { return weft__container_of(executor, pool_t, base); }

/* ---- the queue; under the lock ----------------------------------------------------------------------------------------- */

static bool may_run(const lane_t *lane) { return !weft__list_empty(&lane->queue) && lane->running < lane->max; }

bool weft__pool_runnable(const pool_t *pool) {
  for (unsigned i = 0; i < WEFT__LANES; i++)
    if (may_run(&pool->lanes[i])) return true;
  return false;
}

weft_task_t *weft__pool_let_in(pool_t *pool) {
  weft__link_t *link;
  while ((link = weft__list_pop_front(&pool->room)) != NULL) {
    weft__wait_t *wait = weft__wait_of_link(link);
    weft_task_t *task = wait->task;
    wait->woken = true;
    if (weft__word_wake(&task->future.word, WEFT__READY)) return task;
    wait->woken = false;
  }
  return NULL;
}

void weft__pool_admit(weft_task_t *task) {
  if (task == NULL) return;
  weft_loop_t *loop = task->future.loop;
  weft__schedule_task(task);
  weft__visitor_leave(loop);
}

void weft__pool_unqueue(pool_t *pool, weft__job_t *job, enum weft__job_state state) {
  weft__list_unlink(&job->link);
  pool->lanes[job->lane].length--;
  atom_store(&pool->popped, atom_load(&pool->popped, relaxed) + 1, relaxed); /* relaxed: the lock orders what matters */
  atom_store(&job->state, state, relaxed); /* a hint for others, who synchronise through finish */
}

/* The lanes that are kept free come first: few jobs, and short. */
weft__job_t *weft__pool_take(pool_t *pool) {
  for (unsigned i = 0; i < WEFT__LANES; i++) {
    lane_t *lane = &pool->lanes[i];
    if (!may_run(lane)) continue;
    weft__job_t *job = weft__job_of_link(weft__list_first(&lane->queue));
    weft__pool_unqueue(pool, job, WEFT__JOB_RUNNING);
    lane->running++;
    return job;
  }
  return NULL;
}

static bool full(const pool_t *pool, enum weft__lane lane) {
  return lane == WEFT__LANE_USER && pool->queue_limit > 0 && pool->lanes[lane].length >= pool->queue_limit;
}

bool weft__pool_is_the_end(pool_t *pool) {
  if (!pool->closed || pool->threads > 0 || pool->ended) return false;
  return pool->ended = true;
}

/* ---- ending jobs that wait --------------------------------------------------------------------------------------------- */

/* What is taken out of the pool under the lock, to be told without it. */
typedef struct leaving {
  weft__list_t jobs, tasks; /* tasks: those that waited for room */
} leaving_t;

/* Under the lock. */
static void collect_jobs(pool_t *pool, const weft__job_t *own, leaving_t *leaving) {
  for (unsigned i = 0; i < WEFT__LANES; i++) {
    weft__list_t *queue = &pool->lanes[i].queue;
    for (weft__link_t *link = queue->head.next, *next; link != &queue->head; link = next) {
      next = link->next;
      if (weft__job_of_link(link) == own) continue;
      weft__pool_unqueue(pool, weft__job_of_link(link), WEFT__JOB_WITHDRAWN);
      weft__list_push_back(&leaving->jobs, link);
    }
  }
}

/* Under the lock. */
static void collect_tasks(pool_t *pool, leaving_t *leaving) {
  weft_task_t *task;
  while ((task = weft__pool_let_in(pool)) != NULL) weft__list_push_back(&leaving->tasks, &task->item.link);
}

static void tell(leaving_t *leaving, int code, const char *words) {
  weft__link_t *link;
  while ((link = weft__list_pop_front(&leaving->jobs)) != NULL) {
    weft__record_t *record =
        words != NULL ? weft__record_make(code, 0, "%s", words) : weft__record_ref(weft__record_cancelled());
    weft__job_t *job = weft__job_of_link(link);
    job->finish(job, code, record);
  }
  while ((link = weft__list_pop_front(&leaving->tasks)) != NULL)
    weft__pool_admit(weft__task_of_item(weft__container_of(link, weft__item_t, link)));
}

static void leaving_init(leaving_t *leaving) {
  weft__list_init(&leaving->jobs);
  weft__list_init(&leaving->tasks);
}

void weft__pool_dismiss_all(pool_t *pool, const weft__job_t *own, int code, const char *words) {
  leaving_t leaving;
  leaving_init(&leaving);
  weft__spin_lock(&pool->lock);
  collect_jobs(pool, own, &leaving);
  collect_tasks(pool, &leaving);
  weft__spin_unlock(&pool->lock);
  tell(&leaving, code, words);
}

bool weft__pool_break(pool_t *pool, const char *words) {
  weft__spin_lock(&pool->lock);
  bool first = pool->broken == NULL;
  if (first) pool->broken = words;
  weft__spin_unlock(&pool->lock);
  if (first) weft__pool_dismiss_all(pool, NULL, WEFT_BROKEN_POOL, words);
  return first;
}

/* ---- the executor ------------------------------------------------------------------------------------------------------ */

static int submit(weft_executor_t *executor, weft__job_t *job) {
  pool_t *pool = pool_of(executor);
  weft__spin_lock(&pool->lock);
  bool closed = pool->closed;
  const char *broken = pool->broken;
  if (weft__unlikely(closed || broken != NULL || full(pool, job->lane))) {
    weft__spin_unlock(&pool->lock);
    if (broken != NULL) return weft_fail(WEFT_BROKEN_POOL, "%s", broken);
    if (closed) return weft_fail(WEFT_RUNTIME, "cannot schedule new futures after shutdown");
    return weft_fail(WEFT_QUEUE_FULL, "the pool's queue has reached its limit of %zu jobs", pool->queue_limit);
  }
  lane_t *lane = &pool->lanes[job->lane];
  weft__list_push_back(&lane->queue, &job->link);
  lane->length++;
  atom_store(&pool->pushed, atom_load(&pool->pushed, relaxed) + 1, relaxed); /* relaxed: as popped */
  weft__pool_order_t order = weft__pool_attend(pool);
  weft__spin_unlock(&pool->lock);
  if (order.ring == NULL && !order.start) return 0;
  int rc = weft__pool_obey(pool, order);
  if (weft__likely(rc == 0)) return 0;
  /* With other threads there it waits for one of them. Without any it cannot have started, and nor can the others. */
  weft__spin_lock(&pool->lock);
  bool deserted = pool->threads == 0, mine = deserted && atom_load(&job->state, relaxed) == WEFT__JOB_PENDING;
  if (mine) weft__pool_unqueue(pool, job, WEFT__JOB_WITHDRAWN);
  weft__spin_unlock(&pool->lock);
  if (deserted) weft__pool_dismiss_all(pool, NULL, rc, "no thread could be started");
  return mine ? weft_fail(rc, "no thread could be started: %s", weft_strerror(rc)) : 0;
}

static int await_room(weft_executor_t *executor) {
  pool_t *pool = pool_of(executor);
  weft_loop_t *loop = weft__current_task()->future.loop;
  weft__spin_lock(&pool->lock);
  if (!full(pool, WEFT__LANE_USER) || pool->closed || pool->broken != NULL) {
    weft__spin_unlock(&pool->lock);
    return 0;
  }
  weft__visitor_enter(loop);
  bool woken;
  int rc = weft__waiters_wait(&pool->room, &pool->lock, &woken);
  weft_task_t *next = rc < 0 && woken ? weft__pool_let_in(pool) : NULL; /* what it was given is somebody else's now */
  weft__spin_unlock(&pool->lock);
  if (!woken) weft__visitor_leave(loop);
  weft__pool_admit(next);
  return rc;
}

static bool withdraw(weft_executor_t *executor, weft__job_t *job) {
  pool_t *pool = pool_of(executor);
  weft__spin_lock(&pool->lock);
  bool pending = atom_load(&job->state, relaxed) == WEFT__JOB_PENDING;
  if (pending) weft__pool_unqueue(pool, job, WEFT__JOB_WITHDRAWN);
  weft_task_t *next = pending && pool->queue_limit > 0 ? weft__pool_let_in(pool) : NULL;
  weft__spin_unlock(&pool->lock);
  weft__pool_admit(next);
  return pending;
}

static void shut_down(weft_executor_t *executor, bool dismissing) {
  pool_t *pool = pool_of(executor);
  leaving_t leaving;
  leaving_init(&leaving);
  weft__spin_lock(&pool->lock);
  pool->closed = true;
  if (dismissing) collect_jobs(pool, NULL, &leaving);
  collect_tasks(pool, &leaving);
  if (pool->watcher != NULL) weft__parker_ring(&pool->watcher->parker);
  weft__link_t *link;
  while ((link = weft__list_pop_front(&pool->idle)) != NULL) { /* they see that it is closed and leave */
    weft__pool_make_active(pool, weft__pool_thread_of(link));
    weft__parker_ring(&weft__pool_thread_of(link)->parker);
  }
  bool end = weft__pool_is_the_end(pool);
  weft__spin_unlock(&pool->lock);
  tell(&leaving, WEFT_CANCELLED, NULL);
  if (end) weft__gate_open(&executor->ended);
}

static void reap(weft_executor_t *executor) { weft__pool_join_dead(pool_of(executor)); }

static void free_pool(weft_executor_t *executor) {
  pool_t *pool = pool_of(executor);
  WEFT__ASSERT(pool->threads == 0 && weft__list_empty(&pool->dead));
  if (pool->crew != NULL) pool->crew->free(pool);
  weft__free_aligned(pool, WEFT__CACHE_LINE, sizeof *pool);
}

const weft__executor_kind_t weft__thread_pool_kind = {.name = "thread pool",
                                                      .submit = submit,
                                                      .await_room = await_room,
                                                      .withdraw = withdraw,
                                                      .shutdown = shut_down,
                                                      .reap = reap,
                                                      .free = free_pool};

unsigned weft__thread_pool_default_size(void) {
  unsigned processors = weft__processors();
  return processors + 4 < 32 ? processors + 4 : 32;
}

int weft__thread_pool_open(const unsigned lanes[WEFT__LANES], const weft_thread_pool_options_t *options,
                           weft_executor_t **out) {
  pool_t *pool = weft__alloc_aligned(WEFT__CACHE_LINE, sizeof *pool);
  if (pool == NULL) return -ENOMEM;
  memset(pool, 0, sizeof *pool);
  weft__executor_init(&pool->base, &weft__thread_pool_kind);
  for (unsigned i = 0; i < WEFT__LANES; i++) {
    weft__list_init(&pool->lanes[i].queue);
    pool->lanes[i].max = lanes[i];
    pool->threads_max += lanes[i];
  }
  weft__list_init(&pool->active);
  weft__list_init(&pool->idle);
  weft__list_init(&pool->dead);
  weft__list_init(&pool->room);
  pool->burst = 1;
  pool->queue_limit = options->queue_limit;
  pool->keep_alive = 10 * WEFT__NS_PER_SECOND;
  if (options->initializer != NULL) {
    pool->has_initializer = true;
    pool->initializer = *options->initializer;
  }
  pool->pinned = options->cpus != NULL;
  if (pool->pinned) weft__pin_set(&pool->pin, options->cpus, options->cpu_count);
  snprintf(pool->name, sizeof pool->name, "%s", options->name != NULL ? options->name : "weft-pool");
  *out = &pool->base;
  return 0;
}

unsigned weft__thread_pool_threads(weft_executor_t *executor) {
  pool_t *pool = pool_of(executor);
  weft__spin_lock(&pool->lock);
  unsigned threads = pool->threads;
  weft__spin_unlock(&pool->lock);
  return threads;
}

size_t weft__thread_pool_waiting(weft_executor_t *executor) {
  pool_t *pool = pool_of(executor);
  weft__spin_lock(&pool->lock);
  size_t waiting = atom_load(&pool->pushed, relaxed) - atom_load(&pool->popped, relaxed);
  weft__spin_unlock(&pool->lock);
  return waiting;
}

void weft__thread_pool_set_keep_alive(weft_executor_t *executor, int64_t ns) {
  pool_t *pool = pool_of(executor);
  weft__spin_lock(&pool->lock);
  pool->keep_alive = ns;
  weft__spin_unlock(&pool->lock);
}
