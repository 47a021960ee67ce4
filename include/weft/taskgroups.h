/* weft/taskgroups.h: task groups: children that end before the block does. */
#ifndef WEFT_TASKGROUPS_H
#define WEFT_TASKGROUPS_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_taskgroup {
  uint64_t opaque_[10];
} weft_taskgroup_t;
WEFT_API void weft_taskgroup_enter(weft_taskgroup_t *group);
/* borrowed, valid until exit; a failure shows at exit */
WEFT_API weft_task_t *weft_taskgroup_create_task(weft_taskgroup_t *group, weft_call_t call);
/* [S] WEFT_GROUP with its parts; a failing body cancels the rest */
WEFT_API WEFT_NODISCARD int weft_taskgroup_exit(weft_taskgroup_t *group, int body);
#ifdef __cplusplus
}
#endif
#endif
