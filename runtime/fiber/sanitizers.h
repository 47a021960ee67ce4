/* sanitizers.h: tells AddressSanitizer, ThreadSanitizer and Valgrind of every stack and every switch. Empty in other
 * builds. Valgrind's requests are compiled in with WEFT_VALGRIND alone. */
#ifndef WEFT_FIBER_SANITIZERS_H
#define WEFT_FIBER_SANITIZERS_H

#include <stddef.h>

#if defined __SANITIZE_ADDRESS__
#define WEFT__ASAN 1
#endif
#if defined __SANITIZE_THREAD__
#define WEFT__TSAN 1
#endif
#if defined __has_feature
#if __has_feature(address_sanitizer) && !defined WEFT__ASAN
#define WEFT__ASAN 1
#endif
#if __has_feature(thread_sanitizer) && !defined WEFT__TSAN
#define WEFT__TSAN 1
#endif
#endif
#ifdef WEFT__ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef WEFT__TSAN
#include <sanitizer/tsan_interface.h>
#endif
#ifdef WEFT_VALGRIND
#include <valgrind/valgrind.h>
#endif

typedef struct weft__sanitizer_fiber {
#ifdef WEFT__ASAN
  void *fake_stack; /* while suspended */
#endif
#ifdef WEFT__TSAN
  void *tsan;
#endif
  unsigned valgrind_id;
} weft__sanitizer_fiber_t;

/* A fiber's stack comes into use. */
static inline void weft__sanitizer_create(weft__sanitizer_fiber_t *fiber, char *low, char *high) {
  (void)fiber, (void)low, (void)high;
#ifdef WEFT__ASAN
  fiber->fake_stack = NULL;
#endif
#ifdef WEFT__TSAN
  fiber->tsan = __tsan_create_fiber(0);
#endif
#ifdef WEFT_VALGRIND
  fiber->valgrind_id = (unsigned)VALGRIND_STACK_REGISTER(low, high);
#endif
}

/* It goes out of use; it is not running. Frames that were never left are forgotten. */
static inline void weft__sanitizer_destroy(weft__sanitizer_fiber_t *fiber, char *low, char *high) {
  (void)fiber, (void)low, (void)high;
#ifdef WEFT__ASAN
  __asan_unpoison_memory_region(low, (size_t)(high - low));
#endif
#ifdef WEFT__TSAN
  __tsan_destroy_fiber(fiber->tsan);
  fiber->tsan = NULL;
#endif
#ifdef WEFT_VALGRIND
  VALGRIND_STACK_DEREGISTER(fiber->valgrind_id);
#endif
}

/* The running thread's own stack. */
static inline void weft__sanitizer_adopt(weft__sanitizer_fiber_t *fiber) {
  (void)fiber;
#ifdef WEFT__ASAN
  fiber->fake_stack = NULL;
#endif
#ifdef WEFT__TSAN
  fiber->tsan = __tsan_get_current_fiber();
#endif
}

/* On the stack that is left, directly before the switch. */
static inline __attribute__((always_inline)) void weft__sanitizer_before_switch(weft__sanitizer_fiber_t *from,
                                                                                weft__sanitizer_fiber_t *to,
                                                                                const void *to_low, size_t to_size) {
  (void)from, (void)to, (void)to_low, (void)to_size;
#ifdef WEFT__ASAN
  __sanitizer_start_switch_fiber(&from->fake_stack, to_low, to_size);
#endif
#ifdef WEFT__TSAN
  __tsan_switch_to_fiber(to->tsan, 0); /* 0: the switch orders what came before it before what follows on `to` */
#endif
}

/* The same when `from` never runs again: its fake stack is freed. */
static inline __attribute__((always_inline)) void weft__sanitizer_before_final(weft__sanitizer_fiber_t *to,
                                                                               const void *to_low, size_t to_size) {
  (void)to, (void)to_low, (void)to_size;
#ifdef WEFT__ASAN
  __sanitizer_start_switch_fiber(NULL, to_low, to_size);
#endif
#ifdef WEFT__TSAN
  __tsan_switch_to_fiber(to->tsan, 0);
#endif
}

/* On the stack that goes on, directly after the switch (on a first run: as the first thing). */
static inline __attribute__((always_inline)) void weft__sanitizer_after_switch(weft__sanitizer_fiber_t *self) {
  (void)self;
#ifdef WEFT__ASAN
  __sanitizer_finish_switch_fiber(self->fake_stack, NULL, NULL);
#endif
}

#endif
