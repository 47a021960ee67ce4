/* uv.c: see uv.h. */
#include "loop/uv.h"

#include <errno.h>
#include <sched.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/atomics.h"
#include "base/base.h"
#include "base/clock.h"
#include "base/threads.h"

struct weft__uv {
  uv_loop_t loop;
  uv_check_t keeper;        /* keeps the loop alive: uv_run does nothing while only unreferenced handles are left */
  weft__reactor_t *reactor; /* its owner is rung after a change; borrowed: it outlives us */
  weft__mutex_t mutex;      /* guards the next five */
  weft__cond_t turn;
  uint64_t next_ticket, serving;
  unsigned depth; /* of the holder's calls of lock; 0: free */
  weft__thread_t holder;
  _Atomic(unsigned) wanted;  /* waiting for the lock */
  _Atomic(bool) changed;     /* set by whoever changed it, cleared by the holder just before uv_run */
  _Atomic(int64_t) deadline; /* written by the holder */
  _Atomic(bool) alive;       /* likewise */
};

/* How many libuv locks this thread holds. Never cached over a suspension: nothing here suspends. */
static _Thread_local unsigned held_here;
WEFT__NOINLINE bool weft__uv_held_here(void) { return held_here != 0; }
static WEFT__NOINLINE void count_held(int step) { held_here += (unsigned)step; }

static void keep_alive(uv_check_t *keeper) { (void)keeper; }

int weft__uv_open(weft__reactor_t *reactor, weft__uv_t **out) {
  weft__uv_t *uv = weft__alloc(sizeof *uv);
  if (uv == NULL) return -ENOMEM;
  uv->reactor = reactor;
  uv->next_ticket = uv->serving = 0;
  uv->depth = 0;
  atom_init(&uv->wanted, 0);
  atom_init(&uv->changed, false);
  atom_init(&uv->deadline, WEFT__TIME_NEVER);
  atom_init(&uv->alive, false);
  int rc = weft__mutex_init(&uv->mutex);
  if (rc < 0) goto no_mutex;
  rc = weft__cond_init(&uv->turn);
  if (rc < 0) goto no_cond;
  rc = uv_loop_init(&uv->loop); /* a negative errno, as ours */
  if (rc < 0) goto no_loop;
  uv_check_init(&uv->loop, &uv->keeper);
  uv_check_start(&uv->keeper, keep_alive);
  *out = uv;
  return 0;
no_loop:
  weft__cond_destroy(&uv->turn);
no_cond:
  weft__mutex_destroy(&uv->mutex);
no_mutex:
  weft__free(uv, sizeof *uv);
  return rc;
}

static void close_handle(uv_handle_t *handle, void *unused) {
  (void)unused;
  if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

void weft__uv_close(weft__uv_t *uv) {
  WEFT__ASSERT(uv->depth == 0);
  while (uv_loop_close(&uv->loop) == UV_EBUSY) {
    uv_walk(&uv->loop, close_handle, NULL);
    uv_run(&uv->loop, UV_RUN_ONCE);
  }
  weft__cond_destroy(&uv->turn);
  weft__mutex_destroy(&uv->mutex);
  weft__free(uv, sizeof *uv);
}

/* Under the mutex: it is this thread's. */
static bool held_by_me(const weft__uv_t *uv) {
  return uv->depth > 0 && weft__thread_equal(uv->holder, weft__thread_self());
}

static void take(weft__uv_t *uv) {
  uv->holder = weft__thread_self();
  uv->depth = 1;
  count_held(1);
}

struct uv_loop_s *weft__uv_lock(weft__uv_t *uv) {
  weft__mutex_lock(&uv->mutex);
  if (held_by_me(uv)) {
    uv->depth++;
    count_held(1);
  } else {
    uint64_t ticket = uv->next_ticket++;
    atom_add(&uv->wanted, 1, relaxed);
    while (uv->serving != ticket || uv->depth > 0) weft__cond_wait(&uv->turn, &uv->mutex);
    atom_sub(&uv->wanted, 1, relaxed);
    take(uv);
    uv_update_time(&uv->loop); /* or a timer started now would count from the last round */
  }
  weft__mutex_unlock(&uv->mutex);
  return &uv->loop;
}

static void leave(weft__uv_t *uv) {
  if (--uv->depth == 0) {
    uv->serving++;
    weft__cond_broadcast(&uv->turn);
  }
  count_held(-1);
}

void weft__uv_unlock(weft__uv_t *uv) {
  weft__mutex_lock(&uv->mutex);
  WEFT__ASSERT(held_by_me(uv));
  bool inner = uv->depth > 1; /* a callback inside uv_run: the round goes on and its end looks at everything */
  leave(uv);
  weft__mutex_unlock(&uv->mutex);
  if (inner) return;
  atom_store(&uv->changed, true, release); /* partner: the exchange in run */
  weft__reactor_ring(uv->reactor);
}

static bool try_lock(weft__uv_t *uv) {
  weft__mutex_lock(&uv->mutex);
  bool free = uv->depth == 0 && uv->serving == uv->next_ticket;
  if (free) {
    uv->next_ticket++;
    take(uv);
  }
  weft__mutex_unlock(&uv->mutex);
  return free;
}

/* What the reactor has to know about a loop at rest. By the holder. */
static void note_state(weft__uv_t *uv) {
  int timeout = uv_backend_timeout(&uv->loop);
  int64_t deadline = timeout < 0 ? WEFT__TIME_NEVER : 0;
  if (timeout > 0) {
    deadline = weft__time_add((int64_t)uv_now(&uv->loop) * 1000000, (int64_t)timeout * 1000000);
    /* libuv's clock may be a coarse one that is still behind: no spinning until it has caught up */
    int64_t soon = weft__clock_now() + 100000;
    if (deadline < soon) deadline = soon;
  }
  /* relaxed: read by pollers, who look again after the ring that follows every change */
  atom_store(&uv->deadline, deadline, relaxed);
  atom_store(&uv->alive, uv->loop.active_handles > 1 || uv->loop.active_reqs.count > 0, relaxed);
}

void weft__uv_run(weft__uv_t *uv) {
  if (weft__uv_wanted(uv) > 0 || !try_lock(uv)) {
    /* Whoever holds it marks and rings when he is done, but he may be a poller like us: so mark it here, too. */
    atom_store(&uv->changed, true, release);
    sched_yield();
    return;
  }
  atom_xchg(&uv->changed, false, acq_rel);
  uv_run(&uv->loop, UV_RUN_NOWAIT);
  note_state(uv);
  weft__mutex_lock(&uv->mutex);
  leave(uv);
  weft__mutex_unlock(&uv->mutex);
}

int64_t weft__uv_limit(weft__uv_t *uv, int64_t timeout_ns) {
  int64_t due = weft__uv_deadline(uv);
  if (due == WEFT__TIME_NEVER && !weft__uv_changed(uv)) return timeout_ns;
  int64_t now = weft__clock_now();
  if (weft__uv_changed(uv) || due <= now) {
    weft__uv_run(uv);
    return 0;
  }
  return timeout_ns < 0 || due - now < timeout_ns ? due - now : timeout_ns;
}

int weft__uv_backend_fd(const weft__uv_t *uv) { return uv_backend_fd(&uv->loop); }
unsigned weft__uv_wanted(const weft__uv_t *uv) { return atom_load(&uv->wanted, relaxed); }
bool weft__uv_changed(const weft__uv_t *uv) { return atom_load(&uv->changed, acquire); }
int64_t weft__uv_deadline(const weft__uv_t *uv) { return atom_load(&uv->deadline, relaxed); }
bool weft__uv_alive(const weft__uv_t *uv) { return atom_load(&uv->alive, relaxed); }
