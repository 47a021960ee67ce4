/* weft/once.h: Once: something that is done once, by whoever comes first, while the others wait. Not in asyncio.
 *
 * A cell that is filled once is a Once whose call fills what its arguments point to: all that the call did is visible to
 * everybody to whom weft_once_run answered 0. Embedded; needs no destroying; must stay where it is while anyone uses it. */
#ifndef WEFT_ONCE_H
#define WEFT_ONCE_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_once {
  uint64_t opaque_[4];
} weft_once_t;

/* weft_once_init [A]: not done. */
WEFT_API void weft_once_init(weft_once_t *once);

/* weft_once_run [S]: done already: 0, at once. Somebody is at it: waits. Else runs call in this task; if it fails, its
 * error is the answer, and it is not done: the next one who waits runs its own call. WEFT_RUNTIME: from inside the call. */
WEFT_API WEFT_NODISCARD int weft_once_run(weft_once_t *once, weft_call_t call);

/* weft_once_done [A]: whether it is done; then all that the call did is visible. */
WEFT_API bool weft_once_done(const weft_once_t *once);
#ifdef __cplusplus
}
#endif
#endif
