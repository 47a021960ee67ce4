/* weft/scopes.h: Trio's cancel scopes: level-triggered. Once a scope is cancelled, every suspending call inside it
 * answers WEFT_CANCELLED until the scope is left; asyncio's own cancellation (tasks.h) is delivered once. */
#ifndef WEFT_SCOPES_H
#define WEFT_SCOPES_H
#include <weft/types.h>
#ifdef __cplusplus
extern "C" {
#endif

/* A scope of a block of this task. Embedded. All zero ({0}) is "not entered": every use of it is an error. */
typedef struct weft_scope {
  uint64_t opaque_[8];
} weft_scope_t;

/* weft_scope_enter, trio.CancelScope: opens a scope that cancels itself at a loop time; WEFT_FOREVER: never; a time that
 * is past: at once. shield: scopes and requests from outside do not reach into it; they strike after it. scope is kept
 * until exit. What goes wrong (NaN, no task, no memory) is answered by exit. */
WEFT_API void weft_scope_enter(weft_scope_t *scope, double deadline, bool shield);

/* weft_scope_enter_after, trio.move_on_after: likewise, so many seconds from now. */
WEFT_API void weft_scope_enter_after(weft_scope_t *scope, double seconds, bool shield);

/* weft_scope_reschedule_at, CancelScope.deadline: sets the loop time anew; WEFT_FOREVER lifts it. Inside, by the scope's
 * task. What is cancelled stays so. WEFT_RUNTIME: not inside; -EINVAL: NaN. */
WEFT_API int weft_scope_reschedule_at(weft_scope_t *scope, double when);

/* weft_scope_cancel [A], CancelScope.cancel: cancels the scope, which must be entered and not left yet. */
WEFT_API void weft_scope_cancel(weft_scope_t *scope);

/* weft_scope_cancel_called, CancelScope.cancel_called: whether it was cancelled, or its time was over; also after exit. */
WEFT_API bool weft_scope_cancel_called(const weft_scope_t *scope);

/* weft_scope_cancelled_caught, CancelScope.cancelled_caught: after exit: whether a cancellation ended there. */
WEFT_API bool weft_scope_cancelled_caught(const weft_scope_t *scope);

/* weft_scope_exit, CancelScope.__exit__: ends the block. body is its status, and the answer, except: the WEFT_CANCELLED
 * that this scope caused becomes 0, unless a request or a scope from further out wants it too. WEFT_RUNTIME: not entered,
 * not the innermost, or by another task. */
WEFT_API WEFT_NODISCARD int weft_scope_exit(weft_scope_t *scope, int body);
#ifdef __cplusplus
}
#endif
#endif
