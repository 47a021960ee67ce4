/* loop.h: the insides of a loop (weft_loop_t): its workers, queues, clock and settings. For this floor and those above.
 *
 * Who writes what: a worker's fields are its own thread's unless said otherwise; a loop's settings are written before it
 * runs or by its callbacks; everything shared is atomic or names its lock. */
#ifndef WEFT_SCHED_LOOP_H
#define WEFT_SCHED_LOOP_H

#include <weft/events.h>
#include <weft/runners.h>

#include "base/spin.h"
#include "base/thread_watch.h"
#include "base/threads.h"
#include "fiber/fiber.h"
#include "fiber/overflow.h"
#include "lockfree/ring.h"
#include "loop/reactor.h"
#include "loop/timers.h"
#include "sched/clock.h"
#include "task/schedule.h"
#include "task/task.h"

enum {
  WEFT__WORKERS_MAX = 256,
  WEFT__SPARES_MAX = 64, /* workers that stand in for stuck ones: spares.c */
  WEFT__SLOTS_MAX = WEFT__WORKERS_MAX + WEFT__SPARES_MAX,
  WEFT__STACK_DEFAULT = 64 * 1024,
  WEFT__MASK_WORDS = WEFT__SLOTS_MAX / 64,
  WEFT__SHARDS = 16,
};

/* An entry of a ready queue: an item's address; the low bit marks a sleep's expiry that has a hop to go. */
typedef uintptr_t weft__entry_t;
#define WEFT__ENTRY_HOP ((weft__entry_t)1)

typedef struct weft__worker weft__worker_t;

/* Memory for tasks, of two sizes. */
enum { WEFT__TASK_CLASS_SMALL, WEFT__TASK_CLASS_LARGE, WEFT__TASK_CLASSES };
typedef struct weft__free_task {
  struct weft__free_task *next;
} weft__free_task_t;

typedef struct weft__worker_stats {
  _Atomic(uint64_t) ticks;  /* items run: also what the lookout watches */
  _Atomic(uint64_t) steals; /* items taken from others */
  _Atomic(uint64_t) parks;
  _Atomic(uint64_t) polls;      /* looks at descriptors */
  _Atomic(uint64_t) queue_high; /* longest queue at the beginning of a pass */
  _Atomic(int64_t) longest;     /* step, where they are timed, in ns */
} weft__worker_stats_t;

struct weft__worker {
  weft__ring_t ring;             /* ready, oldest first; others steal from it */
  _Atomic(weft__entry_t) newest; /* the queue's last entry, if it was pushed alone: see ready.c */
  weft_loop_t *loop;
  unsigned index;         /* from worker_count on: a spare's */
  weft__worker_t *home;   /* whose timers and descriptors its tasks use: itself, or a spare's permanent worker */
  _Atomic(bool) active;   /* false: a spare that has retired */
  _Atomic(bool) blocked;  /* in a section of weft_blocking_enter: others look after it at once */
  unsigned sections;      /* of these, how deep */
  const char *section_of; /* the call that opened the outermost one */
  weft__thread_watch_t watch;
  weft__spin_t pinned_lock; /* several workers: tasks that may run here only, first in first out */
  weft__list_t pinned;      /* items; under pinned_lock */
  _Atomic(size_t) pinned_count;
  bool pinned_turn;           /* pinned tasks and the others take turns */
  _Atomic(bool) timed;        /* steps are: steps.h */
  int64_t step_began;         /* 0: not known */
  size_t pass_left;           /* entries of the running pass */
  weft_task_t *current;       /* the task that runs */
  weft__fiber_t *fiber;       /* the fiber that runs */
  weft__fiber_t base;         /* the thread's own stack: polls and parks */
  weft__fiber_t *idle_fibers; /* resting in the worker loop, linked by next */
  unsigned idle_fiber_count;
  weft__stack_cache_t stacks;
  weft__entry_t assigned;        /* what the fiber that is switched to shall run */
  void (*after)(void *argument); /* run by whoever is switched to, first thing */
  void *after_argument;
  weft_strand_t *strand;       /* whose member runs here */
  weft_strand_t *leaving;      /* to be released after `after` */
  weft__fiber_t *eager_return; /* the creator of the task that starts eagerly here */
  int64_t boundary_time;       /* one worker: when descriptors last had their turn */
  uint64_t polled_at;          /* several: ticks at the last poll */
  unsigned in_place;           /* depth of runs in place since the last boundary */
  weft__reactor_t *reactor;
  weft__timers_t timers;
  weft__free_task_t *free_tasks[WEFT__TASK_CLASSES]; /* see task_memory.c */
  unsigned free_task_count[WEFT__TASK_CLASSES];
  unsigned task_batch; /* how many of them are fetched next time */
  uint64_t task_numbers, task_numbers_end;
  uint64_t random;
  bool searching;
  _Atomic(struct weft__deck *) forks; /* of the task that runs here, if it is in a tree of forks: fork.h */
  struct weft__deck *decks;           /* pooled */
  unsigned deck_count;
  struct weft__deck *asked_deck; /* as thief: whom it asked for forks, and when */
  unsigned asked_generation, fork_misses, fork_looks;
  int64_t asked_at, revoked_at;
  weft__thread_t thread;
  weft__overflow_thread_t overflow;
  bool redundant;                    /* a spare that shall retire */
  uint64_t background_at;            /* ticks when a background task last had its turn */
  unsigned boundaries;               /* counted while nobody sleeps: every eighth may look around */
  int64_t looked_at;                 /* when it last did */
  bool sees_stalled;                 /* one stood still then: it looks after that one at each boundary now */
  uint64_t sampled[WEFT__SLOTS_MAX]; /* as lookout: everybody's ticks at the last look */
  WEFT__CACHE_ALIGNED weft__worker_stats_t stats;
};

/* The worker itself looks at its descriptors, waiting for them or not. */
static inline int weft__worker_poll(weft__worker_t *worker, int64_t limit) {
  atom_store(&worker->stats.polls, atom_load(&worker->stats.polls, relaxed) + 1, relaxed);
  return weft__reactor_poll(worker->reactor, limit);
}

typedef struct weft__shard {
  WEFT__CACHE_ALIGNED weft__spin_t lock;
  weft__list_t tasks;
} weft__shard_t;

/* What waits for the day that every worker is stuck: monitor.c. */
typedef struct weft__monitor {
  weft__thread_t thread;
  weft__mutex_t mutex; /* guards the next two */
  weft__cond_t wake;
  bool ends;
  bool kicked;               /* look at once */
  _Atomic(bool) dozes;       /* sleeps without limit, because somebody else is awake enough to look */
  _Atomic(unsigned) blocked; /* workers that were, at the last look at which all stood still */
  _Atomic(size_t) looks;     /* statistics */
  uint64_t ticks[WEFT__SLOTS_MAX];
  int64_t processor[WEFT__SLOTS_MAX]; /* processor time of those that stood still; -1: not known yet */
  unsigned asleep[WEFT__SLOTS_MAX];   /* looks in a row at which it stood still as well */
} weft__monitor_t;

/* Spare workers: spares.c. */
typedef struct weft__spares {
  weft__mutex_t mutex;                            /* guards the rest but slot */
  weft__cond_t wake;                              /* of retired ones: who is activated sees its own `active` */
  bool closing;                                   /* nobody is activated any more */
  weft__worker_t *_Atomic slot[WEFT__SPARES_MAX]; /* opened once, recycled, closed with the loop */
  bool has_thread[WEFT__SPARES_MAX];
  _Atomic(size_t) activations, retirements; /* statistics */
} weft__spares_t;

enum weft__loop_state { WEFT__LOOP_STOPPED, WEFT__LOOP_RUNNING, WEFT__LOOP_CLOSED };

struct weft__handles;
struct weft__pool;

struct weft_loop {
  weft_config_t config;
  unsigned worker_count;
  weft__worker_t *workers;
  bool alone;         /* one worker: asyncio's order, no stealing */
  weft__link_t alive; /* after_fork.c's */

  WEFT__CACHE_ALIGNED weft__spin_t inject_lock;
  weft__list_t injected; /* items from foreign threads; under inject_lock */
  _Atomic(size_t) inject_count;
  weft__spin_t background_lock;
  weft__list_t background; /* items of ready background tasks; under background_lock */
  _Atomic(size_t) background_count;

  WEFT__CACHE_ALIGNED _Atomic(uint64_t) idle[WEFT__MASK_WORDS]; /* see idle.c */
  _Atomic(unsigned) idle_count;
  _Atomic(unsigned) searching;
  _Atomic(unsigned) lookout; /* worker index + 1, or 0 */
  _Atomic(bool) lookout_dozes;
  _Atomic(unsigned) slots;   /* workers and opened spares */
  _Atomic(unsigned) active;  /* workers and active spares */
  _Atomic(unsigned) blocked; /* workers in announced blocking sections */
  weft__monitor_t monitor;
  weft__spares_t spares;

  _Atomic(int) state; /* enum weft__loop_state */
  _Atomic(bool) stopping;
  _Atomic(bool) signalled; /* by a signal handler, which then rings: the next worker between passes calls */
  void (*on_signal)(weft_loop_t *loop); /* this; set while the loop does not run */
  _Atomic(int64_t) virtual_now;
  weft__spin_t jump_lock;
  /* A line of their own: written by threads outside, while workers read the ones above in every pass. */
  WEFT__CACHE_ALIGNED _Atomic(long)
      external;           /* jobs on threads that will wake somebody: the virtual clock waits for them */
  _Atomic(long) visitors; /* threads outside that will still touch the loop: exec/visitors.h */
  char visitors_line_end[0] WEFT__CACHE_ALIGNED;

  weft_strand_t *main_strand;     /* serial: everything runs in it */
  weft_strand_t *callback_strand; /* several workers: the loop's callbacks */

  weft__spin_t forks_lock;
  struct weft__deck *free_decks, *all_decks; /* under forks_lock, like the list */
  weft__list_t listed_decks;                 /* suspended tasks' that have forks to be taken */
  _Atomic(size_t) forks_listed;

  weft__shard_t shards[WEFT__SHARDS];
  _Atomic(uint64_t) task_numbers;

  weft__spin_t base_error_lock;
  weft__record_t *base_error; /* what ends the run: SystemExit, KeyboardInterrupt */

  weft_exception_handler_fn exception_handler;
  void *exception_handler_data;
  weft_log_fn logger;
  void *logger_data;
  _Atomic(weft_task_factory_fn) task_factory;
  int64_t slow_callback_ns;
  _Atomic(bool) steps_timed;     /* somebody asked for it; debug mode does as well */
  struct weft__handles *handles; /* call_soon and kin: run/handles.c */
  void *watchers;                /* add_reader and kin: run/watchers.c; under the libuv loop's lock */
  struct weft__pool *pool;       /* the default thread pool, made when first used: exec/ */
  weft__spin_t pool_lock;
  weft__list_t generators; /* open ones, see sync/generators.c; zero until the first is opened */
  weft__spin_t generators_lock;
};

/* ---- after_fork.c: a fork() of the user's ---- */
void weft__after_fork_add(weft_loop_t *loop);
void weft__after_fork_remove(weft_loop_t *loop);
/* This process is the child of a fork made while there were loops. */
bool weft__forked(void);

/* The worker that this thread is, or NULL. Never inlined: the address of a thread-local must not be kept across a switch
 * of stacks, after which the code may be on another thread (rule 18). */
weft__worker_t *weft__worker(void);
void weft__worker_set(weft__worker_t *worker);

/* The worker or the spare of this index, below loop->slots. */
static inline weft__worker_t *weft__worker_at(const weft_loop_t *loop, unsigned index) {
  if (index < loop->worker_count) return &loop->workers[index];
  return atom_load(&loop->spares.slot[index - loop->worker_count], acquire); /* partner: the release of opening it */
}
static inline bool weft__worker_is_spare(const weft__worker_t *worker) { return worker->home != worker; }

/* ---- ready.c ---- */
void weft__push(weft__worker_t *worker, weft__entry_t entry, bool fresh);
weft__entry_t weft__take(weft__worker_t *worker);
size_t weft__ready_count(const weft__worker_t *worker);
/* What of it others may take. */
size_t weft__stealable_count(const weft__worker_t *worker);
void weft__inject(weft_loop_t *loop, weft__item_t *item);
size_t weft__take_injected(weft__worker_t *worker);
bool weft__steal(weft__worker_t *thief, weft__worker_t *victim);
bool weft__steal_any(weft__worker_t *thief);
bool weft__work_anywhere(const weft_loop_t *loop);
void weft__schedule_entry(weft_loop_t *loop, weft__item_t *item, bool hop, bool fresh);

/* An item of a closed loop: internal work is run for what it releases (users' callbacks know that the loop is closed and
 * do not run); tasks are the registry's affair. */
void weft__drop_item(weft_loop_t *loop, weft__item_t *item);

/* ---- spawn.c, registry.c ---- */
/* After a run: what is left of the worker's batch. */
void weft__return_task_numbers(weft__worker_t *worker);
/* A task for a stolen fork: no strand, nobody knows it yet; NULL without memory. Two references: the joiner's and the
 * runtime's. It has an end hook, to be filled like its arguments, name and context. Start: registers and queues it here. */
weft_task_t *weft__stolen_task_new(weft__worker_t *worker, int (*entry)(void *), size_t args_size);
void weft__stolen_task_start(weft__worker_t *worker, weft_task_t *task);
/* Every unfinished task that is registered, under a lock: visit is short, and may add a reference. A loop of one worker
 * that runs shows its tasks to its own thread only. */
void weft__registry_visit(weft_loop_t *loop, void (*visit)(weft_task_t *task, void *data), void *data);
/* One worker: registers an injected task; for other items nothing. */
void weft__registry_take_in(weft_loop_t *loop, weft__item_t *item);

/* ---- idle.c ---- */
/* Something was queued that an idle worker could run. */
void weft__wake_one(weft_loop_t *loop);
/* Something was queued that only this worker can run. */
void weft__wake_worker(weft__worker_t *worker);
void weft__wake_all(weft_loop_t *loop);
/* The searcher has something to run: lets others search. */
void weft__found_work(weft__worker_t *worker);
/* One worker with nothing ready: sleeps until the next timer, event or ring; virtual time jumps instead. */
void weft__sleep_alone(weft__worker_t *worker);
/* Searches, then sleeps until there may be something to do. Several workers. A spare also returns when it is redundant. */
void weft__idle(weft__worker_t *worker);
/* While nobody sleeps there is no lookout: a running worker looks around now and then. */
void weft__look_around(weft__worker_t *worker);
/* A spare begins: takes what it can from everybody, who are all stuck. */
void weft__relieve_all(weft__worker_t *worker);

/* ---- monitor.c: several workers on a real clock ---- */
int weft__monitor_init(weft_loop_t *loop);
void weft__monitor_destroy(weft_loop_t *loop);
int weft__monitor_start(weft_loop_t *loop);
void weft__monitor_stop(weft_loop_t *loop);
/* The last sleeper has left: it may be needed now. */
void weft__monitor_wake(weft_loop_t *loop);
/* Ends its nap: somebody knows that it is needed. */
void weft__monitor_kick(weft_loop_t *loop);

/* ---- priorities.c ---- */
void weft__background_push(weft_loop_t *loop, weft__item_t *item);
weft__item_t *weft__background_take(weft_loop_t *loop);
/* Whether a background task is ready that this worker may take. */
bool weft__background_waits(const weft__worker_t *worker);
/* Between two passes: lets one of them have its turn, if it is. */
void weft__background_turn(weft__worker_t *worker);

/* ---- spares.c ---- */
int weft__spares_init(weft_loop_t *loop);
void weft__spares_destroy(weft_loop_t *loop);
/* One spare more, unless the bound is reached or memory or threads ran out. Any thread. */
bool weft__spare_activate(weft_loop_t *loop);
void weft__spares_begin_run(weft_loop_t *loop);
/* After the workers and the monitor have ended: ends the spares' threads. */
void weft__spares_end_run(weft_loop_t *loop);
unsigned weft__spares_active(const weft_loop_t *loop);

/* ---- blocking.c ---- */
/* A task or callback ended inside a blocking section: aborts, naming it. */
__attribute__((noreturn, cold)) void weft__section_left_open(weft__worker_t *worker);

/* ---- worker.c ---- */
void weft__worker_enter_thread(weft__worker_t *worker);
void weft__worker_leave_thread(weft__worker_t *worker);
void weft__worker_run(weft__worker_t *worker); /* on the thread's own stack; returns when the loop stops */
int weft__worker_open(weft__worker_t *worker, weft_loop_t *loop, unsigned index);
void weft__worker_close(weft__worker_t *worker);
void weft__worker_rest(weft__worker_t *worker); /* after a run: gives its cached fibers back */
/* Expires this worker's due timers, if any. */
void weft__run_timers(weft__worker_t *worker);

/* ---- strand.c ---- */
weft_strand_t *weft__strand_new(weft_loop_t *loop, bool callbacks, bool serial);
/* Stops the loop at the end of the pass of callbacks that runs now, else after the next one. */
void weft__strand_stop(weft_strand_t *strand);
void weft__strand_push(weft_strand_t *strand, weft__item_t *item, bool hop);
/* The step of the strand's member on this worker is over. */
void weft__strand_release(weft_strand_t *strand);
/* Serial: expires due timers as the strand's runner, unless a step of it runs. */
void weft__strand_run_timers(weft_strand_t *strand);
bool weft__strand_runs_item(const weft__item_t *item);
weft__entry_t weft__strand_next(weft_strand_t *strand);
/* After a run: forgets a stop that was asked for in it. */
void weft__strand_end_run(weft_strand_t *strand);
/* Whether a member runs or waits. */
bool weft__strand_is_active(weft_strand_t *strand);
/* Empties a strand whose item was taken from a queue of a loop that is being closed. */
void weft__strand_drop(weft_strand_t *strand);

/* ---- runtime.c ---- */
int weft__loop_open(const weft_config_t *config, weft_loop_t **out);
/* Runs the workers on this thread and others until weft__loop_stop. 0 or a negative error. */
int weft__loop_run(weft_loop_t *loop);
void weft__loop_stop(weft_loop_t *loop);
/* asyncio's stop: what was scheduled before still runs. */
void weft__loop_stop_soon(weft_loop_t *loop);
/* Not running: releases everything but the loop's own memory, which then says that it is closed. */
void weft__loop_empty(weft_loop_t *loop);
void weft__loop_free(weft_loop_t *loop);

#endif
