/* create_task(f(x)) instead of create_task(f_async(x)). expect: incompatible type|passing 'int' */
#include <weft/tasks.h>

static WEFT_ASYNC(work, int);
static int work(int n) { return n; }
weft_task_t *start(void);
weft_task_t *start(void) {
#ifdef WEFT_MISUSE_CORRECTED
  return weft_create_task(work_async(1));
#else
  return weft_create_task(work(1));
#endif
}
