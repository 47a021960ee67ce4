/* taskgroups.c: asyncio.TaskGroup (3.13): a block that ends when all its tasks have ended.
 *
 *   NOT ENTERED --enter--> OPEN --exit--> WAITING --unfinished is 0--> FINISHED
 *   aborting (set once, in OPEN or WAITING): a child failed, or the body did, or the waiting parent was cancelled
 *
 * A child's end is taken in by its watch, in the parent's strand if it has one, else on any worker; the group's lock makes
 * one sequence of it. What a watch does last is to count `unfinished` down, under the lock; exit does not return before it
 * is 0 and before it held the lock after that, so the group, which lies in the parent's frame, outlives every watch.
 * Who sets `aborting` asks every running child to cancel, one at a time and without the lock, moving each to the list's
 * end first; who was in the midst of creating a child then asks that one itself. */
#include "sync/taskgroups.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "task/task.h"

typedef struct child {
  weft__watch_t watch;
  weft__taskgroup_t *group;
  weft_task_t *task;      /* owned, until exit or until it is handed out */
  weft__link_t link;      /* in running, then in ended */
  weft__link_t in_failed; /* in failed */
  weft__record_t *error;  /* while in failed, owned */
  bool asked;             /* under the group's lock: to cancel, because the group shuts down */
} child_t;

static weft__taskgroup_t *inside(weft_taskgroup_t *group) { return (weft__taskgroup_t *)(void *)group; }

void weft_taskgroup_enter_with(weft_taskgroup_t *public_group, unsigned flags) {
  weft__taskgroup_t *group = inside(public_group);
  memset(public_group, 0, sizeof *public_group);
  group->parent = weft__current_task();
  group->no_task = group->parent == NULL;
  if (group->parent != NULL) group->shields = group->parent->shields;
  group->collect = (flags & WEFT_TASKGROUP_COLLECT) != 0;
  weft__spin_init(&group->lock);
  weft__awaiter_init(&group->progress);
  weft__list_init(&group->running);
  weft__list_init(&group->ended);
  weft__list_init(&group->failed);
}

void weft_taskgroup_enter(weft_taskgroup_t *group) { weft_taskgroup_enter_with(group, 0); }

/* ---- children ---------------------------------------------------------------------------------------------------------- */

static child_t *child_of(weft__link_t *link) { return weft__container_of(link, child_t, link); }

/* By whoever set `aborting`. */
static void cancel_children(weft__taskgroup_t *group) {
  weft__link_t *link;
  weft__spin_lock(&group->lock);
  while ((link = weft__list_first(&group->running)) != NULL && !child_of(link)->asked) {
    child_t *child = child_of(link);
    child->asked = true;
    weft__list_unlink(link);
    weft__list_push_back(&group->running, link);
    weft_task_t *task = weft_task_ref(child->task);
    weft__spin_unlock(&group->lock);
    (void)weft__task_cancel(task, NULL);
    weft_task_unref(task);
    weft__spin_lock(&group->lock);
  }
  weft__spin_unlock(&group->lock);
}

static bool is_base_error(int code) { return code == WEFT_EXIT || code == WEFT_INTERRUPT; }

/* Under the lock: an error more. True if the caller has to abort the group and the parent. */
static bool note_error(weft__taskgroup_t *group, bool abort) {
  group->errors++;
  if (!abort || group->aborting || group->parent_cancelled) return false;
  group->aborting = group->parent_cancelled = true;
  return true;
}

static bool note_failure(weft__taskgroup_t *group, child_t *child, weft__record_t *error) {
  child->error = weft__record_ref(error);
  bool base = is_base_error(error->error.code);
  weft__spin_lock(&group->lock);
  weft__list_push_back(&group->failed, &child->in_failed);
  if (base && group->base == NULL) group->base = weft__record_ref(error);
  bool abort = note_error(group, base || !group->collect);
  weft__spin_unlock(&group->lock);
  return abort;
}

static void abort_all(weft__taskgroup_t *group) {
  cancel_children(group);
  (void)weft__task_request_cancel_as(group->parent, NULL, true, group, group->shields);
}

/* A child has ended, or (NULL) will not be. The group may be gone afterwards. */
static void one_less(weft__taskgroup_t *group, child_t *ended) {
  weft__spin_lock(&group->lock);
  if (ended != NULL) {
    weft__list_unlink(&ended->link);
    weft__list_push_back(&group->ended, &ended->link);
  }
  if (--group->unfinished == 0 || group->waits_for_any) weft__awaiter_release(&group->progress);
  weft__spin_unlock(&group->lock);
}

static void child_done(weft__watch_t *watch) {
  child_t *child = weft__container_of(watch, child_t, watch);
  weft__taskgroup_t *group = child->group;
  weft_future_t *future = &child->task->future;
  weft__word_set(&future->word, WEFT__W_RETRIEVED);
  if (weft__word_outcome(atom_load(&future->word, acquire)) == WEFT__ERROR && note_failure(group, child, future->error))
    abort_all(group);
  one_less(group, child);
}

static void describe(const weft__taskgroup_t *group, char *text, size_t size) {
  char tasks[24] = "", errors[24] = "";
  if (group->unfinished > 0) snprintf(tasks, sizeof tasks, " tasks=%u", group->unfinished);
  if (group->errors > 0) snprintf(errors, sizeof errors, " errors=%u", group->errors);
  const char *state = group->aborting ? " cancelling" : group->parent != NULL ? " entered" : "";
  snprintf(text, size, "<TaskGroup%s%s%s>", tasks, errors, state);
}

/* Counts a child in before it exists; NULL: it may come. */
static const char *reserve(weft__taskgroup_t *group, char *text, size_t size) {
  const char *why = NULL;
  weft__spin_lock(&group->lock);
  if (group->parent == NULL)
    why = "has not been entered";
  else if (group->finished || (group->exiting && group->unfinished == 0))
    why = "is finished";
  else if (group->aborting)
    why = "is shutting down";
  if (why != NULL)
    describe(group, text, size);
  else
    group->unfinished++;
  weft__spin_unlock(&group->lock);
  return why;
}

/* A task that was counted in could not be made; the current record says why. Its creator may not look at the answer, so
 * this fails the group. */
static weft_task_t *not_created(weft__taskgroup_t *group) {
  weft__record_t *record = weft__record_for(weft_error()->code);
  weft__spin_lock(&group->lock);
  bool first = group->not_created == NULL, abort = false;
  if (first) {
    group->not_created = weft__record_ref(record);
    abort = note_error(group, true);
  }
  weft__spin_unlock(&group->lock);
  weft__record_unref(record);
  if (abort) abort_all(group);
  one_less(group, NULL);
  return NULL;
}

weft_task_t *weft_taskgroup_create_task(weft_taskgroup_t *public_group, weft_call_t call) {
  weft__taskgroup_t *group = inside(public_group);
  char text[96];
  const char *why = reserve(group, text, sizeof text);
  if (why != NULL) {
    weft_ignore(weft_fail(WEFT_RUNTIME, "TaskGroup %s %s", text, why));
    return NULL;
  }
  child_t *child = weft__alloc(sizeof *child);
  if (child == NULL) weft_ignore(weft_fail(-ENOMEM, "no memory for task %s of a group", call.name));
  weft_task_t *task = child != NULL ? weft_create_task(call) : NULL;
  if (task == NULL) {
    weft__free(child, sizeof *child);
    return not_created(group);
  }
  child->group = group;
  child->task = task;
  child->error = NULL;
  weft__link_init(&child->link);
  weft__link_init(&child->in_failed);
  weft__spin_lock(&group->lock);
  child->asked = group->aborting; /* the group began to shut down meanwhile */
  weft__list_push_back(&group->running, &child->link);
  bool late = child->asked;
  weft__spin_unlock(&group->lock);
  if (late) (void)weft__task_cancel(task, NULL);
  weft__future_watch_for(&task->future, &child->watch, child_done, NULL, group->parent->strand, &group->parent->future);
  return task;
}

static void free_child(child_t *child) {
  weft_task_unref(child->task);
  weft__record_unref(child->error);
  weft__free(child, sizeof *child);
}

static int check_inside(weft__taskgroup_t *group) {
  char text[96];
  weft__spin_lock(&group->lock);
  const char *why = group->no_task                          ? "cannot determine the parent task"
                    : group->parent == NULL                 ? "has not been entered"
                    : group->finished || group->exiting     ? "is finished"
                    : group->parent != weft__current_task() ? "was entered by another task"
                                                            : NULL;
  if (why != NULL) describe(group, text, sizeof text);
  weft__spin_unlock(&group->lock);
  return why != NULL ? weft_fail(WEFT_RUNTIME, "TaskGroup %s %s", text, why) : 0;
}

/* ---- the next that ended ------------------------------------------------------------------------------------------------- */

/* Under the lock: the longest ended child leaves the group; its node stays where its error still counts. */
static weft_task_t *hand_out(weft__taskgroup_t *group) {
  weft__link_t *link = weft__list_pop_front(&group->ended);
  if (link == NULL) return NULL;
  child_t *child = child_of(link);
  weft_task_t *task = child->task;
  child->task = NULL;
  bool failed = weft__link_linked(&child->in_failed);
  if (failed && group->collect) {
    weft__list_unlink(&child->in_failed); /* the caller's to look at */
    group->errors--;
    failed = false;
  }
  if (!failed) free_child(child);
  return task;
}

int weft_taskgroup_next(weft_taskgroup_t *public_group, weft_task_t **task) {
  weft__taskgroup_t *group = inside(public_group);
  int rc = weft__check_suspend("weft_taskgroup_next");
  if (rc == 0 && task == NULL) rc = weft_fail(-EINVAL, "weft_taskgroup_next: nowhere to put the task");
  if (rc == 0) rc = check_inside(group);
  if (rc < 0) return rc;
  for (;;) {
    weft__spin_lock(&group->lock);
    *task = hand_out(group);
    if (*task != NULL || group->unfinished == 0) break;
    group->waits_for_any = true;
    group->progress.released = false;
    rc = weft__awaiter_park(&group->progress, &group->lock);
    weft__spin_lock(&group->lock);
    group->waits_for_any = false;
    if (rc < 0) break;
    weft__spin_unlock(&group->lock);
  }
  weft__spin_unlock(&group->lock);
  return rc < 0 ? rc : *task != NULL;
}

/* ---- leaving ----------------------------------------------------------------------------------------------------------- */

typedef struct leaving {
  weft__record_t *body;   /* the body's error, owned; NULL: none */
  weft__record_t *cancel; /* the cancellation that leaving shall pass on, owned; NULL: none */
  bool body_is_base;      /* it came before any child's */
} leaving_t;

/* True for exactly one caller. */
static bool start_abort(weft__taskgroup_t *group) {
  weft__spin_lock(&group->lock);
  bool first = !group->aborting;
  group->aborting = true;
  weft__spin_unlock(&group->lock);
  return first;
}

static void wait_for_children(weft__taskgroup_t *group, leaving_t *leaving) {
  weft__hush_t hushed = NULL;
  for (;;) {
    weft__spin_lock(&group->lock);
    if (group->unfinished == 0) break;
    if (weft__awaiter_park(&group->progress, &group->lock) == 0) continue;
    if (hushed == NULL) hushed = weft__hush(group->parent); /* once is enough: we wait to the end in any case */
    if (start_abort(group)) {
      weft__record_unref(leaving->cancel);
      leaving->cancel = weft__record_for(WEFT_CANCELLED);
      cancel_children(group);
    }
  }
  weft__spin_unlock(&group->lock);
  if (hushed != NULL) weft__unhush(group->parent, hushed);
}

/* WEFT_GROUP with the children's errors in the order in which they were met, the body's last. */
static int raise_group(weft__taskgroup_t *group, weft__record_t *body) {
  weft_task_t *parent = group->parent;
  if (weft__task_requests(parent) > 0) { /* somebody else's request: kept, and delivered at the next suspension */
    (void)weft_task_uncancel(parent);
    (void)weft__task_cancel(parent, NULL);
  }
  size_t n = 0, size = (group->errors + 1) * sizeof(weft__record_t *);
  weft__record_t **parts = weft__alloc(size);
  if (parts == NULL) {
    weft__set_error(weft__record_oom());
    return WEFT_GROUP;
  }
  for (weft__link_t *link = group->failed.head.next; link != &group->failed.head; link = link->next)
    parts[n++] = weft__record_ref(weft__container_of(link, child_t, in_failed)->error);
  if (group->not_created != NULL) parts[n++] = weft__record_ref(group->not_created);
  if (body != NULL) parts[n++] = weft__record_ref(body);
  weft__set_error(weft__record_new_group(WEFT_GROUP, "unhandled errors in a TaskGroup", parts, n));
  weft__free(parts, size);
  return WEFT_GROUP;
}

static int raise_record(int code, weft__record_t *record) {
  weft__set_error(weft__record_ref(record));
  return code;
}

/* All children have ended: what the block comes to. */
static int outcome(weft__taskgroup_t *group, leaving_t *leaving, int body) {
  bool cancelled = leaving->cancel != NULL;
  if (group->parent_cancelled && weft__task_uncancel_as(group->parent, group) == 0) cancelled = false;
  if (leaving->body_is_base) return raise_record(body, leaving->body);
  if (group->base != NULL) return raise_record(group->base->error.code, group->base);
  if (cancelled && group->errors == 0) return raise_record(WEFT_CANCELLED, leaving->cancel);
  bool body_failed = body < 0 && body != WEFT_CANCELLED;
  if (group->errors > 0 || body_failed) return raise_group(group, body_failed ? leaving->body : NULL);
  return body < 0 ? raise_record(body, leaving->body) : body;
}

static void free_children(weft__taskgroup_t *group) {
  weft__link_t *link;
  while ((link = weft__list_pop_front(&group->ended)) != NULL) {
    weft__list_unlink(&child_of(link)->in_failed);
    free_child(child_of(link));
  }
  while ((link = weft__list_pop_front(&group->failed)) != NULL)
    free_child(weft__container_of(link, child_t, in_failed));
}

int weft_taskgroup_exit(weft_taskgroup_t *public_group, int body) {
  weft__taskgroup_t *group = inside(public_group);
  int rc = check_inside(group);
  if (rc < 0) return rc;
  leaving_t leaving = {0};
  if (body < 0) leaving.body = weft__record_for(body);
  if (body == WEFT_CANCELLED) leaving.cancel = weft__record_ref(leaving.body);
  weft__spin_lock(&group->lock);
  group->exiting = true;
  group->progress.released = group->unfinished == 0; /* from now on 0 is for good: nothing can be created any more */
  leaving.body_is_base = is_base_error(body) && group->base == NULL;
  weft__spin_unlock(&group->lock);
  if (body < 0 && start_abort(group)) cancel_children(group);
  wait_for_children(group, &leaving);
  rc = outcome(group, &leaving, body);
  weft__record_unref(leaving.body);
  weft__record_unref(leaving.cancel);
  weft__record_unref(group->not_created);
  weft__record_unref(group->base);
  free_children(group);
  group->finished = true;
  return rc;
}
