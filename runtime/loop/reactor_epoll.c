/* reactor_epoll.c: the reactor over one edge-triggered epoll. See bell.h for the doorbell's states.
 *
 * In the epoll lie the readiness objects' descriptors, the doorbell (an eventfd, edge-triggered: it is never read, each
 * write is an edge), the backend descriptor of the libuv loop once there is one (level-triggered: it may have more to say
 * after one round), and, where epoll_pwait2 is missing (before Linux 5.11), a timerfd that ends precise sleeps. */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "loop/bell.h"
#include "loop/reactor_core.h"
#include "loop/reactor_epoll.h"
#include "loop/uv.h"

enum { BATCH = 128 };
#define DATA_BELL (UINT64_C(0) + WEFT__EVENT_RESERVED)
#define DATA_TIMER (DATA_BELL + 1)
#define DATA_UV (DATA_BELL + 2)

typedef struct epoll_reactor {
  weft__reactor_t core;
  WEFT__CACHE_ALIGNED weft__bell_t bell; /* written by ringers and the owner */
  WEFT__CACHE_ALIGNED _Atomic(weft__uv_t *) uv;
  int epoll_fd, bell_fd;
  int timer_fd; /* -1: epoll_pwait2 does it. Owner only */
} epoll_reactor_t;

static epoll_reactor_t *epoll_of(weft__reactor_t *reactor) {
  return weft__container_of(reactor, epoll_reactor_t, core);
}
static const epoll_reactor_t *epoll_of_const(const weft__reactor_t *reactor) {
  return (const epoll_reactor_t *)(const void *)reactor;
}

static int control(epoll_reactor_t *reactor, int operation, int fd, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data.u64 = data};
  return epoll_ctl(reactor->epoll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

static void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static void close_fds(epoll_reactor_t *reactor) {
  close_fd(&reactor->timer_fd);
  close_fd(&reactor->bell_fd);
  close_fd(&reactor->epoll_fd);
}

int weft__reactor_open(weft__reactor_t **out) {
  epoll_reactor_t *reactor = weft__alloc_aligned(WEFT__CACHE_LINE, sizeof *reactor);
  if (reactor == NULL) return -ENOMEM;
  weft__reactor_core_init(&reactor->core);
  atom_init(&reactor->bell, WEFT__BELL_AWAKE);
  atom_init(&reactor->uv, NULL);
  reactor->bell_fd = reactor->timer_fd = -1;
  reactor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  int rc = reactor->epoll_fd < 0 ? -errno : 0;
  if (rc == 0 && (reactor->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) rc = -errno;
  if (rc == 0) rc = control(reactor, EPOLL_CTL_ADD, reactor->bell_fd, EPOLLIN | EPOLLET, DATA_BELL);
  if (rc < 0) {
    close_fds(reactor);
    weft__reactor_core_close(&reactor->core);
    return rc;
  }
  *out = &reactor->core;
  return 0;
}

void weft__reactor_close(weft__reactor_t *core) {
  if (core == NULL) return;
  epoll_reactor_t *reactor = epoll_of(core);
  weft__uv_t *uv = atom_load(&reactor->uv, acquire);
  if (uv != NULL) {
    control(reactor, EPOLL_CTL_DEL, weft__uv_backend_fd(uv), 0, 0);
    weft__uv_close(uv);
  }
  close_fds(reactor);
  weft__reactor_core_close(core);
}

void weft__reactor_free(weft__reactor_t *core) {
  weft__free_aligned(epoll_of(core), WEFT__CACHE_LINE, sizeof(epoll_reactor_t));
}

/* ---- registration ---- */

int weft__reactor_register(weft__reactor_t *core, weft__ready_t *ready, uint64_t data) {
  return control(epoll_of(core), EPOLL_CTL_ADD, ready->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, data);
}

void weft__reactor_unregister(weft__reactor_t *core, weft__ready_t *ready) {
  control(epoll_of(core), EPOLL_CTL_DEL, ready->fd, 0, 0);
}

/* The next edge is announced anyway. */
void weft__reactor_rearm(weft__reactor_t *core, weft__ready_t *ready) { (void)core, (void)ready; }

unsigned weft__reactor_interest(const weft__reactor_t *core) {
  return atom_load(&core->registered, relaxed) + (atom_load(&epoll_of_const(core)->uv, relaxed) != NULL);
}

unsigned weft__reactor_waiting(const weft__reactor_t *core) {
  weft__uv_t *uv = atom_load(&epoll_of_const(core)->uv, acquire);
  return atom_load(&core->waiting, relaxed) + (uv != NULL && (weft__uv_changed(uv) || weft__uv_alive(uv)));
}

/* ---- the doorbell ---- */

static void write_bell(epoll_reactor_t *reactor) {
  uint64_t one = 1;
  /* EAGAIN after 2^64 - 2 rings: then an edge is there already. Nothing else can go wrong. */
  while (write(reactor->bell_fd, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void weft__reactor_ring(weft__reactor_t *core) {
  epoll_reactor_t *reactor = epoll_of(core);
  /* acq_rel: released to the owner's exchange; acquired so that later rings carry it on */
  if (weft__bell_ring(&reactor->bell)) write_bell(reactor);
}

bool weft__reactor_asleep(const weft__reactor_t *core) {
  return atom_load(&epoll_of_const(core)->bell, relaxed) == WEFT__BELL_ASLEEP;
}

/* ---- libuv ---- */

weft__uv_t *weft__reactor_uv(weft__reactor_t *core, int *error) {
  epoll_reactor_t *reactor = epoll_of(core);
  weft__uv_t *uv = atom_load(&reactor->uv, acquire), *made = NULL;
  if (uv != NULL) return uv;
  int rc = weft__uv_open(core, &made);
  if (rc == 0 && (rc = control(reactor, EPOLL_CTL_ADD, weft__uv_backend_fd(made), EPOLLIN, DATA_UV)) == 0) {
    /* acq_rel: published to the pollers; or the one that somebody else published first is acquired */
    if (atom_cas(&reactor->uv, &uv, made, acq_rel, acquire)) {
      atom_store(&core->has_uv, true, relaxed); /* a hint */
      return made;
    }
    control(reactor, EPOLL_CTL_DEL, weft__uv_backend_fd(made), 0, 0);
  }
  if (made != NULL) weft__uv_close(made);
  if (uv == NULL && error != NULL) *error = rc;
  return uv;
}

/* ---- polling ---- */

/* For kernels without epoll_pwait2. */
static int wait_with_timerfd(epoll_reactor_t *reactor, struct epoll_event *events, int64_t timeout_ns) {
  int64_t until = weft__time_add(weft__clock_now(), timeout_ns);
  struct itimerspec when = {
      .it_value = {.tv_sec = until / WEFT__NS_PER_SECOND, .tv_nsec = until % WEFT__NS_PER_SECOND}};
  /* Should the timer be refused, the rounded up time of the call itself is the limit. */
  int64_t ms = timeout_ns / 1000000 + 1;
  timerfd_settime(reactor->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
  return epoll_wait(reactor->epoll_fd, events, BATCH, ms > INT32_MAX ? INT32_MAX : (int)ms);
}

static bool open_timer(epoll_reactor_t *reactor) {
  reactor->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (reactor->timer_fd >= 0 && control(reactor, EPOLL_CTL_ADD, reactor->timer_fd, EPOLLIN | EPOLLET, DATA_TIMER) < 0)
    close_fd(&reactor->timer_fd);
  return reactor->timer_fd >= 0;
}

void weft__reactor_force_timerfd(weft__reactor_t *core) { open_timer(epoll_of(core)); }

static int wait_precisely(epoll_reactor_t *reactor, struct epoll_event *events, int64_t timeout_ns) {
  if (reactor->timer_fd >= 0) return wait_with_timerfd(reactor, events, timeout_ns);
#if defined SYS_epoll_pwait2 && !defined WEFT_VALGRIND /* Valgrind 3.19 does not know it, and says so every time */
  /* The kernel lets a wait end late by a thousandth of its length (a two-hundredth when niced): a long one is cut short,
   * and the caller comes back for the rest. */
  if (timeout_ns > 50 * INT64_C(1000000)) timeout_ns -= timeout_ns / 128;
  struct timespec length = {.tv_sec = timeout_ns / WEFT__NS_PER_SECOND, .tv_nsec = timeout_ns % WEFT__NS_PER_SECOND};
  long n = syscall(SYS_epoll_pwait2, reactor->epoll_fd, events, BATCH, &length, NULL, (size_t)8);
  if (n >= 0 || (errno != ENOSYS && errno != EPERM)) return (int)n;
#endif
  if (open_timer(reactor)) return wait_with_timerfd(reactor, events, timeout_ns);
  int64_t ms = (timeout_ns + 999999) / 1000000;
  return epoll_wait(reactor->epoll_fd, events, BATCH, ms > INT32_MAX ? INT32_MAX : (int)ms);
}

static int wait_for_events(epoll_reactor_t *reactor, struct epoll_event *events, int64_t timeout_ns) {
  int n = timeout_ns > 0 ? wait_precisely(reactor, events, timeout_ns)
                         : epoll_wait(reactor->epoll_fd, events, BATCH, timeout_ns < 0 ? -1 : 0);
  if (n < 0) WEFT__ASSERT(errno == EINTR);
  return n;
}

static uint64_t ready_bits(uint32_t events) {
  uint64_t bits = 0;
  if (events & (EPOLLIN | EPOLLPRI)) bits |= WEFT__READY_IN;
  if (events & EPOLLOUT) bits |= WEFT__READY_OUT;
  if (events & EPOLLRDHUP) bits |= WEFT__READY_RDHUP | WEFT__READY_IN;
  if (events & EPOLLHUP) bits |= WEFT__READY_HUP | WEFT__READY_IN | WEFT__READY_OUT;
  if (events & EPOLLERR) bits |= WEFT__READY_ERR | WEFT__READY_IN | WEFT__READY_OUT;
  return bits;
}

static int deliver(epoll_reactor_t *reactor, const struct epoll_event *events, int n, bool owner) {
  int delivered = 0;
  for (int i = 0; i < n; i++) {
    uint64_t data = events[i].data.u64;
    /* With many descriptors the objects are out of the cache: the next one comes while this one is worked on. */
    if (i + 1 < n) weft__ready_prefetch(&reactor->core, events[i + 1].data.u64);
    switch (data) {
    case DATA_BELL:
      /* Taken from under the owner's feet: back, unless it is awake and will look by itself. */
      if (!owner && atom_load(&reactor->bell, acquire) == WEFT__BELL_RUNG) write_bell(reactor);
      break;
    case DATA_TIMER:
      if (!owner) weft__reactor_ring(&reactor->core);
      break;
    case DATA_UV: {
      weft__uv_t *uv = atom_load(&reactor->uv, acquire);
      if (uv != NULL) weft__uv_run(uv);
      delivered++;
      break;
    }
    default:
      if (weft__ready_deliver(&reactor->core, data, ready_bits(events[i].events))) delivered++;
    }
  }
  return delivered;
}

int weft__reactor_poll(weft__reactor_t *core, int64_t timeout_ns) {
  epoll_reactor_t *reactor = epoll_of(core);
  struct epoll_event events[BATCH];
  weft__uv_t *uv = atom_load(&reactor->uv, acquire);
  if (weft__unlikely(uv != NULL)) timeout_ns = weft__uv_limit(uv, timeout_ns);
  if (timeout_ns != 0 && !weft__bell_lie_down(&reactor->bell)) timeout_ns = 0;
  int n = wait_for_events(reactor, events, timeout_ns);
  weft__bell_get_up(&reactor->bell); /* what was published before the ring is seen by the caller's look at the queues */
  return n <= 0 ? 0 : deliver(reactor, events, n, true);
}

bool weft__reactor_pending(const weft__reactor_t *core) {
  struct pollfd poller = {.fd = epoll_of_const(core)->epoll_fd, .events = POLLIN};
  return poll(&poller, 1, 0) > 0;
}

int weft__reactor_poll_other(weft__reactor_t *core) {
  epoll_reactor_t *reactor = epoll_of(core);
  struct epoll_event events[BATCH];
  int n = wait_for_events(reactor, events, 0);
  return n <= 0 ? 0 : deliver(reactor, events, n, false);
}
