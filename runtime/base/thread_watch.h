/* thread_watch.h: what one thread can find out about another one: its processor time, and whether it sleeps. */
#ifndef WEFT_BASE_THREAD_WATCH_H
#define WEFT_BASE_THREAD_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomics.h"

typedef struct weft__thread_watch {
  _Atomic(int) thread_id; /* the kernel's; 0: no thread yet. Written by the thread itself, after the clock */
  _Atomic(int) clock;     /* a clockid_t */
} weft__thread_watch_t;

/* By the thread that shall be watched; it ends that before it ends itself. */
void weft__thread_watch_begin(weft__thread_watch_t *watch);
void weft__thread_watch_end(weft__thread_watch_t *watch);

/* Nanoseconds of processor time that the thread has used; -1: it cannot be told. Any thread. */
int64_t weft__thread_watch_processor_ns(const weft__thread_watch_t *watch);
/* The kernel says that the thread waits for something else than a processor (state S, D or T). What cannot be told counts
 * as false. Reads a file in /proc: some 10 us. Any thread. */
bool weft__thread_watch_sleeps(const weft__thread_watch_t *watch);

#endif
