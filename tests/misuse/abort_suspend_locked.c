/* A task that suspends with the libuv loop locked, in debug mode: another worker would wait for the lock for ever.
 * expect: task holder suspends with the libuv loop locked */
#include <weft.h>

static WEFT_ASYNC(holder);
static int holder(void) {
  int rc = weft_task_set_name(weft_current_task(), "holder");
  if (rc < 0 || weft_loop_uv_lock(weft_get_running_loop()) == NULL) return rc;
  return weft_sleep(0.01);
}

int main(void) { return weft_run_with(&(weft_config_t){.workers = 2, .debug = true}, holder_async()); }
