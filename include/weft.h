/* weft.h: asyncio for C on every core. The whole public interface; each part is also a header of its own.
 *
 *   #include <stdio.h>
 *   #include <weft.h>
 *   static WEFT_ASYNC(greet, const char *, double);  // declares greet() and greet_async()
 *   static int greet(const char *name, double seconds) {
 *     int rc = weft_sleep(seconds);                  // parks this task, not the thread
 *     if (rc == 0) printf("hello %s\n", name);
 *     return rc;
 *   }
 *   static WEFT_ASYNC(all);
 *   static int all(void) { return weft_gather(greet_async("one", 0.2), greet_async("two", 0.1)); }
 *   int main(void) { return weft_run(all_async()) == 0 ? 0 : 1; }
 *
 * What holds everywhere, so that a function's comment only says what differs:
 *
 * Marks. [S] may suspend: only inside a task, elsewhere -EPERM; it answers WEFT_CANCELLED when its task is cancelled,
 * and must not be called with a mutex or a thread-local held. [A] from any thread, also while no loop runs. Without a
 * mark: inside the runtime, that is in tasks and callbacks of a running loop.
 *
 * Results. An int is 0 or a count, else a negative error: the system's errno negated or a WEFT_ kind (error.h); the
 * words are in weft_error(). A pointer is NULL on failure, with the record likewise. A coroutine function's positive
 * status passes through await, join, gather's statuses and executors unchanged. Weft never sets errno.
 *
 * Time. double seconds; WEFT_FOREVER is no limit, <= 0 at once, NaN is -EINVAL. "Loop time" is weft_loop_time's clock.
 *
 * Pointers are borrowed until the function returns, unless the comment says copied, filled, kept (until when) or
 * consumed (also on failure). Functions that consume a task accept the NULL of a failed creation and answer -ENOMEM.
 *
 * Duties, by verb. open/close: our memory, close may suspend. init/destroy: your memory; without a destroy nothing is
 * to be done, but nobody may wait on it any more. enter/exit: a scope of this task, strictly nested, exit exactly
 * once. create_task: an owned task, ended by exactly one join or detach. await: borrows. ref/unref: one more owner.
 * get: borrowed. take: moved to you.
 *
 * Composing. An [S] function with plain arguments that answers a number has a twin that builds its call:
 * weft_wait_for(weft_event_wait_async(&event), 0.5). The twin copies the arguments, not what they point to,
 * and a call that is never started does nothing: it consumes no task and closes no stream. */
#ifndef WEFT_H
#define WEFT_H
#include <weft/blocking.h>
#include <weft/call.h>
#include <weft/channels.h>
#include <weft/contextvars.h>
#include <weft/error.h>
#include <weft/events.h>
#include <weft/executors.h>
#include <weft/exitstack.h>
#include <weft/fork.h>
#include <weft/futures.h>
#include <weft/gather.h>
#include <weft/generators.h>
#include <weft/inspect.h>
#include <weft/iterators.h>
#include <weft/locks.h>
#include <weft/metrics.h>
#include <weft/once.h>
#include <weft/queues.h>
#include <weft/runners.h>
#include <weft/rwlock.h>
#include <weft/scopes.h>
#include <weft/select.h>
#include <weft/server.h>
#include <weft/shield.h>
#include <weft/sleep.h>
#include <weft/strands.h>
#include <weft/streams.h>
#include <weft/taskgroups.h>
#include <weft/tasklocals.h>
#include <weft/tasks.h>
#include <weft/threads.h>
#include <weft/timeouts.h>
#include <weft/tokens.h>
#include <weft/types.h>
#include <weft/version.h>
#include <weft/wait.h>
#endif
