/* uv.c: lending the loop's libuv loop to users who have handles of their own. It is the first worker's. */
#include <weft/events.h>

#include "loop/uv.h"
#include "sched/loop.h"

struct uv_loop_s *weft_loop_uv_lock(weft_loop_t *loop) {
  if (loop == NULL || weft_loop_is_closed(loop)) {
    weft_ignore(weft_fail(WEFT_RUNTIME, loop == NULL ? "weft_loop_uv_lock: no loop" : "Event loop is closed"));
    return NULL;
  }
  int error = 0;
  weft__uv_t *uv = weft__reactor_uv(loop->workers[0].reactor, &error);
  if (uv == NULL) {
    weft_ignore(weft_fail(error, "weft_loop_uv_lock: the libuv loop could not be made: %s", weft_strerror(error)));
    return NULL;
  }
  return weft__uv_lock(uv);
}

void weft_loop_uv_unlock(weft_loop_t *loop) {
  if (loop == NULL || weft_loop_is_closed(loop)) return;
  int error = 0;
  weft__uv_t *uv = weft__reactor_uv(loop->workers[0].reactor, &error);
  if (uv != NULL) weft__uv_unlock(uv);
}
