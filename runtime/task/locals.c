/* locals.c: task-local storage: a small table in the task, touched by the task alone. */
#include "task/locals.h"

#include <errno.h>
#include <string.h>
#include <weft/tasklocals.h>

#include "base/alloc.h"

typedef struct local {
  const weft_tasklocal_t *variable;
  void *value;
} local_t;

struct weft__locals {
  size_t count, capacity;
  local_t entries[]; /* in the order of their first setting */
};

static size_t size_of(size_t capacity) { return sizeof(weft__locals_t) + capacity * sizeof(local_t); }

static local_t *find(weft__locals_t *locals, const weft_tasklocal_t *variable) {
  for (size_t i = 0; locals != NULL && i < locals->count; i++)
    if (locals->entries[i].variable == variable) return &locals->entries[i];
  return NULL;
}

static int append(weft_task_t *task, const weft_tasklocal_t *variable, void *value) {
  weft__locals_t *locals = task->locals;
  size_t count = locals != NULL ? locals->count : 0, capacity = locals != NULL ? locals->capacity : 0;
  if (count == capacity) {
    size_t larger = capacity == 0 ? 4 : 2 * capacity;
    weft__locals_t *grown = weft__realloc(locals, locals != NULL ? size_of(capacity) : 0, size_of(larger));
    if (grown == NULL) return weft_fail(-ENOMEM, "weft_tasklocal_set: no memory to set %s", variable->name);
    grown->capacity = larger;
    task->locals = locals = grown;
  }
  locals->entries[count] = (local_t){variable, value};
  locals->count = count + 1;
  return 0;
}

static void take_away(weft__locals_t *locals, local_t *local) {
  size_t behind = (size_t)(&locals->entries[locals->count] - (local + 1));
  memmove(local, local + 1, behind * sizeof *local);
  locals->count--;
}

void *weft_tasklocal_get(const weft_tasklocal_t *variable) {
  weft_task_t *task = weft__current_task();
  local_t *local = task != NULL ? find(task->locals, variable) : NULL;
  return local != NULL ? local->value : NULL;
}

int weft_tasklocal_set(const weft_tasklocal_t *variable, void *value) {
  weft_task_t *task = weft__current_task();
  if (task == NULL) return weft_fail(-EPERM, "weft_tasklocal_set: only a task has task-locals");
  if (variable == NULL) return weft_fail(-EINVAL, "weft_tasklocal_set: no variable");
  local_t *local = find(task->locals, variable);
  if (local == NULL) return value != NULL ? append(task, variable, value) : 0;
  if (value == NULL)
    take_away(task->locals, local);
  else
    local->value = value;
  return 0;
}

void weft__locals_drop(weft_task_t *task) {
  for (weft__locals_t *locals; (locals = task->locals)->count > 0;) {
    local_t last = locals->entries[--locals->count];
    if (last.variable->drop != NULL) last.variable->drop(last.value);
  }
  weft__free(task->locals, size_of(task->locals->capacity));
  task->locals = NULL;
}
