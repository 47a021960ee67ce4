/* fiber.h: a stack with a computation on it.
 *
 * States: made (never ran), running (on exactly one thread), suspended (its context is saved), ended (switched away from
 * for the last time). Only weft__fiber_switch and _final change them. A fiber is switched to by one thread at a time;
 * whoever hands a suspended fiber to another thread publishes it with release after the switch away from it is complete,
 * that is, from the fiber that runs next, and the other takes it with acquire.
 *
 * Thread-locals, errno included, and the worker pointer must be read afresh after a switch: the thread may be another. */
#ifndef WEFT_FIBER_FIBER_H
#define WEFT_FIBER_FIBER_H

#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "fiber/context.h"
#include "fiber/sanitizers.h"
#include "fiber/stacks.h"

struct weft__fiber {
  weft__context_t context; /* its first word is the stack pointer */
  weft__fiber_t *next;     /* free for whoever owns the fiber: a cache's link */
  void (*entry)(void *);
  void *arg;
  char *stack_low, *stack_high; /* [low, high): what code may use, guard and header excluded */
  size_t size;                  /* high - low */
  void *exceptions[2];          /* C++: caught and uncaught exceptions in flight, while suspended */
  void **thread_exceptions;     /* where the thread that it runs on keeps them; NULL without a C++ runtime */
  void *region;                 /* stacks.c: the slab or mapping it lies in; NULL: a thread's own stack */
  weft__sanitizer_fiber_t sanitizer;
};

/* A thread's own stack as a fiber; self is the caller's memory. leave: on that stack, before the thread ends. */
void weft__fiber_adopt_thread(weft__fiber_t *self);
void weft__fiber_leave_thread(weft__fiber_t *self);

/* Will call entry(arg), which never returns (it ends by weft__fiber_switch_final). Usable bytes >= size. NULL when memory
 * ran out: weft__stacks_error() says more. */
weft__fiber_t *weft__fiber_new(weft__stack_cache_t *cache, size_t size, void (*entry)(void *), void *arg);
/* Must not be running; on a suspended one nothing of its frames is undone. */
void weft__fiber_free(weft__stack_cache_t *cache, weft__fiber_t *fiber);

/* C++ keeps a thread's exceptions in flight in two words that must follow the fiber (struct __cxa_eh_globals of the Itanium
 * C++ ABI). Their address is asked for once per thread and handed from fiber to fiber; they are mostly zero on both sides,
 * and then nothing is moved. Both halves of the exchange are done before the switch, on one thread. */
static inline void weft__fiber_swap_exceptions(weft__fiber_t *from, weft__fiber_t *to) {
  void **live = from->thread_exceptions;
  to->thread_exceptions = live;
  if (weft__likely(live == NULL)) return;
  uintptr_t any = (uintptr_t)live[0] | (uintptr_t)live[1] | (uintptr_t)to->exceptions[0] | (uintptr_t)to->exceptions[1];
  from->exceptions[0] = from->exceptions[1] = NULL;
  if (weft__likely(any == 0)) return;
  for (int i = 0; i < 2; i++) {
    from->exceptions[i] = live[i];
    live[i] = to->exceptions[i];
  }
}

/* Suspends from, the running fiber, and goes on with to; returns when somebody switches back to from. */
static inline void weft__fiber_switch(weft__fiber_t *from, weft__fiber_t *to) {
  weft__fiber_swap_exceptions(from, to);
  weft__sanitizer_before_switch(&from->sanitizer, &to->sanitizer, to->stack_low, to->size);
  weft__context_switch(&from->context, &to->context);
  weft__sanitizer_after_switch(&from->sanitizer);
}

/* The same, but from never runs again: only weft__fiber_free is left for it. */
__attribute__((noreturn)) void weft__fiber_switch_final(weft__fiber_t *from, weft__fiber_t *to);

/* Bytes left below the caller's frame. */
static inline __attribute__((always_inline)) size_t weft__fiber_room(const weft__fiber_t *current) {
  uintptr_t here;
#if defined __x86_64__
  __asm__("movq %%rsp, %0" : "=r"(here));
#elif defined __aarch64__
  __asm__("mov %0, sp" : "=r"(here));
#else
  here = (uintptr_t)__builtin_frame_address(0);
#endif
  uintptr_t low = (uintptr_t)current->stack_low;
  return here > low ? here - low : 0;
}

#endif
