/* reactor.h: one worker's event loop: waits for descriptors, for time, and for its doorbell. The interface has two
 * implementations: reactor_epoll.c, and reactor_uv.c for systems without epoll; ready.h is the readiness of a descriptor.
 *
 * The owner is the worker's thread: it alone sleeps here. Any thread may poll a busy worker's reactor at any time beside
 * the owner (weft__reactor_poll_other); the kernel gives each event to one of them.
 *
 * The doorbell's protocol is bell.h's. Another poller that takes the doorbell's event out of the kernel puts it back while
 * the state is RUNG. */
#ifndef WEFT_LOOP_REACTOR_H
#define WEFT_LOOP_REACTOR_H

#include <stdbool.h>
#include <stdint.h>

typedef struct weft__reactor weft__reactor_t;
typedef struct weft__uv weft__uv_t;

/* 0 or a negative errno. */
int weft__reactor_open(weft__reactor_t **out);
/* Nobody polls or rings any more. Readiness objects that are still open become dead (their waits answer at once); the
 * memory goes with the last of them. NULL does nothing. */
void weft__reactor_close(weft__reactor_t *reactor);

/* Waits at most timeout_ns (-1: no limit, 0: not at all) for events, and delivers them. How many descriptors had one; the
 * doorbell counts for nothing. Returns early when rung; may return early for no reason. A positive time is kept to the
 * nanosecond as far as the kernel does. Owner only. Runs on the thread's own stack: libuv's callbacks are called here. */
int weft__reactor_poll(weft__reactor_t *reactor, int64_t timeout_ns);
/* The same from any other thread, without waiting. */
int weft__reactor_poll_other(weft__reactor_t *reactor);

/* Whether a poll would deliver something; takes nothing away. A hint, from any thread. */
bool weft__reactor_pending(const weft__reactor_t *reactor);

/* Ends the owner's present or next sleep. Any thread. */
void weft__reactor_ring(weft__reactor_t *reactor);
/* Whether the owner is in its sleep, or about to be: a hint for tests and statistics. */
bool weft__reactor_asleep(const weft__reactor_t *reactor);

/* How many descriptors are registered, the libuv loop counted as one. A hint for other threads. */
unsigned weft__reactor_interest(const weft__reactor_t *reactor);
/* How many waits are pending on them, the libuv loop counted as one while it has something to do: with one worker the
 * descriptors are polled between passes when somebody waits on one. */
unsigned weft__reactor_waiting(const weft__reactor_t *reactor);

/* The libuv loop inside; made by the first call. NULL: *error says why. Any thread. */
weft__uv_t *weft__reactor_uv(weft__reactor_t *reactor, int *error);

#endif
