/* walk.c: see walk.h. The unwinder is the compiler's runtime library's (_Unwind_Backtrace of the Itanium C++ ABI), which
 * walks the stack that it is called on; weft__context_as_caller makes a saved context the caller's caller. */
#include "fiber/walk.h"

#include <unwind.h>

struct walk {
  weft__frame_fn fn;
  void *data;
  bool inside, enough; /* inside: past the frames of the walk itself */
};

static _Unwind_Reason_Code take_frame(struct _Unwind_Context *context, void *argument) {
  struct walk *walk = argument;
  uintptr_t function = _Unwind_GetRegionStart(context);
#ifndef WEFT_CONTEXT_UCONTEXT
  if (!walk->inside) {
    walk->inside = function == (uintptr_t)weft__context_as_caller;
    return _URC_NO_REASON;
  }
  if (function == (uintptr_t)weft__context_start) return _URC_END_OF_STACK;
#endif
  walk->enough = !walk->fn(_Unwind_GetIP(context), function, walk->data);
  return walk->enough ? _URC_END_OF_STACK : _URC_NO_REASON;
}

static WEFT__NOINLINE void walk_from_here(void *argument) {
  _Unwind_Backtrace(take_frame, argument);
  __asm__ volatile("" ::: "memory"); /* no tail call: this frame is what stands before the first one that counts */
}

bool weft__fiber_walk(const weft__fiber_t *fiber, weft__frame_fn fn, void *data) {
  struct walk walk = {fn, data, false, false};
#ifdef WEFT_CONTEXT_UCONTEXT
  (void)fiber;
#else
  weft__context_as_caller(&fiber->context, walk_from_here, &walk);
#endif
  return walk.enough;
}

bool weft__walk_here(weft__frame_fn fn, void *data) {
  struct walk walk = {fn, data, true, false};
  walk_from_here(&walk);
  return walk.enough;
}
