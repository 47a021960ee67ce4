/* weft/fork.h: fork and join: children of a function that may run beside it, for parallel recursion over data.
 *
 *   static WEFT_FORKS(long, fib, long);              // before its definition or use: result, name, parameters
 *   static long fib(WEFT_HEAD, long n) {             // WEFT_HEAD: a parameter that the macros below use
 *     if (n < 2) return n;
 *     WEFT_FORK(fib, n - 1);                         // may run on another worker from now on
 *     long y = WEFT_CALL(fib, n - 2);                // runs here
 *     return y + WEFT_JOIN(fib);                     // the newest fork's value; runs it here if nobody took it
 *   }
 *   rc = WEFT_FORK_RUN(&result, fib, 36);            // in any task
 *
 * A fork costs two stores, a join a load and a direct call; nothing is allocated. Forks nest lexically: a function joins
 * all of its forks, newest first, on every way out. In loops: N forks, then N joins, which answer in reverse.
 *
 * Where a fork runs. Mostly inside the join, in the task that forked it. Another worker that has nothing to do takes the
 * oldest fork of a busy one and runs it in a task of its own: weft_current_task tells them apart; that task belongs to
 * no strand, is not pinned, and starts with the context variables that the tree's task had at WEFT_FORK_RUN; what it sets
 * stays its own. When a function of a tree suspends, all its open forks are up for grabs: they run beside it also on a
 * loop of one worker, once nothing else is ready there. Otherwise, with one worker, a tree runs in serial order.
 *
 * Suspending. Functions of a tree may await, sleep and lock like any other function of a task.
 *
 * Ending early. A request to cancel the tree's task is delivered by the suspending call that it is in, as anywhere; a
 * join of a fork that another worker runs passes it on to that fork's task. If none is in progress the next join takes
 * it: the tree then ends early, as it does after WEFT_FORK_FAIL and when memory for a further stack ran out. From then on
 * forks that nobody has begun are not run: their joins answer zero bytes. What runs goes on to its end (WEFT_FORK_STATUS
 * tells it), and WEFT_FORK_RUN answers the reason, once all has ended.
 *
 * Depth. Recursion through WEFT_CALL and WEFT_JOIN goes on to further stacks when one is full, and ends with -ENOMEM when
 * there is no memory for one, or when close to a million forks of one task are open. A loop that forks more than a million
 * children before it joins any aborts with the task's name. A plain call, fib(weft_head_, n), is not checked.
 *
 * Misuse. Compiled with WEFT_FORK_CHECKS, a fork that is never joined and a join of another function than was forked
 * last abort with the task's name; without it only what is seen on the slow paths and at the tree's end does. */
#ifndef WEFT_FORK_H
#define WEFT_FORK_H
#include <string.h>
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

enum {
  WEFT_FORK_ARGS_BYTES = 48,
  WEFT_FORK_VALUE_BYTES = 16,
  WEFT_FORK_DECK_BYTES_ = 64 * 1024 * 1024, /* of address space: a task's slots; aligned to twice this */
};

#if !defined WEFT_FORK_CHECKS && defined WEFT_DEBUG_CHECKS
#define WEFT_FORK_CHECKS 1
#endif
/* WEFT_FORK_FENCED: for systems without membarrier (a fork that its owner never looks at is then taken all the same), at
 * 2 ns a join. All of a program's functions that fork, or none. ThreadSanitizer's builds are always fenced. */
#if defined __SANITIZE_THREAD__ && !defined WEFT_FORK_FENCED
#define WEFT_FORK_FENCED 1
#elif defined __has_feature && !defined WEFT_FORK_FENCED
#if __has_feature(thread_sanitizer)
#define WEFT_FORK_FENCED 1
#endif
#endif

/* A fork. Private; accessed through the macros below. */
typedef struct weft_fork_slot weft_fork_slot_t;
typedef void (*weft_fork_work_fn)(weft_fork_slot_t *head, weft_fork_slot_t *slot);
struct weft_fork_slot {
  weft_fork_work_fn work; /* not NULL: forked and not joined */
  uintptr_t state;        /* of the thief */
  union {
    uint64_t words_[WEFT_FORK_ARGS_BYTES / 8];
    unsigned char bytes[WEFT_FORK_ARGS_BYTES]; /* arguments, then the value */
  } data;
};
/* What the fast paths read of the deck that the slots lie in. */
struct weft_fork_deck_ {
  uintptr_t limit;     /* slots below may have been taken, or somebody asks for something: the slow path knows */
  uintptr_t stack_low; /* the running stack is full below */
};

/* ---- what the macros call: use the macros ---- */

/* weft_fork_run_: WEFT_FORK_RUN, suspends like it. record holds the arguments, and is filled with the value. name is kept: static. */
WEFT_API WEFT_NODISCARD int weft_fork_run_(const char *name, weft_fork_work_fn fn, weft_fork_slot_t *record,
                                           int fenced);
/* weft_fork_full_: WEFT_FORK without a slot left: aborts with the task's name. */
WEFT_API void weft_fork_full_(weft_fork_slot_t *head) __attribute__((noreturn));
/* weft_fork_deep_ [S]: WEFT_CALL on a further stack; record as above. */
WEFT_API void weft_fork_deep_(weft_fork_slot_t *head, weft_fork_work_fn fn, weft_fork_slot_t *record);
/* weft_fork_settle_ [S]: WEFT_JOIN's slow path. true: the caller runs the fork; else the slot holds the value. */
WEFT_API WEFT_NODISCARD bool weft_fork_settle_(weft_fork_slot_t *slot, weft_fork_work_fn fn);
/* weft_fork_status_: WEFT_FORK_STATUS. */
WEFT_API int weft_fork_status_(const weft_fork_slot_t *head);
/* weft_fork_fail_: WEFT_FORK_FAIL. */
WEFT_API void weft_fork_fail_(weft_fork_slot_t *head, int status);
/* weft_fork_misused_: aborts with the task's name and these words, which are borrowed. */
WEFT_API void weft_fork_misused_(weft_fork_slot_t *head, const char *fn, const char *how);
#ifdef __cplusplus
}
#endif

/* The head is the first free slot; the deck is found from its address. */
#define WEFT_HEAD weft_fork_slot_t *weft_head_ WEFT_UNUSED
#define WEFT_FORK_INLINE_ WEFT_UNUSED static inline __attribute__((always_inline))
#define WEFT_FORK_COLD_ WEFT_UNUSED static __attribute__((noinline, cold))
#define WEFT_FORK_LIKELY_(x) __builtin_expect(!!(x), 1)

WEFT_FORK_INLINE_ const struct weft_fork_deck_ *weft_fork_deck_of_(const weft_fork_slot_t *head) {
  return (const struct weft_fork_deck_ *)((uintptr_t)head & ~((uintptr_t)2 * WEFT_FORK_DECK_BYTES_ - 1));
}
/* The deck ends where this bit of the address turns on. */
WEFT_FORK_INLINE_ bool weft_fork_is_full_(const weft_fork_slot_t *head) {
  return ((uintptr_t)head & WEFT_FORK_DECK_BYTES_) != 0;
}
/* Any slot of the deck will do, and the line before the first. */
WEFT_FORK_INLINE_ bool weft_fork_has_room_(const weft_fork_slot_t *slot) {
#if defined __x86_64__
  int full;
  __asm__("cmpq %%rsp, %1" : "=@cca"(full) : "m"(weft_fork_deck_of_(slot)->stack_low));
  return !full;
#else
  uintptr_t sp;
#if defined __aarch64__
  __asm__("mov %0, sp" : "=r"(sp));
#else
  sp = (uintptr_t)__builtin_frame_address(0);
#endif
  return sp >= weft_fork_deck_of_(slot)->stack_low;
#endif
}
/* release: a thief that sees the function sees the arguments. */
WEFT_FORK_INLINE_ void weft_fork_publish_(weft_fork_slot_t *slot, weft_fork_work_fn fn) {
  __atomic_store_n(&slot->work, fn, __ATOMIC_RELEASE);
}
/* Takes a fork back, unless it may be taken already. What orders the store before the load is the membarrier between a
 * thief's store to `limit` and its load of `fn` (or the fence here). */
WEFT_FORK_INLINE_ bool weft_fork_take_back_(weft_fork_slot_t *slot) {
  __atomic_store_n(&slot->work, (weft_fork_work_fn)0, __ATOMIC_RELAXED);
#ifdef WEFT_FORK_FENCED
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
#else
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
#endif
  return __atomic_load_n(&weft_fork_deck_of_(slot)->limit, __ATOMIC_RELAXED) <= (uintptr_t)slot;
}
#ifdef WEFT_FORK_FENCED
#define WEFT_FORK_FENCED_ 1
#else
#define WEFT_FORK_FENCED_ 0
#endif
#ifdef WEFT_FORK_CHECKS
#define WEFT_FORK_CHECK_(condition, head, fn, how)                                                                     \
  if (!WEFT_FORK_LIKELY_(condition)) weft_fork_misused_(head, fn, how)
#else
#define WEFT_FORK_CHECK_(condition, head, fn, how) ((void)0)
#endif

/* ---- the public macros ---- */

/* WEFT_FORKS(R, fn, types...) declares R fn(WEFT_HEAD, types...), which may fork and be forked: up to 6 parameters, 48
 * bytes in all, a value of 16 bytes at most, all without constructors. "static" may stand before it. A type that cannot
 * stand before a name wants a typedef. */
#define WEFT_FORKS(R, ...) WEFT_CAT(WEFT_FORKS_, WEFT_FORK_COUNT_(__VA_ARGS__))(R, __VA_ARGS__)

/* WEFT_FORK(fn, arguments...): from now on anybody may run it, until the join. The arguments are copied. */
#define WEFT_FORK(...) WEFT_CAT(WEFT_FORK_PUSH_, WEFT_FORK_ANY_(__VA_ARGS__))(__VA_ARGS__)

/* WEFT_CALL(fn, arguments...): its value: an ordinary call, on a further stack if this one is full. */
#define WEFT_CALL(...) WEFT_CAT(WEFT_FORK_CALL_, WEFT_FORK_ANY_(__VA_ARGS__))(__VA_ARGS__)

/* WEFT_JOIN(fn) [S]: the value of the newest fork, which must be one of fn. Waits if another worker runs it. Zero bytes
 * if the tree has ended early. */
#define WEFT_JOIN(fn) fn##_fork_join_(&weft_head_)

/* WEFT_FORK_RUN(&value, fn, arguments...) [S]: begins a tree: calls fn in this task. 0, and *value is filled (NULL: not
 * wanted); WEFT_CANCELLED, -ENOMEM or what WEFT_FORK_FAIL said: the tree ended early, and *value is as it was. Trees
 * nest. */
#define WEFT_FORK_RUN(...) WEFT_CAT(WEFT_FORK_RUN_, WEFT_FORK_ANY2_(__VA_ARGS__))(__VA_ARGS__)

/* WEFT_FORK_STATUS(): 0, or why this tree has ended early. For functions that compute long between joins. */
#define WEFT_FORK_STATUS() weft_fork_status_(weft_head_)

/* WEFT_FORK_FAIL(rc): ends this tree early with rc < 0, whose words are those of weft_error(). The first one counts. */
#define WEFT_FORK_FAIL(rc) weft_fork_fail_(weft_head_, (rc))

/* ---- how they are made ---- */
#define WEFT_FORK_SELECT_(a, b, c, d, e, f, g, h, n, ...) n
#define WEFT_FORK_COUNT_(...) WEFT_FORK_SELECT_(__VA_ARGS__, MANY, 6, 5, 4, 3, 2, 1, 0, 0)
#define WEFT_FORK_ANY_(...) WEFT_FORK_SELECT_(__VA_ARGS__, N, N, N, N, N, N, N, 0, 0)
#define WEFT_FORK_ANY2_(...) WEFT_FORK_SELECT_(__VA_ARGS__, N, N, N, N, N, N, 0, 0, 0)
#define WEFT_FORK_PUSH_0(fn) (weft_head_ = fn##_fork_push_(weft_head_))
#define WEFT_FORK_PUSH_N(fn, ...) (weft_head_ = fn##_fork_push_(weft_head_, __VA_ARGS__))
#define WEFT_FORK_CALL_0(fn) fn##_fork_call_(weft_head_)
#define WEFT_FORK_CALL_N(fn, ...) fn##_fork_call_(weft_head_, __VA_ARGS__)
#define WEFT_FORK_RUN_0(out, fn) fn##_fork_run_(out)
#define WEFT_FORK_RUN_N(out, fn, ...) fn##_fork_run_(out, __VA_ARGS__)
#define WEFT_FORK_LIST_(...) __VA_ARGS__

/* params: ", A a_, B b_"; names: ", a_, b_"; fields: ", args_.a, args_.b"; init: "a_, b_" or 0. */
#define WEFT_FORK_MAKE_(R, fn, params, names, fields, init)                                                            \
  WEFT_STATIC_ASSERT(sizeof(struct fn##_fork_args_) <= WEFT_FORK_ARGS_BYTES,                                           \
                     #fn ": arguments too large, pass a pointer to a struct");                                         \
  WEFT_STATIC_ASSERT(sizeof(R) <= WEFT_FORK_VALUE_BYTES, #fn ": a value of 16 bytes at most");                         \
  WEFT_UNUSED static void fn##_fork_work_(weft_fork_slot_t *head_, weft_fork_slot_t *slot_) {                          \
    struct fn##_fork_args_ args_;                                                                                      \
    memcpy(&args_, slot_->data.bytes, sizeof args_);                                                                   \
    (void)args_;                                                                                                       \
    R value_ = fn(head_ WEFT_FORK_LIST_ fields);                                                                       \
    memcpy(slot_->data.bytes, &value_, sizeof value_);                                                                 \
  }                                                                                                                    \
  WEFT_FORK_COLD_ R fn##_fork_deep_(weft_fork_slot_t *head_ WEFT_FORK_LIST_ params) {                                  \
    struct fn##_fork_args_ args_ = {WEFT_FORK_LIST_ init};                                                             \
    weft_fork_slot_t record_;                                                                                          \
    memcpy(record_.data.bytes, &args_, sizeof args_);                                                                  \
    weft_fork_deep_(head_, fn##_fork_work_, &record_);                                                                 \
    R value_;                                                                                                          \
    memcpy(&value_, record_.data.bytes, sizeof value_);                                                                \
    return value_;                                                                                                     \
  }                                                                                                                    \
  WEFT_UNUSED static inline int fn##_fork_run_(R *out_ WEFT_FORK_LIST_ params) {                                       \
    struct fn##_fork_args_ args_ = {WEFT_FORK_LIST_ init};                                                             \
    weft_fork_slot_t record_;                                                                                          \
    memcpy(record_.data.bytes, &args_, sizeof args_);                                                                  \
    int rc_ = weft_fork_run_(#fn, fn##_fork_work_, &record_, WEFT_FORK_FENCED_);                                       \
    if (rc_ == 0 && out_ != NULL) memcpy(out_, record_.data.bytes, sizeof *out_);                                      \
    return rc_;                                                                                                        \
  }                                                                                                                    \
  WEFT_FORK_INLINE_ weft_fork_slot_t *fn##_fork_push_(weft_fork_slot_t *head_ WEFT_FORK_LIST_ params) {                \
    if (!WEFT_FORK_LIKELY_(!weft_fork_is_full_(head_))) weft_fork_full_(head_);                                        \
    WEFT_FORK_CHECK_(head_->work == NULL, head_, #fn, "is forked over a fork that was never joined");                  \
    struct fn##_fork_args_ args_ = {WEFT_FORK_LIST_ init};                                                             \
    memcpy(head_->data.bytes, &args_, sizeof args_);                                                                   \
    weft_fork_publish_(head_, fn##_fork_work_);                                                                        \
    return head_ + 1;                                                                                                  \
  }                                                                                                                    \
  WEFT_FORK_INLINE_ R fn##_fork_call_(weft_fork_slot_t *head_ WEFT_FORK_LIST_ params) {                                \
    if (WEFT_FORK_LIKELY_(weft_fork_has_room_(head_ - 1))) return fn(head_ WEFT_FORK_LIST_ names);                     \
    return fn##_fork_deep_(head_ WEFT_FORK_LIST_ names);                                                               \
  }                                                                                                                    \
  /* That it calls fn itself also makes gcc take a short way out at the top of fn into fn's callers. */                \
  WEFT_FORK_COLD_ R fn##_fork_settle_(weft_fork_slot_t *slot_) {                                                       \
    if (weft_fork_settle_(slot_, fn##_fork_work_)) {                                                                   \
      struct fn##_fork_args_ args_;                                                                                    \
      memcpy(&args_, slot_->data.bytes, sizeof args_);                                                                 \
      (void)args_;                                                                                                     \
      return fn(slot_ WEFT_FORK_LIST_ fields);                                                                         \
    }                                                                                                                  \
    R value_;                                                                                                          \
    memcpy(&value_, slot_->data.bytes, sizeof value_);                                                                 \
    return value_;                                                                                                     \
  }                                                                                                                    \
  WEFT_FORK_INLINE_ R fn##_fork_join_(weft_fork_slot_t **head_) {                                                      \
    weft_fork_slot_t *slot_ = *head_ - 1;                                                                              \
    WEFT_FORK_CHECK_(slot_->work == fn##_fork_work_, *head_, #fn, "is joined, which is not what was forked last");     \
    if (WEFT_FORK_LIKELY_(weft_fork_take_back_(slot_) && weft_fork_has_room_(slot_))) {                                \
      struct fn##_fork_args_ args_;                                                                                    \
      memcpy(&args_, slot_->data.bytes, sizeof args_);                                                                 \
      (void)args_;                                                                                                     \
      *head_ = slot_;                                                                                                  \
      return fn(slot_ WEFT_FORK_LIST_ fields);                                                                         \
    }                                                                                                                  \
    *head_ = slot_;                                                                                                    \
    return fn##_fork_settle_(slot_);                                                                                   \
  }                                                                                                                    \
  struct fn##_fork_args_

#define WEFT_FORKS_0(R, fn)                                                                                            \
  R fn(weft_fork_slot_t *);                                                                                            \
  struct fn##_fork_args_ {                                                                                             \
    char none;                                                                                                         \
  };                                                                                                                   \
  WEFT_FORK_MAKE_(R, fn, (), (), (), (0))
#define WEFT_FORKS_1(R, fn, A)                                                                                         \
  R fn(weft_fork_slot_t *, A);                                                                                         \
  struct fn##_fork_args_ {                                                                                             \
    A a;                                                                                                               \
  };                                                                                                                   \
  WEFT_FORK_MAKE_(R, fn, (, A a_), (, a_), (, args_.a), (a_))
#define WEFT_FORKS_2(R, fn, A, B)                                                                                      \
  R fn(weft_fork_slot_t *, A, B);                                                                                      \
  struct fn##_fork_args_ {                                                                                             \
    A a;                                                                                                               \
    B b;                                                                                                               \
  };                                                                                                                   \
  WEFT_FORK_MAKE_(R, fn, (, A a_, B b_), (, a_, b_), (, args_.a, args_.b), (a_, b_))
#define WEFT_FORKS_3(R, fn, A, B, C)                                                                                   \
  R fn(weft_fork_slot_t *, A, B, C);                                                                                   \
  struct fn##_fork_args_ {                                                                                             \
    A a;                                                                                                               \
    B b;                                                                                                               \
    C c;                                                                                                               \
  };                                                                                                                   \
  WEFT_FORK_MAKE_(R, fn, (, A a_, B b_, C c_), (, a_, b_, c_), (, args_.a, args_.b, args_.c), (a_, b_, c_))
#define WEFT_FORKS_4(R, fn, A, B, C, D)                                                                                \
  R fn(weft_fork_slot_t *, A, B, C, D);                                                                                \
  struct fn##_fork_args_ {                                                                                             \
    A a;                                                                                                               \
    B b;                                                                                                               \
    C c;                                                                                                               \
    D d;                                                                                                               \
  };                                                                                                                   \
  WEFT_FORK_MAKE_(R, fn, (, A a_, B b_, C c_, D d_), (, a_, b_, c_, d_), (, args_.a, args_.b, args_.c, args_.d),       \
                  (a_, b_, c_, d_))
#define WEFT_FORKS_5(R, fn, A, B, C, D, E)                                                                             \
  R fn(weft_fork_slot_t *, A, B, C, D, E);                                                                             \
  struct fn##_fork_args_ {                                                                                             \
    A a;                                                                                                               \
    B b;                                                                                                               \
    C c;                                                                                                               \
    D d;                                                                                                               \
    E e;                                                                                                               \
  };                                                                                                                   \
  WEFT_FORK_MAKE_(R, fn, (, A a_, B b_, C c_, D d_, E e_), (, a_, b_, c_, d_, e_),                                     \
                  (, args_.a, args_.b, args_.c, args_.d, args_.e), (a_, b_, c_, d_, e_))
#define WEFT_FORKS_6(R, fn, A, B, C, D, E, F)                                                                          \
  R fn(weft_fork_slot_t *, A, B, C, D, E, F);                                                                          \
  struct fn##_fork_args_ {                                                                                             \
    A a;                                                                                                               \
    B b;                                                                                                               \
    C c;                                                                                                               \
    D d;                                                                                                               \
    E e;                                                                                                               \
    F f;                                                                                                               \
  };                                                                                                                   \
  WEFT_FORK_MAKE_(R, fn, (, A a_, B b_, C c_, D d_, E e_, F f_), (, a_, b_, c_, d_, e_, f_),                           \
                  (, args_.a, args_.b, args_.c, args_.d, args_.e, args_.f), (a_, b_, c_, d_, e_, f_))
#define WEFT_FORKS_MANY(R, fn, ...) WEFT_STATIC_ASSERT(0, #fn ": at most 6 parameters, pass a pointer to a struct")
#endif
