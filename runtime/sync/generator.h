/* generator.h: a generator, and the one operation that all others are made of: resuming it.
 *
 * Phases:  NEW --first resume--> SUSPENDED (at a yield) <--> running --body returns--> ENDED
 *          NEW --throw, close--> ENDED;   SUSPENDED --ignored its close--> ENDED, abandoned
 * The body has a fiber of its own, but is no task: it runs inside the task that resumes it, by a direct switch of stacks.
 * If it awaits, that task suspends with the body's fiber as the one to go on with; a yield switches back to the fiber that
 * resumed it, on whatever worker that may be by then.
 * running and runner are guarded by the spin lock; everything else belongs to whoever is running it. So what one task left
 * behind in body and fiber is visible to the next one that resumes it, and a second one at the same time is refused. While
 * it is running the runner is alive: it takes the lock before it goes on. */
#ifndef WEFT_SYNC_GENERATOR_H
#define WEFT_SYNC_GENERATOR_H

#include <weft/generators.h>

#include "base/list.h"
#include "base/spin.h"
#include "fiber/fiber.h"
#include "task/task.h"

enum weft__gen_phase { WEFT__GEN_NEW, WEFT__GEN_SUSPENDED, WEFT__GEN_ENDED };
enum weft__gen_how { WEFT__GEN_SEND, WEFT__GEN_THROW, WEFT__GEN_EXIT };

enum { WEFT__GEN_VALUE_BYTES = 32 };

struct weft_gen {
  weft__spin_t spin;
  bool running;
  bool async; /* asyncio's words for asynchronous generators in its errors */
  weft_task_t *runner;
  enum weft__gen_phase phase;
  size_t item_size;
  weft__fiber_t *fiber;
  weft__fiber_t *caller;
  int status; /* of the body, once ended */
  /* what it returned, to be taken once it has ended; size 0: nothing */
  size_t returned_size;
  unsigned char returned[WEFT__GEN_VALUE_BYTES];
  /* of the resume that is going on */
  enum weft__gen_how how;
  const void *value; /* sent; NULL: nothing */
  int thrown;
  void *item; /* where the yielded item goes; NULL: not wanted */
  /* Ends what the body stands on, once, when the generator is closed, whether or not the body ever ran; may suspend. */
  int (*closed)(void *data);
  void *closed_data;
  /* registry of open ones, under the loop's generators_lock */
  weft_loop_t *loop; /* NULL: in none */
  bool adopted;      /* and shall not be */
  weft__link_t link;
  weft_gen_t **closing; /* where a shutdown remembers it */
  weft_call_t call;
};

/* 0, or a refusal: somebody runs it. what: anext, athrow, aclose. */
int weft__gen_enter(weft_gen_t *gen, const char *what);
bool weft__gen_try_enter(weft_gen_t *gen); /* the same without words */
void weft__gen_leave(weft_gen_t *gen);

/* Between enter and leave. 1: it yielded; 0: it ended; < 0: its error. For WEFT__GEN_THROW the thrown error is the current
 * one. */
int weft__gen_resume(weft_gen_t *gen, enum weft__gen_how how, const void *value, int thrown, void *item);
/* Between enter and leave: close without freeing. */
int weft__gen_finish(weft_gen_t *gen);
/* From now on another generator closes it (or whoever calls this), not the run's end. */
void weft__gen_adopt(weft_gen_t *gen);
/* Nobody else knows it any more. */
void weft__gen_free(weft_gen_t *gen);

/* The generator in whose body the caller runs; NULL: in none. */
weft_gen_t *weft__gen_current(void);
/* If a generator's body suspended on this fiber: the one that resumed it. NULL: it is no such fiber. */
weft__fiber_t *weft__gen_caller_of(const weft__fiber_t *fiber);
/* To the one that resumed it, and back: what the yield answers. */
int weft__gen_suspend(weft_gen_t *gen);

#endif
