/* contextvars.c: see contextvars.h for the two kinds of object and who may touch them.
 *
 * A table is changed in place only by a holder that has the only reference: nobody else can take one meanwhile, because a
 * reference is only made by a holder (the task or frame itself, or under the context's lock). The count is read with
 * acquire, partner of the release in unref, so that former holders' reads are over. */
#include "task/contextvars.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/spin.h"
#include "task/task.h"

struct weft_contextvars {
  _Atomic(unsigned) refs;
  bool is_context;
};

typedef struct entry {
  const weft_contextvar_t *var;
  void *value;
} entry_t;

typedef struct values {
  weft_contextvars_t head; /* first */
  size_t count;
  entry_t entries[]; /* by address of the variable */
} values_t;

typedef struct context {
  weft_contextvars_t head; /* first */
  weft__spin_t lock;
  _Atomic(bool) entered; /* somebody is in it by weft_contextvars_run */
  values_t *values;      /* owned; under lock */
} context_t;

static __thread weft__context_frame_t *this_frame;

/* Never inlined: see weft__worker. */
static WEFT__NOINLINE weft__context_frame_t *frame(void) {
  weft__context_frame_t *value = this_frame;
  __asm__ volatile("" : "+r"(value));
  return value;
}

static WEFT__NOINLINE void set_frame(weft__context_frame_t *value) {
  this_frame = value;
  __asm__ volatile("" ::: "memory");
}

/* Where the current context is kept; NULL outside the runtime. */
static weft_contextvars_t **current(void) {
  weft_task_t *task = weft__current_task();
  if (task != NULL) return &task->context;
  weft__context_frame_t *here = frame();
  return here != NULL ? &here->context : NULL;
}

/* ---- tables ------------------------------------------------------------------------------------------------------------ */

static size_t size_of(size_t count) { return sizeof(values_t) + count * sizeof(entry_t); }

/* The first entry whose variable is not before var. */
static size_t position(const values_t *values, const weft_contextvar_t *var) {
  size_t low = 0, high = values != NULL ? values->count : 0;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if ((uintptr_t)values->entries[middle].var < (uintptr_t)var)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static bool holds(const values_t *values, size_t at, const weft_contextvar_t *var) {
  return values != NULL && at < values->count && values->entries[at].var == var;
}

static void *lookup(const values_t *values, const weft_contextvar_t *var) {
  size_t at = position(values, var);
  return holds(values, at, var) ? values->entries[at].value : var->value;
}

static values_t *ref_values(values_t *values) {
  if (values != NULL) atom_add(&values->head.refs, 1, relaxed); /* relaxed: the caller's own reference keeps it alive */
  return values;
}

static void unref_values(values_t *values) {
  /* release: our reads come before the free or the change in place; acquire: so did everybody else's */
  if (values != NULL && atom_sub(&values->head.refs, 1, acq_rel) == 1) weft__free(values, size_of(values->count));
}

/* In *slot, the only way to it: var is not set any more. 0 or -ENOMEM. */
static int erase(values_t **slot, const weft_contextvar_t *var) {
  values_t *old = *slot, *made = NULL;
  size_t at = position(old, var);
  if (!holds(old, at, var)) return 0;
  if (old->count > 1) {
    made = weft__alloc(size_of(old->count - 1));
    if (made == NULL) return -ENOMEM;
    atom_init(&made->head.refs, 1);
    made->head.is_context = false;
    made->count = old->count - 1;
    if (at > 0) memcpy(made->entries, old->entries, at * sizeof(entry_t));
    if (at < made->count) memcpy(&made->entries[at], &old->entries[at + 1], (made->count - at) * sizeof(entry_t));
  }
  *slot = made;
  unref_values(old);
  return 0;
}

/* In *slot, the only way to it. 0 or -ENOMEM. */
static int assign(values_t **slot, const weft_contextvar_t *var, void *value) {
  values_t *old = *slot;
  size_t at = position(old, var), count = old != NULL ? old->count : 0;
  bool known = holds(old, at, var);
  if (known && atom_load(&old->head.refs, acquire) == 1) {
    old->entries[at].value = value;
    return 0;
  }
  values_t *made = weft__alloc(size_of(count + !known));
  if (made == NULL) return -ENOMEM;
  atom_init(&made->head.refs, 1);
  made->head.is_context = false;
  made->count = count + !known;
  if (old != NULL && at > 0) memcpy(made->entries, old->entries, at * sizeof(entry_t));
  made->entries[at] = (entry_t){var, value};
  size_t rest = count - at - known;
  if (old != NULL && rest > 0) memcpy(&made->entries[at + 1], &old->entries[at + known], rest * sizeof(entry_t));
  *slot = made;
  unref_values(old);
  return 0;
}

/* A reference to what is in `from` now. */
static values_t *snapshot(weft_contextvars_t *from) {
  if (from == NULL || !from->is_context) return ref_values((values_t *)from);
  context_t *context = (context_t *)from;
  weft__spin_lock(&context->lock);
  values_t *values = ref_values(context->values);
  weft__spin_unlock(&context->lock);
  return values;
}

/* ---- for the core ------------------------------------------------------------------------------------------------------ */

weft_contextvars_t *weft__context_of_new_task(void) {
  weft_contextvars_t **here = current();
  return here != NULL && *here != NULL ? (weft_contextvars_t *)snapshot(*here) : NULL;
}

weft_contextvars_t *weft__context_ref(weft_contextvars_t *context) {
  if (context != NULL) atom_add(&context->refs, 1, relaxed); /* as in ref_values */
  return context;
}

void weft__context_enter(weft__context_frame_t *here, weft_contextvars_t *context) {
  here->outer = frame();
  here->context = context;
  set_frame(here);
}

void weft__context_leave(weft__context_frame_t *here) {
  WEFT__ASSERT(frame() == here);
  set_frame(here->outer);
  weft_contextvars_unref(here->context);
}

/* ---- public ------------------------------------------------------------------------------------------------------------ */

void *weft_contextvar_get(const weft_contextvar_t *var) {
  weft_contextvars_t **here = current();
  if (here == NULL || *here == NULL) return var->value;
  if (!(*here)->is_context) return lookup((values_t *)*here, var);
  context_t *context = (context_t *)*here;
  weft__spin_lock(&context->lock);
  void *value = lookup(context->values, var);
  weft__spin_unlock(&context->lock);
  return value;
}

/* The table is made outside the context's lock, and again if somebody else in the same context was faster. set: assign,
 * else erase. */
static int change_shared(context_t *context, const weft_contextvar_t *var, void *value, bool set) {
  for (;;) {
    values_t *seen = snapshot(&context->head), *made = ref_values(seen);
    int rc = set ? assign(&made, var, value) : erase(&made, var);
    weft__spin_lock(&context->lock);
    bool same = context->values == seen;
    if (rc == 0 && same) {
      context->values = made;
      made = seen; /* the context's old reference, to be dropped */
    }
    weft__spin_unlock(&context->lock);
    unref_values(made);
    unref_values(seen);
    if (rc < 0 || same) return rc;
  }
}

static int change(weft_contextvars_t **here, const weft_contextvar_t *var, void *value, bool set) {
  int rc;
  if (*here != NULL && (*here)->is_context) {
    rc = change_shared((context_t *)*here, var, value, set);
  } else {
    values_t *values = (values_t *)*here;
    rc = set ? assign(&values, var, value) : erase(&values, var);
    *here = (weft_contextvars_t *)values;
  }
  return rc < 0 ? weft_fail(rc, "no memory to set the context variable %s", var->name) : 0;
}

static int find_here(const weft_contextvar_t *var, weft_contextvars_t ***here, const char *what) {
  if (var == NULL) return weft_fail(-EINVAL, "%s: no variable", what);
  *here = current();
  if (*here == NULL) return weft_fail(-EPERM, "%s: only a task, callback or job has a context", what);
  return 0;
}

int weft_contextvar_set(weft_contextvar_t *var, void *value) {
  weft_contextvars_t **here;
  int rc = find_here(var, &here, "weft_contextvar_set");
  return rc < 0 ? rc : change(here, var, value, true);
}

/* ---- tokens ------------------------------------------------------------------------------------------------------------ */

enum { TOKEN_LIVE = 1, TOKEN_WAS_SET = 2 };

/* What stands for the context across sets: the shared one's address, or the place where a task or frame keeps its own. */
static uint64_t identity(weft_contextvars_t *const *here) {
  return (uint64_t)(uintptr_t)(*here != NULL && (*here)->is_context ? (const void *)*here : (const void *)here);
}

int weft_contextvar_set_token(weft_contextvar_t *var, void *value, weft_contextvar_token_t *token) {
  weft_contextvars_t **here;
  if (token == NULL) return weft_fail(-EINVAL, "weft_contextvar_set_token: no token");
  memset(token, 0, sizeof *token);
  int rc = find_here(var, &here, "weft_contextvar_set_token");
  if (rc < 0) return rc;
  void *old;
  bool was_set = weft_contextvars_get(NULL, var, &old);
  rc = change(here, var, value, true);
  if (rc < 0) return rc;
  token->var = var;
  token->old_value = old;
  token->opaque_[0] = identity(here);
  token->opaque_[1] = TOKEN_LIVE | (was_set ? TOKEN_WAS_SET : 0u);
  return 0;
}

int weft_contextvar_reset(weft_contextvar_t *var, weft_contextvar_token_t *token) {
  weft_contextvars_t **here;
  int rc = find_here(var, &here, "weft_contextvar_reset");
  if (rc < 0) return rc;
  if (token == NULL || token->var == NULL) return weft_fail(-EINVAL, "weft_contextvar_reset: no token");
  if ((token->opaque_[1] & TOKEN_LIVE) == 0)
    return weft_fail(WEFT_RUNTIME, "<Token var=%s> has already been used once", token->var->name);
  if (token->var != var)
    return weft_fail(WEFT_VALUE, "<Token var=%s> was created by a different ContextVar", token->var->name);
  if (token->opaque_[0] != identity(here))
    return weft_fail(WEFT_VALUE, "<Token var=%s> was created in a different Context", var->name);
  rc = change(here, var, token->old_value, (token->opaque_[1] & TOKEN_WAS_SET) != 0);
  if (rc == 0) token->opaque_[1] &= ~(uint64_t)TOKEN_LIVE;
  return rc;
}

/* ---- reading a context ------------------------------------------------------------------------------------------------- */

/* A reference to the table of that context, or of the current one. */
static values_t *table_of(weft_contextvars_t *context) {
  weft_contextvars_t **here = context == NULL ? current() : &context;
  return here != NULL ? snapshot(*here) : NULL;
}

bool weft_contextvars_get(weft_contextvars_t *context, const weft_contextvar_t *var, void **value) {
  if (var == NULL) return false;
  values_t *values = table_of(context);
  bool set = holds(values, position(values, var), var);
  if (value != NULL) *value = lookup(values, var);
  unref_values(values);
  return set;
}

size_t weft_contextvars_items(weft_contextvars_t *context, weft_contextvar_item_t items[], size_t size) {
  values_t *values = table_of(context);
  size_t count = values != NULL ? values->count : 0;
  for (size_t i = 0; i < count && i < size && items != NULL; i++)
    items[i] = (weft_contextvar_item_t){values->entries[i].var, values->entries[i].value};
  unref_values(values);
  return count;
}

/* ---- contexts ---------------------------------------------------------------------------------------------------------- */

weft_contextvars_t *weft_contextvars_copy(void) {
  context_t *context = weft__alloc(sizeof *context);
  if (context == NULL) {
    weft_ignore(weft_fail(-ENOMEM, "weft_contextvars_copy: no memory"));
    return NULL;
  }
  atom_init(&context->head.refs, 1);
  context->head.is_context = true;
  weft__spin_init(&context->lock);
  atom_init(&context->entered, false);
  context->values = (values_t *)weft__context_of_new_task();
  return &context->head;
}

void weft_contextvars_unref(weft_contextvars_t *base) {
  if (base == NULL) return;
  if (!base->is_context) {
    unref_values((values_t *)base);
    return;
  }
  context_t *context = (context_t *)base;
  if (atom_sub(&base->refs, 1, acq_rel) != 1) return; /* as in unref_values */
  unref_values(context->values);
  weft__free(context, sizeof *context);
}

int weft_contextvars_run(weft_contextvars_t *base, weft_callback_fn fn, void *data) {
  if (base == NULL || fn == NULL)
    return weft_fail(-EINVAL, "weft_contextvars_run: no %s", base == NULL ? "context" : "function");
  context_t *context = (context_t *)base;
  weft_task_t *task = weft__current_task();
  /* acq_rel: who enters sees what the last one in it left behind */
  if ((task != NULL && task->context == base) || atom_xchg(&context->entered, true, acq_rel))
    return weft_fail(WEFT_RUNTIME, "cannot enter context: %p is already entered", (void *)base);
  int rc;
  if (task != NULL) {
    weft_contextvars_t *outer = task->context;
    task->context = weft__context_ref(base);
    rc = fn(data);
    weft_contextvars_unref(task->context);
    task->context = outer;
  } else {
    weft__context_frame_t here;
    weft__context_enter(&here, weft__context_ref(base));
    rc = fn(data);
    weft__context_leave(&here);
  }
  atom_store(&context->entered, false, release); /* partner: the exchange above */
  return rc;
}
