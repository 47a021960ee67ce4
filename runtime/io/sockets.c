/* sockets.c: see sockets.h. */
#include "io/sockets.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "sched/loop.h"
#include "task/wait.h"

/* ---- waiting ----------------------------------------------------------------------------------------------------------- */

typedef struct io_waiter {
  weft__ready_waiter_t waiter; /* linked in the readiness object */
  weft__wait_t wait;
} io_waiter_t;

/* Under the readiness object's lock. One that was cancelled comes for that lock by itself. */
static void wake(weft__ready_waiter_t *waiter) {
  (void)weft__wait_wake(&weft__container_of(waiter, io_waiter_t, waiter)->wait);
}

int weft__io_wait(weft__ready_t *ready, uint64_t bit) {
  io_waiter_t waiter;
  weft__wait_init(&waiter.wait);
  waiter.waiter.wake = wake;
  weft__link_init(&waiter.waiter.link);
  weft__spin_lock(&ready->lock);
  if (!weft__ready_wait_locked(ready, bit, &waiter.waiter)) {
    weft__spin_unlock(&ready->lock);
    return weft__ready_closing(ready) ? -ECANCELED : 0;
  }
  int rc = weft__wait_park(&waiter.wait, &ready->lock);
  if (rc < 0) {
    weft__ready_unwait(ready, &waiter.waiter);
    return rc;
  }
  return weft__ready_closing(ready) ? -ECANCELED : 0;
}

enum { OPERATIONS_PER_TURN = 128 };

/* Operations on this thread since it last began to run something else. Read and written in one place, without a
 * suspension in between. */
static _Thread_local struct {
  uint64_t ticks;
  unsigned operations;
} turn;

static WEFT__NOINLINE bool turn_is_over(weft__worker_t *worker) {
  uint64_t ticks = atom_load(&worker->stats.ticks, relaxed);
  if (ticks != turn.ticks) {
    turn.ticks = ticks;
    turn.operations = 0;
  }
  return ++turn.operations > OPERATIONS_PER_TURN;
}

int weft__io_turn(void) { return weft__unlikely(turn_is_over(weft__worker())) ? weft__yield() : 0; }

weft__reactor_t *weft__io_reactor(void) { return weft__worker()->home->reactor; }

weft__reactor_t *weft__io_reactor_at(weft_loop_t *loop, unsigned turn_number) {
  return loop->workers[turn_number % loop->worker_count].reactor;
}

/* ---- receiving and sending --------------------------------------------------------------------------------------------- */

ssize_t weft__socket_try_receive(weft__ready_t *ready, void *buffer, size_t size) {
  for (;;) {
    uint64_t seen = weft__ready_load(ready);
    if (!(seen & WEFT__READY_IN)) return -EAGAIN;
    ssize_t n = recv(weft__ready_fd(ready), buffer, size, 0);
    if (n >= 0) {
      /* A short read has emptied the socket, unless the end or an error stands behind the data. */
      if (n > 0 && (size_t)n < size && weft__ready_may_clear(seen))
        (void)weft__ready_clear(ready, seen, WEFT__READY_IN);
      return n;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return -errno;
    if (weft__ready_clear(ready, seen, WEFT__READY_IN)) return -EAGAIN;
  }
}

ssize_t weft__socket_receive(weft__ready_t *ready, void *buffer, size_t size) {
  for (;;) {
    ssize_t n = weft__socket_try_receive(ready, buffer, size);
    if (n != -EAGAIN) return n;
    int rc = weft__io_wait(ready, WEFT__READY_IN);
    if (rc < 0) return rc;
  }
}

ssize_t weft__socket_try_send(weft__ready_t *ready, const void *data, size_t size) {
  for (;;) {
    uint64_t seen = weft__ready_load(ready);
    if (!(seen & WEFT__READY_OUT)) return -EAGAIN;
    ssize_t n = send(weft__ready_fd(ready), data, size, MSG_NOSIGNAL);
    if (n >= 0) return n;
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return -errno;
    if (weft__ready_clear(ready, seen, WEFT__READY_OUT)) return -EAGAIN;
  }
}

/* ---- connecting -------------------------------------------------------------------------------------------------------- */

static int open_socket(int family) {
  int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return fd < 0 ? -errno : fd;
}

static int set_option(int fd, int level, int name) {
  int on = 1;
  return setsockopt(fd, level, name, &on, sizeof on) < 0 ? -errno : 0;
}

/* A second connect() tells how the first one gets on: done, EALREADY, or its error. */
static int await_connection(weft__ready_t *ready, const weft__address_t *address) {
  for (;;) {
    uint64_t seen = weft__ready_load(ready);
    if (connect(weft__ready_fd(ready), &address->at.any, address->size) == 0 || errno == EISCONN) return 0;
    if (errno == EINTR) continue;
    if (errno != EALREADY && errno != EINPROGRESS) return -errno;
    if (!weft__ready_clear(ready, seen, WEFT__READY_OUT)) continue;
    int rc = weft__io_wait(ready, WEFT__READY_OUT);
    if (rc < 0) return rc;
  }
}

int weft__socket_connect(const weft__address_t *address, weft__ready_t **out) {
  int fd = open_socket(address->at.any.sa_family);
  if (fd < 0) return fd;
  (void)set_option(fd, IPPROTO_TCP, TCP_NODELAY);
  int rc = connect(fd, &address->at.any, address->size) < 0 ? -errno : 0;
  /* Watched only now: a fresh socket would report that it hung up. */
  weft__ready_t *ready = NULL;
  bool pending = rc == -EINPROGRESS || rc == -EINTR;
  if (rc == 0 || pending) rc = weft__ready_open(weft__io_reactor(), fd, &ready);
  if (ready == NULL) {
    close(fd);
    return rc;
  }
  if (pending) rc = await_connection(ready, address);
  if (rc < 0)
    weft__ready_close(ready);
  else
    *out = ready;
  return rc;
}

/* ---- listening --------------------------------------------------------------------------------------------------------- */

int weft__socket_listen(const weft__address_t *address) {
  int fd = open_socket(address->at.any.sa_family);
  if (fd < 0) return fd;
  int rc = set_option(fd, SOL_SOCKET, SO_REUSEADDR);
  if (rc == 0 && address->at.any.sa_family == AF_INET6) rc = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY);
  if (rc == 0) rc = set_option(fd, IPPROTO_TCP, TCP_NODELAY); /* accepted sockets inherit it */
  if (rc == 0 && bind(fd, &address->at.any, address->size) < 0) rc = -errno;
  if (rc == 0 && listen(fd, SOMAXCONN) < 0) rc = -errno;
  if (rc == 0) return fd;
  close(fd);
  return rc;
}

int weft__socket_port(int fd) {
  weft__address_t address = {.size = sizeof address.at};
  if (getsockname(fd, &address.at.any, &address.size) < 0) return -errno;
  return weft__address_port(&address);
}

/* accept(2): errors of the connection itself, which is gone; the next one may be well. */
static bool is_of_the_connection(int error) {
  switch (error) {
  case ECONNABORTED:
  case EPROTO:
  case ENOPROTOOPT:
  case ENETDOWN:
  case ENETUNREACH:
  case EHOSTDOWN:
  case EHOSTUNREACH:
  case ENONET:
  case EOPNOTSUPP:
  case EPERM: /* a firewall's */
  case EINTR: return true;
  default: return false;
  }
}

int weft__socket_accept(weft__ready_t *ready) {
  for (;;) {
    int rc = weft__io_turn();
    if (rc < 0) return rc;
    uint64_t seen = weft__ready_load(ready);
    int fd = accept4(weft__ready_fd(ready), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) return fd;
    if (is_of_the_connection(errno)) continue;
    if (errno != EAGAIN) return -errno;
    if (!weft__ready_clear(ready, seen, WEFT__READY_IN)) continue;
    rc = weft__io_wait(ready, WEFT__READY_IN);
    if (rc < 0) return rc;
  }
}
