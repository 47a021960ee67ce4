/* server.c: servers: a task per listening socket; see connections.c for the task per connection.
 *
 * References: the user's handle, each accepting task, each task in serve_forever. Connections hold none: they copy what
 * they need, so a server may be closed while they go on.
 *
 * Serving -> stopped, once, under lock, by close or by a serve_forever that ends. Stopping cancels the accepting tasks,
 * each of which closes its own socket as it ends (also if it never ran), and the future that serve_forever awaits; then it
 * waits for their end, so that nobody is accepted afterwards.
 *
 * Out of descriptors or memory: the connection stays in the kernel's queue, and no edge will announce it again, so the
 * accepting task comes back by timer, first soon, then every second. When that has lasted for SHED_AFTER rounds the spare
 * descriptor is spent: one waiting client per round is accepted and closed at once, which tells it more than silence. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weft/error.h>
#include <weft/futures.h>
#include <weft/server.h>
#include <weft/sleep.h>
#include <weft/tasks.h>

#include "base/alloc.h"
#include "io/connections.h"
#include "io/resolver.h"

enum { SHED_AFTER = 10, PORT_ATTEMPTS = 10 };

typedef struct listener {
  weft_server_t *server;
  weft__ready_t *ready; /* the accepting task's own */
  weft_task_t *task;    /* owned, until the server is freed; NULL: none was made */
} listener_t;

struct weft_server {
  weft_loop_t *loop;
  weft_client_fn fn;
  void *data;
  int port;
  weft__spin_t lock;
  unsigned references;
  bool stopped;
  weft_future_t *forever; /* of the serve_forever that runs; its own */
  size_t count;
  listener_t listeners[];
};

static size_t server_bytes(size_t count) { return sizeof(weft_server_t) + count * sizeof(listener_t); }

static void server_unref(weft_server_t *server) {
  weft__spin_lock(&server->lock);
  bool last = --server->references == 0;
  weft__spin_unlock(&server->lock);
  if (!last) return;
  for (size_t i = 0; i < server->count; i++) weft_detach(server->listeners[i].task);
  weft__free(server, server_bytes(server->count));
}

/* ---- accepting --------------------------------------------------------------------------------------------------------- */

typedef struct shortage {
  int rounds; /* since the last connection that was accepted */
  int spare;  /* descriptor, or -1 */
} shortage_t;

static int open_spare(void) { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

static bool is_shortage(int error) {
  return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM || error == -ENOSPC;
}

static void report_shortage(weft_loop_t *loop, int error) {
  weft__record_t *record = weft__record_make(error, 0, "%s", strerrordesc_np(-error));
  weft__report(loop, "socket.accept() out of system resource", &record->error, NULL, NULL);
  weft__record_unref(record);
}

/* 0 or WEFT_CANCELLED. */
static int wait_out(listener_t *listener, shortage_t *shortage, int error) {
  if (shortage->rounds++ == 0) report_shortage(listener->server->loop, error);
  if (shortage->rounds > SHED_AFTER && shortage->spare >= 0) {
    close(shortage->spare);
    int fd = accept4(weft__ready_fd(listener->ready), NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) close(fd);
    shortage->spare = open_spare();
  }
  double seconds = 0.05 * shortage->rounds;
  return weft_sleep(seconds < 1 ? seconds : 1);
}

static int accept_all(listener_t *listener, shortage_t *shortage) {
  weft_server_t *server = listener->server;
  for (unsigned turn = 0;; turn++) {
    int rc = weft__socket_accept(listener->ready);
    if (rc >= 0) rc = weft__connection_start(server->loop, rc, turn, server->fn, server->data);
    if (rc == 0) {
      shortage->rounds = 0;
      if (shortage->spare < 0) shortage->spare = open_spare();
    } else if (is_shortage(rc)) {
      rc = wait_out(listener, shortage, rc);
    }
    if (rc < 0) return rc;
  }
}

static WEFT_ASYNC(accept_connections, listener_t *);
static int accept_connections(listener_t *listener) {
  shortage_t shortage = {.spare = open_spare()};
  int rc = accept_all(listener, &shortage);
  if (shortage.spare >= 0) close(shortage.spare);
  return rc == WEFT_CANCELLED ? rc : weft__io_fail(rc);
}

/* However the task ended, and also if it never began. */
static void stop_listening(weft_task_t *task) {
  listener_t *listener = weft__task_ending(task)->data;
  weft__ready_close(listener->ready);
  server_unref(listener->server);
}

/* ---- stopping ---------------------------------------------------------------------------------------------------------- */

static void cancel_accepting(weft_server_t *server) {
  weft__spin_lock(&server->lock);
  bool stopped = server->stopped;
  server->stopped = true;
  weft_future_t *forever = server->forever != NULL ? weft_future_ref(server->forever) : NULL;
  weft__spin_unlock(&server->lock);
  if (!stopped)
    for (size_t i = 0; i < server->count; i++)
      if (server->listeners[i].task != NULL) weft_task_cancel(server->listeners[i].task, NULL);
  if (forever != NULL) weft_future_cancel(forever, NULL);
  weft_future_unref(forever);
}

/* Several tasks may do this at once. WEFT_CANCELLED if this one was cancelled meanwhile; the wait goes on to its end. */
static int stop(weft_server_t *server) {
  weft_task_t *self = weft_current_task();
  int asked = weft_task_cancelling(self);
  cancel_accepting(server);
  for (size_t i = 0; i < server->count; i++)
    if (server->listeners[i].task != NULL) weft_ignore(weft_await(server->listeners[i].task));
  if (weft_task_cancelling(self) <= asked) return 0;
  weft__set_error(weft__record_ref(weft__record_cancelled()));
  return WEFT_CANCELLED;
}

static int check_call(const weft_server_t *server, const char *function) {
  int rc = weft__check_suspend(function);
  if (rc < 0) return rc;
  if (server->loop == weft__current_loop()) return 0;
  return weft_fail(WEFT_RUNTIME, "%s: the server is attached to a different loop", function);
}

/* As after the end of the run that it was started in. */
static bool has_stopped(const weft_server_t *server) {
  for (size_t i = 0; i < server->count; i++)
    if (server->listeners[i].task != NULL && !weft_task_done(server->listeners[i].task)) return false;
  return true;
}

int weft_server_close(weft_server_t *server) {
  if (server == NULL) return 0;
  int rc = has_stopped(server) ? 0 : check_call(server, "weft_server_close");
  if (rc < 0) return rc;
  if (!has_stopped(server)) rc = stop(server);
  server_unref(server);
  return rc;
}

/* ---- serving ----------------------------------------------------------------------------------------------------------- */

static int begin_forever(weft_server_t *server, weft_future_t *forever) {
  weft__spin_lock(&server->lock);
  bool stopped = server->stopped, twice = server->forever != NULL;
  if (!stopped && !twice) {
    server->forever = forever;
    server->references++;
  }
  weft__spin_unlock(&server->lock);
  if (stopped) return weft_fail(WEFT_RUNTIME, "server on port %d is closed", server->port);
  if (!twice) return 0;
  return weft_fail(WEFT_RUNTIME, "server on port %d is already being awaited on serve_forever()", server->port);
}

int weft_server_serve_forever(weft_server_t *server) {
  if (server == NULL) return weft_fail(-EINVAL, "weft_server_serve_forever: no server");
  int rc = check_call(server, "weft_server_serve_forever");
  if (rc < 0) return rc;
  weft_future_t *forever = weft_future_open(0);
  if (forever == NULL) return weft_error()->code;
  rc = begin_forever(server, forever);
  if (rc == 0) {
    rc = weft_await_future(forever, NULL); /* ends by a cancellation alone: this task's, or by close */
    weft__record_t *record = weft__record_for(rc);
    weft__spin_lock(&server->lock);
    server->forever = NULL;
    weft__spin_unlock(&server->lock);
    weft_ignore(stop(server));
    weft__set_error(record);
    server_unref(server);
  }
  weft_future_unref(forever);
  return rc;
}

int weft_server_port(const weft_server_t *server) {
  return server != NULL ? server->port : weft_fail(-EINVAL, "weft_server_port: no server");
}

/* ---- starting ---------------------------------------------------------------------------------------------------------- */

static void close_all(int fds[], size_t *count) {
  while (*count > 0) close(fds[--*count]);
}

/* Listening descriptors on all addresses that this machine has. With port 0 all get the port that the first one found;
 * -EADDRINUSE if that was taken on another address. */
static int listen_on(weft__addresses_t *addresses, int port, int fds[], size_t *count, int *bound) {
  char text[WEFT__ADDRESS_TEXT];
  *count = 0;
  *bound = port;
  for (size_t i = 0; i < addresses->count; i++) {
    weft__address_t *address = &addresses->list[i];
    weft__address_set_port(address, *bound);
    int fd = weft__socket_listen(address);
    if (fd == -EAFNOSUPPORT || (fd == -EADDRNOTAVAIL && addresses->count > 1)) continue;
    if (fd >= 0) fds[(*count)++] = fd;
    if (fd >= 0 && *bound == 0) fd = *bound = weft__socket_port(fd);
    if (fd < 0) {
      close_all(fds, count);
      char words[64];
      snprintf(words, sizeof words, "%s", strerrordesc_np(-fd) != NULL ? strerrordesc_np(-fd) : "");
      if (words[0] >= 'A' && words[0] <= 'Z') words[0] = (char)(words[0] - 'A' + 'a');
      return weft_fail(fd, "error while attempting to bind on address %s: %s", weft__address_text(address, text),
                       words);
    }
  }
  return *count > 0 ? 0 : weft_fail(-EADDRNOTAVAIL, "could not bind on any address");
}

/* Makes the accepting task of a listening descriptor, which is consumed. */
static int start_listener(weft_server_t *server, listener_t *listener, int fd) {
  listener->server = server;
  int rc = weft__ready_open(weft__io_reactor(), fd, &listener->ready);
  if (rc < 0) {
    close(fd);
    return weft_fail(rc, "the listening socket cannot be watched: %s", weft_strerror(rc));
  }
  weft__spin_lock(&server->lock);
  server->references++;
  weft__spin_unlock(&server->lock);
  weft_call_t call = accept_connections_async(listener);
  listener->task = weft__create_task_ending(&call, WEFT__ENDING_BEFORE, stop_listening, listener);
  if (listener->task != NULL) return 0;
  weft__ready_close(listener->ready);
  server_unref(server); /* the handle's is left */
  return -ENOMEM;
}

static weft_server_t *new_server(weft_client_fn fn, void *data, int port, size_t count) {
  weft_server_t *server = weft__alloc_zero(server_bytes(count));
  if (server == NULL) return NULL;
  server->loop = weft__current_loop();
  server->fn = fn;
  server->data = data;
  server->port = port;
  weft__spin_init(&server->lock);
  server->references = 1;
  server->count = count;
  return server;
}

static int start_all(weft_server_t *server, int fds[]) {
  int rc = 0;
  for (size_t i = 0; i < server->count; i++) {
    if (rc == 0)
      rc = start_listener(server, &server->listeners[i], fds[i]);
    else
      close(fds[i]);
  }
  if (rc == 0) return 0;
  weft__record_t *record = weft__record_for(rc);
  weft_ignore(stop(server));
  server_unref(server);
  weft__set_error(record);
  return rc;
}

int weft_start_server(const char *host, int port, weft_client_fn fn, void *data, weft_server_t **out) {
  if (out == NULL) return weft_fail(-EINVAL, "weft_start_server: nowhere to put the server");
  *out = NULL;
  int rc = weft__check_suspend("weft_start_server");
  if (rc < 0) return rc;
  if (fn == NULL) return weft_fail(-EINVAL, "weft_start_server: no function to serve clients with");
  if (port < 0 || port > 65535) return weft_fail(-EINVAL, "weft_start_server: port must be 0-65535, not %d", port);
  weft__addresses_t *addresses = NULL;
  rc = weft__resolve(host, port, true, &addresses);
  if (rc < 0) return rc;
  int fds[WEFT__ADDRESSES_MAX] = {0}, bound = 0;
  size_t count = 0;
  for (int attempts = 0; attempts < PORT_ATTEMPTS; attempts++) {
    rc = listen_on(addresses, port, fds, &count, &bound);
    if (rc != -EADDRINUSE || port != 0) break;
  }
  weft__addresses_free(addresses);
  if (rc < 0) return rc;
  weft_server_t *server = new_server(fn, data, bound, count);
  if (server == NULL) {
    close_all(fds, &count);
    return weft_fail(-ENOMEM, "no memory for a server");
  }
  rc = start_all(server, fds);
  if (rc == 0) *out = server;
  return rc;
}
