/* workers.c: see workers.h. A table that threads enter themselves into on their first note.
 *
 * The thread is asked for by a system call each time: a thread-local, or pthread_self(), would be wrong here, for a task
 * continues on another thread after any call that suspends, and compilers keep addresses of thread-locals across calls. */
#include "workers.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct slot {
  _Alignas(64) atomic_uint thread; /* 0: free */
  _Atomic uint64_t requests, leaves, stolen;
} slot_t;

static slot_t slots[WORKERS_MOST];

unsigned workers_current(void) { return (unsigned)gettid(); }

/* Relaxed throughout: plain counters, read after the fact; an entry is claimed by the compare-and-swap alone. */
static slot_t *slot_of(unsigned thread) {
  for (unsigned i = 0; i < WORKERS_MOST; i++) {
    slot_t *slot = &slots[(thread + i) % WORKERS_MOST];
    unsigned owner = atomic_load_explicit(&slot->thread, memory_order_relaxed);
    if (owner == 0) {
      if (atomic_compare_exchange_strong_explicit(&slot->thread, &owner, thread, memory_order_relaxed,
                                                  memory_order_relaxed))
        return slot;
    }
    if (owner == thread) return slot;
  }
  return &slots[0]; /* more threads than the demo allows workers */
}

static void count(_Atomic uint64_t *counter) { atomic_fetch_add_explicit(counter, 1, memory_order_relaxed); }

void workers_note_request(void) { count(&slot_of(workers_current())->requests); }

void workers_note_leaf(unsigned home) {
  unsigned thread = workers_current();
  slot_t *slot = slot_of(thread);
  count(&slot->leaves);
  if (thread != home) count(&slot->stolen);
}

static double processor_seconds(unsigned thread) {
  char path[64];
  unsigned long ns = 0;
  snprintf(path, sizeof path, "/proc/self/task/%u/schedstat", thread);
  FILE *file = fopen(path, "re");
  if (file == NULL) return 0;
  if (fscanf(file, "%lu", &ns) != 1) ns = 0;
  fclose(file);
  return (double)ns / 1e9;
}

unsigned workers_read(worker_work_t work[], unsigned size) {
  unsigned n = 0;
  for (unsigned i = 0; i < WORKERS_MOST && n < size; i++) {
    unsigned thread = atomic_load_explicit(&slots[i].thread, memory_order_relaxed);
    if (thread == 0) continue;
    work[n++] = (worker_work_t){.thread = thread,
                                .requests = atomic_load_explicit(&slots[i].requests, memory_order_relaxed),
                                .leaves = atomic_load_explicit(&slots[i].leaves, memory_order_relaxed),
                                .stolen = atomic_load_explicit(&slots[i].stolen, memory_order_relaxed),
                                .processor_s = processor_seconds(thread)};
  }
  return n;
}

unsigned workers_count(unsigned ordered) {
  const char *word = getenv("WEFT_WORKERS");
  long named = ordered > 0 ? (long)ordered : word != NULL ? strtol(word, NULL, 10) : 0;
  if (named > 0) return named < WORKERS_MOST ? (unsigned)named : WORKERS_MOST;
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}
