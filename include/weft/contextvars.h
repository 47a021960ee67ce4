/* weft/contextvars.h: context variables; values are the caller's pointers. */
#ifndef WEFT_CONTEXTVARS_H
#define WEFT_CONTEXTVARS_H
#include <weft/events.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_contextvar {
  const char *name;
  void *value;
  uint64_t opaque_[2];
} weft_contextvar_t;
#define WEFT_CONTEXTVAR(name, initial) { (name), (initial), { 0, 0 } }

WEFT_API void *weft_contextvar_get(const weft_contextvar_t *var);
/* in the current context */
WEFT_API int weft_contextvar_set(weft_contextvar_t *var, void *value);
/* owned copy of the current one */
WEFT_API weft_contextvars_t *weft_contextvars_copy(void);
WEFT_API void weft_contextvars_unref(weft_contextvars_t *context);
/* calls fn at once in it; its result */
WEFT_API int weft_contextvars_run(weft_contextvars_t *context, weft_callback_fn fn, void *data);
#ifdef __cplusplus
}
#endif
#endif
