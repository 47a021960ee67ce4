/* atomics.h: the second implementation of runtime/base/atomics.h, chosen by WEFT_MODEL: every access goes to the model's
 * machine (machine.h), which may switch to another virtual thread before it and keeps stores in per-thread buffers. */
#ifndef WEFT_MODEL_ATOMICS_H
#define WEFT_MODEL_ATOMICS_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum model_order { MODEL_relaxed, MODEL_acquire, MODEL_release, MODEL_acq_rel, MODEL_seq_cst };
enum model_rmw { MODEL_XCHG, MODEL_ADD, MODEL_SUB, MODEL_OR, MODEL_AND };

/* size: 1, 2, 4 or 8 bytes. where: for traces. */
void model_init(volatile void *address, size_t size, uint64_t value);
uint64_t model_load(const volatile void *address, size_t size, enum model_order order, const char *where);
void model_store(volatile void *address, size_t size, uint64_t value, enum model_order order, const char *where);
uint64_t model_rmw(volatile void *address, size_t size, enum model_rmw kind, uint64_t operand, enum model_order order,
                   const char *where);
bool model_cas(volatile void *address, size_t size, void *expected, uint64_t desired, enum model_order order,
               enum model_order failure, const char *where);
void model_fence(const char *where);
/* Of the thread whose last access was a read-modify-write. */
void model_fence_after_rmw(const char *where);
/* In a loop that only another thread's write can end: blocks until there was one to what the loop has read. */
void model_pause(void);

#define MODEL_TEXT_(line) #line
#define MODEL_TEXT(line) MODEL_TEXT_(line)
#define MODEL_HERE(what) __FILE__ ":" MODEL_TEXT(__LINE__) ": " what
#define MODEL_VALUE(p) __typeof__((void)0, *(p)) /* the type without _Atomic */

#define atom_init(p, v) model_init((p), sizeof *(p), (uint64_t)(v))
#define atom_load(p, order)                                                                                            \
  ((MODEL_VALUE(p))model_load((p), sizeof *(p), MODEL_##order, MODEL_HERE("load " #order " " #p)))
#define atom_store(p, v, order)                                                                                        \
  model_store((p), sizeof *(p), (uint64_t)(v), MODEL_##order, MODEL_HERE("store " #order " " #p))
#define MODEL_RMW(p, kind, v, order, name)                                                                             \
  ((MODEL_VALUE(p))model_rmw((p), sizeof *(p), kind, (uint64_t)(v), MODEL_##order, MODEL_HERE(name " " #order " " #p)))
#define atom_xchg(p, v, order) MODEL_RMW(p, MODEL_XCHG, v, order, "xchg")
#define atom_add(p, v, order) MODEL_RMW(p, MODEL_ADD, v, order, "add")
#define atom_sub(p, v, order) MODEL_RMW(p, MODEL_SUB, v, order, "sub")
#define atom_or(p, v, order) MODEL_RMW(p, MODEL_OR, v, order, "or")
#define atom_and(p, v, order) MODEL_RMW(p, MODEL_AND, v, order, "and")
#define atom_cas(p, expected, desired, order, failure)                                                                 \
  model_cas((p), sizeof *(p), (expected), (uint64_t)(desired), MODEL_##order, MODEL_##failure,                         \
            MODEL_HERE("cas " #order " " #p))
#define atom_cas_weak(p, expected, desired, order, failure) atom_cas(p, expected, desired, order, failure)

#define atom_fence_seq_cst() model_fence(MODEL_HERE("fence"))
#define atom_fence_after_rmw() model_fence_after_rmw(MODEL_HERE("fence after a read-modify-write"))
#define atom_pause() model_pause()
#define sched_yield() model_pause()

#endif
