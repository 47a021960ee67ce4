/* overflow.c: see overflow.h. The handler calls only async-signal-safe functions and formats by hand. */
#include "fiber/overflow.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/base.h"
#include "base/threads.h"
#include "fiber/stacks.h"

enum { SIGNAL_STACK = 64 * 1024 }; /* a chained handler may want room, such as a sanitizer's report */

void (*weft__overflow_describe)(const char **name, size_t *size);

static weft__once_t once = WEFT__ONCE_INIT;
static weft__mutex_t lock; /* guards what follows; the handler reads `previous` without it: see install */
static unsigned installed;
static struct sigaction previous;

static void init_lock(void) { WEFT__ASSERT(weft__mutex_init(&lock) == 0); }

/* ---- the report ---- */

typedef struct line {
  size_t length;
  char text[1024];
} line_t;

static void put(line_t *line, const char *text) {
  while (*text != '\0' && line->length < sizeof line->text) line->text[line->length++] = *text++;
}
static void put_number(line_t *line, size_t number) {
  char digits[24];
  size_t at = sizeof digits;
  digits[--at] = '\0';
  do digits[--at] = (char)('0' + number % 10);
  while ((number /= 10) != 0);
  put(line, digits + at);
}

static _Noreturn void report(size_t size) {
  const char *name = NULL;
  if (weft__overflow_describe != NULL) weft__overflow_describe(&name, &size);
  line_t line;
  line.length = 0;
  put(&line, "weft: stack overflow ");
  if (name != NULL) {
    put(&line, "in task '");
    put(&line, name);
    put(&line, "': its");
  } else {
    put(&line, "outside of a task: the");
  }
  put(&line, " stack of ");
  put_number(&line, size);
  put(&line, name != NULL
                 ? " bytes is full; give it more with weft_task_options_t.stack_size or weft_config_t.stack_size\n"
                 : " bytes is full; give it more with weft_config_t.stack_size\n");
  ssize_t ignored = write(STDERR_FILENO, line.text, line.length);
  (void)ignored;
  abort();
}

static uintptr_t stack_pointer_of(const ucontext_t *context) {
#if defined __x86_64__
  return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
#elif defined __aarch64__
  return (uintptr_t)context->uc_mcontext.sp;
#else
  (void)context;
  return 0; /* not known: any touch of a guard counts */
#endif
}

/* The handler that was there before decides. The default one is put back and meets the fault again. */
static void chain(int signal, siginfo_t *info, void *context) {
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
  } else if (info->si_code > 0 || previous.sa_handler == SIG_DFL) {
    struct sigaction fallback = {.sa_handler = SIG_DFL};
    sigaction(signal, &fallback, NULL);
    if (info->si_code <= 0) raise(signal); /* sent by somebody: it will not come again by itself */
  }
}

static void on_fault(int signal, siginfo_t *info, void *context) {
  int saved_errno = errno;
  uintptr_t low, high, address = (uintptr_t)info->si_addr, sp = stack_pointer_of(context);
  /* The stack whose guard was met must be the one that was running: a stray pointer is no overflow. */
  if (info->si_code > 0 && weft__stacks_find_guard(address, &low, &high) && (sp == 0 || (sp >= low && sp < high)))
    report(high - low - WEFT__STACK_GUARD - WEFT__STACK_HEADER_MAX);
  chain(signal, info, context);
  errno = saved_errno;
}

/* ---- installation ---- */

int weft__overflow_install(void) {
  weft__once(&once, init_lock);
  int status = 0;
  weft__mutex_lock(&lock);
  if (installed == 0) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigemptyset(&action.sa_mask);
    struct sigaction current;
    /* `previous` is complete before the handler can run. If our handler is still in somebody's chain from an earlier
     * time, `previous` stays what it was then. */
    if (sigaction(SIGSEGV, NULL, &current) != 0) {
      status = -errno;
    } else if ((current.sa_flags & SA_SIGINFO) == 0 || current.sa_sigaction != on_fault) {
      previous = current;
      if (sigaction(SIGSEGV, &action, NULL) != 0) status = -errno;
    }
  }
  if (status == 0) installed++;
  weft__mutex_unlock(&lock);
  return status;
}

void weft__overflow_uninstall(void) {
  weft__mutex_lock(&lock);
  WEFT__ASSERT(installed != 0);
  struct sigaction current;
  /* Somebody who came after us and chains to us keeps a handler that still works. */
  if (--installed == 0 && sigaction(SIGSEGV, NULL, &current) == 0 && (current.sa_flags & SA_SIGINFO) != 0 &&
      current.sa_sigaction == on_fault)
    sigaction(SIGSEGV, &previous, NULL);
  weft__mutex_unlock(&lock);
}

int weft__overflow_enter_thread(weft__overflow_thread_t *thread) {
  thread->stack = NULL;
  thread->size = 0;
  stack_t current;
  if (sigaltstack(NULL, &current) != 0) return -errno;
  if ((current.ss_flags & SS_DISABLE) == 0) return 0; /* the user's or a sanitizer's: it will do */
  long least = sysconf(_SC_SIGSTKSZ);
  size_t size = least > SIGNAL_STACK ? (size_t)least : (size_t)SIGNAL_STACK;
  void *stack = weft__alloc(size);
  if (stack == NULL) return -ENOMEM;
  stack_t wanted = {.ss_sp = stack, .ss_size = size};
  if (sigaltstack(&wanted, NULL) != 0) {
    int status = -errno;
    weft__free(stack, size);
    return status;
  }
  thread->stack = stack;
  thread->size = size;
  return 0;
}

void weft__overflow_leave_thread(weft__overflow_thread_t *thread) {
  if (thread->stack == NULL) return;
  stack_t current, none = {.ss_flags = SS_DISABLE};
  /* One that somebody put there meanwhile stays. */
  if (sigaltstack(NULL, &current) == 0 && current.ss_sp == thread->stack) sigaltstack(&none, NULL);
  weft__free(thread->stack, thread->size);
  thread->stack = NULL;
}
