/* repr.c: tasks and futures as text, in asyncio's words. A future's outcome is read once; what belongs to it is constant
 * then. */
#include <weft/inspect.h>

#include <errno.h>

#include "inspect/text.h"
#include "task/task.h"

static void add_outcome(weft__text_t *text, const weft_future_t *future, enum weft__outcome outcome) {
  if (outcome == WEFT__ERROR)
    weft__text_add(text, " exception=%s('%s')", future->error->error.name, future->error->error.message);
  else if (outcome == WEFT__RESULT && future->kind == WEFT__KIND_TASK)
    weft__text_add(text, " result=%d", future->value.status);
  else if (outcome == WEFT__RESULT && future->value_size > 0)
    weft__text_add(text, " result=<%u bytes>", future->value_size);
  else if (outcome == WEFT__RESULT)
    weft__text_add(text, " result=None");
}

static const char *state_word(enum weft__outcome outcome, bool cancelling) {
  if (outcome == WEFT__CANCELLED) return "cancelled";
  if (outcome != WEFT__PENDING) return "finished";
  return cancelling ? "cancelling" : "pending";
}

static void add_future(weft__text_t *text, weft_future_t *future, bool deep);

static void add_task(weft__text_t *text, weft_task_t *task, bool deep) {
  char name[128];
  weft__task_copy_name(task, name, sizeof name);
  weft_future_t *awaited = deep ? weft_task_waiting_on(task) : NULL;
  bool cancelling = weft_task_cancelling(task) > 0;
  enum weft__outcome outcome = weft__word_outcome(atom_load(&task->future.word, acquire));
  weft__text_add(text, "<Task %s name='%s' coro=<%s()>", state_word(outcome, cancelling), name,
                 task->call_name != NULL ? task->call_name : "?");
  if (awaited != NULL && outcome == WEFT__PENDING) {
    weft__text_add(text, " wait_for=");
    add_future(text, awaited, false);
  }
  weft_future_unref(awaited);
  add_outcome(text, &task->future, outcome);
  weft__text_add(text, ">");
}

static void add_future(weft__text_t *text, weft_future_t *future, bool deep) {
  if (future->kind == WEFT__KIND_TASK) {
    add_task(text, weft__task_of_future(future), deep);
    return;
  }
  enum weft__outcome outcome = weft__word_outcome(atom_load(&future->word, acquire));
  weft__text_add(text, "<Future %s", state_word(outcome, false));
  add_outcome(text, future, outcome);
  weft__text_add(text, ">");
}

int weft_task_repr(weft_task_t *task, char *text, size_t size) {
  if (task == NULL || (text == NULL && size > 0))
    return weft_fail(-EINVAL, "weft_task_repr: no %s", task == NULL ? "task" : "text");
  weft__text_t whole = weft__text(text, size);
  add_task(&whole, task, true);
  return (int)whole.length;
}

int weft_future_repr(weft_future_t *future, char *text, size_t size) {
  if (future == NULL || (text == NULL && size > 0))
    return weft_fail(-EINVAL, "weft_future_repr: no %s", future == NULL ? "future" : "text");
  weft__text_t whole = weft__text(text, size);
  add_future(&whole, future, true);
  return (int)whole.length;
}
