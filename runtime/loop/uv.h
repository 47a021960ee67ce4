/* uv.h: the libuv loop inside a reactor: for signals, processes, file watching, and whatever a user attaches.
 *
 * It is made when first asked for. Its backend descriptor lies in the reactor's epoll; when that, or its earliest timer,
 * or a change says so, the reactor runs it once without waiting, on the polling thread's own stack.
 *
 * The lock is first come, first served. Who waits is counted (wanted), and a poller does not enter uv_run while anybody
 * does; it never stays there longer than one round. The holder may call lock again (a callback of libuv's that uses the
 * loop runs under the poller's hold). Suspending with it held is an error: weft__uv_held_here tells.
 * libuv defers its epoll_ctl to the next uv_run, so every unlock by a user marks the loop as changed and rings the owner;
 * the owner runs it before it blocks. (uv_async_send, which libuv allows from any thread without the lock, loses wake-ups
 * unless a full barrier stands before it: that is for whoever calls it to know.) */
#ifndef WEFT_LOOP_UV_H
#define WEFT_LOOP_UV_H

#include <stdbool.h>
#include <stdint.h>

#include "loop/reactor.h"

struct uv_loop_s;

int weft__uv_open(weft__reactor_t *reactor, weft__uv_t **out);
/* Closes every handle that is left, runs the loop until they are gone, and frees it. */
void weft__uv_close(weft__uv_t *uv);

/* Blocks the thread for as long as others use it. */
struct uv_loop_s *weft__uv_lock(weft__uv_t *uv);
void weft__uv_unlock(weft__uv_t *uv);
/* Whether this thread holds any. */
bool weft__uv_held_here(void);
/* How many wait for the lock. A hint. */
unsigned weft__uv_wanted(const weft__uv_t *uv);

/* For the reactor. */
int weft__uv_backend_fd(const weft__uv_t *uv);
/* One round without waiting, unless somebody else has or wants the lock (then it stays marked as changed). */
void weft__uv_run(weft__uv_t *uv);
/* Runs it if it is due, and answers how long one may sleep: not at all after a run, whose callbacks may have made something
 * ready. */
int64_t weft__uv_limit(weft__uv_t *uv, int64_t timeout_ns);
/* It was changed and not run since. */
bool weft__uv_changed(const weft__uv_t *uv);
/* When its earliest timer is due (monotonic ns), INT64_MAX without one, 0: at once. As of its last round. */
int64_t weft__uv_deadline(const weft__uv_t *uv);
/* It has something to wait for: a referenced handle or a request. As of its last round. */
bool weft__uv_alive(const weft__uv_t *uv);

#endif
