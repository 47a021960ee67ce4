/* pool_threads.c: the threads of a pool: how they grow in number, work, watch, rest and leave; see pool.h. */
#include <errno.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "exec/pool.h"

enum {
  WATCH_NS = 100 * 1000,
  WATCH_MAX_NS = 1600 * 1000,
  AGE_NS = 2000 * 1000,
  QUIET_LOOKS = 4,
  SEARCH_NS = 10 * 1000,
  LOOK_NS = 2000
};

typedef weft__thread_pool_t pool_t;
typedef weft__pool_thread_t thread_t;
typedef weft__pool_order_t order_t;

/* ---- who gets up; under the lock --------------------------------------------------------------------------------------- */

void weft__pool_make_active(pool_t *pool, thread_t *thread) {
  thread->place = WEFT__ACTIVE;
  weft__list_push_back(&pool->active, &thread->link);
  pool->active_count++;
}

static void leave_active(pool_t *pool, thread_t *thread) {
  weft__list_unlink(&thread->link);
  pool->active_count--;
}

static const order_t nothing;

/* One more thread: as active, or as watcher. One that is started counts as active until it is there. */
static order_t summon(pool_t *pool, enum weft__place place) {
  thread_t *thread = NULL;
  if (place == WEFT__ACTIVE && pool->watcher != NULL) { /* it is half awake already */
    thread = pool->watcher;
    pool->watcher = NULL;
  } else if (!weft__list_empty(&pool->idle)) {
    thread = weft__pool_thread_of(weft__list_pop_front(&pool->idle));
  } else if (pool->threads < pool->threads_max) {
    pool->threads++;
    pool->active_count++;
    return (order_t){NULL, true, place};
  } else {
    return nothing;
  }
  if (place == WEFT__ACTIVE) {
    weft__pool_make_active(pool, thread);
  } else {
    thread->place = WEFT__WATCHER;
    pool->watcher = thread;
  }
  return (order_t){thread, false, place};
}

order_t weft__pool_attend(pool_t *pool) {
  if (!weft__pool_runnable(pool)) return nothing;
  if (pool->active_count == pool->stuck_count) return summon(pool, WEFT__ACTIVE);
  if (pool->active_count > pool->busy_count) return nothing; /* somebody is on its way, and will see to the rest */
  return pool->watcher == NULL ? summon(pool, WEFT__WATCHER) : nothing;
}

/* ---- starting and joining ---------------------------------------------------------------------------------------------- */

static int thread_main(void *argument);

static int start_thread(pool_t *pool, enum weft__place place) {
  thread_t *thread = weft__alloc_zero(sizeof *thread);
  if (thread == NULL) return -ENOMEM;
  int rc = weft__parker_init(&thread->parker);
  if (rc == 0) {
    thread->pool = pool;
    thread->place = place;
    weft__link_init(&thread->link);
    weft__thread_t handle; /* the thread writes its own copy: this one is late */
    weft__pin_lift();      /* a thread inherits it */
    rc = weft__thread_start(&handle, thread_main, thread, pool->name);
    weft__pin_restore();
    if (rc == 0) return 0;
    weft__parker_destroy(&thread->parker);
  }
  weft__free(thread, sizeof *thread);
  return rc;
}

int weft__pool_obey(pool_t *pool, order_t order) {
  if (order.ring != NULL) weft__parker_ring(&order.ring->parker);
  if (!order.start) return 0;
  int rc = start_thread(pool, order.place);
  if (rc == 0) return 0;
  weft__spin_lock(&pool->lock);
  pool->threads--;
  pool->active_count--;
  bool end = weft__pool_is_the_end(pool);
  weft__spin_unlock(&pool->lock);
  if (end) weft__gate_open(&pool->base.ended);
  return rc;
}

static void take_dead(pool_t *pool, weft__list_t *dead) {
  weft__link_t *link;
  weft__list_init(dead);
  while ((link = weft__list_pop_front(&pool->dead)) != NULL) weft__list_push_back(dead, link);
}

static void join(weft__list_t *dead) {
  weft__link_t *link;
  while ((link = weft__list_pop_front(dead)) != NULL) {
    thread_t *thread = weft__pool_thread_of(link);
    weft__thread_join(thread->handle);
    weft__parker_destroy(&thread->parker);
    weft__free(thread, sizeof *thread);
  }
}

void weft__pool_join_dead(pool_t *pool) {
  weft__list_t dead;
  weft__spin_lock(&pool->lock);
  take_dead(pool, &dead);
  weft__spin_unlock(&pool->lock);
  join(&dead);
}

/* ---- the watcher; with the lock held on both sides -------------------------------------------------------------------- */

/* True: no active thread has begun a job since the last look. */
static bool mark_stuck(pool_t *pool) {
  for (weft__link_t *link = pool->active.head.next; link != &pool->active.head; link = link->next) {
    thread_t *thread = weft__pool_thread_of(link);
    if (!thread->busy || thread->stuck || thread->jobs != thread->sampled) continue;
    thread->stuck = true;
    pool->stuck_count++;
  }
  return pool->stuck_count == pool->active_count;
}

static void sample(pool_t *pool) {
  for (weft__link_t *link = pool->active.head.next; link != &pool->active.head; link = link->next)
    weft__pool_thread_of(link)->sampled = weft__pool_thread_of(link)->jobs;
}

/* Returns when this thread shall be active, or when there has been nothing to watch for a while. */
static void watch(pool_t *pool, thread_t *self) {
  int64_t period = WATCH_NS, marked = 0;
  uint64_t mark = 0;
  unsigned quiet = 0;
  while (pool->watcher == self && !pool->closed && pool->broken == NULL) {
    sample(pool);
    uint64_t before = atom_load(&pool->popped, relaxed); /* under the lock */
    int64_t now = weft__clock_now();
    if (before >= mark) { /* whatever waited at the last mark has gone */
      mark = atom_load(&pool->pushed, relaxed);
      marked = now;
    }
    weft__spin_unlock(&pool->lock);
    weft__parker_park(&self->parker, now + period);
    now = weft__clock_now();
    weft__spin_lock(&pool->lock);
    if (pool->watcher != self) return; /* somebody needs a thread at once */
    if (!weft__pool_runnable(pool)) {
      if (++quiet == QUIET_LOOKS) break;
      continue;
    }
    quiet = 0;
    bool stall = mark_stuck(pool);
    uint64_t popped = atom_load(&pool->popped, relaxed);
    if (stall || (popped < mark && now - marked >= AGE_NS)) {
      pool->watcher = NULL;
      weft__pool_make_active(pool, self);
      unsigned more = stall ? pool->burst : 0;
      pool->burst = stall ? pool->burst * 2 : 1;
      uint64_t waiting = atom_load(&pool->pushed, relaxed) - popped;
      while (more-- > 0 && waiting-- > 1) {
        order_t order = summon(pool, WEFT__ACTIVE);
        if (order.ring == NULL && !order.start) break;
        weft__spin_unlock(&pool->lock);
        weft_ignore(weft__pool_obey(pool, order));
        weft__spin_lock(&pool->lock);
      }
      return;
    }
    pool->burst = 1;
    period = popped != before && period < WATCH_MAX_NS ? period * 2 : period;
  }
  if (pool->watcher == self) {
    pool->watcher = NULL;
    pool->burst = 1;
    weft__pool_make_active(pool, self);
  }
}

/* ---- a thread's life --------------------------------------------------------------------------------------------------- */

/* With the lock held on both sides: looks for a job for a while. True: there may be one. */
static bool search(pool_t *pool) {
  if (pool->searching || pool->closed) return false;
  pool->searching = true;
  uint64_t pushed = atom_load(&pool->pushed, relaxed);
  weft__spin_unlock(&pool->lock);
  int64_t now = weft__clock_now(), end = now + SEARCH_NS;
  bool found = false;
  do { /* looks seldom: each look takes the line away from who submits, and jobs that come together are cheaper */
    int64_t next = now + LOOK_NS;
    do {
      atom_pause();
      now = weft__clock_now();
    } while (now < next);
    found = atom_load(&pool->pushed, relaxed) != pushed; /* relaxed: the lock is taken before anything else is read */
  } while (!found && now < end);
  weft__spin_lock(&pool->lock);
  pool->searching = false;
  return found || weft__pool_runnable(pool);
}

/* False: it has slept long enough to retire. */
static bool rest(pool_t *pool, thread_t *self) {
  if (search(pool) || pool->closed || pool->broken != NULL) return true;
  leave_active(pool, self);
  self->place = WEFT__IDLE;
  weft__list_push_front(&pool->idle, &self->link);
  int64_t until = weft__time_add(weft__clock_now(), pool->keep_alive);
  while (self->place == WEFT__IDLE) {
    weft__spin_unlock(&pool->lock);
    bool rung = weft__parker_park(&self->parker, until);
    weft__spin_lock(&pool->lock);
    if (rung || self->place != WEFT__IDLE) continue;
    weft__list_unlink(&self->link);
    weft__pool_make_active(pool, self); /* as it was; the caller leaves */
    return false;
  }
  if (self->place == WEFT__WATCHER) watch(pool, self);
  return true;
}

/* NULL, or why this thread is not fit for jobs. */
static const char *initialize(pool_t *pool, thread_t *self) {
  if (pool->pinned && weft__pin_enter(&self->pinned, &pool->pin) < 0)
    return "A thread may run on none of its processors, the thread pool is not usable anymore";
  if (!pool->has_initializer) return NULL;
  weft_call_t call = pool->initializer;
  return call.entry(call.args.bytes) >= 0 ? NULL : "A thread initializer failed, the thread pool is not usable anymore";
}

static void run_one(pool_t *pool, thread_t *self, weft__job_t *job) {
  weft__pool_lane_t *lane = &pool->lanes[job->lane];
  self->busy = true;
  self->jobs++;
  pool->busy_count++;
  weft_task_t *next = pool->queue_limit > 0 ? weft__pool_let_in(pool) : NULL;
  order_t order = weft__pool_attend(pool);
  weft__spin_unlock(&pool->lock);
  weft_ignore(weft__pool_obey(pool, order)); /* without a further thread this one comes back for the rest */
  weft__pool_admit(next);
  if (pool->crew != NULL)
    pool->crew->run(pool, self, job);
  else
    weft__job_run(job);
  weft__spin_lock(&pool->lock);
  self->busy = false;
  pool->busy_count--;
  if (self->stuck) {
    self->stuck = false;
    pool->stuck_count--;
  }
  lane->running--;
}

static int thread_main(void *argument) {
  thread_t *self = argument;
  pool_t *pool = self->pool;
  self->handle = weft__thread_self();
  const char *trouble = initialize(pool, self);
  bool fit = trouble == NULL;
  if (!fit) weft__pool_break(pool, trouble);
  weft__spin_lock(&pool->lock);
  weft__list_push_back(&pool->active, &self->link); /* counted there already */
  if (self->place == WEFT__WATCHER && pool->watcher == NULL && fit) {
    leave_active(pool, self);
    pool->watcher = self;
    watch(pool, self);
  }
  self->place = WEFT__ACTIVE;
  while (fit) {
    weft__job_t *job = weft__pool_take(pool);
    if (job != NULL) {
      run_one(pool, self, job);
      continue;
    }
    if (pool->closed || pool->broken != NULL || !rest(pool, self)) break;
  }
  if (pool->crew != NULL) {
    pool->busy_count++; /* nobody may count on it any more */
    weft__spin_unlock(&pool->lock);
    pool->crew->leave(pool, self);
    weft__spin_lock(&pool->lock);
    pool->busy_count--;
  }
  leave_active(pool, self);
  pool->threads--;
  weft__list_t dead; /* at most one thread at a time waits to be joined, until the end */
  take_dead(pool, &dead);
  weft__list_push_back(&pool->dead, &self->link);
  bool end = weft__pool_is_the_end(pool);
  weft__spin_unlock(&pool->lock);
  join(&dead);
  if (end) weft__gate_open(&pool->base.ended);
  return 0;
}
