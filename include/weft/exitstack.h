/* weft/exitstack.h: blocks whose exit always runs: async with, and exits that are collected as they come. */
#ifndef WEFT_EXITSTACK_H
#define WEFT_EXITSTACK_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

/* An exit. body is the status of the block so far; the answer is the block's status from here on: body again; 0 to
 * swallow its error; another error to replace it (weft_fail keeps the old code as context). It may suspend: a
 * cancellation that was delivered to the block does not disturb it, one that comes meanwhile does. */
typedef int (*weft_exit_fn)(void *data, int body);
typedef int (*weft_with_fn)(void *data);

/* weft_with [S], async with: runs enter, then body, then exit, each with data; the answer is exit's. exit runs exactly
 * if enter did not fail, whatever becomes of body; if enter fails its error is the answer. enter may be NULL. */
WEFT_API WEFT_NODISCARD int weft_with(weft_with_fn enter, weft_with_fn body, weft_exit_fn exit, void *data);
WEFT_ASYNC_TWIN_4(weft_with, weft_with_fn, weft_with_fn, weft_exit_fn, void *);

/* A stack of exits, AsyncExitStack. Embedded. All zero ({0}) is an empty one. */
typedef struct weft_exitstack {
  uint64_t opaque_[4];
} weft_exitstack_t;

/* weft_exitstack_enter, AsyncExitStack.__aenter__: makes it empty. stack is kept until exit. */
WEFT_API void weft_exitstack_enter(weft_exitstack_t *stack);

/* weft_exitstack_push, AsyncExitStack.push: exit runs when the block is left, before those pushed earlier. Without
 * memory (-ENOMEM) it runs at once, with that status (and may suspend): what it is to end is ended in every case. */
WEFT_API WEFT_NODISCARD int weft_exitstack_push(weft_exitstack_t *stack, weft_exit_fn exit, void *data);

/* weft_exitstack_enter_with, AsyncExitStack.enter_async_context: runs enter, which may suspend; if it did not fail, pushes exit. The
 * answer is enter's, or -ENOMEM as in push. */
WEFT_API WEFT_NODISCARD int weft_exitstack_enter_with(weft_exitstack_t *stack, weft_with_fn enter, weft_exit_fn exit,
                                                      void *data);

/* weft_exitstack_pop_all, AsyncExitStack.pop_all: moves all exits to `to`, which is made empty first. */
WEFT_API void weft_exitstack_pop_all(weft_exitstack_t *stack, weft_exitstack_t *to);

/* weft_exitstack_exit [S], AsyncExitStack.__aexit__: runs all exits, the last one pushed first, each with the status that
 * the one before it answered, the first one with body. The answer is the last one's. */
WEFT_API WEFT_NODISCARD int weft_exitstack_exit(weft_exitstack_t *stack, int body);
#ifdef __cplusplus
}
#endif
#endif
