/* weft.h: asyncio for C on every core. The whole public interface; each part is also a header of its own. */
#ifndef WEFT_H
#define WEFT_H
#include <weft/call.h>
#include <weft/contextvars.h>
#include <weft/error.h>
#include <weft/events.h>
#include <weft/executors.h>
#include <weft/futures.h>
#include <weft/gather.h>
#include <weft/generators.h>
#include <weft/locks.h>
#include <weft/queues.h>
#include <weft/runners.h>
#include <weft/scopes.h>
#include <weft/server.h>
#include <weft/sleep.h>
#include <weft/strands.h>
#include <weft/streams.h>
#include <weft/taskgroups.h>
#include <weft/tasks.h>
#include <weft/threads.h>
#include <weft/timeouts.h>
#include <weft/types.h>
#include <weft/version.h>
#include <weft/wait.h>
#endif
