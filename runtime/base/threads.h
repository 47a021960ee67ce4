/* threads.h: the one door to threads, mutexes, condition variables, once and thread-specific storage.
 *
 * C11 <threads.h>, but pthreads under the sanitizers, which do not know thrd_create: ThreadSanitizer dies in such a thread;
 * AddressSanitizer knows neither its stack nor its thread-locals, and serves all such threads from one locked heap, which
 * a fork in the wrong moment leaves locked in the child.
 * Errors that can only come from misuse panic; what a caller can meet is returned as a negative errno. */
#ifndef WEFT_BASE_THREADS_H
#define WEFT_BASE_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#if defined __SANITIZE_THREAD__ || defined __SANITIZE_ADDRESS__
#define WEFT__THREADS_PTHREAD 1
#elif defined __has_feature
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define WEFT__THREADS_PTHREAD 1
#endif
#endif

#ifdef WEFT__THREADS_PTHREAD
#include <pthread.h>
typedef pthread_t weft__thread_t;
typedef pthread_mutex_t weft__mutex_t;
typedef pthread_cond_t weft__cond_t;
typedef pthread_once_t weft__once_t;
typedef pthread_key_t weft__tss_t;
#define WEFT__ONCE_INIT PTHREAD_ONCE_INIT
#else
#include <threads.h>
typedef thrd_t weft__thread_t;
typedef mtx_t weft__mutex_t;
typedef cnd_t weft__cond_t;
typedef once_flag weft__once_t;
typedef tss_t weft__tss_t;
#define WEFT__ONCE_INIT ONCE_FLAG_INIT
#endif

/* Starts fn(arg). All signals but those a thread raises itself (SIGSEGV and kin) are blocked in the new thread from its
 * first instruction on: signals are for the user's threads. name (copied; 15 bytes are shown) may be NULL.
 * 0, -EAGAIN or -ENOMEM. */
int weft__thread_start(weft__thread_t *thread, int (*fn)(void *arg), void *arg, const char *name);
int weft__thread_join(weft__thread_t thread); /* what fn returned */
void weft__thread_detach(weft__thread_t thread);
weft__thread_t weft__thread_self(void);
/* The calling thread's stack: what lies in [*low, *high) may be used. */
void weft__thread_stack(char **low, char **high);
/* The clock of the calling thread's processor time, a clockid_t that any thread may read while this one lives. */
int weft__thread_clock(void);
bool weft__thread_equal(weft__thread_t a, weft__thread_t b);

int weft__mutex_init(weft__mutex_t *mutex); /* 0 or -ENOMEM; so for cond and tss */
void weft__mutex_destroy(weft__mutex_t *mutex);
void weft__mutex_lock(weft__mutex_t *mutex);
bool weft__mutex_trylock(weft__mutex_t *mutex);
void weft__mutex_unlock(weft__mutex_t *mutex);

int weft__cond_init(weft__cond_t *cond);
void weft__cond_destroy(weft__cond_t *cond);
void weft__cond_wait(weft__cond_t *cond, weft__mutex_t *mutex);
/* deadline is weft__clock_now's time; WEFT__TIME_NEVER waits without limit. false: it passed. Wakes may be spurious. */
bool weft__cond_wait_until(weft__cond_t *cond, weft__mutex_t *mutex, int64_t deadline);
void weft__cond_signal(weft__cond_t *cond);
void weft__cond_broadcast(weft__cond_t *cond);

void weft__once(weft__once_t *once, void (*fn)(void));
/* pthread_atfork: around every fork() from now on; each may be NULL. Without memory it panics. */
void weft__around_forks(void (*before)(void), void (*in_parent)(void), void (*in_child)(void));
int weft__tss_create(weft__tss_t *key, void (*destructor)(void *));
void weft__tss_delete(weft__tss_t key);
void *weft__tss_get(weft__tss_t key);
void weft__tss_set(weft__tss_t key, void *value);

#endif
