/* threads.c: see threads.h. The two implementations of the thin calls stand side by side, chosen in the header. */
#include "base/threads.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/alloc.h"
#include "base/base.h"
#include "base/clock.h"

/* What a new thread needs; freed by it. */
typedef struct start {
  int (*fn)(void *);
  void *arg;
  char name[16]; /* the kernel's limit, terminator included */
} start_t;

static int run_start(start_t *record) {
  start_t start = *record;
  weft__free(record, sizeof *record);
  if (start.name[0] != '\0') prctl(PR_SET_NAME, start.name);
  return start.fn(start.arg);
}

#ifdef WEFT__THREADS_PTHREAD
#define CHECK(call)                                                                                                    \
  do {                                                                                                                 \
    int status_ = (call);                                                                                              \
    if (weft__unlikely(status_ != 0)) weft__panic("%s: %s", #call, strerror(status_));                                 \
  } while (0)
static void *run(void *record) { return (void *)(intptr_t)run_start(record); }
static int create(weft__thread_t *thread, start_t *record) {
  return pthread_create(thread, NULL, run, record) == 0 ? 0 : -EAGAIN;
}
#else
#define CHECK(call)                                                                                                    \
  do {                                                                                                                 \
    int status_ = (call);                                                                                              \
    if (weft__unlikely(status_ != thrd_success)) weft__panic("%s: status %d", #call, status_);                         \
  } while (0)
static int run(void *record) { return run_start(record); }
static int create(weft__thread_t *thread, start_t *record) {
  int status = thrd_create(thread, run, record);
  return status == thrd_success ? 0 : status == thrd_nomem ? -ENOMEM : -EAGAIN;
}
#endif

int weft__thread_start(weft__thread_t *thread, int (*fn)(void *arg), void *arg, const char *name) {
  start_t *record = weft__alloc(sizeof *record);
  if (record == NULL) return -ENOMEM;
  record->fn = fn;
  record->arg = arg;
  memset(record->name, 0, sizeof record->name);
  if (name != NULL) strncpy(record->name, name, sizeof record->name - 1);
  /* The mask is inherited, so there is no moment in which the new thread could take a signal. */
  static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
  sigset_t blocked, before;
  sigfillset(&blocked);
  for (size_t i = 0; i < weft__countof(own); i++) sigdelset(&blocked, own[i]);
  pthread_sigmask(SIG_SETMASK, &blocked, &before);
  int status = create(thread, record);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (status < 0) weft__free(record, sizeof *record);
  return status;
}

int weft__thread_clock(void) {
  clockid_t clock;
  if (pthread_getcpuclockid(pthread_self(), &clock) != 0) weft__panic("this thread's clock cannot be found");
  return clock;
}

void weft__around_forks(void (*before)(void), void (*in_parent)(void), void (*in_child)(void)) {
  WEFT__ASSERT(pthread_atfork(before, in_parent, in_child) == 0);
}

void weft__thread_stack(char **low, char **high) {
  pthread_attr_t attributes;
  void *start;
  size_t size;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) weft__panic("this thread's stack cannot be found");
  int status = pthread_attr_getstack(&attributes, &start, &size);
  pthread_attr_destroy(&attributes);
  WEFT__ASSERT(status == 0);
  *low = start;
  *high = *low + size;
}

/* deadline in the given clock's time. */
static struct timespec timespec_of(int64_t ns) {
  return (struct timespec){.tv_sec = (time_t)(ns / WEFT__NS_PER_SECOND), .tv_nsec = (long)(ns % WEFT__NS_PER_SECOND)};
}

bool weft__cond_wait_until(weft__cond_t *cond, weft__mutex_t *mutex, int64_t deadline) {
  if (deadline == WEFT__TIME_NEVER) {
    weft__cond_wait(cond, mutex);
    return true;
  }
  struct timespec until = timespec_of(deadline < 0 ? 0 : deadline);
#ifdef WEFT__THREADS_PTHREAD
  int status = pthread_cond_timedwait(cond, mutex, &until); /* monotonic, by weft__cond_init */
#elif defined __GLIBC__
  /* cnd_timedwait knows the civil clock only, which jumps. In glibc cnd_t and mtx_t are the pthread types by another
   * name, and pthread's function takes the clock. */
  _Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t) && sizeof(mtx_t) <= sizeof(pthread_mutex_t), "glibc's types");
  int status =
      pthread_cond_clockwait((pthread_cond_t *)(void *)cond, (pthread_mutex_t *)(void *)mutex, CLOCK_MONOTONIC, &until);
#else
  int64_t left = deadline - weft__clock_now();
  struct timespec civil;
  timespec_get(&civil, TIME_UTC);
  until = timespec_of(weft__time_add((int64_t)civil.tv_sec * WEFT__NS_PER_SECOND + civil.tv_nsec, left > 0 ? left : 0));
  int status = cnd_timedwait(cond, mutex, &until) == thrd_timedout ? ETIMEDOUT : 0;
#endif
  WEFT__ASSERT(status == 0 || status == ETIMEDOUT);
  return status == 0;
}

#ifdef WEFT__THREADS_PTHREAD
int weft__thread_join(weft__thread_t thread) {
  void *result;
  CHECK(pthread_join(thread, &result));
  return (int)(intptr_t)result;
}
void weft__thread_detach(weft__thread_t thread) { CHECK(pthread_detach(thread)); }
weft__thread_t weft__thread_self(void) { return pthread_self(); }
bool weft__thread_equal(weft__thread_t a, weft__thread_t b) { return pthread_equal(a, b) != 0; }

int weft__mutex_init(weft__mutex_t *mutex) { return pthread_mutex_init(mutex, NULL) == 0 ? 0 : -ENOMEM; }
void weft__mutex_destroy(weft__mutex_t *mutex) { CHECK(pthread_mutex_destroy(mutex)); }
void weft__mutex_lock(weft__mutex_t *mutex) { CHECK(pthread_mutex_lock(mutex)); }
bool weft__mutex_trylock(weft__mutex_t *mutex) { return pthread_mutex_trylock(mutex) == 0; }
void weft__mutex_unlock(weft__mutex_t *mutex) { CHECK(pthread_mutex_unlock(mutex)); }

int weft__cond_init(weft__cond_t *cond) {
  pthread_condattr_t attributes;
  if (pthread_condattr_init(&attributes) != 0) return -ENOMEM;
  CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC));
  int status = pthread_cond_init(cond, &attributes);
  pthread_condattr_destroy(&attributes);
  return status == 0 ? 0 : -ENOMEM;
}
void weft__cond_destroy(weft__cond_t *cond) { CHECK(pthread_cond_destroy(cond)); }
void weft__cond_wait(weft__cond_t *cond, weft__mutex_t *mutex) { CHECK(pthread_cond_wait(cond, mutex)); }
void weft__cond_signal(weft__cond_t *cond) { CHECK(pthread_cond_signal(cond)); }
void weft__cond_broadcast(weft__cond_t *cond) { CHECK(pthread_cond_broadcast(cond)); }

void weft__once(weft__once_t *once, void (*fn)(void)) { CHECK(pthread_once(once, fn)); }
int weft__tss_create(weft__tss_t *key, void (*destructor)(void *)) {
  return pthread_key_create(key, destructor) == 0 ? 0 : -ENOMEM;
}
void weft__tss_delete(weft__tss_t key) { CHECK(pthread_key_delete(key)); }
void *weft__tss_get(weft__tss_t key) { return pthread_getspecific(key); }
void weft__tss_set(weft__tss_t key, void *value) { CHECK(pthread_setspecific(key, value)); }

#else
int weft__thread_join(weft__thread_t thread) {
  int result;
  CHECK(thrd_join(thread, &result));
  return result;
}
void weft__thread_detach(weft__thread_t thread) { CHECK(thrd_detach(thread)); }
weft__thread_t weft__thread_self(void) { return thrd_current(); }
bool weft__thread_equal(weft__thread_t a, weft__thread_t b) { return thrd_equal(a, b) != 0; }

int weft__mutex_init(weft__mutex_t *mutex) { return mtx_init(mutex, mtx_plain) == thrd_success ? 0 : -ENOMEM; }
void weft__mutex_destroy(weft__mutex_t *mutex) { mtx_destroy(mutex); }
void weft__mutex_lock(weft__mutex_t *mutex) { CHECK(mtx_lock(mutex)); }
bool weft__mutex_trylock(weft__mutex_t *mutex) { return mtx_trylock(mutex) == thrd_success; }
void weft__mutex_unlock(weft__mutex_t *mutex) { CHECK(mtx_unlock(mutex)); }

int weft__cond_init(weft__cond_t *cond) { return cnd_init(cond) == thrd_success ? 0 : -ENOMEM; }
void weft__cond_destroy(weft__cond_t *cond) { cnd_destroy(cond); }
void weft__cond_wait(weft__cond_t *cond, weft__mutex_t *mutex) { CHECK(cnd_wait(cond, mutex)); }
void weft__cond_signal(weft__cond_t *cond) { CHECK(cnd_signal(cond)); }
void weft__cond_broadcast(weft__cond_t *cond) { CHECK(cnd_broadcast(cond)); }

void weft__once(weft__once_t *once, void (*fn)(void)) { call_once(once, fn); }
int weft__tss_create(weft__tss_t *key, void (*destructor)(void *)) {
  return tss_create(key, destructor) == thrd_success ? 0 : -ENOMEM;
}
void weft__tss_delete(weft__tss_t key) { tss_delete(key); }
void *weft__tss_get(weft__tss_t key) { return tss_get(key); }
void weft__tss_set(weft__tss_t key, void *value) { CHECK(tss_set(key, value)); }
#endif
