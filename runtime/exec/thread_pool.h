/* thread_pool.h: pools of threads that run blocking calls. */
#ifndef WEFT_EXEC_THREAD_POOL_H
#define WEFT_EXEC_THREAD_POOL_H

#include "exec/executor.h"

/* The defaults: asyncio's min(32, processors + 4). */
unsigned weft__thread_pool_default_size(void);
/* lanes: how many jobs of each lane may run at once; the pool has as many threads at most as that makes in all, whatever
 * the options say. Those are copied; the limit is one of the users' lane. 0 or -ENOMEM. */
int weft__thread_pool_open(const unsigned lanes[WEFT__LANES], const weft_thread_pool_options_t *options,
                           weft_executor_t **out);
extern const weft__executor_kind_t weft__thread_pool_kind;

/* How many threads there are now, and how many jobs wait. */
unsigned weft__thread_pool_threads(weft_executor_t *executor);
size_t weft__thread_pool_waiting(weft_executor_t *executor);
/* For tests: idle threads end after so long from now on (10 s at first). */
void weft__thread_pool_set_keep_alive(weft_executor_t *executor, int64_t ns);

#endif
