/* reactor_uv.c: the reactor over libuv's uv_poll_t alone, for systems without epoll (cmake -DWEFT_REACTOR=uv; tested on
 * Linux). It costs more system calls than reactor_epoll.c: two for each time that a descriptor runs dry.
 *
 * The descriptors are handles of the reactor's libuv loop, which is made at once; every change to it is made under its
 * lock (uv.h). Nobody sleeps inside libuv: the owner sleeps in poll(2) on the loop's backend descriptor and the doorbell, a
 * pipe, and runs the loop without waiting, so the lock is never held for long.
 *
 * uv_poll_t is level-triggered, the readiness word wants edges. So a descriptor is watched only for those directions whose
 * bit is clear: the callback that reports a direction stops watching it, and whoever clears a bit (weft__reactor_rearm)
 * puts the object on the list of wishes, a stack that the loop's prepare handle takes whole before it polls:
 *   wish     wished: false -> true by exchange; who did it owns wish_next and pushes the object
 *   grant    under the loop's lock: takes the stack, and for each object sets wished to false and only then reads the word,
 *            so that a bit which is cleared later comes with a wish of its own
 * An object that was closed meanwhile has no watch, and one that was reused is looked at for nothing.
 *
 * No wish is slept over: it rings the doorbell, and the owner empties the stack before it sleeps. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "loop/bell.h"
#include "loop/reactor_core.h"
#include "loop/uv.h"

typedef struct uv_reactor {
  weft__reactor_t core;
  WEFT__CACHE_ALIGNED weft__bell_t bell;
  _Atomic(weft__ready_t *) wishes;
  _Atomic(unsigned) delivered; /* written under the loop's lock */
  weft__uv_t *uv;
  uv_prepare_t granter;
  bool *watched; /* by descriptor, under the loop's lock: libuv itself would take one twice */
  size_t watched_room;
  int bell_fds[2]; /* a pipe; [0] is the owner's */
} uv_reactor_t;

/* A descriptor's handle, of the loop; freed by its close callback. Touched under the loop's lock alone. */
typedef struct watch {
  uv_poll_t poll;
  weft__ready_t *ready;
  uint64_t data;
  int events; /* what it watches for */
} watch_t;

static uv_reactor_t *uv_of(weft__reactor_t *core) { return weft__container_of(core, uv_reactor_t, core); }
static const uv_reactor_t *uv_of_const(const weft__reactor_t *core) { return (const uv_reactor_t *)(const void *)core; }

/* ---- watching, under the loop's lock ----------------------------------------------------------------------------------- */

static void on_event(uv_poll_t *poll, int status, int events);

static void watch_for(watch_t *watch, int events) {
  if (events == watch->events) return;
  watch->events = events;
  if (events == 0)
    uv_poll_stop(&watch->poll);
  else
    WEFT__ASSERT(uv_poll_start(&watch->poll, events, on_event) == 0);
}

/* What the word lacks. The peer's end is asked for with the first direction, and no more once it has come. */
static int lacking(const weft__ready_t *ready) {
  uint64_t word = weft__ready_load(ready);
  int events = (word & WEFT__READY_IN ? 0 : UV_READABLE) | (word & WEFT__READY_OUT ? 0 : UV_WRITABLE);
  return events != 0 && !(word & WEFT__READY_RDHUP) ? events | UV_DISCONNECT : events;
}

static void on_event(uv_poll_t *poll, int status, int events) {
  watch_t *watch = weft__container_of(poll, watch_t, poll);
  uv_reactor_t *reactor = uv_of(watch->ready->reactor);
  uint64_t bits = 0;
  if (events & UV_READABLE) bits |= WEFT__READY_IN;
  if (events & UV_WRITABLE) bits |= WEFT__READY_OUT;
  if (events & UV_DISCONNECT) bits |= WEFT__READY_RDHUP | WEFT__READY_IN;
  if (status < 0) bits |= WEFT__READY_ERR | WEFT__READY_IN | WEFT__READY_OUT; /* libuv has stopped the handle */
  if (weft__ready_deliver(&reactor->core, watch->data, bits)) atom_add(&reactor->delivered, 1, relaxed);
  if (status < 0) watch->events = 0;
  watch_for(watch, lacking(watch->ready));
}

static void grant(uv_prepare_t *granter) {
  uv_reactor_t *reactor = granter->data;
  if (atom_load(&reactor->wishes, relaxed) == NULL) return; /* who looks for them before a sleep does it in order */
  /* acq_rel: partner of the pushes */
  weft__ready_t *ready = atom_xchg(&reactor->wishes, NULL, acq_rel), *next;
  for (; ready != NULL; ready = next) {
    next = ready->wish_next;
    atom_xchg(&ready->wished, false, acq_rel); /* acq_rel: before the look at the word; a later wish pushes again */
    if (ready->watch != NULL) watch_for(ready->watch, lacking(ready));
  }
}

void weft__reactor_rearm(weft__reactor_t *core, weft__ready_t *ready) {
  uv_reactor_t *reactor = uv_of(core);
  /* acq_rel: the clear comes before it; partner of grant's exchange */
  if (atom_xchg(&ready->wished, true, acq_rel)) return;
  weft__ready_t *first = atom_load(&reactor->wishes, relaxed);
  do {
    ready->wish_next = first;
  } while (
      !atom_cas_weak(&reactor->wishes, &first, ready, release, relaxed)); /* release: partner of grant's exchange */
  weft__reactor_ring(core);
}

/* ---- opening and closing ----------------------------------------------------------------------------------------------- */

static void close_bell(uv_reactor_t *reactor) {
  for (int i = 0; i < 2; i++) {
    if (reactor->bell_fds[i] >= 0) close(reactor->bell_fds[i]);
    reactor->bell_fds[i] = -1;
  }
}

int weft__reactor_open(weft__reactor_t **out) {
  uv_reactor_t *reactor = weft__alloc_aligned(WEFT__CACHE_LINE, sizeof *reactor);
  if (reactor == NULL) return -ENOMEM;
  weft__reactor_core_init(&reactor->core);
  atom_init(&reactor->bell, WEFT__BELL_AWAKE);
  atom_init(&reactor->wishes, NULL);
  atom_init(&reactor->delivered, 0);
  reactor->uv = NULL;
  reactor->watched = NULL;
  reactor->watched_room = 0;
  reactor->bell_fds[0] = reactor->bell_fds[1] = -1;
  int rc = pipe2(reactor->bell_fds, O_NONBLOCK | O_CLOEXEC) < 0 ? -errno : 0;
  if (rc == 0) rc = weft__uv_open(&reactor->core, &reactor->uv);
  if (rc < 0) {
    close_bell(reactor);
    weft__reactor_core_close(&reactor->core);
    return rc;
  }
  uv_loop_t *loop = weft__uv_lock(reactor->uv);
  uv_prepare_init(loop, &reactor->granter);
  reactor->granter.data = reactor;
  uv_prepare_start(&reactor->granter, grant);
  uv_unref((uv_handle_t *)&reactor->granter);
  weft__uv_unlock(reactor->uv);
  weft__uv_run(reactor->uv); /* or the first sleep would end at once */
  atom_store(&reactor->bell, WEFT__BELL_AWAKE, relaxed);
  *out = &reactor->core;
  return 0;
}

static void free_watch(uv_handle_t *handle) {
  watch_t *watch = weft__container_of((uv_poll_t *)(void *)handle, watch_t, poll);
  weft__free(watch, sizeof *watch);
}

/* Under the loop's lock. */
static void unwatch(weft__ready_t *ready) {
  watch_t *watch = ready->watch;
  ready->watch = NULL;
  if (watch == NULL) return;
  uv_of(ready->reactor)->watched[ready->fd] = false;
  uv_close((uv_handle_t *)&watch->poll, free_watch); /* at once out of the backend: the descriptor may be closed */
}

void weft__reactor_close(weft__reactor_t *core) {
  if (core == NULL) return;
  uv_reactor_t *reactor = uv_of(core);
  weft__uv_lock(reactor->uv);
  uint32_t size = weft__ready_table_size(&core->table);
  for (uint32_t i = 0; i < size; i++) unwatch(weft__ready_table_at(&core->table, i));
  weft__uv_unlock(reactor->uv);
  weft__uv_close(reactor->uv);
  close_bell(reactor);
  weft__reactor_core_close(core);
}

void weft__reactor_free(weft__reactor_t *core) {
  uv_reactor_t *reactor = uv_of(core);
  weft__free(reactor->watched, reactor->watched_room * sizeof *reactor->watched);
  weft__free_aligned(reactor, WEFT__CACHE_LINE, sizeof *reactor);
}

/* ---- registration ------------------------------------------------------------------------------------------------------ */

/* Under the loop's lock: 0, -EEXIST or -ENOMEM. */
static int claim(uv_reactor_t *reactor, int fd) {
  size_t index = (size_t)fd, room = reactor->watched_room;
  if (index >= room) {
    size_t wanted = 2 * index + 64;
    bool *watched = weft__alloc_zero(wanted * sizeof *watched);
    if (watched == NULL) return -ENOMEM;
    if (room > 0) memcpy(watched, reactor->watched, room * sizeof *watched);
    weft__free(reactor->watched, room * sizeof *watched);
    reactor->watched = watched;
    reactor->watched_room = wanted;
  }
  if (reactor->watched[index]) return -EEXIST;
  reactor->watched[index] = true;
  return 0;
}

int weft__reactor_register(weft__reactor_t *core, weft__ready_t *ready, uint64_t data) {
  uv_reactor_t *reactor = uv_of(core);
  watch_t *watch = weft__alloc(sizeof *watch);
  if (watch == NULL) return -ENOMEM;
  watch->ready = ready;
  watch->data = data;
  watch->events = 0;
  uv_loop_t *loop = weft__uv_lock(reactor->uv);
  int rc = claim(reactor, ready->fd);
  if (rc == 0 && (rc = uv_poll_init(loop, &watch->poll, ready->fd)) < 0) reactor->watched[ready->fd] = false;
  if (rc == 0) {
    uv_unref((uv_handle_t *)&watch->poll); /* what keeps a loop alive are its user's handles */
    ready->watch = watch;
  }
  weft__uv_unlock(reactor->uv);
  if (rc < 0) weft__free(watch, sizeof *watch);
  return rc;
}

void weft__reactor_unregister(weft__reactor_t *core, weft__ready_t *ready) {
  uv_reactor_t *reactor = uv_of(core);
  weft__uv_lock(reactor->uv);
  unwatch(ready);
  weft__uv_unlock(reactor->uv);
}

unsigned weft__reactor_interest(const weft__reactor_t *core) {
  return atom_load(&core->registered, relaxed) + atom_load(&core->has_uv, relaxed);
}

unsigned weft__reactor_waiting(const weft__reactor_t *core) {
  weft__uv_t *uv = uv_of_const(core)->uv;
  bool used = atom_load(&core->has_uv, relaxed) && (weft__uv_changed(uv) || weft__uv_alive(uv));
  return atom_load(&core->waiting, relaxed) + used;
}

weft__uv_t *weft__reactor_uv(weft__reactor_t *core, int *error) {
  (void)error;
  atom_store(&core->has_uv, true, relaxed); /* a hint */
  return uv_of(core)->uv;
}

/* ---- the doorbell ------------------------------------------------------------------------------------------------------ */

void weft__reactor_ring(weft__reactor_t *core) {
  uv_reactor_t *reactor = uv_of(core);
  if (!weft__bell_ring(&reactor->bell)) return;
  char byte = 0;
  /* A full pipe says the same; nothing else can go wrong. */
  while (write(reactor->bell_fds[1], &byte, 1) < 0 && errno == EINTR) continue;
}

static void empty_bell(uv_reactor_t *reactor) {
  char bytes[64];
  while (read(reactor->bell_fds[0], bytes, sizeof bytes) > 0) continue;
}

bool weft__reactor_asleep(const weft__reactor_t *core) {
  return atom_load(&uv_of_const(core)->bell, relaxed) == WEFT__BELL_ASLEEP;
}

/* ---- polling ----------------------------------------------------------------------------------------------------------- */

/* True: the loop's descriptors, or its timers, have something to say. */
static bool sleep_until_called(uv_reactor_t *reactor, int64_t timeout_ns) {
  struct pollfd fds[2] = {{.fd = weft__uv_backend_fd(reactor->uv), .events = POLLIN},
                          {.fd = reactor->bell_fds[0], .events = POLLIN}};
  /* The kernel lets a wait end late by a thousandth of its length: a long one is cut short, and the caller comes back. */
  if (timeout_ns > 50 * INT64_C(1000000)) timeout_ns -= timeout_ns / 128;
  struct timespec length = {.tv_sec = timeout_ns / WEFT__NS_PER_SECOND, .tv_nsec = timeout_ns % WEFT__NS_PER_SECOND};
  int n = ppoll(fds, 2, timeout_ns < 0 ? NULL : &length, NULL);
  if (n < 0) WEFT__ASSERT(errno == EINTR);
  if (n > 0 && fds[1].revents != 0) empty_bell(reactor);
  return n > 0 && fds[0].revents != 0;
}

int weft__reactor_poll(weft__reactor_t *core, int64_t timeout_ns) {
  uv_reactor_t *reactor = uv_of(core);
  unsigned before = atom_load(&reactor->delivered, relaxed);
  timeout_ns = weft__uv_limit(reactor->uv, timeout_ns);
  if (atom_load(&reactor->wishes, relaxed) != NULL) { /* one that comes later rings */
    weft__uv_run(reactor->uv);
    timeout_ns = 0; /* callbacks may have made something ready */
  }
  if (timeout_ns != 0 && !weft__bell_lie_down(&reactor->bell)) timeout_ns = 0;
  if (sleep_until_called(reactor, timeout_ns)) weft__uv_run(reactor->uv);
  weft__bell_get_up(&reactor->bell); /* what was published before the ring is seen by the caller's look at the queues */
  return (int)(atom_load(&reactor->delivered, relaxed) - before);
}

bool weft__reactor_pending(const weft__reactor_t *core) {
  const uv_reactor_t *reactor = uv_of_const(core);
  if (atom_load(&reactor->wishes, relaxed) != NULL || weft__uv_changed(reactor->uv)) return true;
  struct pollfd poller = {.fd = weft__uv_backend_fd(reactor->uv), .events = POLLIN};
  return poll(&poller, 1, 0) > 0;
}

int weft__reactor_poll_other(weft__reactor_t *core) {
  uv_reactor_t *reactor = uv_of(core);
  unsigned before = atom_load(&reactor->delivered, relaxed);
  weft__uv_run(reactor->uv);
  return (int)(atom_load(&reactor->delivered, relaxed) - before);
}
