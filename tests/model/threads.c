/* threads.c: virtual threads, the switches between them, waiting. See machine.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model/machine.h"

enum { STACK = 64 * 1024, STEPS_MAX = 20000 };

machine_t machine;
static char stacks[MODEL_THREADS][STACK] __attribute__((aligned(64)));
static weft__context_t main_context;
static jmp_buf main_failed;

/* ---- switching --------------------------------------------------------------------------------------------------------- */

static bool can_run(unsigned index) {
  const thread_t *thread = &machine.threads[index];
  return thread->state == READY || (thread->state == PAUSED && (thread->woken || memory_awaits(index, false)));
}

static void switch_to(unsigned next) {
  unsigned self = machine.current;
  if (next == self) return;
  if (machine.tracing && next != MAIN) trace("      -- T%u", next);
  weft__context_t *from = self == MAIN ? &main_context : &machine.threads[self].context;
  machine.current = next;
  weft__context_switch(from, next == MAIN ? &main_context : &machine.threads[next].context);
}

/* Goes on with thread `next`, which can run. */
static void run_next(unsigned next) {
  thread_t *thread = &machine.threads[next];
  if (thread->state == PAUSED && !thread->woken) memory_awaits(next, true); /* what it waits for arrives */
  switch_to(next);
}

/* The running thread cannot go on: another one, or the end of the execution. */
static void leave(void) {
  unsigned able[MODEL_THREADS], n = 0;
  for (unsigned i = 0; i < machine.thread_count; i++)
    if (can_run(i)) able[n++] = i;
  if (n == 0) { /* time passes, for one of them */
    for (unsigned i = 0; i < machine.thread_count; i++)
      if (machine.threads[i].state == PAUSED && machine.threads[i].ticks) able[n++] = i;
    if (n > 0) {
      if (machine.ticks++ == MODEL_TICKS) model_fail("time passes, and nothing comes of it");
      switch_to(able[n > 1 ? choose(CHOICE_NEXT, n) : 0]);
      return;
    }
  }
  if (n == 0) {
    switch_to(MAIN);
    return;
  }
  run_next(able[n > 1 ? choose(CHOICE_NEXT, n) : 0]);
}

void preemption_point(void) {
  if (machine.steps > STEPS_MAX) model_fail("no end after %d steps", STEPS_MAX);
  if (!may_preempt()) return;
  unsigned able[MODEL_THREADS], n = 0, self = machine.current;
  able[n++] = self;
  for (unsigned i = 0; i < machine.thread_count; i++)
    if (i != self && can_run(i)) able[n++] = i;
  if (n == 1) return;
  unsigned chosen = choose(CHOICE_PREEMPT, n);
  if (chosen == 0) return;
  machine.preemptions++;
  run_next(able[chosen]);
}

void threads_abandon(void) {
  if (machine.current == MAIN) longjmp(main_failed, 1);
  switch_to(MAIN);
  __builtin_unreachable();
}

void threads_notice(location_t *location, unsigned by) {
  for (unsigned i = 0; i < machine.thread_count; i++)
    if (i != by && location->watched[i] == machine.threads[i].watches) machine.threads[i].woken = true;
}

void model_pause(void) {
  if (machine.current == MAIN) return;
  thread_t *self = &machine.threads[machine.current];
  if (!self->woken) {
    self->state = PAUSED;
    leave();
    self->state = READY;
  }
  model_forget();
}

bool model_pause_or_tick(void) {
  thread_t *self = &machine.threads[machine.current];
  if (!self->woken) {
    self->state = PAUSED;
    self->ticks = true;
    leave();
    self->ticks = false;
    self->state = READY;
  }
  /* Resumed because of a store that was late: it has arrived, so this counts as woken too. */
  bool woken = self->woken;
  if (machine.tracing && !woken) trace("      T%u: time passes", machine.current);
  model_forget();
  return woken;
}

void model_forget(void) {
  thread_t *self = &machine.threads[machine.current];
  self->woken = false;
  self->watches++;
}

/* ---- threads ----------------------------------------------------------------------------------------------------------- */

static void start(void *argument) {
  thread_t *self = argument;
  self->fn(self->arg);
  self->state = ENDED;
  leave();
  __builtin_unreachable();
}

unsigned thread_add(void (*fn)(void *arg), void *arg) {
  if (machine.thread_count == MODEL_THREADS) model_fail("more than %d threads", MODEL_THREADS);
  unsigned index = machine.thread_count++;
  thread_t *thread = &machine.threads[index];
  thread->state = READY;
  thread->woken = thread->ticks = false;
  thread->watches = 1;
  memset(&thread->clock, 0, sizeof thread->clock);
  if (machine.current != MAIN) {
    thread_t *self = &machine.threads[machine.current];
    thread->clock = self->clock;
    self->clock.at[machine.current]++;
  }
  thread->clock.at[index]++;
  memset(&thread->acquired, 0, sizeof thread->acquired);
  memset(&thread->fenced, 0, sizeof thread->fenced);
  thread->first = thread->count = 0;
  thread->fn = fn;
  thread->arg = arg;
  weft__context_make(&thread->context, stacks[index], stacks[index] + STACK, start, thread);
  return index;
}

unsigned model_spawn(void (*fn)(void *arg), void *arg) {
  if (machine.tracing) trace("      T%u starts T%u", machine.current, machine.thread_count);
  return thread_add(fn, arg);
}

unsigned model_self(void) { return machine.current; }

static void run_scenario_thread(void *arg) { machine.scenario->run((unsigned)(uintptr_t)arg); }

void threads_run(void) {
  const model_scenario_t *scenario = machine.scenario;
  machine.execution++;
  machine.thread_count = 0;
  machine.current = MAIN;
  machine.steps = machine.preemptions = machine.late = machine.ticks = 0;
  machine.failed = false;
  memory_reset();
  races_reset();
  if (setjmp(main_failed) != 0) return;
  machine.checking = true;
  if (scenario->setup != NULL) scenario->setup();
  for (unsigned i = 0; i < scenario->threads; i++) thread_add(run_scenario_thread, (void *)(uintptr_t)i);
  machine.checking = false;
  leave();
  if (machine.failed) return;
  memory_flush_all();
  machine.checking = true;
  for (unsigned i = 0; i < machine.thread_count && !scenario->may_rest; i++)
    if (machine.threads[i].state != ENDED) model_fail("T%u waits for ever", i);
  if (scenario->check != NULL) scenario->check();
}

void model_fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(machine.failure, sizeof machine.failure, format, arguments);
  va_end(arguments);
  if (machine.tracing) trace("      T%u: %s", machine.current, machine.failure);
  machine.failed = true;
  threads_abandon();
}

void model_note(const char *format, ...) {
  if (!machine.tracing) return;
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  trace("      T%u: %s", machine.current, text);
}

/* A broken assertion of the code under test. */
void weft__panic(const char *format, ...) {
  char text[400];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  model_fail("panic: %s", text);
}
