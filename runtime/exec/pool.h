/* pool.h: the inside of a thread pool, for its two halves: thread_pool.c, what callers do, and pool_threads.c, what its
 * threads do.
 *
 * Everything is under one spin lock, held for a few instructions; sleeping threads have a bed of their own each, and are
 * rung after the lock was left. A thread is in one of these places:
 *   active    runs a job, or is on its way to the queue; in the list `active` (not yet, if it is being started)
 *   idle      sleeps in the list `idle`, the last one to fall asleep first, so that the others grow old and retire
 *   watcher   at most one: sleeps with a short limit while jobs wait
 *   dead      left for good; in the list `dead` until somebody has joined it
 * Whoever wakes a thread moves it to its new place first; it finds itself there.
 *
 * Growth. One active thread that gets on is enough for short jobs, and every further one costs; so a job that comes while
 * some thread gets on wakes nobody. The watcher sees to the rest. When it wakes and finds
 *   every active thread in the same job as at its last look (stuck): it takes the queue's head itself, and others get up
 *     with it, each time twice as many
 *   jobs that have waited longer than AGE_NS although threads get on: it becomes active
 * A thread that is known to be stuck does not count as one that gets on: the next job then wakes or starts somebody at once.
 * As long as jobs wait and may be run, some active thread is on its way to the queue, or there is a watcher, or all threads
 * that the pool may have are active.
 *
 * A thread that finds no job searches for a few microseconds before it sleeps, one at a time: short jobs come in streams, and
 * to sleep and be woken costs both sides more than a job.
 *
 * Why no lock-free queue (ck's ring or FIFO) with an event count: a job is withdrawn from the middle, dismissed, limited by
 * lane and counted together with the threads that may take it; with a queue of its own each of these would be one more race
 * to close, and ck's FIFO wants memory per entry, while a job brings its link. One lock of one line costs a submitter no
 * more than the two locked operations of such a queue, and taking sixteen jobs per hold was measured to gain a tenth.
 *
 * Lanes: a lane has its own queue and a number of jobs that may run at once; the pool may have as many threads as all lanes
 * together, so a lane's share is always there for it. Within a lane first come, first served. */
#ifndef WEFT_EXEC_POOL_H
#define WEFT_EXEC_POOL_H

#include "base/spin.h"
#include "exec/executor.h"
#include "exec/parker.h"
#include "exec/pinning.h"

enum weft__place { WEFT__ACTIVE, WEFT__IDLE, WEFT__WATCHER };

typedef struct weft__pool_thread {
  weft__link_t link; /* in active, idle or dead */
  struct weft__thread_pool *pool;
  weft__thread_t handle; /* written by the thread itself, before it first takes the lock */
  weft__parker_t parker;
  enum weft__place place;
  bool busy;        /* in a job */
  bool stuck;       /* the watcher saw it in one job for too long */
  uint64_t jobs;    /* begun so far */
  uint64_t sampled; /* jobs, at the watcher's last look */
  void *crew_data;  /* the crew's */
  weft__pinned_t pinned;
} weft__pool_thread_t;

/* A line of its own: only jobs of that lane need it. */
typedef struct weft__pool_lane {
  WEFT__CACHE_ALIGNED weft__list_t queue;
  size_t length;
  unsigned running, max;
} weft__pool_lane_t;

struct weft__thread_pool;
/* What its threads do with a job, where they do not call the function themselves. All without the lock. */
typedef struct weft__pool_crew {
  void (*run)(struct weft__thread_pool *pool, weft__pool_thread_t *thread, weft__job_t *job);
  void (*leave)(struct weft__thread_pool *pool, weft__pool_thread_t *thread); /* the thread's last act */
  void (*free)(struct weft__thread_pool *pool);                               /* before the pool's memory goes */
} weft__pool_crew_t;

typedef struct weft__thread_pool {
  weft_executor_t base; /* first */
  /* What every job needs lies in one line and its lane's: two processors hand them to each other. */
  WEFT__CACHE_ALIGNED weft__spin_t lock;
  unsigned active_count; /* those being started included */
  unsigned busy_count;   /* of the active ones: in a job */
  unsigned stuck_count;  /* in one for too long */
  bool closed, ended;    /* not beside the lock: the compiler reads several as one word */
  bool searching;        /* some thread looks for a job before it goes to bed */
  weft__pool_thread_t *watcher;
  _Atomic(uint64_t) pushed, popped; /* written under the lock; a searching thread looks without it */
  const char *broken;               /* why no job can run any more; static; NULL: it is well */
  size_t queue_limit;
  weft__pool_lane_t lanes[WEFT__LANES];
  WEFT__CACHE_ALIGNED weft__list_t active;
  weft__list_t idle, dead;
  unsigned threads, threads_max;
  unsigned burst;                /* how many get up at the next stall */
  const weft__pool_crew_t *crew; /* NULL: none */
  void *crew_data;
  weft__list_t room; /* tasks that wait for the queue to get shorter */
  int64_t keep_alive;
  bool has_initializer;
  weft_call_t initializer;
  bool pinned;
  weft__pin_t pin;
  char name[16]; /* what the kernel shows */
} weft__thread_pool_t;

static inline weft__pool_thread_t *weft__pool_thread_of(weft__link_t *link) {
  return weft__container_of(link, weft__pool_thread_t, link);
}
static inline weft__job_t *weft__job_of_link(weft__link_t *link) { return weft__container_of(link, weft__job_t, link); }

/* What is to be done once the lock is left. */
typedef struct weft__pool_order {
  weft__pool_thread_t *ring;
  bool start;
  enum weft__place place; /* of the one to be started */
} weft__pool_order_t;

/* ---- pool_threads.c ---- */
/* Under the lock, after every change that leaves jobs waiting: who is to get up. */
weft__pool_order_t weft__pool_attend(weft__thread_pool_t *pool);
/* Without it. 0, or why no thread could be started; the pool may have none at all then. */
int weft__pool_obey(weft__thread_pool_t *pool, weft__pool_order_t order);
/* Under the lock: puts an idle thread among the active ones. */
void weft__pool_make_active(weft__thread_pool_t *pool, weft__pool_thread_t *thread);
/* Joins those that have left. Without the lock. */
void weft__pool_join_dead(weft__thread_pool_t *pool);

/* ---- thread_pool.c ---- */
/* Under the lock: out of its queue. */
void weft__pool_unqueue(weft__thread_pool_t *pool, weft__job_t *job, enum weft__job_state state);
/* Under the lock: the next job, which is then running; NULL: none may run. */
weft__job_t *weft__pool_take(weft__thread_pool_t *pool);
bool weft__pool_runnable(const weft__thread_pool_t *pool);
/* Under the lock: somebody who waits for room; to be passed to admit without the lock. NULL: nobody. */
weft_task_t *weft__pool_let_in(weft__thread_pool_t *pool);
void weft__pool_admit(weft_task_t *task);
/* Under the lock: nobody is left of a pool that was shut down; true once. The caller then opens `ended`. */
bool weft__pool_is_the_end(weft__thread_pool_t *pool);
/* Ends every job that waits but `own` with that error. Without the lock. */
void weft__pool_dismiss_all(weft__thread_pool_t *pool, const weft__job_t *own, int code, const char *words);
/* From now on there are no jobs any more: those that wait end with WEFT_BROKEN_POOL. words are static. True: it was well
 * before. */
bool weft__pool_break(weft__thread_pool_t *pool, const char *words);

#endif
