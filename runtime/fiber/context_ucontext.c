/* context_ucontext.c: the switch by the C library, for processors without one of ours. A hundred times slower: it
 * saves the signal mask with a system call. */
#include <stdint.h>

#include "base/base.h"
#include "fiber/context.h"

/* makecontext passes ints only: pointers come in halves. */
static void start_halves(unsigned start_high, unsigned start_low, unsigned arg_high, unsigned arg_low) {
  void (*start)(void *) = (void (*)(void *))(((uintptr_t)start_high << 16 << 16) | start_low);
  start((void *)(((uintptr_t)arg_high << 16 << 16) | arg_low));
  weft__panic("a fiber's start routine returned");
}

void weft__context_make(weft__context_t *context, char *stack_low, char *stack_high, void (*start)(void *), void *arg) {
  if (getcontext(&context->saved) != 0) weft__panic("getcontext failed");
  context->saved.uc_stack.ss_sp = stack_low;
  context->saved.uc_stack.ss_size = (size_t)(stack_high - stack_low);
  context->saved.uc_link = NULL;
  uintptr_t s = (uintptr_t)start, a = (uintptr_t)arg;
  makecontext(&context->saved, (void (*)(void))start_halves, 4, (unsigned)(s >> 16 >> 16), (unsigned)s,
              (unsigned)(a >> 16 >> 16), (unsigned)a);
}

void weft__context_switch(weft__context_t *from, const weft__context_t *to) {
  if (swapcontext(&from->saved, &to->saved) != 0) weft__panic("swapcontext failed");
}
