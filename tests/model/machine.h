/* machine.h: the parts of the model's machine that its files share: memory.c (locations, buffers, clocks), threads.c
 * (virtual threads and switches), races.c (plain accesses), explore.c (choices, searches, the program).
 *
 * The machine. Virtual threads are contexts (fiber/context.h) on stacks of their own; one runs at a time. Before each
 * atomic access to a location that more than one thread uses, the machine may preempt. A store goes to its thread's
 * buffer; buffers are first in, first out, and are read by their own thread first (x86-TSO: Sewell et al., CACM 2010).
 * When a buffered store reaches memory matters only to somebody who looks at the location: so it is chosen there, whether
 * it arrives just before the look, or later. Read-modify-writes, fences and seq_cst stores empty their thread's buffer.
 *
 * Orders weaker than TSO's are checked by clocks: each thread, each location's last store and each buffered one carries a
 * vector clock by C11's rules (release sequences and the seq_cst fence included), and two plain accesses of one address,
 * one a write, that these clocks do not order are a violation. So a relaxed that should be a release is found although the
 * machine itself would not reorder anything there. */
#ifndef WEFT_MODEL_MACHINE_H
#define WEFT_MODEL_MACHINE_H

#include "fiber/context.h"
#include "model/model.h"

enum { CLOCKS = MODEL_THREADS + 1, BUFFERED = 24, MAIN = MODEL_THREADS };

typedef struct vclock {
  uint32_t at[CLOCKS];
} vclock_t;

static inline void clock_join(vclock_t *into, const vclock_t *from) {
  for (int i = 0; i < CLOCKS; i++)
    if (from->at[i] > into->at[i]) into->at[i] = from->at[i];
}

typedef struct location {
  const volatile void *address; /* NULL: free */
  uint64_t users;               /* bits of the threads that ever used it, in whatever execution */
  bool written;                 /* by one of them, ever */
  bool shared;                  /* written, and by more than one user: accesses are places to preempt */
  uint64_t execution;           /* the fields below belong to this one */
  vclock_t clock;               /* released by its last store */
  uint32_t watched[MODEL_THREADS];
} location_t;

typedef struct pending_store {
  location_t *location;
  size_t size;
  uint64_t value;
  vclock_t clock;
} pending_store_t;

typedef enum thread_state { ABSENT, READY, PAUSED, ENDED } thread_state_t;

typedef struct thread {
  weft__context_t context;
  thread_state_t state;
  bool ticks;                       /* PAUSED, and time may pass for it */
  bool woken;                       /* since the last pause somebody stored to what it has read */
  uint32_t watches;                 /* location.watched equal to this: it has read it since its last pause */
  vclock_t clock, acquired, fenced; /* acquired: by relaxed loads, until a fence; fenced: at the last fence */
  unsigned first, count;
  pending_store_t buffer[BUFFERED]; /* a ring */
  void (*fn)(void *arg);
  void *arg;
} thread_t;

enum choice_kind { CHOICE_PREEMPT, CHOICE_NEXT, CHOICE_LATE, CHOICE_ANY, CHOICE_KINDS };

typedef struct machine {
  thread_t threads[MODEL_THREADS];
  unsigned thread_count, current; /* current: MAIN between executions */
  uint64_t execution;             /* number of the running one, never 0 */
  unsigned steps;                 /* accesses so far in it */
  unsigned preemptions, late;     /* spent */
  unsigned ticks;                 /* how often time has passed */
  bool sharing_grew;              /* a location that is not `shared` yet got its second user */
  bool tracing, all_shared;
  bool checking; /* setup and check: nobody races */
  bool failed;
  char failure[512];
  const model_scenario_t *scenario;
} machine_t;

extern machine_t machine;

/* explore.c */
unsigned choose(enum choice_kind kind, unsigned n); /* 0 is what costs nothing */
bool may_preempt(void);
bool may_be_late(void);
void trace(const char *format, ...) WEFT__PRINTF(1, 2);

/* threads.c */
void threads_run(void); /* one execution, from setup to check */
void threads_abandon(void) __attribute__((noreturn));
void preemption_point(void);
/* A store to `location` by `by` has become visible. */
void threads_notice(location_t *location, unsigned by);
unsigned thread_add(void (*fn)(void *arg), void *arg);

/* memory.c */
void memory_reset(void);
void memory_share(void); /* between executions: the locations that have got a second user are shared from now on */
void memory_flush_all(void);
/* Somebody has a store in his buffer to what `thread` has read since its last pause; makes it visible if so told. */
bool memory_awaits(unsigned thread, bool flush);

/* races.c */
void races_reset(void);
void races_check_address(const volatile void *address, const char *what);
bool races_in_arena(const volatile void *address);

#endif
