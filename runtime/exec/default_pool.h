/* default_pool.h: a loop's default executor, and its own pool with the lanes that are kept free. */
#ifndef WEFT_EXEC_DEFAULT_POOL_H
#define WEFT_EXEC_DEFAULT_POOL_H

#include "exec/executor.h"

/* The executor of a lane, made if need be; borrowed: it lives as long as the loop. NULL with a record: -ENOMEM,
 * WEFT_RUNTIME (shut down). */
weft_executor_t *weft__default_executor(weft_loop_t *loop, enum weft__lane lane);
/* True once the loop has executors of its own. */
bool weft__default_pool_used(weft_loop_t *loop);
/* Futures of the loop that wait for the end of futures elsewhere (concurrent.c); guarded by the loop's pool_lock. NULL
 * without memory. */
weft__list_t *weft__default_pool_chains(weft_loop_t *loop);
/* By the closing loop: lets go of them all. */
void weft__chains_close(weft_loop_t *loop, weft__list_t *chains);
/* No jobs any more. */
void weft__default_pool_shutdown(weft_loop_t *loop);
/* Ends and frees them, and waits for what other executors owe the loop. Blocks; the loop does not run. */
void weft__default_pool_close(weft_loop_t *loop);

#endif
