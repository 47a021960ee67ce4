/* weft/tokens.h: cancellation tokens, Tokio's CancellationToken: "stop" said once to everybody who holds one. */
#ifndef WEFT_TOKENS_H
#define WEFT_TOKENS_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_token weft_token_t;

/* weft_token_open [A], CancellationToken::new: a token, owned. NULL without memory. */
WEFT_API WEFT_NODISCARD weft_token_t *weft_token_open(void);

/* weft_token_open_child [A], CancellationToken::child_token: a token that is cancelled together with parent, but not the
 * other way round; cancelled already if parent is. Owned; it keeps parent. NULL without memory, or for no parent. */
WEFT_API WEFT_NODISCARD weft_token_t *weft_token_open_child(weft_token_t *parent);

/* weft_token_ref [A]: one more owner; answers token. */
WEFT_API weft_token_t *weft_token_ref(weft_token_t *token);

/* weft_token_unref [A]: one owner less. The last one must not leave while somebody waits or runs by it. NULL: nothing. */
WEFT_API void weft_token_unref(weft_token_t *token);

/* weft_token_cancel [A], CancellationToken::cancel: cancels it and all below it, once and for all. */
WEFT_API void weft_token_cancel(weft_token_t *token);

/* weft_token_is_cancelled [A], CancellationToken::is_cancelled. */
WEFT_API bool weft_token_is_cancelled(const weft_token_t *token);

/* weft_token_wait [S], CancellationToken::cancelled: waits until it is cancelled: 0. */
WEFT_API WEFT_NODISCARD int weft_token_wait(weft_token_t *token);
WEFT_ASYNC_TWIN_1(weft_token_wait, weft_token_t *);

/* weft_token_run [S], CancellationToken::run_until_cancelled: runs the call in this task; if the token is cancelled
 * meanwhile, the call is, once, as by weft_task_cancel, and awaited. Its status; WEFT_CANCELLED without starting it if
 * the token is cancelled already. The task itself does not count as cancelled. WEFT_TYPE: no call. */
WEFT_API WEFT_NODISCARD int weft_token_run(weft_token_t *token, weft_call_t call);
#ifdef __cplusplus
}
#endif
#endif
