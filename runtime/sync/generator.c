/* generator.c: see generator.h: the body's fiber, resuming and suspending. */
#include "sync/generator.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "sched/loop.h"
#include "sched/switch.h"

/* GeneratorExit: a WEFT_CANCELLED that is nobody's cancellation; told from one by its address. */
static weft__record_t exit_record = {
    .error = {.code = WEFT_CANCELLED, .name = "GeneratorExit", .message = ""}, .refs = 1, .size = 0};

/* ---- one at a time ----------------------------------------------------------------------------------------------------- */

/* Under the spin lock. */
static bool enter(weft_gen_t *gen, weft_task_t *task) {
  if (gen->running) return false;
  gen->running = true;
  gen->runner = task;
  return true;
}

bool weft__gen_try_enter(weft_gen_t *gen) {
  weft_task_t *task = weft__current_task();
  weft__spin_lock(&gen->spin);
  bool entered = enter(gen, task);
  weft__spin_unlock(&gen->spin);
  return entered;
}

int weft__gen_enter(weft_gen_t *gen, const char *what) {
  weft_task_t *task = weft__current_task();
  weft__spin_lock(&gen->spin);
  bool entered = enter(gen, task), async = gen->async;
  if (!entered && gen->runner != NULL && gen->runner != task) /* a body in which somebody else awaits is asynchronous */
    async |= weft__word_phase(atom_load(&gen->runner->future.word, acquire)) != WEFT__RUNNING;
  weft__spin_unlock(&gen->spin);
  if (entered) return 0;
  if (async) return weft_fail(WEFT_RUNTIME, "%s(): asynchronous generator is already running", what);
  return weft_fail(WEFT_VALUE, "generator already executing");
}

void weft__gen_leave(weft_gen_t *gen) {
  weft__spin_lock(&gen->spin);
  gen->running = false;
  gen->runner = NULL;
  weft__spin_unlock(&gen->spin);
}

/* ---- the body's side --------------------------------------------------------------------------------------------------- */

static void body_main(void *argument) {
  weft_gen_t *gen = argument;
  gen->status = gen->call.entry(gen->call.args.bytes);
  gen->phase = WEFT__GEN_ENDED;
  weft__switch_fiber(gen->caller); /* for the last time */
}

weft_gen_t *weft__gen_current(void) {
  weft_task_t *task = weft__current_task();
  if (task == NULL) return NULL;
  weft__fiber_t *fiber = weft__running_fiber();
  if (fiber->entry != body_main) return NULL;
  weft_gen_t *gen = fiber->arg;
  return gen->runner == task ? gen : NULL; /* else: a task that is run in place on the body's stack */
}

weft__fiber_t *weft__gen_caller_of(const weft__fiber_t *fiber) {
  return fiber->entry == body_main ? ((weft_gen_t *)fiber->arg)->caller : NULL;
}

int weft__gen_suspend(weft_gen_t *gen) {
  gen->phase = WEFT__GEN_SUSPENDED;
  weft__switch_fiber(gen->caller);
  if (gen->how == WEFT__GEN_SEND) return 0;
  if (gen->how == WEFT__GEN_THROW) return gen->thrown;
  weft__set_error(&exit_record);
  return WEFT_CANCELLED;
}

/* ---- the resumer's side ------------------------------------------------------------------------------------------------ */

static void drop_fiber(weft_gen_t *gen) {
  weft__loop_fiber_free(gen->fiber);
  gen->fiber = NULL;
}

static int start(weft_gen_t *gen) {
  weft_task_t *task = weft__current_task();
  size_t size = weft__task_stack_size(task);
  if (size == 0) size = task->future.loop->config.stack_size;
  gen->fiber = weft__loop_fiber_new(size, body_main, gen);
  return gen->fiber != NULL ? 0 : weft_fail(-ENOMEM, "no memory for the stack of generator %s", gen->call.name);
}

/* A body that returned a code. An end of iteration would be taken for the generator's own end by a caller (PEP 479). */
static int ended_with(weft_gen_t *gen, int status) {
  if (status != WEFT_STOP) return status;
  weft__set_error(
      weft__record_make(WEFT_RUNTIME, WEFT_STOP,
                        gen->async ? "async generator raised StopAsyncIteration" : "generator raised StopIteration"));
  return WEFT_RUNTIME;
}

int weft__gen_resume(weft_gen_t *gen, enum weft__gen_how how, const void *value, int thrown, void *item) {
  if (gen->phase == WEFT__GEN_NEW) {
    if (how != WEFT__GEN_SEND) gen->phase = WEFT__GEN_ENDED;
    if (how == WEFT__GEN_SEND && value != NULL)
      return weft_fail(WEFT_TYPE, "can't send non-None value to a just-started %s",
                       gen->async ? "async generator" : "generator");
  }
  if (gen->phase == WEFT__GEN_ENDED) return how == WEFT__GEN_THROW ? thrown : 0;
  if (gen->fiber == NULL) {
    int rc = start(gen);
    if (rc < 0) return rc;
  }
  gen->how = how;
  gen->value = value;
  gen->thrown = thrown;
  gen->item = item;
  gen->caller = weft__running_fiber();
  weft__switch_fiber(gen->fiber);
  if (gen->phase == WEFT__GEN_SUSPENDED) return 1;
  drop_fiber(gen);
  return gen->status < 0 ? ended_with(gen, gen->status) : 0;
}

static int close_body(weft_gen_t *gen) {
  weft__record_t *before = weft__record_ref(weft__last_record());
  int rc = weft__gen_resume(gen, WEFT__GEN_EXIT, NULL, 0, NULL);
  if (rc == 1) { /* nothing of its frames is undone */
    drop_fiber(gen);
    rc = weft_fail(WEFT_RUNTIME, "%s ignored GeneratorExit", gen->async ? "async generator" : "generator");
  } else if (rc == WEFT_CANCELLED) { /* the exit coming out again, or a cancellation that arrived meanwhile? */
    weft__record_t *last = weft__last_record();
    if (last == NULL || last == &exit_record || last->error.code != WEFT_CANCELLED) rc = 0;
  }
  if (rc == 0)
    weft__set_error(before);
  else
    weft__record_unref(before);
  return rc;
}

int weft__gen_finish(weft_gen_t *gen) {
  int rc = gen->phase == WEFT__GEN_SUSPENDED ? close_body(gen) : 0;
  gen->phase = WEFT__GEN_ENDED;
  if (gen->closed == NULL) return rc;
  int (*closed)(void *) = gen->closed;
  gen->closed = NULL;
  weft__record_t *record = weft__record_ref(weft__last_record());
  int closing = closed(gen->closed_data);
  if (rc < 0 || closing == 0)
    weft__set_error(record);
  else
    weft__record_unref(record);
  return rc < 0 ? rc : closing;
}

void weft__gen_free(weft_gen_t *gen) {
  if (gen->fiber != NULL) drop_fiber(gen);
  weft__free(gen, sizeof *gen);
}
