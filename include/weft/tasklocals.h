/* weft/tasklocals.h: task-local storage: a pointer per task, which nobody inherits. Not in asyncio, whose context
 * variables (contextvars.h) are handed on to new tasks. */
#ifndef WEFT_TASKLOCALS_H
#define WEFT_TASKLOCALS_H
#include <weft/types.h>
#ifdef __cplusplus
extern "C" {
#endif

/* A variable: static, defined by weft_tasklocal_t cache = WEFT_TASKLOCAL("cache", free_cache). */
typedef struct weft_tasklocal {
  const char *name;          /* read-only */
  void (*drop)(void *value); /* called with the value when its task ends; NULL: not; read-only */
} weft_tasklocal_t;
/* clang-format off */
#define WEFT_TASKLOCAL(name, drop) { (name), (drop) }
/* clang-format on */

/* weft_tasklocal_get [A]: the current task's value; NULL: none was set, or no task runs here. */
WEFT_API void *weft_tasklocal_get(const weft_tasklocal_t *local);

/* weft_tasklocal_set: sets it for the current task; NULL: takes it away. The old value is the caller's again. When the
 * task ends, values are dropped in it, the last set variable first, before anybody can see that it ended; drop must not
 * suspend. 0, -ENOMEM; -EPERM outside of a task. */
WEFT_API int weft_tasklocal_set(const weft_tasklocal_t *local, void *value);
#ifdef __cplusplus
}
#endif
#endif
