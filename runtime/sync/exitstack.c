/* exitstack.c: weft_with and exit stacks: plain control flow of one task, nothing is shared. */
#include <weft/exitstack.h>

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "task/task.h"

typedef struct entry {
  struct entry *below;
  weft_exit_fn exit;
  void *data;
} entry_t;

typedef struct stack {
  entry_t *top;
} stack_t;

_Static_assert(sizeof(stack_t) <= sizeof(weft_exitstack_t), "weft_exitstack_t is too small");

static stack_t *inside(weft_exitstack_t *stack) { return (stack_t *)(void *)stack; }

/* The record of the block's error must still be the current one when exit has awaited other things and passes it on. */
static int run_exit(weft_exit_fn exit, void *data, int body) {
  weft__record_t *record = body < 0 ? weft__record_for(body) : NULL;
  int rc = exit(data, body);
  if (record != NULL && rc == body)
    weft__set_error(record);
  else
    weft__record_unref(record);
  return rc;
}

int weft_with(weft_with_fn enter, weft_with_fn body, weft_exit_fn exit, void *data) {
  if (body == NULL || exit == NULL) return weft_fail(-EINVAL, "weft_with: no body or no exit");
  int rc = enter != NULL ? enter(data) : 0;
  return rc < 0 ? rc : run_exit(exit, data, body(data));
}

void weft_exitstack_enter(weft_exitstack_t *stack) { memset(stack, 0, sizeof *stack); }

int weft_exitstack_push(weft_exitstack_t *public_stack, weft_exit_fn exit, void *data) {
  stack_t *stack = inside(public_stack);
  if (exit == NULL) return weft_fail(-EINVAL, "weft_exitstack_push: no exit");
  entry_t *entry = weft__alloc(sizeof *entry);
  if (entry == NULL) {
    weft_ignore(run_exit(exit, data, weft_fail(-ENOMEM, "weft_exitstack_push: no memory")));
    return weft_fail(-ENOMEM, "weft_exitstack_push: no memory");
  }
  *entry = (entry_t){stack->top, exit, data};
  stack->top = entry;
  return 0;
}

int weft_exitstack_enter_with(weft_exitstack_t *stack, weft_with_fn enter, weft_exit_fn exit, void *data) {
  if (enter == NULL || exit == NULL) return weft_fail(-EINVAL, "weft_exitstack_enter_with: no enter or no exit");
  int entered = enter(data);
  if (entered < 0) return entered;
  int rc = weft_exitstack_push(stack, exit, data);
  return rc < 0 ? rc : entered;
}

void weft_exitstack_pop_all(weft_exitstack_t *stack, weft_exitstack_t *to) {
  *to = *stack;
  memset(stack, 0, sizeof *stack);
}

int weft_exitstack_exit(weft_exitstack_t *public_stack, int body) {
  stack_t *stack = inside(public_stack);
  for (entry_t *entry; (entry = stack->top) != NULL;) {
    entry_t taken = *entry;
    stack->top = entry->below;
    weft__free(entry, sizeof *entry);
    body = run_exit(taken.exit, taken.data, body);
  }
  return body;
}
