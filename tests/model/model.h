/* model.h: what a model is written with. README.md explains the method and its limits.
 *
 * A model includes the runtime's own source files (compiled with WEFT_MODEL, so their atomics are steps of the machine) and
 * defines scenarios: a few virtual threads that run that code, and what must hold. The machine runs a scenario many
 * thousand times, each time with another schedule. Everything a model uses lives in static memory or comes from
 * weft__alloc, which is fresh for every execution. */
#ifndef WEFT_MODEL_MODEL_H
#define WEFT_MODEL_MODEL_H

#include "base/atomics.h"
#include "base/base.h"

enum { MODEL_THREADS = 14 };

typedef struct model_scenario {
  const char *name;
  const char *property;
  unsigned threads;            /* that start at once, numbered from 0 */
  void (*setup)(void);         /* before each execution; may be NULL */
  void (*run)(unsigned index); /* the body of the thread of that number */
  void (*check)(void);         /* after each execution; may be NULL */
  bool may_rest;               /* threads that wait for ever at the end are no deadlock: check decides */
  int bound;                   /* preemptions (and, as many again, late stores) up to which all schedules are tried;
                                * -1: none, there are too many even without preemptions */
  unsigned long random;        /* random schedules; 0: the usual number */
} model_scenario_t;

extern const model_scenario_t model_scenarios[]; /* ends with a name of NULL */

/* The execution is wrong: prints the schedule and ends the program. */
__attribute__((noreturn)) void model_fail(const char *format, ...) WEFT__PRINTF(1, 2);
#define MODEL_CHECK(condition)                                                                                         \
  (weft__likely(condition) ? (void)0 : model_fail("%s:%d: not so: %s", __FILE__, __LINE__, #condition))

/* The number of the running thread; those that model_spawn starts follow the scenario's own. */
unsigned model_self(void);
/* Starts another thread, ordered after the caller. Its number. */
unsigned model_spawn(void (*fn)(void *arg), void *arg);
/* Any of 0 … n-1: every answer is tried. */
unsigned model_any(unsigned n);
/* The next model_pause wakes for what is read from here on. */
void model_forget(void);
/* Waits until *word is no longer `value` (acquire): a sleep that a store ends. */
#define model_sleep_while(word, value)                                                                                 \
  do {                                                                                                                 \
    model_forget();                                                                                                    \
    while (atom_load((word), acquire) == (value)) model_pause();                                                       \
  } while (0)
/* A sleep with a limit, in the place of model_pause: also ends, with false, when nobody else can run, which is how time
 * passes here. Time passes at most MODEL_TICKS times in an execution: then somebody waits in vain. */
bool model_pause_or_tick(void);
enum { MODEL_TICKS = 60 };
/* sys_membarrier(PRIVATE_EXPEDITED): everybody's buffered stores become visible. */
void model_membarrier(void);
/* In a trace: a line of the model's own. */
void model_note(const char *format, ...) WEFT__PRINTF(1, 2);

#endif
