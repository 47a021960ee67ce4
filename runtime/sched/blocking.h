/* blocking.h: blocking calls for the floors below exec/, which has the pool of threads that runs them. */
#ifndef WEFT_SCHED_BLOCKING_H
#define WEFT_SCHED_BLOCKING_H

#include <weft/call.h>

/* Lanes of the loop's own pool. Each has threads that no other lane can take, so that users' jobs, however many and however
 * slow, never keep name resolution or files waiting. */
enum weft__lane { WEFT__LANE_NAMES, WEFT__LANE_FILES, WEFT__LANE_USER, WEFT__LANES };

enum { WEFT__POOL_THREADS_MAX = 10000 }; /* that any pool may be given */

/* Suspends. As weft_to_thread_owned, in a lane. Implemented in exec/threads.c. */
int weft__to_lane(enum weft__lane lane, weft_call_t call, void (*drop)(void *args));

#endif
