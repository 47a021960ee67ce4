/* Handed over, then cancelled before it could be used: one worker, so that the moment between the two is certain. What one
 * waiter could not use reaches the next. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <weft.h>

#define RETURN_UNLESS(condition)                                                                                       \
  do {                                                                                                                 \
    if (!(condition)) return (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), -EILSEQ);                \
  } while (0)

static void run_alone(weft_call_t call) {
  weft_config_t config = {.workers = 1, .virtual_time = true};
  assert_int_equal(weft_run_with(&config, call), 0);
}
static int in_time(weft_task_t *task) { return weft_wait_for_future(weft_task_future(task), 100, NULL); }

static WEFT_ASYNC(getters);
static int getters(void) {
  weft_queue_t queue;
  int first = 0, second = 0, item = 7;
  RETURN_UNLESS(weft_queue_init(&queue, sizeof item, 0) == 0);
  weft_task_t *a = weft_create_task(weft_queue_get_async(&queue, &first));
  weft_task_t *b = weft_create_task(weft_queue_get_async(&queue, &second));
  RETURN_UNLESS(weft_sleep(1) == 0); /* both wait */
  RETURN_UNLESS(weft_queue_put_nowait(&queue, &item) == 0 && weft_task_cancel(a, NULL));
  RETURN_UNLESS(weft_join(a) == WEFT_CANCELLED && first == 0);
  RETURN_UNLESS(in_time(b) == 0 && weft_join(b) == 0 && second == 7);
  weft_queue_destroy(&queue);
  return 0;
}

static WEFT_ASYNC(putters);
static int putters(void) {
  weft_queue_t queue;
  int got, items[] = {1, 2, 3};
  RETURN_UNLESS(weft_queue_init(&queue, sizeof got, 1) == 0 && weft_queue_put_nowait(&queue, &items[0]) == 0);
  weft_task_t *a = weft_create_task(weft_queue_put_async(&queue, &items[1]));
  weft_task_t *b = weft_create_task(weft_queue_put_async(&queue, &items[2]));
  RETURN_UNLESS(weft_sleep(1) == 0);
  RETURN_UNLESS(weft_queue_get_nowait(&queue, &got) == 0 && got == 1 && weft_task_cancel(a, NULL));
  RETURN_UNLESS(weft_join(a) == WEFT_CANCELLED);
  RETURN_UNLESS(in_time(b) == 0 && weft_join(b) == 0);
  RETURN_UNLESS(weft_queue_get_nowait(&queue, &got) == 0 && got == 3); /* the cancelled one's never entered */
  weft_queue_destroy(&queue);
  return 0;
}
static void an_item_or_a_place_reaches_the_next(void **state) {
  (void)state;
  run_alone(getters_async());
  run_alone(putters_async());
}

static WEFT_ASYNC(permits);
static int permits(void) {
  weft_semaphore_t semaphore;
  RETURN_UNLESS(weft_semaphore_init(&semaphore, 0) == 0);
  weft_task_t *a = weft_create_task(weft_semaphore_acquire_async(&semaphore));
  RETURN_UNLESS(weft_sleep(1) == 0);
  weft_semaphore_release(&semaphore);
  weft_semaphore_release(&semaphore);
  RETURN_UNLESS(weft_semaphore_locked(&semaphore)); /* there is one to spare, but its turn is not over */
  RETURN_UNLESS(weft_join(a) == 0 && !weft_semaphore_locked(&semaphore));
  RETURN_UNLESS(weft_semaphore_acquire(&semaphore) == 0 && weft_semaphore_locked(&semaphore));
  return 0;
}
static void newcomers_wait_until_the_chosen_one_has_run(void **state) {
  (void)state;
  run_alone(permits_async());
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_item_or_a_place_reaches_the_next),
      cmocka_unit_test(newcomers_wait_until_the_chosen_one_has_run),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
