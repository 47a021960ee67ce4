/* spawn.c: creating tasks. The common case, create_task inside a task, is kept short: one look at which worker this is, no
 * lock and no locked instruction with one worker. */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "sched/task_memory.h"
#include "task/contextvars.h"

static int check_options(const weft_loop_t *loop, const weft_call_t *call, const weft_task_options_t *options) {
  if (call->entry == NULL) return weft_fail(WEFT_TYPE, "a coroutine was expected, got a call without a function");
  if (call->size > WEFT_CALL_BYTES)
    return weft_fail(-EINVAL, "%s: a call carries at most %d bytes of arguments", call->name, WEFT_CALL_BYTES);
  if (options == NULL) return 0;
  if (options->worker > weft__loop_workers(loop))
    return weft_fail(-EINVAL, "%s: there is no worker %u, the loop has %u", call->name, options->worker,
                     weft__loop_workers(loop));
  if (options->worker != 0 && options->strand != NULL)
    return weft_fail(-EINVAL, "%s: a task of a strand runs where the strand does, it cannot be pinned", call->name);
  if (options->priority != WEFT_PRIORITY_LATENCY && options->priority != WEFT_PRIORITY_BACKGROUND)
    return weft_fail(-EINVAL, "%s: there is no priority %d", call->name, options->priority);
  if (options->priority == WEFT_PRIORITY_BACKGROUND && (options->worker != 0 || options->strand != NULL))
    return weft_fail(-EINVAL, "%s: a background task runs on any worker: it cannot be pinned nor enter a strand",
                     call->name);
  if (options->stack_size != 0 && options->stack_size < WEFT__TASK_STACK_MIN)
    return weft_fail(-EINVAL, "%s: a stack of %zu bytes is too small, the least is %d", call->name, options->stack_size,
                     WEFT__TASK_STACK_MIN);
  return 0;
}

/* Writes zeroes from one member up to another, in pairs of words whose value the compiler does not know: else it makes a
 * memset of it, and of that `rep stos`, which takes 30 cycles to begin. */
typedef uint64_t pair_t __attribute__((vector_size(16), aligned(8), may_alias));
#if defined __x86_64__
#define VECTOR_REGISTER "x"
#else
#define VECTOR_REGISTER "w"
#endif
#define CLEAR(task, zero, from, to)                                                                                    \
  do {                                                                                                                 \
    _Static_assert((offsetof(weft_task_t, to) - offsetof(weft_task_t, from)) % sizeof(pair_t) == 0, "in pairs");       \
    pair_t *pairs_ = (pair_t *)(void *)((char *)(task) + offsetof(weft_task_t, from));                                 \
    for (size_t i_ = 0; i_ < (offsetof(weft_task_t, to) - offsetof(weft_task_t, from)) / sizeof(pair_t); i_++)         \
      pairs_[i_] = (zero);                                                                                             \
  } while (0)

/* Everything before the arguments is zero but what is set here, and the number. */
static inline void init_task(weft_task_t *task, weft_loop_t *loop, const weft_call_t *call, const void *where) {
  pair_t zero = {0, 0};
  __asm__("" : "+" VECTOR_REGISTER(zero));
  CLEAR(task, zero, future.error, entry);
  CLEAR(task, zero, args_size, args);
  atom_init(&task->future.word, 2 * WEFT__W_REFERENCE); /* NEW; the caller's and the runtime's */
  task->future.loop = loop;
  weft__list_init(&task->future.nodes);
  task->future.kind = WEFT__KIND_TASK;
  task->future.value_size = sizeof(int);
  task->entry = call->entry;
  task->call_name = call->name;
  task->args_size = (uint8_t)call->size;
  task->created_at = where;
  memcpy(task->args, &call->args, WEFT__TASK_SMALL_ARGS); /* most calls carry no more: no loop */
  if (weft__unlikely(call->size > WEFT__TASK_SMALL_ARGS)) memcpy(task->args, &call->args, sizeof call->args);
}

static bool apply_options(weft_task_t *task, const weft_task_options_t *options) {
  size_t pages = options->stack_size / 4096 + (options->stack_size % 4096 != 0);
  task->stack_pages = pages < UINT32_MAX ? (uint32_t)pages : UINT32_MAX;
  task->pinned = (uint16_t)options->worker;
  task->background = options->priority == WEFT_PRIORITY_BACKGROUND;
  if (options->strand != NULL) task->strand = options->strand;
  if (options->context != NULL) task->context = options->context;
  return options->name == NULL || weft_task_set_name(task, options->name) == 0;
}

static uint64_t next_number(weft__worker_t *worker, weft_loop_t *loop) {
  if (worker == NULL) return atom_add(&loop->task_numbers, 1, relaxed) + 1;
  if (weft__unlikely(worker->task_numbers ==
                     worker->task_numbers_end)) { /* a batch: workers seldom meet at the counter */
    enum { BATCH = 256 };
    worker->task_numbers = atom_add(&loop->task_numbers, BATCH, relaxed);
    worker->task_numbers_end = worker->task_numbers + BATCH;
  }
  return ++worker->task_numbers;
}

uint64_t weft__next_task_number(weft_loop_t *loop) {
  weft__worker_t *worker = weft__worker();
  return next_number(worker != NULL && worker->loop == loop ? worker : NULL, loop);
}

void weft__return_task_numbers(weft__worker_t *worker) {
  uint64_t end = worker->task_numbers_end;
  /* Nobody took one since: the names go on without a gap. */
  if (end != 0) (void)atom_cas(&worker->loop->task_numbers, &end, worker->task_numbers, relaxed, relaxed);
  worker->task_numbers = worker->task_numbers_end = 0;
}

/* What a task inherits: its creator's strand and context, unless it was given others. */
static inline void inherit(weft__worker_t *worker, weft_loop_t *loop, weft_task_t *task) {
  weft_task_t *creator = worker != NULL ? worker->current : NULL;
  if (task->strand == NULL) task->strand = creator != NULL ? creator->strand : loop->main_strand;
  if (weft__unlikely(task->strand != NULL)) weft__strand_ref(task->strand);
  if (weft__unlikely(task->context != NULL))
    weft__context_ref(task->context);
  else if (creator == NULL || weft__unlikely(creator->context != NULL))
    task->context = weft__context_of_new_task();
  task->number = next_number(worker, loop);
}

/* Registers and queues it. worker: this thread, if it is one of loop's. */
static inline void start_soon(weft__worker_t *worker, weft_loop_t *loop, weft_task_t *task) {
  if (worker != NULL && loop->alone) {
    weft__list_push_back(&loop->shards[0].tasks, &task->registry);
    weft__push(worker, (weft__entry_t)&task->item, true);
  } else {
    weft__registry_add(loop, task);
    weft__schedule_new(task);
  }
}

/* The general case. ending: what is called at its end, and when. */
static WEFT__NOINLINE weft_task_t *create(weft_loop_t *loop, const weft_call_t *call,
                                          const weft_task_options_t *options, const void *where, enum weft__ending when,
                                          const weft__task_ending_t *ending) {
  if (weft__unlikely(loop == NULL)) {
    weft_ignore(weft_fail(WEFT_RUNTIME, "no running event loop"));
    return NULL;
  }
  if (check_options(loop, call, options) < 0) return NULL;
  if (weft__unlikely(weft__loop_refuses_tasks(loop))) {
    weft_ignore(weft_fail(WEFT_RUNTIME, "Event loop is closed"));
    return NULL;
  }
  weft__worker_t *worker = weft__worker();
  if (worker != NULL && worker->loop != loop) worker = NULL;
  weft_task_t *task = weft__task_memory_take(worker, weft__task_class(call->size, when));
  if (weft__likely(task != NULL)) {
    init_task(task, loop, call, where);
    task->ending = (uint8_t)when;
    if (when != WEFT__ENDING_NONE) *weft__task_ending(task) = *ending;
    if (options != NULL && !apply_options(task, options)) {
      weft__task_memory_give(task);
      task = NULL;
    }
  }
  if (weft__unlikely(task == NULL)) {
    weft_ignore(weft_fail(-ENOMEM, "no memory for task %s", call->name));
    return NULL;
  }
  inherit(worker, loop, task);
  if (weft__unlikely(options != NULL && options->eager)) {
    weft__registry_add(loop, task);
    weft__run_eagerly(task);
  } else if (weft__unlikely(task->background)) {
    weft__registry_add(loop, task);
    weft__schedule_new(task);
  } else {
    start_soon(worker, loop, task);
  }
  return task;
}

weft_task_t *weft__stolen_task_new(weft__worker_t *worker, int (*entry)(void *), size_t args_size) {
  weft_task_t *task = weft__task_memory_take(worker, weft__task_class(args_size, true));
  if (task == NULL) return NULL;
  weft_call_t call = {.entry = entry, .size = args_size};
  init_task(task, worker->loop, &call, NULL);
  task->ending = true;
  task->number = next_number(worker, worker->loop);
  return task;
}

void weft__stolen_task_start(weft__worker_t *worker, weft_task_t *task) {
  weft__registry_add(worker->loop, task);
  weft__push(worker, (weft__entry_t)&task->item, true);
}

weft_task_t *weft__create_task_plain(weft_loop_t *loop, weft_call_t call, const weft_task_options_t *options) {
  return create(loop, &call, options, __builtin_return_address(0), WEFT__ENDING_NONE, NULL);
}

weft_task_t *weft__create_task_ending(const weft_call_t *call, enum weft__ending when, void (*fn)(weft_task_t *task),
                                      void *data) {
  return create(weft__current_loop(), call, NULL, __builtin_return_address(0), when, &(weft__task_ending_t){fn, data});
}

/* The factory's own calls of create_task make plain tasks: it is marked as running on this thread meanwhile. */
static weft_task_t *by_factory(weft_task_factory_fn factory, weft_loop_t *loop, weft_call_t call,
                               const weft_task_options_t *options) {
  weft__in_factory(true);
  weft_task_t *task = factory(loop, call, options);
  weft__in_factory(false);
  return task;
}

static weft_task_factory_fn factory_of(weft_loop_t *loop) {
  weft_task_factory_fn factory = loop != NULL ? weft__loop_task_factory(loop) : NULL;
  return weft__unlikely(factory != NULL) && !weft__in_factory_now() ? factory : NULL;
}

weft_task_t *weft_create_task_with(weft_call_t call, const weft_task_options_t *options) {
  weft_loop_t *loop = weft__current_loop();
  weft_task_factory_fn factory = factory_of(loop);
  if (weft__unlikely(factory != NULL)) return by_factory(factory, loop, call, options);
  return create(loop, &call, options, __builtin_return_address(0), WEFT__ENDING_NONE, NULL);
}

/* The general case without what can only be there in others: a running loop, no options, no factory. */
weft_task_t *weft_create_task(weft_call_t call) {
  weft__worker_t *worker = weft__worker();
  weft_loop_t *loop = worker != NULL ? worker->loop : NULL;
  weft_task_factory_fn factory = factory_of(loop);
  if (weft__unlikely(factory != NULL)) return by_factory(factory, loop, call, NULL);
  weft_task_t *task = NULL;
  if (weft__likely(loop != NULL && call.entry != NULL && call.size <= WEFT_CALL_BYTES))
    task = weft__task_memory_take(worker, weft__task_class(call.size, false));
  if (weft__unlikely(task == NULL))
    return create(loop, &call, NULL, __builtin_return_address(0), WEFT__ENDING_NONE, NULL);
  init_task(task, loop, &call, __builtin_return_address(0));
  inherit(worker, loop, task);
  start_soon(worker, loop, task);
  return task;
}

weft_task_t *weft_loop_create_task(weft_loop_t *loop, weft_call_t call) {
  weft_task_factory_fn factory = factory_of(loop);
  if (weft__unlikely(factory != NULL)) return by_factory(factory, loop, call, NULL);
  return create(loop, &call, NULL, __builtin_return_address(0), WEFT__ENDING_NONE, NULL);
}
