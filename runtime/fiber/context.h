/* context.h: the switch from one stack to another, and nothing else.
 *
 * A context holds what a suspended computation needs to go on: where its stack ends, where its code goes on, and the two
 * registers that a compiler may have reserved for addressing its frame. All other registers are declared clobbered, so
 * the compiler saves those that are live, in frames that its own unwind information describes: a debugger that sets
 * these four registers walks the suspended stack like any other.
 *
 * There is no call and no return in a switch. A `ret` that comes back to another place than the last `call` misses the
 * return predictor (5 ns), and a `call` that never returns makes the next `ret` miss; the code goes on by a jump.
 * Floating-point control modes (mxcsr, x87) belong to the thread, not to the context. */
#ifndef WEFT_FIBER_CONTEXT_H
#define WEFT_FIBER_CONTEXT_H

#include <stddef.h>

#if !defined WEFT_CONTEXT_UCONTEXT && !defined __x86_64__ && !defined __aarch64__
#define WEFT_CONTEXT_UCONTEXT 1
#endif

#ifdef WEFT_CONTEXT_UCONTEXT
#include <ucontext.h>
#endif

typedef struct weft__context {
  void *sp;    /* stack pointer */
  void *pc;    /* where it goes on */
  void *frame; /* rbp, x29 */
  void *base;  /* rbx, x19: the start routine's argument on the first run */
#ifdef WEFT_CONTEXT_UCONTEXT
  ucontext_t saved; /* instead of all the above */
#endif
} weft__context_t;

#ifdef WEFT_CONTEXT_UCONTEXT
void weft__context_make(weft__context_t *context, char *stack_low, char *stack_high, void (*start)(void *), void *arg);
void weft__context_switch(weft__context_t *from, const weft__context_t *to);

#else
/* Where every made context begins (context_<arch>.S): calls what lies on its stack, and is the last frame of every
 * backtrace. */
void weft__context_start(void);
/* Calls fn(arg) as if the saved context had done it: an unwinder that starts in fn comes to the context's frames next. What
 * *context points to must not be resumed meanwhile. */
void weft__context_as_caller(const weft__context_t *context, void (*fn)(void *), void *arg);

/* Prepares a first run of start(arg) on the stack [stack_low, stack_high), whose end is a multiple of 16; start never
 * returns. */
static inline void weft__context_make(weft__context_t *context, char *stack_low, char *stack_high,
                                      void (*start)(void *), void *arg) {
  (void)stack_low;
  void **top = (void **)(void *)stack_high - 2;
  top[0] = NULL; /* what an unwinder that knows no better takes for the return address */
  top[1] = (void *)start;
  context->sp = top;
  context->pc = (void *)weft__context_start;
  context->frame = NULL;
  context->base = arg;
}
#endif

#if defined WEFT_CONTEXT_UCONTEXT
#elif defined __x86_64__
#if defined __AVX512F__
#define WEFT__CONTEXT_CLOBBER_MORE                                                                                     \
  , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27",        \
      "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#else
#define WEFT__CONTEXT_CLOBBER_MORE
#endif
#ifdef __CET__
#define WEFT__CONTEXT_LANDING "endbr64\n\t"
#else
#define WEFT__CONTEXT_LANDING ""
#endif
/* Saves this computation in *from and goes on with *to; returns when somebody switches back to *from. */
static inline __attribute__((always_inline)) void weft__context_switch(weft__context_t *from,
                                                                       const weft__context_t *to) {
  __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
                   "movq %%rsp, 0(%%rdi)\n\t"
                   "movq %%rax, 8(%%rdi)\n\t"
                   "movq %%rbp, 16(%%rdi)\n\t"
                   "movq %%rbx, 24(%%rdi)\n\t"
                   "movq 8(%%rsi), %%rax\n\t"
                   "movq 16(%%rsi), %%rbp\n\t"
                   "movq 24(%%rsi), %%rbx\n\t"
                   "movq 0(%%rsi), %%rsp\n\t"
                   "jmpq *%%rax\n"
                   "1:\n\t" WEFT__CONTEXT_LANDING
                   : "+D"(from), "+S"(to)
                   :
                   : "memory", "cc", "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0",
                     "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                     "xmm13", "xmm14", "xmm15", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)",
                     "st(7)" WEFT__CONTEXT_CLOBBER_MORE);
}

#elif defined __aarch64__
/* Saves this computation in *from and goes on with *to; returns when somebody switches back to *from. */
static inline __attribute__((always_inline)) void weft__context_switch(weft__context_t *from,
                                                                       const weft__context_t *to) {
  register weft__context_t *x0 __asm__("x0") = from;
  register const weft__context_t *x1 __asm__("x1") = to;
  __asm__ volatile("adr x16, 1f\n\t"
                   "mov x17, sp\n\t"
                   "stp x17, x16, [x0]\n\t"
                   "stp x29, x19, [x0, #16]\n\t"
                   "ldp x17, x16, [x1]\n\t"
                   "ldp x29, x19, [x1, #16]\n\t"
                   "mov sp, x17\n\t"
                   "br x16\n"
                   "1:\n\t"
                   "hint #36\n\t" /* bti j */
                   : "+r"(x0), "+r"(x1)
                   :
                   : "memory", "cc", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",
                     "x15", "x16", "x17", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x30", "v0",
                     "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15",
                     "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29",
                     "v30", "v31");
}
#endif

#endif
