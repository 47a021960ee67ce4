/* weft/contextvars.h: context variables: values that a task hands to the tasks it creates.
 *
 * A task or callback gets a copy of its creator's context; setting a variable changes the current context only. The
 * values are the caller's pointers: nothing is copied or freed, and they must live as long as a context can still have
 * them. */
#ifndef WEFT_CONTEXTVARS_H
#define WEFT_CONTEXTVARS_H
#include <weft/events.h>
#ifdef __cplusplus
extern "C" {
#endif

/* A variable: static, defined by weft_contextvar_t request = WEFT_CONTEXTVAR("request", NULL).
 * contextvars.ContextVar. */
typedef struct weft_contextvar {
  const char *name; /* read-only */
  void *value;      /* the value where none was set; read-only */
  uint64_t opaque_[2];
} weft_contextvar_t;
/* clang-format off */
#define WEFT_CONTEXTVAR(name, initial) { (name), (initial), { 0, 0 } }
/* clang-format on */

/* weft_contextvar_get [A], ContextVar.get: the value in the current context, else the initial one. */
WEFT_API void *weft_contextvar_get(const weft_contextvar_t *var);

/* weft_contextvar_set, ContextVar.set: sets it in the current context. var and value are kept as long as a context has
 * them. 0, -ENOMEM; -EPERM outside the runtime. */
WEFT_API int weft_contextvar_set(weft_contextvar_t *var, void *value);

/* What a set replaced, for weft_contextvar_reset. contextvars.Token. */
typedef struct weft_contextvar_token {
  weft_contextvar_t *var; /* NULL: no token */
  void *old_value;        /* read-only; the initial value if there was none */
  uint64_t opaque_[2];
} weft_contextvar_token_t;

/* weft_contextvar_set_token, token = ContextVar.set: weft_contextvar_set that fills token with what was there before. On
 * an error token is all zero. */
WEFT_API int weft_contextvar_set_token(weft_contextvar_t *var, void *value, weft_contextvar_token_t *token);

/* weft_contextvar_reset, ContextVar.reset: makes var what it was before the set that filled token, in the same context.
 * 0, -ENOMEM; WEFT_RUNTIME: token has been used; WEFT_VALUE: it is another variable's, or another context's. */
WEFT_API int weft_contextvar_reset(weft_contextvar_t *var, weft_contextvar_token_t *token);

/* weft_contextvars_get [A], Context.get: whether var was set in that context (NULL: the current one); value (NULL: not
 * wanted) is filled with what it was set to, else with the initial one. */
WEFT_API bool weft_contextvars_get(weft_contextvars_t *context, const weft_contextvar_t *var, void **value);

/* A variable of a context and its value there. */
typedef struct weft_contextvar_item {
  const weft_contextvar_t *var;
  void *value;
} weft_contextvar_item_t;

/* weft_contextvars_items [A], Context.items: the variables that were set in that context (NULL: the current one), in no
 * order. items is filled with up to size of them; NULL with size 0. Answers how many there are, which may be more. */
WEFT_API size_t weft_contextvars_items(weft_contextvars_t *context, weft_contextvar_item_t items[], size_t size);

/* weft_contextvars_copy [A], copy_context: a copy of the current context (empty outside). Owned. NULL: -ENOMEM. */
WEFT_API WEFT_NODISCARD weft_contextvars_t *weft_contextvars_copy(void);

/* weft_contextvars_unref [A]: releases it; tasks that run in it hold it themselves. NULL: nothing. */
WEFT_API void weft_contextvars_unref(weft_contextvars_t *context);

/* weft_contextvars_run, Context.run: calls fn(data) at once in that context, borrowed, and answers its result; changes
 * stay in it. fn must not suspend. */
WEFT_API int weft_contextvars_run(weft_contextvars_t *context, weft_callback_fn fn, void *data);
#ifdef __cplusplus
}
#endif
#endif
