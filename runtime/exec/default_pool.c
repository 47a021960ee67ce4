/* default_pool.c: see default_pool.h. loop->pool is made when first needed and lasts until the loop is closed; its fields
 * are under loop->pool_lock. The executors in it are only ever added: they are freed with it. */
#include "exec/default_pool.h"

#include <errno.h>
#include <math.h>
#include <weft/timeouts.h>

#include "base/alloc.h"
#include "exec/thread_pool.h"
#include "exec/visitors.h"
#include "sched/loop.h"

struct weft__pool {
  weft_executor_t *own;   /* the first in `all` that was made here; NULL: not yet */
  weft_executor_t *users; /* set_default_executor's; NULL: own */
  weft_executor_t *all;   /* linked by next */
  bool closed;
  weft__list_t chains;
};

enum { NAMES_MAX = 8, FILES_MAX = 4 };

/* With the lock held on both sides; NULL without memory. */
static struct weft__pool *pool_of(weft_loop_t *loop) {
  if (loop->pool != NULL) return loop->pool;
  weft__spin_unlock(&loop->pool_lock);
  struct weft__pool *made = weft__alloc_zero(sizeof *made);
  if (made != NULL) weft__list_init(&made->chains);
  weft__spin_lock(&loop->pool_lock);
  if (loop->pool == NULL) {
    loop->pool = made;
    return made;
  }
  weft__spin_unlock(&loop->pool_lock);
  weft__free(made, sizeof *made); /* somebody else was faster */
  weft__spin_lock(&loop->pool_lock);
  return loop->pool;
}

static void add(struct weft__pool *pool, weft_executor_t *executor) {
  for (weft_executor_t *at = pool->all; at != NULL; at = at->next)
    if (at == executor) return;
  executor->next = pool->all;
  pool->all = executor;
}

/* With the lock held on both sides. */
static int make_own(weft_loop_t *loop, struct weft__pool *pool) {
  weft__spin_unlock(&loop->pool_lock);
  const unsigned lanes[WEFT__LANES] = {[WEFT__LANE_NAMES] = NAMES_MAX,
                                       [WEFT__LANE_FILES] = FILES_MAX,
                                       [WEFT__LANE_USER] = loop->config.pool_threads != 0
                                                               ? loop->config.pool_threads
                                                               : weft__thread_pool_default_size()};
  weft_executor_t *made = NULL;
  int rc = weft__thread_pool_open(lanes, &(const weft_thread_pool_options_t){0}, &made);
  weft__spin_lock(&loop->pool_lock);
  if (rc < 0) return rc;
  if (pool->own == NULL) {
    pool->own = made;
    add(pool, made);
    return 0;
  }
  weft__spin_unlock(&loop->pool_lock);
  weft__executor_unref(made);
  weft__spin_lock(&loop->pool_lock);
  return 0;
}

weft_executor_t *weft__default_executor(weft_loop_t *loop, enum weft__lane lane) {
  weft_executor_t *executor = NULL;
  weft__spin_lock(&loop->pool_lock);
  struct weft__pool *pool = pool_of(loop);
  int rc = pool == NULL ? -ENOMEM : pool->closed ? WEFT_RUNTIME : 0;
  bool users = rc == 0 && lane == WEFT__LANE_USER && pool->users != NULL;
  if (rc == 0 && !users && pool->own == NULL) rc = make_own(loop, pool);
  if (rc == 0) executor = users ? pool->users : pool->own;
  weft__spin_unlock(&loop->pool_lock);
  if (rc == WEFT_RUNTIME) weft_ignore(weft_fail(rc, "Executor shutdown has been called"));
  if (rc == -ENOMEM) weft_ignore(weft_fail(rc, "no memory for the default pool"));
  return executor;
}

weft__list_t *weft__default_pool_chains(weft_loop_t *loop) {
  weft__spin_lock(&loop->pool_lock);
  struct weft__pool *pool = pool_of(loop);
  weft__spin_unlock(&loop->pool_lock);
  return pool != NULL ? &pool->chains : NULL;
}

bool weft__default_pool_used(weft_loop_t *loop) {
  weft__spin_lock(&loop->pool_lock);
  bool used = loop->pool != NULL && loop->pool->all != NULL;
  weft__spin_unlock(&loop->pool_lock);
  return used;
}

void weft__default_pool_shutdown(weft_loop_t *loop) {
  weft__spin_lock(&loop->pool_lock);
  struct weft__pool *pool = pool_of(loop);
  if (pool != NULL) pool->closed = true;
  weft_executor_t *all = pool != NULL ? pool->all : NULL;
  weft__spin_unlock(&loop->pool_lock);
  /* Once closed the list does not change, but for a pool that was just being made and has no jobs. */
  for (weft_executor_t *at = all; at != NULL; at = at->next) at->kind->shutdown(at, false);
}

void weft__default_pool_close(weft_loop_t *loop) {
  struct weft__pool *pool = loop->pool;
  if (pool != NULL) {
    pool->closed = true;
    for (weft_executor_t *at = pool->all; at != NULL; at = at->next) at->kind->shutdown(at, false);
    for (weft_executor_t *at = pool->all, *next; at != NULL; at = next) {
      next = at->next;
      weft_ignore(weft__gate_wait_anyway(&at->ended));
      at->kind->reap(at);
      weft__executor_unref(at);
    }
    weft__chains_close(loop, &pool->chains);
  }
  weft__visitors_drain(loop);
  loop->pool = NULL;
  weft__free(pool, sizeof *pool);
}

/* ---- public ------------------------------------------------------------------------------------------------------------ */

int weft_loop_set_default_executor(weft_loop_t *loop, weft_executor_t *executor) {
  if (loop == NULL || executor == NULL)
    return weft_fail(-EINVAL, "weft_loop_set_default_executor: no %s", loop == NULL ? "loop" : "executor");
  if (executor->kind != &weft__thread_pool_kind)
    return weft_fail(-EINVAL, "weft_loop_set_default_executor: a thread pool was expected, got a %s",
                     executor->kind->name);
  if (weft_loop_is_closed(loop)) return weft_fail(WEFT_RUNTIME, "Event loop is closed");
  weft__spin_lock(&loop->pool_lock);
  struct weft__pool *pool = pool_of(loop);
  bool closed = pool != NULL && pool->closed;
  if (pool != NULL && !closed) {
    pool->users = executor;
    add(pool, executor);
  }
  weft__spin_unlock(&loop->pool_lock);
  if (pool == NULL) return weft_fail(-ENOMEM, "weft_loop_set_default_executor: no memory");
  return closed ? weft_fail(WEFT_RUNTIME, "Executor shutdown has been called") : 0;
}

static const char shutdown_name[] = "weft_loop_shutdown_default_executor";

static int check_shutdown(weft_loop_t *loop) {
  return loop != NULL ? weft__check_suspend(shutdown_name) : weft_fail(-EINVAL, "%s: no loop", shutdown_name);
}

int weft_loop_shutdown_default_executor(weft_loop_t *loop) {
  int rc = check_shutdown(loop);
  if (rc < 0) return rc;
  weft__default_pool_shutdown(loop);
  weft__spin_lock(&loop->pool_lock);
  weft_executor_t *all = loop->pool != NULL ? loop->pool->all : NULL;
  weft__spin_unlock(&loop->pool_lock);
  for (weft_executor_t *at = all; at != NULL; at = at->next) {
    at->kind->shutdown(at, false); /* also the one that was just being made */
    rc = weft__gate_wait(&at->ended, shutdown_name);
    if (rc < 0) return rc;
    at->kind->reap(at);
  }
  return 0;
}

int weft_loop_shutdown_default_executor_within(weft_loop_t *loop, double seconds) {
  int rc = check_shutdown(loop);
  if (rc < 0) return rc;
  if (isnan(seconds)) return weft_fail(-EINVAL, "%s: the limit is not a number", shutdown_name);
  weft__default_pool_shutdown(loop); /* whatever the limit */
  weft_timeout_t scope = {{0}};
  weft_timeout_enter(&scope, seconds);
  return weft_timeout_exit(&scope, weft_loop_shutdown_default_executor(loop));
}
