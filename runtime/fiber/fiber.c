/* fiber.c: making, ending and adopting fibers; the switch itself is inline in fiber.h. */
#include "fiber/fiber.h"

#include <string.h>

#include "base/threads.h"

/* Absent from C programs. */
extern void *__cxa_get_globals(void) __attribute__((weak));

/* What a made fiber runs first. */
static void first_run(void *arg) {
  weft__fiber_t *fiber = arg;
  weft__sanitizer_after_switch(&fiber->sanitizer);
  fiber->entry(fiber->arg);
  weft__panic("a fiber's entry returned");
}

weft__fiber_t *weft__fiber_new(weft__stack_cache_t *cache, size_t size, void (*entry)(void *), void *arg) {
  weft__fiber_t *fiber = weft__stacks_take(cache, size);
  if (fiber == NULL) return NULL;
  fiber->next = NULL;
  fiber->entry = entry;
  fiber->arg = arg;
  fiber->exceptions[0] = fiber->exceptions[1] = NULL;
  fiber->thread_exceptions = NULL;
  weft__sanitizer_create(&fiber->sanitizer, fiber->stack_low, fiber->stack_high);
  weft__context_make(&fiber->context, fiber->stack_low, fiber->stack_high, first_run, fiber);
  return fiber;
}

void weft__fiber_free(weft__stack_cache_t *cache, weft__fiber_t *fiber) {
  if (fiber == NULL) return;
  weft__sanitizer_destroy(&fiber->sanitizer, fiber->stack_low, fiber->stack_high);
  weft__stacks_give(cache, fiber);
}

void weft__fiber_switch_final(weft__fiber_t *from, weft__fiber_t *to) {
  weft__fiber_swap_exceptions(from, to);
  weft__sanitizer_before_final(&to->sanitizer, to->stack_low, to->size);
  weft__context_switch(&from->context, &to->context);
  weft__panic("a fiber went on after its end");
}

void weft__fiber_adopt_thread(weft__fiber_t *self) {
  memset(self, 0, sizeof *self);
  weft__thread_stack(&self->stack_low, &self->stack_high);
  self->size = (size_t)(self->stack_high - self->stack_low);
  if (__cxa_get_globals != NULL) self->thread_exceptions = __cxa_get_globals();
  weft__sanitizer_adopt(&self->sanitizer);
}

void weft__fiber_leave_thread(weft__fiber_t *self) { memset(self, 0, sizeof *self); }
