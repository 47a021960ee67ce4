/* stack.c: the frames of a task.
 *
 * A task's stack may be read while it is frozen. Frozen is, under the LOCK of its word:
 *   WAITING, HOP   every way out of these phases waits for LOCK, and the task became so only after its context was saved
 *                  (task/word.h). What the worker wrote before (task->fiber, the frames) is released by that transition,
 *                  and LOCK acquires it
 *   READY          only with one worker, seen from its own thread, which is busy here
 * A task that runs a child in place (sched/in_place.c) is RUNNING, and waiting_on says for what: the child, or a gather of
 * which it is one. Its frames lie below the child's on the child's fiber, and it goes on when the child has ended: so it
 * is the child that has to be frozen, or the child's child. That it is that child's fiber shows in the frames: in place a
 * task is begun by weft__task_run_for, else by weft__task_run. LOCKs are taken one at a time: whoever ends a child holds
 * that one's while it waits for the parent's. What waiting_on points to is kept while the parent's LOCK is held, as in
 * task/cancel.c.
 * A generator's body that awaits suspends on the body's fiber; the task's further frames are on the fiber that resumed it.
 *
 * Under LOCK only addresses are noted, into memory that was there before; names are looked up later. */
#include "inspect/stack.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "fiber/walk.h"
#include "sched/loop.h"
#include "sync/gather.h"
#include "sync/generator.h"

enum { RAW_MAX = 240 }; /* frames that are looked at */

typedef struct raw_frame {
  uintptr_t pc, function;
} raw_frame_t;

typedef struct raw_stack {
  size_t count;
  unsigned above; /* of tasks that run in place on the one that is wanted: so many are still to be passed */
  uintptr_t base; /* what the fiber began with: there it ends */
  bool at_base;
  bool ended; /* at the frame that called the task's function */
  raw_frame_t frames[RAW_MAX];
} raw_stack_t;

/* ---- addresses --------------------------------------------------------------------------------------------------------- */

static bool note_frame(uintptr_t pc, uintptr_t function, void *data) {
  raw_stack_t *stack = data;
  bool in_place = function == (uintptr_t)weft__task_run_for;
  if (in_place || function == (uintptr_t)weft__task_run) {
    stack->ended = stack->above == 0;
    if (stack->ended || !in_place) return false;
    stack->above--;
    return true;
  }
  if (function == stack->base) {
    stack->at_base = true;
    return false;
  }
  if (stack->above > 0) return true;
  stack->frames[stack->count++] = (raw_frame_t){pc, function};
  return stack->count < RAW_MAX;
}

/* From where `fiber` was left, down to the task's function. */
static void note_fiber(raw_stack_t *stack, const weft__fiber_t *fiber) {
  while (fiber != NULL) {
    stack->base = (uintptr_t)fiber->entry;
    stack->at_base = false;
    (void)weft__fiber_walk(fiber, note_frame, stack);
    fiber = stack->at_base ? weft__gen_caller_of(fiber) : NULL;
  }
}

static void note_here(raw_stack_t *stack) {
  const weft__fiber_t *fiber = weft__worker()->fiber;
  stack->base = (uintptr_t)fiber->entry;
  (void)weft__walk_here(note_frame, stack);
  if (stack->at_base) note_fiber(stack, weft__gen_caller_of(fiber));
}

/* One worker, and this thread is it: nothing else runs. */
static bool alone_here(const weft_task_t *task) {
  const weft_loop_t *loop = weft__current_loop();
  return loop != NULL && loop == task->future.loop && loop->alone;
}

static bool is_frozen(enum weft__phase phase, bool alone) {
  return phase == WEFT__WAITING || phase == WEFT__HOP || (phase == WEFT__READY && alone);
}

/* Whether depth is of use for this task at all: a loop of one worker changes what belongs to its tasks without the LOCK. */
static bool may_look(const weft_task_t *task, bool alone) {
  const weft_loop_t *loop = task->future.loop;
  return alone || (loop != NULL && (!loop->alone || !weft_loop_is_running(loop)));
}

/* What the task waits for, a reference; NULL: nothing, or not for a future. Under LOCK. */
static weft_future_t *awaited_by_frozen(weft_task_t *task, enum weft__phase phase) {
  if (phase != WEFT__RUNNING && phase != WEFT__WAITING) return NULL;
  atom_fence_after_rmw();                                        /* as in cancel.c */
  return weft_future_ref(atom_load(&task->waiting_on, acquire)); /* partner: the release where it is set */
}

/* Notes the frames if the task is frozen. *awaited: what it runs in place instead, or a gather of that, a reference. */
static void note_frozen(raw_stack_t *stack, weft_task_t *task, bool alone, weft_future_t **awaited) {
  *awaited = NULL;
  uint64_t word = weft__word_lock(&task->future.word);
  enum weft__phase phase = weft__word_phase(word);
  if (weft__word_outcome(word) == WEFT__PENDING) {
    if (is_frozen(phase, alone) && task->fiber != NULL)
      note_fiber(stack, task->fiber);
    else if (phase == WEFT__RUNNING)
      *awaited = awaited_by_frozen(task, phase);
  }
  weft__word_unlock(&task->future.word, 0, 0);
}

enum { IN_PLACE_MAX = 64 }; /* levels that are followed */

/* The frames of `task`, which runs something in place, `level` levels above it; at: what that is, or a gather. */
static void note_above(raw_stack_t *stack, weft_future_t *at, unsigned level, bool alone) {
  weft_future_t *only[] = {at}, *const *children = only;
  size_t count = 1;
  if (at->kind != WEFT__KIND_TASK) children = weft__gather_children(at, &count);
  for (size_t i = 0; children != NULL && i < count && !stack->ended; i++) {
    if (children[i]->kind != WEFT__KIND_TASK) continue;
    weft_future_t *awaited;
    stack->above = level;
    stack->count = 0;
    note_frozen(stack, weft__task_of_future(children[i]), alone, &awaited);
    if (!stack->ended) stack->count = 0; /* it did not run in place */
    if (awaited != NULL && level < IN_PLACE_MAX) note_above(stack, awaited, level + 1, alone);
    weft_future_unref(awaited);
  }
}

static void note_suspended(raw_stack_t *stack, weft_task_t *task) {
  bool alone = alone_here(task);
  if (!may_look(task, alone)) return;
  weft_future_t *awaited;
  note_frozen(stack, task, alone, &awaited);
  if (awaited != NULL) note_above(stack, awaited, 1, alone);
  weft_future_unref(awaited);
}

/* ---- what is told of them ------------------------------------------------------------------------------------------------ */

static void cut_end(char *name, const char *suffix) {
  size_t length = strlen(name), cut = strlen(suffix);
  if (length > cut && strcmp(name + length - cut, suffix) == 0) name[length - cut] = '\0';
}

/* gcc's names of parts and copies of functions are f.cold, f.isra.0; f_entry_ unpacks the arguments of a call of f, and may
 * hold f's body; weft_f_sized is written weft_f. */
static void cut_suffix(char *name) {
  char *dot = strchr(name, '.');
  if (dot != NULL && dot != name) *dot = '\0';
  cut_end(name, "_entry_");
  if (strncmp(name, "weft_", 5) == 0) cut_end(name, "_sized");
}

void weft__frame_at(weft__symbols_t *symbols, const void *address, weft_frame_t *frame) {
  uintptr_t start;
  frame->address = address;
  frame->offset = 0;
  /* A return address may be the first one behind its function. */
  if (weft__symbols_find(symbols, (uintptr_t)address - 1, frame->function, sizeof frame->function, &start)) {
    frame->offset = (uintptr_t)address - start;
    cut_suffix(frame->function);
  }
}

static void name_frame(weft__symbols_t *symbols, const raw_frame_t *raw, weft_frame_t *frame) {
  weft__frame_at(symbols, (const void *)raw->pc, frame);
  if (frame->function[0] == '\0') frame->offset = raw->pc - raw->function;
}

static bool is_internal(const weft_frame_t *frame) { return strncmp(frame->function, "weft__", 6) == 0; }
static bool is_public(const weft_frame_t *frame) {
  return strncmp(frame->function, "weft_", 5) == 0 && !is_internal(frame);
}

/* The outermost frame as it is known without a stack. */
static void function_frame(const weft_task_t *task, weft_frame_t *frame) {
  frame->address = (const void *)(uintptr_t)task->entry;
  frame->offset = 0;
  snprintf(frame->function, sizeof frame->function, "%s", task->call_name != NULL ? task->call_name : "");
}

/* The symbol is the name, or (C++) holds it. */
static bool is_function_of(const weft_task_t *task, const weft_frame_t *frame) {
  return task->call_name == NULL || strstr(frame->function, task->call_name) != NULL;
}

/* What lies inside the suspending call is left out, and so is the runtime's own in between; of the task that asks, also
 * the function that it asks, and what unpacked the call's arguments where the function itself is there. */
static size_t choose_frames(const weft_task_t *task, weft_frame_t *frames, size_t count, uintptr_t oldest_function) {
  size_t first = 0, kept = 0;
  while (first < count && !is_public(&frames[first])) first++;
  if (first == count) first = 0;
  for (size_t i = first; i < count && (is_public(&frames[i]) || is_internal(&frames[i])); i++)
    if (is_public(&frames[i])) first = i; /* one may stand on another */
  if (task == weft__current_task() && is_public(&frames[first])) first++;
  for (size_t i = first; i < count; i++) {
    bool unpacks = i + 1 == count && oldest_function == (uintptr_t)task->entry;
    if (is_internal(&frames[i])) continue;
    if (unpacks && kept > 0 && strcmp(frames[kept - 1].function, frames[i].function) == 0) continue;
    if (kept != i) frames[kept] = frames[i];
    kept++;
  }
  return kept;
}

int weft__stack_frames(weft_task_t *task, weft__symbols_t *symbols, size_t limit, weft_frame_t **out,
                       size_t *capacity) {
  *out = NULL;
  *capacity = 0;
  if (weft__future_done(&task->future)) return 0;
  raw_stack_t *stack = weft__alloc(sizeof *stack);
  if (stack == NULL) return weft_fail(-ENOMEM, "no memory for the stack of task %s", weft_task_get_name(task));
  stack->count = stack->above = 0;
  stack->ended = stack->at_base = false;
  if (task == weft__current_task())
    note_here(stack);
  else
    note_suspended(stack, task);
  size_t count = stack->count, size = count + 1;
  weft_frame_t *frames = weft__alloc_zero(size * sizeof *frames);
  if (frames == NULL) {
    weft__free(stack, sizeof *stack);
    return weft_fail(-ENOMEM, "no memory for the stack of task %s", weft_task_get_name(task));
  }
  for (size_t i = 0; i < count; i++) name_frame(symbols, &stack->frames[i], &frames[i]);
  if (count > 0) count = choose_frames(task, frames, count, stack->ended ? stack->frames[count - 1].function : 0);
  bool whole = stack->ended || count == 0;
  weft__free(stack, sizeof *stack);
  /* The outermost frame is the task's function, also where that ended in a jump to what it waits in. */
  if (whole && (count == 0 || !is_function_of(task, &frames[count - 1]))) function_frame(task, &frames[count++]);
  *out = frames;
  *capacity = size;
  return (int)(count < limit ? count : limit);
}

/* ---- public ------------------------------------------------------------------------------------------------------------ */

int weft_task_get_stack(weft_task_t *task, weft_frame_t frames[], size_t size) {
  if (task == NULL || (frames == NULL && size > 0))
    return weft_fail(-EINVAL, "weft_task_get_stack: no %s", task == NULL ? "task" : "array");
  weft__symbols_t symbols = {0};
  weft_frame_t *found;
  size_t capacity;
  int count = weft__stack_frames(task, &symbols, SIZE_MAX, &found, &capacity);
  size_t copied = count < 0 ? 0 : (size_t)count < size ? (size_t)count : size;
  for (size_t i = 0; i < copied; i++) frames[copied - 1 - i] = found[i];
  weft__free(found, capacity * sizeof *found);
  weft__symbols_close(&symbols);
  return count;
}

int weft_task_print_stack(weft_task_t *task, size_t limit, FILE *file) {
  if (task == NULL) return weft_fail(-EINVAL, "weft_task_print_stack: no task");
  if (file == NULL) file = stderr;
  char repr[512];
  int rc = weft_task_repr(task, repr, sizeof repr);
  if (rc < 0) return rc;
  weft__symbols_t symbols = {0};
  weft_frame_t *frames;
  size_t capacity;
  int count = weft__stack_frames(task, &symbols, limit > 0 ? limit : SIZE_MAX, &frames, &capacity);
  if (count == 0) fprintf(file, "No stack for %s\n", repr);
  if (count > 0) fprintf(file, "Stack for %s (most recent call last):\n", repr);
  for (int i = count - 1; i >= 0; i--)
    fprintf(file, "  %s+0x%zx [%p]\n", frames[i].function[0] != '\0' ? frames[i].function : "?", frames[i].offset,
            frames[i].address);
  weft__free(frames, capacity * sizeof *frames);
  weft__symbols_close(&symbols);
  return count < 0 ? count : 0;
}

int weft_task_created_at(const weft_task_t *task, weft_frame_t *frame) {
  if (task == NULL || frame == NULL)
    return weft_fail(-EINVAL, "weft_task_created_at: no %s", task == NULL ? "task" : "frame");
  weft__symbols_t symbols = {0};
  weft__frame_at(&symbols, task->created_at, frame);
  weft__symbols_close(&symbols);
  return 0;
}

int weft_task_get_coro(const weft_task_t *task, weft_call_t *call) {
  if (task == NULL || call == NULL)
    return weft_fail(-EINVAL, "weft_task_get_coro: no %s", task == NULL ? "task" : "call");
  memset(call, 0, sizeof *call);
  call->entry = task->entry;
  call->name = task->call_name;
  call->size = task->args_size;
  memcpy(call->args.bytes, task->args, task->args_size);
  return 0;
}
