/* A future outlives its loop and is completed with a callback on it: asyncio says "Event loop is closed"; whatever is
 * answered, nothing of the closed loop may be touched. */
#include <stdio.h>
#include <weft.h>

static int ran;
static int count(weft_future_t *future, void *data) {
  (void)future, (void)data;
  ran++;
  return 0;
}

int main(void) {
  for (unsigned workers = 1; workers <= 4; workers += 3) {
    weft_config_t config = {.workers = workers};
    weft_loop_t *loop;
    if (weft_loop_open(&config, &loop) < 0) return 1;
    weft_future_t *future = weft_loop_create_future(loop, 0);
    if (future == NULL || weft_future_add_done_callback(future, count, NULL) < 0) return 1;
    weft_loop_close(loop);
    weft_ignore(weft_future_set_done(future));
    if (!weft_future_done(future)) return 1;
    weft_future_unref(future);
  }
  printf("callbacks run on a closed loop: %d\n", ran);
  return ran != 0;
}
