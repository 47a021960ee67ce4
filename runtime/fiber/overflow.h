/* overflow.h: says which task ran over its stack, instead of dying without a word.
 *
 * A SIGSEGV whose address lies in the guard of the stack that was running is reported on an alternate signal stack, then
 * the process aborts. Every other one goes to the handler that was there before. */
#ifndef WEFT_FIBER_OVERFLOW_H
#define WEFT_FIBER_OVERFLOW_H

#include <stddef.h>

/* Set by the scheduler: the current task's name and stack size. Called in a signal handler: must only read. It may leave
 * *name NULL (no task) and *size as it is. */
extern void (*weft__overflow_describe)(const char **name, size_t *size);

/* Counted; the first install puts the handler, the last uninstall takes it away if nobody replaced it meanwhile. */
int weft__overflow_install(void); /* 0 or a negative errno */
void weft__overflow_uninstall(void);

/* Per thread that runs fibers: an alternate signal stack, unless the thread has one. */
typedef struct weft__overflow_thread {
  void *stack;
  size_t size;
} weft__overflow_thread_t;
int weft__overflow_enter_thread(weft__overflow_thread_t *thread); /* 0 or a negative errno */
void weft__overflow_leave_thread(weft__overflow_thread_t *thread);

#endif
