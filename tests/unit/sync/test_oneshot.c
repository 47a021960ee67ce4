/* test_oneshot.c: oneshot: both ends going in every order, sizes, misuse, foreign senders. */
#include <errno.h>

#include "base/threads.h"
#include "unit/sync/trace.h"

static void show(const char *what, int rc) { mark("%s %s", what, weft_error_name(rc)); }

static WEFT_ASYNC(receives, weft_oneshot_t *, const char *);
static int receives(weft_oneshot_t *o, const char *name) {
  int item = 0, rc = weft_oneshot_recv(o, &item);
  mark("%s %s %d", name, weft_error_name(rc), item);
  return rc;
}

static WEFT_ASYNC(scenes);
static int scenes(void) {
  weft_oneshot_t o;
  int item = 7, got = 0;
  int rc = weft_oneshot_init(&o, sizeof item);
  show("empty", weft_oneshot_try_recv(&o, &got));
  weft_task_t *a = weft_create_task(receives_async(&o, "a"));
  weft_ignore(weft_yield());
  weft_task_cancel(a, NULL);
  weft_ignore(weft_join(a));
  a = weft_create_task(receives_async(&o, "a"));
  weft_task_t *b = weft_create_task(receives_async(&o, "b"));
  weft_ignore(weft_yield());
  show("send", weft_oneshot_send(&o, &item));
  show("again", weft_oneshot_send(&o, &item));
  weft_task_cancel(a, NULL); /* woken for it: it goes to b */
  weft_ignore(weft_join(a));
  weft_ignore(weft_join(b));
  show("taken", weft_oneshot_try_recv(&o, &got));
  weft_oneshot_close_sender(&o); /* too late to matter */
  show("taken", weft_oneshot_recv(&o, &got));
  weft_oneshot_destroy(&o);
  /* the sender goes */
  rc = rc < 0 ? rc : weft_oneshot_init(&o, sizeof item);
  a = weft_create_task(receives_async(&o, "a"));
  weft_ignore(weft_yield());
  weft_oneshot_close_sender(&o);
  weft_ignore(weft_join(a));
  show("gone", weft_oneshot_send(&o, &item));
  weft_oneshot_destroy(&o);
  /* the receiver goes: before, and after the send */
  rc = rc < 0 ? rc : weft_oneshot_init(&o, sizeof item);
  a = weft_create_task(weft_oneshot_wait_closed_async(&o));
  weft_ignore(weft_yield());
  weft_oneshot_close_receiver(&o);
  show("wait", weft_join(a));
  show("wait", weft_oneshot_wait_closed(&o));
  show("closed", weft_oneshot_send(&o, &item));
  weft_oneshot_destroy(&o);
  rc = rc < 0 ? rc : weft_oneshot_init(&o, sizeof item);
  show("send", weft_oneshot_send(&o, &item));
  weft_oneshot_close_receiver(&o);
  show("still", weft_oneshot_recv(&o, &got));
  weft_oneshot_destroy(&o);
  return rc;
}

static void both_ends(void **state) {
  (void)state;
  assert_int_equal(run1(scenes_async()), 0);
  assert_trace(
      "empty QueueEmpty a CancelledError 0 send OK again InvalidStateError a CancelledError 0 b OK 7 "
      "taken InvalidStateError taken InvalidStateError a QueueShutDown 0 gone InvalidStateError wait OK wait OK "
      "closed QueueShutDown send OK still OK");
}

static void sizes_and_memory(void **state) {
  (void)state;
  weft_oneshot_t o;
  assert_int_equal(weft_oneshot_init(&o, 0), -EINVAL);
  weft_oneshot_destroy(&o);
  weft__alloc_fail_after(1);
  assert_int_equal(weft_oneshot_init(&o, 1000), -ENOMEM);
  weft__alloc_fail_after(-1);
  weft_oneshot_destroy(&o);
  static const size_t sizes[] = {1, 32, 33, 1000};
  for (int i = 0; i < 4; i++) {
    unsigned char sent[1000], got[1000] = {0};
    for (size_t j = 0; j < sizes[i]; j++) sent[j] = (unsigned char)(j * 7 + 1);
    assert_int_equal(weft_oneshot_init(&o, sizes[i]), 0);
    assert_int_equal(weft_oneshot_send_sized(&o, sent, sizes[i] + 1), -EINVAL);
    assert_int_equal(weft_oneshot_send_sized(&o, sent, sizes[i]), 0);
    assert_int_equal(weft_oneshot_recv_sized(&o, got, sizes[i]), -EPERM);
    assert_int_equal(weft_oneshot_try_recv_sized(&o, got, sizes[i] + 1), -EINVAL);
    assert_int_equal(weft_oneshot_try_recv_sized(&o, got, sizes[i]), 0);
    assert_memory_equal(sent, got, sizes[i]);
    weft_oneshot_destroy(&o);
  }
}

/* A sender on another worker or thread; the receiver ends the channel's life. */
static int send_it(void *o) {
  long item = 42;
  return weft_oneshot_send((weft_oneshot_t *)o, &item);
}
static WEFT_ASYNC(send_task, weft_oneshot_t *);
static int send_task(weft_oneshot_t *o) { return send_it(o); }

static WEFT_ASYNC(many, int);
static int many(int n) {
  for (int i = 0; i < n; i++) {
    weft_oneshot_t *o = malloc(sizeof *o);
    long item = 0;
    int rc = weft_oneshot_init(o, sizeof item);
    weft__thread_t thread;
    bool foreign = i % 10 == 0;
    weft_task_t *task = foreign ? NULL : weft_create_task(send_task_async(o));
    if (foreign) assert_int_equal(weft__thread_start(&thread, send_it, o, NULL), 0);
    if (rc == 0) rc = weft_oneshot_recv(o, &item);
    weft_oneshot_destroy(o);
    free(o);
    if (foreign)
      weft__thread_join(thread);
    else
      weft_ignore(weft_join(task));
    if (rc < 0 || item != 42) return rc < 0 ? rc : WEFT_RUNTIME;
  }
  return 0;
}

static void many_workers(void **state) {
  (void)state;
  assert_int_equal(run4(many_async(scaled(2000))), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(both_ends), cmocka_unit_test(sizes_and_memory),
                                     cmocka_unit_test(many_workers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
