/* model_futures.c: completion, waiting, cancelling through chains, watches (runtime/task/futures.c, wait.c, cancel.c).
 * ctest: timeout=300 */
#include "model/tasks.h"

static weft_future_t *future;
static weft_task_t *tasks[MODEL_TASKS];
static int completed, status[MODEL_TASKS];
static bool asked;

static void setup(void) {
  model_reset_tasks();
  future = weft_loop_create_future(model_loop, sizeof(uint64_t));
  memset(tasks, 0, sizeof tasks);
  for (int i = 0; i < MODEL_TASKS; i++) status[i] = 1;
  completed = 1;
  asked = false;
}

static enum weft__outcome outcome_of(weft_future_t *of) { return weft__word_outcome(atom_load(&of->word, relaxed)); }

/* A refusal means that the task has ended.
 * ctest: timeout=300 */
static void cancel_first(void) {
  asked = weft__task_cancel(tasks[0], NULL);
  MODEL_CHECK(asked || weft__future_done(&tasks[0]->future));
}

static void complete_it(void) {
  uint64_t value = 42;
  completed = weft__future_complete(future, WEFT__RESULT, &value, NULL);
}

/* Whoever waits in this frame writes over it afterwards: a waker that comes late races. */
static __attribute__((noinline)) void reuse_frame(void) {
  volatile char frame[768];
  for (unsigned i = 0; i < sizeof frame; i++) frame[i] = 1;
}

static __attribute__((noinline)) int await_value(void) {
  uint64_t value = 0;
  int rc = weft_await_future(future, &value);
  MODEL_CHECK(rc != 0 || value == 42);
  return rc;
}

static int await_future(void *arguments) {
  (void)arguments;
  int rc = await_value();
  reuse_frame();
  return rc;
}

static void everything_freed(void) {
  for (int i = 0; i < MODEL_TASKS; i++)
    if (tasks[i] != NULL) weft_task_unref(tasks[i]);
  if (future != NULL) weft_future_unref(future);
  MODEL_CHECK(weft__alloc_count() == 0);
}

/* ---- two waiters ------------------------------------------------------------------------------------------------------- */

static void setup_wake(void) {
  setup();
  tasks[0] = model_create(await_future);
  tasks[1] = model_create(await_future);
}
static void run_wake(unsigned index) {
  if (index < 2)
    model_run_task(tasks[index]);
  else
    complete_it();
}
static void check_wake(void) {
  MODEL_CHECK(completed == 0);
  for (int i = 0; i < 2; i++) {
    MODEL_CHECK(outcome_of(&tasks[i]->future) == WEFT__RESULT);
    MODEL_CHECK(((model_task_t *)tasks[i])->resumed <= 1);
  }
  everything_freed();
}

/* ---- two ends ---------------------------------------------------------------------------------------------------------- */

static int second;

static void setup_ends(void) {
  setup();
  tasks[0] = model_create(await_future);
}
static void run_ends(unsigned index) {
  uint64_t value = 42;
  if (index == 0)
    model_run_task(tasks[0]);
  else if (index == 1)
    complete_it();
  else
    second = weft__future_complete(future, WEFT__RESULT, &value, NULL);
}
static void check_ends(void) {
  MODEL_CHECK((completed == 0) != (second == 0));
  MODEL_CHECK(outcome_of(&tasks[0]->future) == WEFT__RESULT);
  everything_freed();
}

/* ---- a future that goes with its waiter: rule 3 ------------------------------------------------------------------------ */

static int await_and_drop(void *arguments) {
  (void)arguments;
  int rc = await_value();
  weft_future_unref(future); /* the last reference: who completes has none */
  return rc;
}
static void setup_drop(void) {
  setup();
  tasks[0] = model_create(await_and_drop);
}
static void run_drop(unsigned index) {
  if (index == 0)
    model_run_task(tasks[0]);
  else
    complete_it();
}
static void check_drop(void) {
  future = NULL;
  MODEL_CHECK(outcome_of(&tasks[0]->future) == WEFT__RESULT);
  everything_freed();
}

/* ---- a cancelled waiter ------------------------------------------------------------------------------------------------ */

static void setup_cancel(void) {
  setup();
  tasks[0] = model_create(await_future);
}
static void run_cancel(unsigned index) {
  if (index == 0)
    model_run_task(tasks[0]);
  else if (index == 1)
    complete_it();
  else
    cancel_first();
}
static void check_cancel(void) {
  MODEL_CHECK(outcome_of(&tasks[0]->future) == (asked ? WEFT__CANCELLED : WEFT__RESULT));
  MODEL_CHECK(outcome_of(future) == (completed == 0 ? WEFT__RESULT : WEFT__CANCELLED));
  MODEL_CHECK(completed == 0 || asked);
  everything_freed();
}

/* ---- a chain: the first awaits the second, which awaits the future ------------------------------------------------------- */

static __attribute__((noinline)) int join_second(void) {
  int rc = weft_await(tasks[1]);
  return rc;
}
static int await_second(void *arguments) {
  (void)arguments;
  int rc = join_second();
  reuse_frame();
  return rc;
}
static void setup_chain(void) {
  setup();
  tasks[0] = model_create(await_second);
  tasks[1] = model_create(await_future);
}
static void run_chain(unsigned index) {
  if (index < 2)
    model_run_task(tasks[index]);
  else if (index == 2)
    complete_it();
  else
    cancel_first();
}
static void check_chain(void) {
  MODEL_CHECK(outcome_of(&tasks[0]->future) == (asked ? WEFT__CANCELLED : WEFT__RESULT));
  MODEL_CHECK(outcome_of(&tasks[1]->future) == WEFT__RESULT || asked);
  everything_freed();
}

/* Nobody completes the future: the request alone has to end it all. */
static void run_alone(unsigned index) {
  if (index == 0)
    model_run_task(tasks[0]);
  else
    cancel_first();
}
static void check_alone(void) {
  MODEL_CHECK(asked && outcome_of(&tasks[0]->future) == WEFT__CANCELLED);
  everything_freed();
}

/* ---- a child's results in its parent's frame ----------------------------------------------------------------------------- */

static int *result_of_child;

static int write_result(void *arguments) {
  (void)arguments;
  *result_of_child = 7;
  return 0;
}
static int read_result(void *arguments) {
  (void)arguments;
  int rc = weft_await(tasks[1]);
  if (rc == 0) MODEL_CHECK(*result_of_child == 7);
  *result_of_child = 0;
  return 0;
}
static void setup_result(void) {
  setup();
  result_of_child = weft__alloc(sizeof *result_of_child);
  tasks[0] = model_create(read_result);
  tasks[1] = model_create(write_result);
}
static void run_result(unsigned index) { model_run_task(tasks[index]); }
static void check_result(void) {
  MODEL_CHECK(outcome_of(&tasks[0]->future) == WEFT__RESULT);
  weft__free(result_of_child, sizeof *result_of_child);
  everything_freed();
}

/* ---- a child in its parent's frame ----------------------------------------------------------------------------------------- */

static int yield_once(void *arguments) {
  (void)arguments;
  return model_any(2) == 0 ? 0 : model_yield();
}
/* The handle goes with the join: a canceller on its way to the child has a reference of its own, or never saw it. */
static int join_child(void *arguments) {
  (void)arguments;
  weft_task_t *child = tasks[1];
  tasks[1] = NULL;
  return weft_join(child);
}
static void setup_place(void) {
  setup();
  tasks[0] = model_create(join_child);
  tasks[1] = model_create(yield_once);
}
/* A child that was never taken: the parent was cancelled before its first line. */
static void drop_unstarted(void) {
  if (tasks[1] != NULL && outcome_of(&tasks[1]->future) == WEFT__PENDING) weft__task_abandon(tasks[1]);
}
static void check_place(void) {
  MODEL_CHECK(outcome_of(&tasks[0]->future) == (asked ? WEFT__CANCELLED : WEFT__RESULT));
  drop_unstarted();
  everything_freed();
}
static void setup_place_alone(void) {
  setup();
  tasks[0] = model_create(await_second);
  tasks[1] = model_create(await_future);
}
static void check_place_alone(void) {
  MODEL_CHECK(asked && outcome_of(&tasks[0]->future) == WEFT__CANCELLED);
  drop_unstarted();
  everything_freed();
}

/* ---- watches ------------------------------------------------------------------------------------------------------------- */

static weft__watch_t *watch;
static unsigned ran;
static bool withdrawn;

static void on_done(weft__watch_t *which) {
  MODEL_CHECK(which == watch && outcome_of(future) == WEFT__RESULT && future->value.bytes[0] == 42);
  ran++;
}
static void setup_watch(void) {
  setup();
  watch = weft__alloc(sizeof *watch);
  ran = 0;
  withdrawn = false;
}
static void run_watch_scenario(unsigned index) {
  if (index == 0) {
    weft__future_watch(future, watch, on_done, NULL);
    withdrawn = weft__future_unwatch(future, watch);
  } else {
    complete_it();
  }
}
static void check_watch(void) {
  MODEL_CHECK(ran == !withdrawn);
  weft__free(watch, sizeof *watch);
  everything_freed();
}

const model_scenario_t model_scenarios[] = {
    {.name = "futures.wake",
     .property = "no lost wake-up: each waiter is woken once and sees the value",
     .threads = 3,
     .setup = setup_wake,
     .run = run_wake,
     .check = check_wake,
     .bound = 2},
    {.name = "futures.ends",
     .property = "of two ends one wins",
     .threads = 3,
     .setup = setup_ends,
     .run = run_ends,
     .check = check_ends,
     .bound = 2},
    {.name = "futures.drop",
     .property = "rule 3: who completes touches neither future nor waiter afterwards",
     .threads = 2,
     .setup = setup_drop,
     .run = run_drop,
     .check = check_drop,
     .bound = 4},
    {.name = "futures.cancel",
     .property = "completion and cancellation: one wins, no request is lost",
     .threads = 3,
     .setup = setup_cancel,
     .run = run_cancel,
     .check = check_cancel,
     .bound = 2},
    {.name = "futures.chain",
     .property = "a request on a chain of awaits strikes, wherever the chain is ending",
     .threads = 4,
     .setup = setup_chain,
     .run = run_chain,
     .check = check_chain,
     .bound = 1},
    {.name = "futures.alone",
     .property = "a request alone ends a wait, whatever the task was doing",
     .threads = 2,
     .setup = setup_cancel,
     .run = run_alone,
     .check = check_alone,
     .bound = 4},
    {.name = "futures.place",
     .property = "a request while a child runs in its parent's frame is heard, nothing freed is touched",
     .threads = 2,
     .setup = setup_place,
     .run = run_alone,
     .check = check_place,
     .bound = 4},
    {.name = "futures.place_alone",
     .property = "and it ends the wait of such a child",
     .threads = 2,
     .setup = setup_place_alone,
     .run = run_alone,
     .check = check_place_alone,
     .bound = 4},
    {.name = "futures.result",
     .property = "what a child wrote is there when its await returns",
     .threads = 2,
     .setup = setup_result,
     .run = run_result,
     .check = check_result,
     .bound = 4},
    {.name = "futures.watch",
     .property = "a watch runs once, or was withdrawn",
     .threads = 2,
     .setup = setup_watch,
     .run = run_watch_scenario,
     .check = check_watch,
     .bound = 4},
    {.name = NULL},
};
