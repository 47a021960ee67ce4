/* weft/call.h: coroutine functions and coroutine objects.
 *
 * A coroutine function is an ordinary C function that returns int; calling it directly *is* await. To run it elsewhere
 * (a task, a group, under a time limit, in a thread) its call is built first, with typed arguments, and handed over:
 *
 *   static WEFT_ASYNC(fetch, const char *, struct page *);           // before its definition or use
 *   static int fetch(const char *url, struct page *out) { … }
 *   rc = fetch("a.example", &page);                                  // await
 *   task = weft_create_task(fetch_async("a.example", &page));        // a task
 *
 * In a header, for another file's function: WEFT_ASYNC(fetch, const char *, struct page *); without static. */
#ifndef WEFT_CALL_H
#define WEFT_CALL_H
#include <string.h>
#include <weft/types.h>
#ifdef __cplusplus
extern "C" {
#endif

enum { WEFT_CALL_BYTES = 64 };

/* A function and a copy of its arguments, not started: asyncio's coroutine object. It is a plain value that owns
 * nothing: dropping or copying one is silent, running it twice runs the function twice. What its arguments point to
 * must live until the call has ended. Read-only outside this header. */
typedef struct weft_call {
  int (*entry)(void *args); /* NULL: no call; whoever is given one answers WEFT_TYPE */
  const char *name;         /* the function's; static */
  size_t size;              /* of the arguments */
  union {
    long double align_;
    void *pointer_;
    unsigned char bytes[WEFT_CALL_BYTES];
  } args;
} weft_call_t;
#ifdef __cplusplus
}
#endif

#define WEFT_CAT_(a, b) a##b
#define WEFT_CAT(a, b) WEFT_CAT_(a, b)
#define WEFT_PICK_(a, b, c, d, e, f, g, h, i, j, k, l, m, n, ...) n
/* How many parameters follow the function's name: 0 to 8, or MANY. */
#define WEFT_COUNT(...) WEFT_PICK_(__VA_ARGS__, MANY, MANY, MANY, MANY, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0)

/* WEFT_ASYNC(fn, types…) declares int fn(types…) and weft_call_t fn_async(types…), which builds the unstarted call. Up
 * to 8 parameters and WEFT_CALL_BYTES in all; a type that cannot stand before a name (array, function pointer) wants a
 * typedef. Wrong arity, too many bytes and a function that is no int are compile errors. */
#define WEFT_ASYNC(...) WEFT_CAT(WEFT_ASYNC_, WEFT_COUNT(__VA_ARGS__))(__VA_ARGS__)

/* The pieces: fn's arguments as a struct (fn_args_), the function that unpacks them (fn_entry_), and the builder, which
 * goes member by member zeroed bytes: what lies between the members is zero too, so that equal calls are equal bytes and
 * none of the caller's stack crosses to another process. */
#define WEFT_FILL_(fn, member, value)                                                                                  \
  memcpy(call_.args.bytes + offsetof(struct fn##_args_, member), &(value), sizeof(value));
#define WEFT_MAKE_(fn, params, fills)                                                                                  \
  WEFT_STATIC_ASSERT(sizeof(struct fn##_args_) <= WEFT_CALL_BYTES,                                                     \
                     #fn ": arguments too large, pass a pointer to a struct");                                         \
  WEFT_UNUSED WEFT_NODISCARD static inline weft_call_t fn##_async params {                                             \
    weft_call_t call_;                                                                                                 \
    call_.entry = fn##_entry_;                                                                                         \
    call_.name = #fn;                                                                                                  \
    call_.size = sizeof(struct fn##_args_);                                                                            \
    memset(call_.args.bytes, 0, sizeof(struct fn##_args_));                                                            \
    fills return call_;                                                                                                \
  }                                                                                                                    \
  struct fn##_args_
#define WEFT_ENTRY_(fn, ...)                                                                                           \
  WEFT_UNUSED static inline int fn##_entry_(void *p_) {                                                                \
    struct fn##_args_ *s_ = (struct fn##_args_ *)p_;                                                                   \
    return fn(__VA_ARGS__);                                                                                            \
  }

/* WEFT_ASYNC_TWIN_<n>(fn, types…) gives a function that is declared already its fn_async. */
#define WEFT_ASYNC_TWIN_0(fn)                                                                                          \
  struct fn##_args_ {                                                                                                  \
    char none;                                                                                                         \
  };                                                                                                                   \
  WEFT_UNUSED static inline int fn##_entry_(void *p_) {                                                                \
    (void)p_;                                                                                                          \
    return fn();                                                                                                       \
  }                                                                                                                    \
  WEFT_MAKE_(fn, (void), )
#define WEFT_ASYNC_TWIN_1(fn, A)                                                                                       \
  struct fn##_args_ {                                                                                                  \
    A a;                                                                                                               \
  };                                                                                                                   \
  WEFT_ENTRY_(fn, s_->a)                                                                                               \
  WEFT_MAKE_(fn, (A a_), WEFT_FILL_(fn, a, a_))
#define WEFT_ASYNC_TWIN_2(fn, A, B)                                                                                    \
  struct fn##_args_ {                                                                                                  \
    A a;                                                                                                               \
    B b;                                                                                                               \
  };                                                                                                                   \
  WEFT_ENTRY_(fn, s_->a, s_->b)                                                                                        \
  WEFT_MAKE_(fn, (A a_, B b_), WEFT_FILL_(fn, a, a_) WEFT_FILL_(fn, b, b_))
#define WEFT_ASYNC_TWIN_3(fn, A, B, C)                                                                                 \
  struct fn##_args_ {                                                                                                  \
    A a;                                                                                                               \
    B b;                                                                                                               \
    C c;                                                                                                               \
  };                                                                                                                   \
  WEFT_ENTRY_(fn, s_->a, s_->b, s_->c)                                                                                 \
  WEFT_MAKE_(fn, (A a_, B b_, C c_), WEFT_FILL_(fn, a, a_) WEFT_FILL_(fn, b, b_) WEFT_FILL_(fn, c, c_))
#define WEFT_ASYNC_TWIN_4(fn, A, B, C, D)                                                                              \
  struct fn##_args_ {                                                                                                  \
    A a;                                                                                                               \
    B b;                                                                                                               \
    C c;                                                                                                               \
    D d;                                                                                                               \
  };                                                                                                                   \
  WEFT_ENTRY_(fn, s_->a, s_->b, s_->c, s_->d)                                                                          \
  WEFT_MAKE_(fn, (A a_, B b_, C c_, D d_),                                                                             \
             WEFT_FILL_(fn, a, a_) WEFT_FILL_(fn, b, b_) WEFT_FILL_(fn, c, c_) WEFT_FILL_(fn, d, d_))
#define WEFT_ASYNC_TWIN_5(fn, A, B, C, D, E)                                                                           \
  struct fn##_args_ {                                                                                                  \
    A a;                                                                                                               \
    B b;                                                                                                               \
    C c;                                                                                                               \
    D d;                                                                                                               \
    E e;                                                                                                               \
  };                                                                                                                   \
  WEFT_ENTRY_(fn, s_->a, s_->b, s_->c, s_->d, s_->e)                                                                   \
  WEFT_MAKE_(fn, (A a_, B b_, C c_, D d_, E e_),                                                                       \
             WEFT_FILL_(fn, a, a_) WEFT_FILL_(fn, b, b_) WEFT_FILL_(fn, c, c_) WEFT_FILL_(fn, d, d_)                   \
                 WEFT_FILL_(fn, e, e_))
#define WEFT_ASYNC_TWIN_6(fn, A, B, C, D, E, F)                                                                        \
  struct fn##_args_ {                                                                                                  \
    A a;                                                                                                               \
    B b;                                                                                                               \
    C c;                                                                                                               \
    D d;                                                                                                               \
    E e;                                                                                                               \
    F f;                                                                                                               \
  };                                                                                                                   \
  WEFT_ENTRY_(fn, s_->a, s_->b, s_->c, s_->d, s_->e, s_->f)                                                            \
  WEFT_MAKE_(fn, (A a_, B b_, C c_, D d_, E e_, F f_),                                                                 \
             WEFT_FILL_(fn, a, a_) WEFT_FILL_(fn, b, b_) WEFT_FILL_(fn, c, c_) WEFT_FILL_(fn, d, d_)                   \
                 WEFT_FILL_(fn, e, e_) WEFT_FILL_(fn, f, f_))
#define WEFT_ASYNC_TWIN_7(fn, A, B, C, D, E, F, G)                                                                     \
  struct fn##_args_ {                                                                                                  \
    A a;                                                                                                               \
    B b;                                                                                                               \
    C c;                                                                                                               \
    D d;                                                                                                               \
    E e;                                                                                                               \
    F f;                                                                                                               \
    G g;                                                                                                               \
  };                                                                                                                   \
  WEFT_ENTRY_(fn, s_->a, s_->b, s_->c, s_->d, s_->e, s_->f, s_->g)                                                     \
  WEFT_MAKE_(fn, (A a_, B b_, C c_, D d_, E e_, F f_, G g_),                                                           \
             WEFT_FILL_(fn, a, a_) WEFT_FILL_(fn, b, b_) WEFT_FILL_(fn, c, c_) WEFT_FILL_(fn, d, d_)                   \
                 WEFT_FILL_(fn, e, e_) WEFT_FILL_(fn, f, f_) WEFT_FILL_(fn, g, g_))
#define WEFT_ASYNC_TWIN_8(fn, A, B, C, D, E, F, G, H)                                                                  \
  struct fn##_args_ {                                                                                                  \
    A a;                                                                                                               \
    B b;                                                                                                               \
    C c;                                                                                                               \
    D d;                                                                                                               \
    E e;                                                                                                               \
    F f;                                                                                                               \
    G g;                                                                                                               \
    H h;                                                                                                               \
  };                                                                                                                   \
  WEFT_ENTRY_(fn, s_->a, s_->b, s_->c, s_->d, s_->e, s_->f, s_->g, s_->h)                                              \
  WEFT_MAKE_(fn, (A a_, B b_, C c_, D d_, E e_, F f_, G g_, H h_),                                                     \
             WEFT_FILL_(fn, a, a_) WEFT_FILL_(fn, b, b_) WEFT_FILL_(fn, c, c_) WEFT_FILL_(fn, d, d_)                   \
                 WEFT_FILL_(fn, e, e_) WEFT_FILL_(fn, f, f_) WEFT_FILL_(fn, g, g_) WEFT_FILL_(fn, h, h_))

#define WEFT_ASYNC_0(fn)                                                                                               \
  int fn(void);                                                                                                        \
  WEFT_ASYNC_TWIN_0(fn)
#define WEFT_ASYNC_1(fn, A)                                                                                            \
  int fn(A);                                                                                                           \
  WEFT_ASYNC_TWIN_1(fn, A)
#define WEFT_ASYNC_2(fn, A, B)                                                                                         \
  int fn(A, B);                                                                                                        \
  WEFT_ASYNC_TWIN_2(fn, A, B)
#define WEFT_ASYNC_3(fn, A, B, C)                                                                                      \
  int fn(A, B, C);                                                                                                     \
  WEFT_ASYNC_TWIN_3(fn, A, B, C)
#define WEFT_ASYNC_4(fn, A, B, C, D)                                                                                   \
  int fn(A, B, C, D);                                                                                                  \
  WEFT_ASYNC_TWIN_4(fn, A, B, C, D)
#define WEFT_ASYNC_5(fn, A, B, C, D, E)                                                                                \
  int fn(A, B, C, D, E);                                                                                               \
  WEFT_ASYNC_TWIN_5(fn, A, B, C, D, E)
#define WEFT_ASYNC_6(fn, A, B, C, D, E, F)                                                                             \
  int fn(A, B, C, D, E, F);                                                                                            \
  WEFT_ASYNC_TWIN_6(fn, A, B, C, D, E, F)
#define WEFT_ASYNC_7(fn, A, B, C, D, E, F, G)                                                                          \
  int fn(A, B, C, D, E, F, G);                                                                                         \
  WEFT_ASYNC_TWIN_7(fn, A, B, C, D, E, F, G)
#define WEFT_ASYNC_8(fn, A, B, C, D, E, F, G, H)                                                                       \
  int fn(A, B, C, D, E, F, G, H);                                                                                      \
  WEFT_ASYNC_TWIN_8(fn, A, B, C, D, E, F, G, H)
#define WEFT_ASYNC_MANY(fn, ...) WEFT_STATIC_ASSERT(0, #fn ": at most 8 parameters, pass a pointer to a struct")
#endif
