/* atomics.h: the one door to atomic operations. Everything that two threads share goes through these names, so that the
 * model checker (tests/model) can put its own implementation behind them, and so that ThreadSanitizer sees every access.
 *
 * The last argument is a memory order without its prefix: atom_load(&x, acquire). Orders on accesses are preferred to
 * fences, which ThreadSanitizer does not model; the one fence offered is the sequentially consistent one. */
#ifndef WEFT_BASE_ATOMICS_H
#define WEFT_BASE_ATOMICS_H

#ifdef WEFT_MODEL
#include <model/atomics.h> /* tests/model: the same names, every access a step of a model checker */
#else

#include <stdatomic.h>

#define atom_init(p, v) atomic_init((p), (v))
#define atom_load(p, order) atomic_load_explicit((p), memory_order_##order)
#define atom_store(p, v, order) atomic_store_explicit((p), (v), memory_order_##order)
#define atom_xchg(p, v, order) atomic_exchange_explicit((p), (v), memory_order_##order)
#define atom_add(p, v, order) atomic_fetch_add_explicit((p), (v), memory_order_##order)
#define atom_sub(p, v, order) atomic_fetch_sub_explicit((p), (v), memory_order_##order)
#define atom_or(p, v, order) atomic_fetch_or_explicit((p), (v), memory_order_##order)
#define atom_and(p, v, order) atomic_fetch_and_explicit((p), (v), memory_order_##order)
/* expected is a pointer; on failure it holds what was found. The failure order is relaxed or acquire as named. */
#define atom_cas(p, expected, desired, order, failure)                                                                 \
  atomic_compare_exchange_strong_explicit((p), (expected), (desired), memory_order_##order, memory_order_##failure)
#define atom_cas_weak(p, expected, desired, order, failure)                                                            \
  atomic_compare_exchange_weak_explicit((p), (expected), (desired), memory_order_##order, memory_order_##failure)

#if defined __SANITIZE_THREAD__
#define WEFT__ATOM_THREAD_SANITIZER 1
#elif defined __has_feature
#if __has_feature(thread_sanitizer)
#define WEFT__ATOM_THREAD_SANITIZER 1
#endif
#endif

/* Store-load barrier. On x86 a locked instruction on the stack costs 2 ns; the mfence that clang emits costs 16. */
static inline void atom_fence_seq_cst(void) {
#if defined __x86_64__ && !defined WEFT__ATOM_THREAD_SANITIZER
  __asm__ volatile("lock; orl $0, -4(%%rsp)" ::: "memory", "cc");
#else
  atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* The same directly after a read-modify-write: on x86 that is the barrier already. */
static inline void atom_fence_after_rmw(void) {
#if defined __x86_64__
  __asm__ volatile("" ::: "memory");
#else
  atomic_thread_fence(memory_order_seq_cst);
#endif
}

static inline void atom_pause(void) {
#if defined __x86_64__
  __builtin_ia32_pause();
#elif defined __aarch64__
  __asm__ volatile("yield" ::: "memory");
#endif
}

#endif /* WEFT_MODEL */

#endif
