/* weft/taskgroups.h: task groups: a block that ends when all its tasks have ended. */
#ifndef WEFT_TASKGROUPS_H
#define WEFT_TASKGROUPS_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

/* A group of a block of this task:
 *     weft_taskgroup_enter(&group);
 *     weft_taskgroup_create_task(&group, fetch_async("a.example", &page));
 *     rc = weft_taskgroup_exit(&group, rc);
 * Embedded. All zero ({0}) is "not entered": every use of it is an error. */
typedef struct weft_taskgroup {
  uint64_t opaque_[16];
} weft_taskgroup_t;

/* weft_taskgroup_enter, TaskGroup.__aenter__: opens the group. group is kept until exit. What goes wrong here (no
 * task, no memory) is answered by exit. */
WEFT_API void weft_taskgroup_enter(weft_taskgroup_t *group);

/* Flags of weft_taskgroup_enter_with. */
enum weft_taskgroup_flags {
  WEFT_TASKGROUP_COLLECT = 1 /* a task that fails does not cancel the others */
};

/* weft_taskgroup_enter_with: likewise, with flags. */
WEFT_API void weft_taskgroup_enter_with(weft_taskgroup_t *group, unsigned flags);

/* weft_taskgroup_create_task, TaskGroup.create_task: a task of the group, by its own task or one of its children. It
 * is borrowed, valid until exit (weft_task_ref keeps it longer); never join or detach it. NULL: not entered, finished or
 * shutting down (WEFT_RUNTIME); no memory or no such call: that fails the group too, so exit answers it and no check is
 * needed. */
WEFT_API weft_task_t *weft_taskgroup_create_task(weft_taskgroup_t *group, weft_call_t call);

/* weft_taskgroup_next [S], Tokio's JoinSet::join_next: waits for the next of the group's tasks that ends, in order of
 * their ends. 1: *task (filled) has ended and is yours now: join it for its status; 0: no task is left. With
 * WEFT_TASKGROUP_COLLECT its error is yours too; otherwise a failure has cancelled the block, and exit answers it.
 * Cancelled: nothing is taken. Before exit, by the group's own task. */
WEFT_API WEFT_NODISCARD int weft_taskgroup_next(weft_taskgroup_t *group, weft_task_t **task);
WEFT_ASYNC_TWIN_2(weft_taskgroup_next, weft_taskgroup_t *, weft_task_t **);

/* weft_taskgroup_exit [S], TaskGroup.__aexit__: waits for all tasks, also those added meanwhile. The first error, or
 * body < 0 (the block's status), cancels the rest. WEFT_GROUP with every error in weft_error()->parts, also for a
 * single one; cancelled from outside and no errors: WEFT_CANCELLED; WEFT_EXIT and WEFT_INTERRUPT come bare; else body.
 * A child that was cancelled alone fails nothing. Must be called on every path, also after an error. */
WEFT_API WEFT_NODISCARD int weft_taskgroup_exit(weft_taskgroup_t *group, int body);
#ifdef __cplusplus
}
#endif
#endif
