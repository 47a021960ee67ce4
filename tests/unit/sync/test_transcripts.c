/* test_transcripts.c: random programs for locks, events, conditions, semaphores, barriers and queues, with cancellations
 * anywhere: with one worker, and within a strand of several, what happens and in which order is exactly asyncio's.
 * make_transcripts.py made the programs and says what the operations are. */
#include <stdlib.h>

#include "transcripts.h"
#include "unit/sync/trace.h"

enum { TASKS_MAX = 8 };

typedef struct things {
  weft_lock_t lock;
  weft_event_t event;
  weft_condition_t condition;
  weft_semaphore_t semaphore;
  weft_barrier_t barrier;
  weft_queue_t queue, priority;
  int next;
  weft_task_t *tasks[TASKS_MAX];
} things_t;

static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static void init(things_t *t) {
  memset(t, 0, sizeof *t);
  weft_lock_init(&t->lock);
  weft_event_init(&t->event);
  weft_condition_init(&t->condition, NULL);
  assert_int_equal(weft_bounded_semaphore_init(&t->semaphore, 2), 0);
  assert_int_equal(weft_barrier_init(&t->barrier, 3), 0);
  assert_int_equal(weft_queue_init(&t->queue, sizeof(int), 2), 0);
  assert_int_equal(weft_priority_init(&t->priority, sizeof(int), 2, compare), 0);
}

/* What an operation answers: a number to show, or NOTHING, or an error. */
enum { NOTHING = 1 << 20 };

static int nothing(int rc) { return rc < 0 ? rc : NOTHING; }

static int do_queue(things_t *t, const char *name) {
  weft_queue_t *q = name[0] == 'q' ? &t->queue : &t->priority;
  int item = 0, rc;
  if (name[1] == 'p' || name[1] == 'P') item = name[0] == 'q' ? ++t->next : ++t->next * 7 % 10;
  switch (name[1]) {
  case 'p': return nothing(weft_queue_put(q, &item));
  case 'g': return (rc = weft_queue_get(q, &item)) < 0 ? rc : item;
  case 'P': return nothing(weft_queue_put_nowait(q, &item));
  case 'G': return (rc = weft_queue_get_nowait(q, &item)) < 0 ? rc : item;
  case 'n': return (int)weft_queue_qsize(q);
  case 'd': return nothing(weft_queue_task_done(q));
  case 'j': return nothing(weft_queue_join(q));
  default: weft_queue_shutdown(q, name[1] == 'I'); return NOTHING;
  }
}

static int operate(things_t *t, const char *name) {
  switch (name[0]) {
  case 'y': return nothing(weft_yield());
  case 'a': return nothing(weft_lock_acquire(&t->lock));
  case 'r': return nothing(weft_lock_release(&t->lock));
  case 'l': return weft_lock_locked(&t->lock);
  case 'k': return weft_task_cancel(t->tasks[name[1] - '0'], NULL);
  case 's':
    if (name[1] == 'a') return nothing(weft_semaphore_acquire(&t->semaphore));
    if (name[1] == 'r') return nothing(weft_semaphore_release(&t->semaphore));
    return weft_semaphore_locked(&t->semaphore);
  case 'e':
    if (name[1] == 'w') return nothing(weft_event_wait(&t->event));
    (name[1] == 's' ? weft_event_set : weft_event_clear)(&t->event);
    return NOTHING;
  case 'c':
    if (name[1] == 'a') return nothing(weft_condition_acquire(&t->condition));
    if (name[1] == 'r') return nothing(weft_condition_release(&t->condition));
    if (name[1] == 'w') return nothing(weft_condition_wait(&t->condition));
    if (name[1] == 'N') return nothing(weft_condition_notify_all(&t->condition));
    return nothing(weft_condition_notify(&t->condition, (size_t)(name[1] - '0')));
  case 'b':
    if (name[1] == 'w') return weft_barrier_wait(&t->barrier);
    if (name[1] == 'n') return (int)weft_barrier_n_waiting(&t->barrier);
    return nothing((name[1] == 'a' ? weft_barrier_abort : weft_barrier_reset)(&t->barrier));
  default: return do_queue(t, name);
  }
}

static const char *letter(int rc) {
  switch (rc) {
  case WEFT_CANCELLED: return "X";
  case WEFT_RUNTIME: return "R";
  case WEFT_VALUE: return "V";
  case WEFT_QUEUE_EMPTY: return "E";
  case WEFT_QUEUE_FULL: return "F";
  case WEFT_QUEUE_SHUTDOWN: return "S";
  case WEFT_BROKEN_BARRIER: return "B";
  default: return weft_error_name(rc);
  }
}

static WEFT_ASYNC(body, things_t *, int, const char *);
static int body(things_t *t, int index, const char *operations) {
  char name[8];
  for (int used; sscanf(operations, " %7[^ ,]%n", name, &used) == 1; operations += used) {
    int rc = operate(t, name);
    if (rc < 0)
      mark("%d%s%s", index, name, letter(rc));
    else if (rc == NOTHING || (name[0] == 'q' && name[1] == 'j'))
      mark("%d%s", index, name);
    else
      mark("%d%s%d", index, name, rc);
  }
  return 0;
}

static WEFT_ASYNC(run_program, const char *);
static int run_program(const char *program) {
  things_t *t = malloc(sizeof *t); /* not on a stack that a test of mistakes may have clobbered */
  init(t);
  int count = 0;
  for (const char *text = program; text != NULL; count++) {
    if (*text == ',') text++;
    t->tasks[count] = weft_create_task(body_async(t, count, text));
    text = strchr(text, ',');
  }
  for (int round = 0; round < 40; round++) {
    for (int i = 0; i < 12; i++) weft_ignore(weft_yield());
    for (int i = 0; i < count; i++) weft_task_cancel(t->tasks[i], NULL);
  }
  for (int i = 0; i < count; i++) {
    assert_true(weft_task_done(t->tasks[i]));
    weft_ignore(weft_join(t->tasks[i]));
  }
  weft_queue_destroy(&t->queue);
  weft_queue_destroy(&t->priority);
  free(t);
  return 0;
}

static void check_all(const weft_config_t *config) {
  int failed = 0;
  for (size_t i = 0; i < sizeof transcripts / sizeof *transcripts; i++) {
    trace();
    assert_int_equal(weft_run_with(config, run_program_async(transcripts[i].program)), 0);
    const char *got = trace();
    if (strcmp(got, transcripts[i].transcript) == 0) continue;
    if (failed++ < 5)
      print_error("program  %s\nexpected %s\ngot      %s\n", transcripts[i].program, transcripts[i].transcript, got);
  }
  if (failed > 0) print_error("%d programs differ from asyncio\n", failed);
  assert_int_equal(failed, 0);
}

static void one_worker(void **state) {
  (void)state;
  check_all(&(weft_config_t){.workers = 1});
}

static void serial_on_several(void **state) {
  (void)state;
  check_all(&(weft_config_t){.workers = 3, .serial = true});
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(one_worker), cmocka_unit_test(serial_on_several)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
