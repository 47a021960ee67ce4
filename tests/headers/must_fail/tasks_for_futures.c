/* must not compile: incompatible pointer */
#include <weft.h>
static WEFT_ASYNC(both, weft_task_t **);
static int both(weft_task_t **tasks) {
#ifdef RIGHT
  return weft_gather_tasks(tasks, 2, NULL, 0);
#else
  return weft_gather_futures(tasks, 2, NULL, 0);
#endif
}
int main(void) { return weft_run(both_async(NULL)); }
