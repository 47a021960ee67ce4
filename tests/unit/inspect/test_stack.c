/* test_stack.c: the frames of tasks: what waits is read to its outermost frame, in place and in generators too; what runs
 * elsewhere is not read; looking while everything moves. */
#include "looking.h"

#include "task/schedule.h"

static atomic_int unwound; /* what follows a call, so that it is no tail call */

static WEFT__NOINLINE int deeper(int left);
static int (*volatile call_deeper)(int left) = deeper;
static WEFT__NOINLINE int deeper(int left) {
  int rc = left > 0 ? call_deeper(left - 1) : weft_sleep(WEFT_FOREVER);
  unwound++;
  return rc;
}
static WEFT_ASYNC(sleeper, int);
static int sleeper(int depth) {
  int rc = deeper(depth);
  unwound++;
  return rc;
}

static int end(weft_task_t *task) {
  weft_task_cancel(task, NULL);
  int rc = weft_join(task);
  return rc == WEFT_CANCELLED ? 0 : rc;
}

/* ---- frames ---- */

static WEFT_ASYNC(frames_in_order);
static int frames_in_order(void) {
  enum { DEPTH = 5 };
  weft_task_t *task = weft_create_task(sleeper_async(DEPTH));
  weft_frame_t frames[32];
  EXPECT(weft_task_get_stack(task, NULL, 0) >= 1);
  int count = until_frame(task, "weft_sleep");
  EXPECT(count == 1 + DEPTH + 1 + 1); /* sleeper, deeper (as often as it was called), weft_sleep */
  EXPECT(weft_task_get_stack(task, frames, 32) == count);
  EXPECT(strcmp(frames[0].function, "sleeper") == 0);
  for (int i = 1; i <= DEPTH + 1; i++) EXPECT(strcmp(frames[i].function, "deeper") == 0 && frames[i].offset > 0);
  EXPECT((uintptr_t)frames[1].address - frames[1].offset == (uintptr_t)deeper);
  weft_frame_t newest[3];
  EXPECT(weft_task_get_stack(task, newest, 3) == count); /* the newest ones where there is not room for all */
  EXPECT(memcmp(newest, frames + count - 3, sizeof newest) == 0);
  return end(task);
}

/* Unstarted: its function. Ended: nothing. Itself: to where it asks. */
static WEFT__NOINLINE int ask_about_myself(weft_frame_t *frames, size_t size) {
  int count = weft_task_get_stack(weft_current_task(), frames, size);
  unwound++;
  return count;
}
static WEFT_ASYNC(unstarted_ended_and_self);
static int unstarted_ended_and_self(void) {
  weft_frame_t frames[8];
  weft_task_options_t here = {.worker = 1}; /* where we stand, if we do not suspend */
  weft_task_t *task = weft_create_task_with(sleeper_async(0), &here);
  EXPECT(task != NULL);
  if (weft__loop_workers(weft_get_running_loop()) == 1) {
    EXPECT(weft_task_get_stack(task, frames, 8) == 1);
    EXPECT(strcmp(frames[0].function, "sleeper") == 0);
    EXPECT(frames[0].address == (const void *)(uintptr_t)sleeper_async(0).entry);
  }
  weft_task_cancel(task, NULL);
  EXPECT(weft_await(task) == WEFT_CANCELLED);
  EXPECT(weft_task_get_stack(task, frames, 8) == 0);
  weft_detach(task);
  int count = ask_about_myself(frames, 8);
  EXPECT(count == 2);
  EXPECT(strcmp(frames[0].function, "unstarted_ended_and_self") == 0);
  EXPECT(strcmp(frames[1].function, "ask_about_myself") == 0);
  return 0;
}

/* A queued task, on the loop's only worker: it cannot run while it is looked at. */
static WEFT_ASYNC(yielder);
static int yielder(void) {
  int rc = 0;
  while (rc == 0) rc = weft_yield();
  return rc;
}
static WEFT_ASYNC(queued);
static int queued(void) {
  weft_task_t *task = weft_create_task(yielder_async());
  int rc = weft_yield();
  if (rc < 0) return rc;
  weft_frame_t frames[8];
  int count = weft_task_get_stack(task, frames, 8);
  EXPECT(count == 2);
  EXPECT(strcmp(frames[0].function, "yielder") == 0 && strcmp(frames[1].function, "weft_yield") == 0);
  return end(task);
}

static void test_frames(void **state) {
  (void)state;
  on_1_and_4(frames_in_order_async());
  on_1_and_4(unstarted_ended_and_self_async());
  run_on(1, queued_async());
}

/* ---- every way to suspend shows as the public function ---- */

static weft_lock_t lock;
static weft_event_t event;
static weft_semaphore_t semaphore;
static weft_queue_t queue;
static weft_future_t *never;
static WEFT_ASYNC(nothing);
static int nothing(void) {
  int rc = weft_sleep(WEFT_FOREVER);
  unwound++;
  return rc;
}

static int await_call(void) { return weft_await_call(nothing_async()); }
static int future(void) { return weft_await_future(never, NULL); }
static int join(void) { return weft_join(weft_create_task(nothing_async())); }
static int acquire(void) { return weft_lock_acquire(&lock); }
static int wait_event(void) { return weft_event_wait(&event); }
static int permit(void) { return weft_semaphore_acquire(&semaphore); }
static int get(void) {
  int item;
  return weft_queue_get(&queue, &item);
}
static int gather_both(void) { return weft_gather(nothing_async(), nothing_async()); }
static int wait_first(void) { return weft_wait(&never, 1, WEFT_ALL_COMPLETED, WEFT_FOREVER, NULL); }
static int shielded(void) { return weft_shield(never, NULL); }
static int wait_for(void) { return weft_wait_for(nothing_async(), 1000); }

static const struct suspension {
  int (*how)(void);
  const char *newest;
} suspensions[] = {
    {await_call, "weft_sleep"},     {future, "weft_await_future"},   {join, "weft_join"},
    {acquire, "weft_lock_acquire"}, {wait_event, "weft_event_wait"}, {permit, "weft_semaphore_acquire"},
    {get, "weft_queue_get"},        {gather_both, "weft_gather_n"},  {wait_first, "weft_wait"},
    {shielded, "weft_shield"},      {wait_for, "weft_sleep"},
};

static WEFT_ASYNC(suspend_by, const struct suspension *);
static int suspend_by(const struct suspension *suspension) {
  int rc = suspension->how();
  unwound++;
  return rc;
}
static WEFT_ASYNC(every_suspension);
static int every_suspension(void) {
  weft_lock_init(&lock);
  weft_event_init(&event);
  EXPECT(weft_semaphore_init(&semaphore, 0) == 0 && weft_queue_init(&queue, sizeof(int), 0) == 0);
  EXPECT(weft_lock_acquire(&lock) == 0);
  never = weft_future_open(0);
  EXPECT(never != NULL);
  for (size_t i = 0; i < weft__countof(suspensions); i++) {
    if (suspensions[i].how == future) continue; /* cancelling the waiter would cancel it */
    weft_task_t *task = weft_create_task(suspend_by_async(&suspensions[i]));
    int count = until_frame(task, suspensions[i].newest);
    if (count < 0) return count;
    weft_frame_t frames[8];
    EXPECT(weft_task_get_stack(task, frames, 8) == count);
    EXPECT(strcmp(frames[0].function, "suspend_by") == 0);
    int rc = end(task);
    if (rc < 0) return rc;
  }
  weft_task_t *task = weft_create_task(suspend_by_async(&suspensions[1]));
  int count = until_frame(task, suspensions[1].newest);
  if (count < 0) return count;
  int rc = end(task);
  weft_future_unref(never);
  weft_queue_destroy(&queue);
  return rc;
}

static void test_suspensions(void **state) {
  (void)state;
  on_1_and_4(every_suspension_async());
}

/* ---- in place, and in generators ---- */

/* The chain of joins runs on one stack where it may; whoever is asked, its own frames are answered. */
static _Atomic(weft_task_t *) chain[4];
static WEFT_ASYNC(link_of, int);
static WEFT__NOINLINE int go_on(int level) {
  int rc;
  if (level == 3) {
    rc = weft_sleep(WEFT_FOREVER);
  } else {
    weft_task_t *next = weft_create_task(link_of_async(level + 1));
    chain[level + 1] = next;
    rc = weft_join(next);
  }
  unwound++;
  return rc;
}
static int link_of(int level) {
  int rc = go_on(level);
  unwound++;
  return rc;
}
static WEFT_ASYNC(in_place);
static int in_place(void) {
  for (int i = 0; i < 4; i++) chain[i] = NULL;
  chain[0] = weft_create_task(link_of_async(0));
  int rc = 0;
  for (int i = 0; i < 20000 && rc == 0 && chain[3] == NULL; i++) rc = weft_sleep(0.0005);
  if (rc == 0) rc = until_frame(chain[3], "weft_sleep");
  if (rc < 0) return rc;
  for (int i = 0; i < 4; i++) {
    weft_frame_t frames[8];
    EXPECT(weft_task_get_stack(chain[i], frames, 8) == 3);
    EXPECT(strcmp(frames[0].function, "link_of") == 0 && strcmp(frames[1].function, "go_on") == 0);
    EXPECT(strcmp(frames[2].function, i == 3 ? "weft_sleep" : "weft_join") == 0);
  }
  return end(chain[0]);
}

static WEFT_ASYNC(body);
static int body(void) {
  int rc = weft_sleep(WEFT_FOREVER);
  unwound++;
  return rc;
}
static WEFT_ASYNC(pulls, weft_gen_t **);
static int pulls(weft_gen_t **out) {
  weft_gen_t *gen = *out = weft_gen_open(body_async(), 0);
  int rc = weft_gen_next(gen, NULL);
  unwound++;
  weft_ignore(weft_gen_close(gen));
  return rc;
}
static WEFT_ASYNC(in_generator);
static int in_generator(void) {
  weft_gen_t *gen;
  weft_task_t *task = weft_create_task(pulls_async(&gen));
  weft_frame_t frames[8];
  int rc = until_frame(task, "weft_sleep");
  if (rc < 0) return rc;
  int count = weft_task_get_stack(task, frames, 8);
  int below = frame_of(frames, count, "pulls"), next = frame_of(frames, count, "weft_gen_next");
  if (count > 8) weft_task_print_stack(task, 0, stderr);
  EXPECT(count >= 4 && count <= 8 && below == 0 && next == 1 && frame_of(frames, count, "body") == count - 2);
  EXPECT(frame_of(frames, count, "body_main") < 0 && frame_of(frames, count, "first_run") < 0);
  return end(task);
}

static void test_in_place(void **state) {
  (void)state;
  for (int i = 0; i < 10; i++) on_1_and_4(in_place_async());
  on_1_and_4(in_generator_async());
}

/* ---- while it runs, and while everything moves ---- */

static atomic_bool started, let_go;
static WEFT_ASYNC(busy);
static WEFT__NOINLINE int spin(void) {
  atomic_store(&started, true);
  time_t limit = time(NULL) + 60;
  while (!atomic_load(&let_go) && time(NULL) < limit) {
  }
  return 0;
}
static int busy(void) {
  int rc = spin();
  unwound++;
  return rc;
}
static WEFT_ASYNC(runs_elsewhere);
static int runs_elsewhere(void) {
  atomic_store(&started, false);
  atomic_store(&let_go, false);
  weft_task_t *task = weft_create_task(busy_async());
  int rc = 0;
  while (rc == 0 && !atomic_load(&started)) rc = weft_sleep(0.001);
  weft_frame_t frames[8];
  int count = weft_task_get_stack(task, frames, 8);
  atomic_store(&let_go, true);
  if (rc == 0) rc = weft_join(task);
  EXPECT(count == 1 && strcmp(frames[0].function, "busy") == 0);
  return rc;
}

static void test_running(void **state) {
  (void)state;
  run_on(4, runs_elsewhere_async());
}

static _Atomic(weft_loop_t *) moving_loop;
static atomic_long looks;

static WEFT_ASYNC(mover, int);
static WEFT__NOINLINE int move(int left) {
  int rc = left % 3 == 0   ? weft_yield()
           : left % 3 == 1 ? weft_sleep(0.0001)
                           : weft_join(weft_create_task(mover_async(0)));
  unwound++;
  return rc;
}
static int mover(int steps) {
  int rc = 0;
  while (rc == 0 && steps-- > 0) rc = move(steps);
  return rc;
}

/* Every answer is a sound one: from the task's function inwards, no frame of unknown code. */
static void look_at_all(weft_loop_t *loop) {
  weft_task_t *tasks[64];
  int count = weft_all_tasks(loop, tasks, 64);
  for (int i = 0; i < count && i < 64; i++) {
    weft_frame_t frames[24];
    int depth = weft_task_get_stack(tasks[i], frames, 24);
    if (depth < 0 || depth > 24) abort();
    for (int j = 0; j < depth; j++)
      if (frames[j].function[0] == '\0') abort();
    weft_call_t call;
    if (weft_task_get_coro(tasks[i], &call) != 0) abort();
    if (depth > 0 && strcmp(frames[0].function, call.name) != 0) {
      weft_task_print_stack(tasks[i], 0, stderr);
      abort();
    }
    weft_task_unref(tasks[i]);
    atomic_fetch_add(&looks, 1);
  }
}

static int look_from_outside(void *stop) {
  while (!atomic_load((atomic_bool *)stop)) look_at_all(atomic_load(&moving_loop));
  return 0;
}
static WEFT_ASYNC(look_from_inside, atomic_bool *);
static int look_from_inside(atomic_bool *stop) {
  int rc = 0;
  while (rc == 0 && !atomic_load(stop)) {
    look_at_all(weft_get_running_loop());
    rc = weft_yield();
  }
  return rc;
}
static WEFT_ASYNC(everything_moves);
static int everything_moves(void) {
  enum { MOVERS = 8 };
  atomic_bool stop = false;
  atomic_store(&moving_loop, weft_get_running_loop());
  bool outside = weft__loop_workers(weft_get_running_loop()) > 1; /* all_tasks of one worker is asked there */
  weft__thread_t thread;
  if (outside) EXPECT(weft__thread_start(&thread, look_from_outside, &stop, "looker") == 0);
  weft_task_t *looker = weft_create_task(look_from_inside_async(&stop)), *movers[MOVERS];
  for (int i = 0; i < MOVERS; i++) movers[i] = weft_create_task(mover_async(scaled(600)));
  int rc = 0;
  for (int i = 0; i < MOVERS; i++) {
    int one = weft_join(movers[i]);
    rc = rc < 0 ? rc : one;
  }
  atomic_store(&stop, true);
  int one = weft_join(looker);
  if (outside) weft__thread_join(thread);
  return rc < 0 ? rc : one;
}

static void test_moving(void **state) {
  (void)state;
  atomic_store(&looks, 0);
  on_1_and_4(everything_moves_async());
  assert_true(atomic_load(&looks) > 0);
}

/* ---- bad input, no memory ---- */

static WEFT_ASYNC(no_memory);
static int no_memory(void) {
  weft_task_t *task = weft_create_task(sleeper_async(2));
  int rc = until_frame(task, "weft_sleep");
  if (rc < 0) return rc;
  bool failed = true;
  for (long n = 1; failed && n < 100; n++) {
    weft_frame_t frames[8];
    weft__alloc_fail_after(n);
    int count = weft_task_get_stack(task, frames, 8);
    failed = weft__alloc_failed();
    weft__alloc_fail_after(-1);
    EXPECT(count == -ENOMEM ||
           (count >= 1 && (failed || count == 5))); /* without memory for names: fewer may be told */
  }
  EXPECT(!failed);
  return end(task);
}

static void test_misuse(void **state) {
  (void)state;
  weft_frame_t frame;
  assert_int_equal(weft_task_get_stack(NULL, &frame, 1), -EINVAL);
  assert_int_equal(weft_task_print_stack(NULL, 0, stderr), -EINVAL);
  assert_int_equal(weft_task_created_at(NULL, &frame), -EINVAL);
  weft_call_t call;
  assert_int_equal(weft_task_get_coro(NULL, &call), -EINVAL);
  run_on(1, no_memory_async());
}

/* ---- as text ---- */

static WEFT_ASYNC(printed);
static int printed(void) {
  weft_task_t *task = weft_create_task_with(sleeper_async(1), &(weft_task_options_t){.name = "deep"});
  int rc = until_frame(task, "weft_sleep");
  if (rc < 0) return rc;
  char text[2000] = "";
  FILE *file = fmemopen(text, sizeof text, "w");
  EXPECT(file != NULL);
  EXPECT(weft_task_print_stack(task, 0, file) == 0);
  fclose(file);
  const char *head = strstr(text, "Stack for <Task pending name='deep' coro=<sleeper()>> (most recent call last):\n");
  EXPECT(head == text);
  const char *first = strstr(text, "\n  sleeper+0x"), *last = strstr(text, "\n  weft_sleep+0x");
  EXPECT(first != NULL && last != NULL && first < last);
  memset(text, 0, sizeof text);
  file = fmemopen(text, sizeof text, "w");
  EXPECT(file != NULL && weft_task_print_stack(task, 1, file) == 0);
  fclose(file);
  EXPECT(strstr(text, "sleeper+0x") == NULL && strstr(text, "weft_sleep+0x") != NULL);
  weft_frame_t created;
  EXPECT(weft_task_created_at(task, &created) == 0 && strcmp(created.function, "printed") == 0 && created.offset > 0);
  rc = end(task);
  return rc;
}

static void test_printed(void **state) {
  (void)state;
  on_1_and_4(printed_async());
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_frames),   cmocka_unit_test(test_suspensions),
                                     cmocka_unit_test(test_in_place), cmocka_unit_test(test_running),
                                     cmocka_unit_test(test_moving),   cmocka_unit_test(test_misuse),
                                     cmocka_unit_test(test_printed)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
