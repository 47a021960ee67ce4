/* model_word.c: a task's state word (runtime/task/word.h) under the sources that move it: parking and waking (wait.c),
 * cancelling (cancel.c), ending (tasks.c). */
#include "model/tasks.h"

/* What the task that waits is about. */
static weft_task_t *task;
static weft__spin_t lock;
static weft__list_t waiters;
static bool open;          /* under lock */
static int waited, status; /* how the wait ended: 1 not yet; how the task ended */
static bool started, woken, chose, asked;

static void setup(void) {
  model_reset_tasks();
  weft__spin_init(&lock);
  weft__list_init(&waiters);
  open = started = woken = chose = asked = false;
  waited = status = 1;
}

/* sync/waiters.h's way to wait, with the node in the caller's frame. */
static __attribute__((noinline)) int wait_open(void) {
  weft__wait_t wait;
  weft__spin_lock(&lock);
  if (open) {
    weft__spin_unlock(&lock);
    return 0;
  }
  weft__wait_init(&wait);
  weft__list_push_back(&waiters, &wait.node.link);
  int rc = weft__wait_park(&wait, &lock);
  weft__spin_lock(&lock);
  weft__list_unlink(&wait.node.link);
  woken = wait.woken;
  weft__spin_unlock(&lock);
  MODEL_CHECK(rc != 0 || woken);
  return rc;
}

/* Writes where the frame of the wait was: who still reads it races. */
static __attribute__((noinline)) void reuse_frame(void) {
  volatile char frame[512];
  for (unsigned i = 0; i < sizeof frame; i++) frame[i] = 1;
}

static void open_it(void) {
  weft__spin_lock(&lock);
  open = true;
  weft__link_t *link = weft__list_pop_front(&waiters);
  if (link != NULL) chose = weft__wait_wake(weft__container_of(link, weft__wait_t, node.link));
  weft__spin_unlock(&lock);
}

/* ---- wake, cancel ------------------------------------------------------------------------------------------------------ */

static int wait_once(void *arguments) {
  (void)arguments;
  waited = wait_open();
  reuse_frame();
  return status = waited;
}

static void setup_wait(void) {
  setup();
  task = model_create(wait_once);
}

static void run_wake(unsigned index) {
  if (index == 0)
    model_run_task(task);
  else if (index == 1)
    open_it();
  else
    asked = weft__task_cancel(task, NULL);
}

static enum weft__outcome outcome_of(weft_future_t *future) {
  return weft__word_outcome(atom_load(&future->word, relaxed));
}

/* The request was heard: by the wait, or at the task's end; and a request that was refused has no effect. */
static void check_request(void) {
  enum weft__outcome outcome = outcome_of(&task->future);
  MODEL_CHECK(outcome == (asked ? WEFT__CANCELLED : WEFT__RESULT));
  weft_task_unref(task);
  MODEL_CHECK(weft__alloc_count() == 0);
}

static void check_wake(void) {
  MODEL_CHECK(waited == 1 || waited == 0 || waited == WEFT_CANCELLED);
  MODEL_CHECK(!chose || waited == 0 || (asked && woken)); /* chosen: it went on, or knows that it has to pass it on */
  check_request();
}

/* Nobody opens: only the cancellation can end the wait. */
static void run_cancel(unsigned index) {
  if (index == 0)
    model_run_task(task);
  else
    asked = weft__task_cancel(task, NULL);
}

static void check_cancel(void) {
  MODEL_CHECK(asked);
  check_request();
}

/* ---- yield ------------------------------------------------------------------------------------------------------------- */

static int yield_twice(void *arguments) {
  (void)arguments;
  int rc = model_yield();
  if (rc < 0) return rc;
  return model_yield();
}

static void setup_yield(void) {
  setup();
  task = model_create(yield_twice);
}

/* ---- two requests, taken back ------------------------------------------------------------------------------------------ */

/* The first is caught; a second one must strike the second wait or the end. */
static int catch_first(void *arguments) {
  (void)arguments;
  started = true;
  waited = wait_open();
  reuse_frame();
  if (waited == WEFT_CANCELLED) return weft_task_uncancel(task) > 0 ? WEFT_CANCELLED : 0;
  return waited;
}

static void setup_catch(void) {
  setup();
  task = model_create(catch_first);
}

static bool asked_too;

static void run_catch(unsigned index) {
  if (index == 0)
    model_run_task(task);
  else if (index == 1)
    asked = weft__task_cancel(task, NULL);
  else
    asked_too = weft__task_cancel(task, NULL);
}

static void check_catch(void) {
  enum weft__outcome outcome = outcome_of(&task->future);
  MODEL_CHECK(asked || asked_too); /* somebody ended the wait */
  MODEL_CHECK(outcome == (started && !(asked && asked_too) ? WEFT__RESULT : WEFT__CANCELLED));
  weft_task_unref(task);
  MODEL_CHECK(weft__alloc_count() == 0);
}

/* ---- references -------------------------------------------------------------------------------------------------------- */

static int return_at_once(void *arguments) {
  (void)arguments;
  return 0;
}

static void setup_references(void) {
  setup();
  task = model_create(return_at_once);
  weft_task_ref(task); /* the canceller's; the first is the detacher's */
}

static void run_references(unsigned index) {
  if (index == 0) {
    model_run_task(task);
  } else if (index == 1) {
    weft_detach(task);
  } else {
    weft__task_cancel(task, NULL);
    weft_task_unref(task);
  }
}

static void check_references(void) { MODEL_CHECK(weft__alloc_count() == 0); }

const model_scenario_t model_scenarios[] = {
    {.name = "word.wake",
     .property = "of wake and cancel one wins; the task is queued once, and no request is lost",
     .threads = 3,
     .setup = setup_wait,
     .run = run_wake,
     .check = check_wake,
     .bound = 2},
    {.name = "word.cancel",
     .property = "no task sleeps with MUST_CANCEL: a request alone ends a wait",
     .threads = 2,
     .setup = setup_wait,
     .run = run_cancel,
     .check = check_cancel,
     .bound = 4},
    {.name = "word.yield",
     .property = "a request on a task that yields or ends is delivered, or refused",
     .threads = 2,
     .setup = setup_yield,
     .run = run_cancel,
     .check = check_request,
     .bound = 3},
    {.name = "word.catch",
     .property = "two requests: one taken back, the other still strikes",
     .threads = 3,
     .setup = setup_catch,
     .run = run_catch,
     .check = check_catch,
     .bound = 2},
    {.name = "word.references",
     .property = "end, cancel and detach in any order: freed once, touched never after",
     .threads = 3,
     .setup = setup_references,
     .run = run_references,
     .check = check_references,
     .bound = 3},
    {.name = NULL},
};
