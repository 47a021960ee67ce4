/* runtime.c: opening a loop, running its workers, closing it.
 *
 * A run: the calling thread becomes worker 0; the others get threads of their own for as long as the run lasts. Stop:
 *   1. somebody sets `stopping` and rings every doorbell
 *   2. each worker ends the pass it is in and returns from weft__worker_run; running tasks go on to their next suspension
 *   3. worker 0 joins the threads, the monitor's and the spares' last; what is ready stays queued for the next run
 * Close (not running): what is queued and unfinished is reported and released without being run; then timers' owners,
 * fibers, reactors, memory. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/processors.h"
#include "sched/blocking.h"
#include "sched/fork.h"
#include "sched/loop.h"
#include "sched/strand.h"

static void describe_overflow(const char **name, size_t *size) {
  weft__worker_t *worker = weft__worker();
  weft_task_t *task = worker != NULL ? worker->current : NULL;
  static char text[32]; /* the process is about to end: nothing may be asked for */
  *name = task != NULL ? weft__task_describe(task, text, sizeof text) : NULL;
  *size = worker != NULL && worker->fiber != NULL ? worker->fiber->size : 0;
}
static void set_describe(void) { weft__overflow_describe = describe_overflow; }
static weft__once_t describe_once = WEFT__ONCE_INIT;

/* ---- opening ----------------------------------------------------------------------------------------------------------- */

static int count_workers(const weft_config_t *config, unsigned *out) {
  *out = config->workers;
  if (*out == 0) {
    const char *text = getenv("WEFT_WORKERS");
    char *end;
    unsigned long n = text != NULL && *text != '\0' ? strtoul(text, &end, 10) : 0;
    if (text != NULL && *text != '\0') {
      if (*end != '\0' || n == 0 || n > WEFT__WORKERS_MAX || text[0] == '-')
        return weft_fail(-EINVAL, "WEFT_WORKERS=%s: a number from 1 to %d was expected", text, WEFT__WORKERS_MAX);
      *out = (unsigned)n;
    } else {
      *out = weft__processors();
      if (*out > WEFT__WORKERS_MAX) *out = WEFT__WORKERS_MAX;
    }
  }
  if (*out > WEFT__WORKERS_MAX)
    return weft_fail(-EINVAL, "%u workers were asked for, the most is %d", *out, WEFT__WORKERS_MAX);
  return 0;
}

static void close_workers(weft_loop_t *loop, unsigned opened) {
  for (unsigned i = 0; i < opened; i++) weft__worker_close(&loop->workers[i]);
  weft__free_aligned(loop->workers, WEFT__CACHE_LINE, loop->worker_count * sizeof *loop->workers);
}

static int open_workers(weft_loop_t *loop) {
  size_t bytes = loop->worker_count * sizeof *loop->workers;
  loop->workers = weft__alloc_aligned(WEFT__CACHE_LINE, bytes);
  if (loop->workers == NULL) return -ENOMEM;
  memset(loop->workers, 0, bytes);
  for (unsigned i = 0; i < loop->worker_count; i++) {
    int rc = weft__worker_open(&loop->workers[i], loop, i);
    if (rc < 0) {
      close_workers(loop, i);
      return rc;
    }
  }
  return 0;
}

static int open_strands(weft_loop_t *loop) {
  if (loop->alone) return 0;
  loop->callback_strand = weft__strand_new(loop, true, loop->config.serial);
  if (loop->callback_strand == NULL) return -ENOMEM;
  if (loop->config.serial) {
    loop->main_strand = loop->callback_strand;
    weft__strand_ref(loop->main_strand);
  }
  return 0;
}

static void close_strands(weft_loop_t *loop) {
  if (loop->main_strand != NULL) weft__strand_unref(loop->main_strand);
  if (loop->callback_strand != NULL) weft__strand_unref(loop->callback_strand);
  loop->main_strand = loop->callback_strand = NULL;
}

static int open_helpers(weft_loop_t *loop) {
  int rc = weft__spares_init(loop);
  if (rc < 0) return rc;
  rc = weft__monitor_init(loop);
  if (rc < 0) weft__spares_destroy(loop);
  return rc;
}

int weft__loop_open(const weft_config_t *config, weft_loop_t **out) {
  unsigned workers;
  int rc = count_workers(config, &workers);
  if (rc < 0) return rc;
  if (config->stack_size != 0 && config->stack_size < WEFT__TASK_STACK_MIN)
    return weft_fail(-EINVAL, "a stack size of %zu bytes is too small, the least is %d", config->stack_size,
                     WEFT__TASK_STACK_MIN);
  if (config->pool_threads > WEFT__POOL_THREADS_MAX)
    return weft_fail(-EINVAL, "%u threads were asked for, the most is %d", config->pool_threads,
                     WEFT__POOL_THREADS_MAX);
  weft_loop_t *loop = weft__alloc_aligned(WEFT__CACHE_LINE, sizeof *loop);
  if (loop == NULL) return weft_fail(-ENOMEM, "no memory for a loop");
  memset(loop, 0, sizeof *loop);
  loop->config = *config;
  if (loop->config.stack_size == 0) loop->config.stack_size = WEFT__STACK_DEFAULT;
  const char *debug = getenv("WEFT_DEBUG");
  if (debug != NULL && debug[0] != '\0' && debug[0] != '0') loop->config.debug = true;
  loop->worker_count = workers;
  loop->alone = workers == 1;
  loop->slow_callback_ns = WEFT__NS_PER_SECOND / 10;
  weft__list_init(&loop->injected);
  weft__list_init(&loop->background);
  weft__list_init(&loop->listed_decks);
  for (unsigned i = 0; i < WEFT__SHARDS; i++) weft__list_init(&loop->shards[i].tasks);
  weft__stacks_retain();
  weft__once(&describe_once, set_describe);
  rc = weft__overflow_install();
  if (rc == 0) {
    rc = open_workers(loop);
    if (rc == 0) {
      rc = open_strands(loop);
      if (rc == 0) rc = open_helpers(loop);
      if (rc == 0) {
        weft__after_fork_add(loop);
        *out = loop;
        return 0;
      }
      close_strands(loop);
      close_workers(loop, workers);
    }
    weft__overflow_uninstall();
  }
  weft__stacks_release();
  weft__free_aligned(loop, WEFT__CACHE_LINE, sizeof *loop);
  return weft_fail(rc, "the loop could not be opened: %s", weft_strerror(rc));
}

/* ---- running ----------------------------------------------------------------------------------------------------------- */

static int worker_thread(void *argument) {
  weft__worker_t *worker = argument;
  weft__worker_enter_thread(worker);
  weft__worker_run(worker);
  weft__worker_leave_thread(worker);
  return 0;
}

void weft__loop_stop(weft_loop_t *loop) {
  atom_store(&loop->stopping, true, release);
  weft__wake_all(loop);
}

int weft__loop_run(weft_loop_t *loop) {
  int stopped = WEFT__LOOP_STOPPED;
  if (weft__worker() != NULL)
    return weft_fail(WEFT_RUNTIME, weft__worker()->loop == loop
                                       ? "This event loop is already running"
                                       : "Cannot run the event loop while another loop is running");
  if (!atom_cas(&loop->state, &stopped, WEFT__LOOP_RUNNING, acq_rel, acquire))
    return weft_fail(WEFT_RUNTIME,
                     stopped == WEFT__LOOP_CLOSED ? "Event loop is closed" : "This event loop is already running");
  unsigned started = 1;
  int rc = 0;
  weft__worker_enter_thread(&loop->workers[0]);
  weft__spares_begin_run(loop);
  for (; rc == 0 && started < loop->worker_count; started++) {
    char name[16];
    snprintf(name, sizeof name, "weft-%u", started);
    rc = weft__thread_start(&loop->workers[started].thread, worker_thread, &loop->workers[started], name);
    if (rc < 0) break;
  }
  bool monitored = rc == 0 && (rc = weft__monitor_start(loop)) == 0;
  if (rc == 0)
    weft__worker_run(&loop->workers[0]);
  else
    weft__loop_stop(loop);
  for (unsigned i = 1; i < started; i++) weft__thread_join(loop->workers[i].thread);
  if (monitored) weft__monitor_stop(loop);
  weft__spares_end_run(loop);
  weft__worker_leave_thread(&loop->workers[0]);
  if (loop->callback_strand != NULL) weft__strand_end_run(loop->callback_strand);
  atom_store(&loop->stopping, false, relaxed);
  atom_store(&loop->state, WEFT__LOOP_STOPPED, release);
  return rc < 0 ? weft_fail(rc, "the workers' threads could not be started: %s", weft_strerror(rc)) : 0;
}

void weft__loop_stop_soon(weft_loop_t *loop) {
  if (loop->alone)
    weft__loop_stop(loop); /* the running pass ends first */
  else
    weft__strand_stop(loop->callback_strand);
}

int weft_loop_stop(weft_loop_t *loop) {
  if (loop == NULL) return weft_fail(-EINVAL, "weft_loop_stop: no loop");
  if (weft_loop_is_closed(loop)) return weft_fail(WEFT_RUNTIME, "Event loop is closed");
  weft__loop_stop_soon(loop);
  return 0;
}

bool weft_loop_is_running(const weft_loop_t *loop) {
  return loop != NULL && atom_load(&loop->state, acquire) == WEFT__LOOP_RUNNING;
}
bool weft__loop_refuses_tasks(const weft_loop_t *loop) { /* NULL: a future of no loop */
  return loop != NULL && atom_load(&loop->state, relaxed) == WEFT__LOOP_CLOSED;
}
weft_loop_t *weft_get_running_loop(void) { return weft__current_loop(); }

/* ---- closing ----------------------------------------------------------------------------------------------------------- */

static weft_task_t *first_unfinished(weft_loop_t *loop) {
  weft__link_t *link = NULL;
  for (unsigned i = 0; i < WEFT__SHARDS && link == NULL; i++) {
    weft__spin_lock(&loop->shards[i].lock);
    link = weft__list_first(&loop->shards[i].tasks);
    weft__spin_unlock(&loop->shards[i].lock);
  }
  return link != NULL ? weft__container_of(link, weft_task_t, registry) : NULL;
}

/* Takes everything out of the queues; unfinished tasks stay in the registry. */
static void drop_queues(weft_loop_t *loop) {
  for (unsigned i = 0; i < loop->worker_count; i++) {
    weft__entry_t entry;
    while ((entry = weft__take(&loop->workers[i])) != 0) {
      weft__item_t *item = (weft__item_t *)(entry & ~WEFT__ENTRY_HOP);
      if (!(entry & WEFT__ENTRY_HOP))
        weft__drop_item(loop, item);
      else if (weft__word_phase(atom_load(&weft__task_of_item(item)->future.word, relaxed)) != WEFT__HOP)
        weft_future_unref(&weft__task_of_item(item)->future); /* a stale entry's own */
    }
  }
  weft__link_t *link;
  while ((link = weft__list_pop_front(&loop->injected)) != NULL)
    weft__drop_item(loop, weft__container_of(link, weft__item_t, link));
  atom_store(&loop->inject_count, 0, relaxed);
  weft__item_t *item;
  while ((item = weft__background_take(loop)) != NULL) weft__drop_item(loop, item);
}

/* All tasks end before the memory of any goes. */
static void abandon_tasks(weft_loop_t *loop) {
  for (unsigned i = 0; i < WEFT__SHARDS; i++)
    for (weft__link_t *link = loop->shards[i].tasks.head.next; link != &loop->shards[i].tasks.head; link = link->next)
      weft__task_stop_waiting(weft__container_of(link, weft_task_t, registry));
  weft__list_t abandoned;
  weft__list_init(&abandoned);
  weft_task_t *task;
  while ((task = first_unfinished(loop)) != NULL) {
    weft_task_ref(task);
    weft__report(loop, "Task was destroyed but it is pending!", NULL, NULL, task);
    weft__task_abandon(task);
    weft__list_push_back(&abandoned, &task->registry);
  }
  weft__link_t *link;
  while ((link = weft__list_pop_front(&abandoned)) != NULL) {
    task = weft__container_of(link, weft_task_t, registry);
    weft__fiber_free(&loop->workers[0].stacks, task->fiber);
    task->fiber = NULL;
    weft_task_unref(task);
  }
}

void weft__loop_empty(weft_loop_t *loop) {
  weft__after_fork_remove(loop);
  atom_store(&loop->state, WEFT__LOOP_CLOSED, seq_cst); /* from here on nothing is queued any more */
  drop_queues(loop);
  abandon_tasks(loop);
  close_strands(loop);
  weft__monitor_destroy(loop);
  weft__spares_destroy(loop);
  weft__decks_close(loop);
  close_workers(loop, loop->worker_count);
  loop->workers = NULL;
  weft__overflow_uninstall();
  weft__stacks_release();
  weft__record_unref(loop->base_error);
  loop->base_error = NULL;
}

void weft__loop_free(weft_loop_t *loop) { weft__free_aligned(loop, WEFT__CACHE_LINE, sizeof *loop); }

/* ---- what the task floor asks of a loop -------------------------------------------------------------------------------- */

unsigned weft__loop_workers(const weft_loop_t *loop) { return loop->worker_count; }
bool weft__loop_counts_hops(const weft_loop_t *loop) { return loop->alone || loop->main_strand != NULL; }

weft_strand_t *weft__callback_strand(weft_loop_t *loop) { return loop != NULL ? loop->callback_strand : NULL; }

weft_task_factory_fn weft__loop_task_factory(const weft_loop_t *loop) {
  return atom_load(&loop->task_factory, relaxed);
}
weft_task_factory_fn weft_loop_get_task_factory(const weft_loop_t *loop) { return weft__loop_task_factory(loop); }
void weft_loop_set_task_factory(weft_loop_t *loop, weft_task_factory_fn fn) {
  atom_store(&loop->task_factory, fn, relaxed);
}

bool weft_loop_is_closed(const weft_loop_t *loop) {
  return loop == NULL || atom_load(&loop->state, acquire) == WEFT__LOOP_CLOSED;
}

void weft__base_error(weft_loop_t *loop, weft__record_t *record) {
  if (loop == NULL) return; /* a callback of a future of no loop */
  weft__spin_lock(&loop->base_error_lock);
  if (loop->base_error == NULL) loop->base_error = weft__record_ref(record);
  weft__spin_unlock(&loop->base_error_lock);
  weft__worker_t *worker = weft__worker();
  if (worker != NULL && worker->loop == loop) worker->pass_left = 0; /* it breaks out of the pass */
  weft__loop_stop(loop);
}
