/* test_error.c: names, texts, libuv's numbers, records and their references. */
#include "base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/error_names.h"
#include "base/threads.h"

static void test_weft_names(void **state) {
  (void)state;
  static const struct {
    int code;
    const char *name;
  } rows[] = {
      {WEFT_CANCELLED, "CancelledError"},
      {WEFT_TIMEOUT, "TimeoutError"},
      {WEFT_INVALID_STATE, "InvalidStateError"},
      {WEFT_QUEUE_EMPTY, "QueueEmpty"},
      {WEFT_QUEUE_FULL, "QueueFull"},
      {WEFT_QUEUE_SHUTDOWN, "QueueShutDown"},
      {WEFT_INCOMPLETE_READ, "IncompleteReadError"},
      {WEFT_LIMIT_OVERRUN, "LimitOverrunError"},
      {WEFT_BROKEN_BARRIER, "BrokenBarrierError"},
      {WEFT_BROKEN_POOL, "BrokenProcessPool"},
      {WEFT_GROUP, "ExceptionGroup"},
      {WEFT_RUNTIME, "RuntimeError"},
      {WEFT_VALUE, "ValueError"},
      {WEFT_TYPE, "TypeError"},
      {WEFT_STOP, "StopIteration"},
      {WEFT_EXIT, "SystemExit"},
      {WEFT_INTERRUPT, "KeyboardInterrupt"},
      {-ECONNREFUSED, "ECONNREFUSED"},
      {-ENOMEM, "ENOMEM"},
      {0, "OK"},
      {-4000, "Error"},
      {WEFT_INTERRUPT - 1, "Error"},
      {WEFT_USER - 77, "Error"},
  };
  for (size_t i = 0; i < weft__countof(rows); i++) {
    assert_string_equal(weft_error_name(rows[i].code), rows[i].name);
    assert_true(*weft_strerror(rows[i].code) != '\0');
  }
  for (int code = 200; code > -20000; code--) {
    assert_non_null(weft_error_name(code));
    assert_non_null(weft_strerror(code));
  }
  assert_string_equal(weft_error_name(INT32_MIN), "Error");
}

/* libuv's codes are ours: the same numbers, the same names. */
static void test_libuv_numbers(void **state) {
  (void)state;
#define XX(name, text)                                                                                                 \
  assert_string_equal(weft_error_name(UV_##name), #name);                                                              \
  assert_true(*weft_strerror(UV_##name) != '\0');
  UV_ERRNO_MAP(XX)
#undef XX
#define X(name, text) assert_int_equal(uv_translate_sys_error(name), -(name));
  WEFT__ERRNO_NAMES(X)
#undef X
#define X(name, number, text) assert_int_equal(UV_##name, number);
  WEFT__LIBUV_NAMES(X)
#undef X
}

static void test_register(void **state) {
  (void)state;
  char name[] = "LookupError";
  assert_int_equal(weft_error_register(WEFT_USER, name), 0);
  name[0] = 'X'; /* it was copied */
  assert_string_equal(weft_error_name(WEFT_USER), "LookupError");
  assert_string_equal(weft_strerror(WEFT_USER), "LookupError");
  assert_int_equal(weft_error_register(WEFT_USER - 5, "OSError"), 0);
  assert_string_equal(weft_error_name(WEFT_USER - 5), "OSError");
  assert_int_equal(weft_error_register(WEFT_USER - 5, "OSError"), 0); /* twice the same is no harm */
  assert_int_equal(weft_error_register(WEFT_USER - 5, "Other"), -EEXIST);
  assert_string_equal(weft_error_name(WEFT_USER - 5), "OSError");
  assert_int_equal(weft_error_register(WEFT_USER + 1, "TooHigh"), -EINVAL);
  assert_int_equal(weft_error_register(WEFT_VALUE, "Mine"), -EINVAL);
  assert_int_equal(weft_error_register(5, "Positive"), -EINVAL);
  assert_int_equal(weft_error_register(WEFT_USER - 6, NULL), -EINVAL);
  assert_int_equal(weft_error_register(WEFT_USER - 6, ""), -EINVAL);
  weft__alloc_fail_after(1);
  assert_int_equal(weft_error_register(WEFT_USER - 7, "NoMemory"), -ENOMEM);
  weft__alloc_fail_after(-1);
  assert_string_equal(weft_error_name(WEFT_USER - 7), "Error");
}

enum { NAMES = 40 };
static int register_many(void *arg) {
  (void)arg;
  int bad = 0;
  for (int i = 0; i < NAMES; i++) {
    bad += weft_error_register(WEFT_USER - 1000 - i, "Shared") != 0;
    bad += strcmp(weft_error_name(WEFT_USER - 1000 - i), "Shared") != 0;
  }
  return bad;
}

static void test_register_from_threads(void **state) {
  (void)state;
  weft__thread_t threads[4];
  for (int i = 0; i < 4; i++) assert_int_equal(weft__thread_start(&threads[i], register_many, NULL, "register"), 0);
  for (int i = 0; i < 4; i++) assert_int_equal(weft__thread_join(threads[i]), 0);
}

static int start_counting(void **state) {
  (void)state;
  weft__alloc_counting(true);
  return 0;
}
static int nothing_left(void **state) {
  (void)state;
  weft__alloc_fail_after(-1);
  long live = weft__alloc_live_bytes();
  weft__alloc_counting(false);
  return live != 0;
}

static void test_record(void **state) {
  (void)state;
  weft__record_t *record = weft__record_make(WEFT_VALUE, WEFT_TIMEOUT, "bad %s %d", "port", 70000);
  const weft_error_t *error = &record->error;
  assert_ptr_equal(error, record);
  assert_int_equal(error->code, WEFT_VALUE);
  assert_string_equal(error->name, "ValueError");
  assert_string_equal(error->message, "bad port 70000");
  assert_int_equal(error->context, WEFT_TIMEOUT);
  assert_int_equal(error->count, 0);
  assert_null(error->parts);
  assert_ptr_equal(weft__record_ref(record), record);
  weft__record_unref(record);
  assert_string_equal(error->message, "bad port 70000");
  weft__record_unref(record);
  assert_null(weft__record_ref(NULL));
  weft__record_unref(NULL);
}

static void test_messages(void **state) {
  (void)state;
  weft__record_t *empty = weft__record_make(-EPIPE, 0, NULL);
  assert_string_equal(empty->error.message, "");
  assert_string_equal(empty->error.name, "EPIPE");
  weft__record_unref(empty);
  /* around the size that is formatted in one go, and far beyond */
  for (int length = 250; length < 262; length++) {
    weft__record_t *record = weft__record_make(WEFT_RUNTIME, 0, "%0*d", length, 1);
    assert_int_equal(strlen(record->error.message), length);
    assert_int_equal(record->error.message[length - 1], '1');
    weft__record_unref(record);
  }
  weft__record_t *large = weft__record_make(WEFT_RUNTIME, 0, "%0*d|", 100000, 1);
  assert_int_equal(strlen(large->error.message), 100001);
  assert_int_equal(large->error.message[100000], '|');
  weft__record_unref(large);
}

static void test_group(void **state) {
  (void)state;
  weft__record_t *a = weft__record_make(WEFT_VALUE, 0, "a"), *b = weft__record_make(WEFT_TYPE, 0, "b");
  weft__record_ref(a);
  weft__record_t *parts[] = {a, b};
  weft__record_t *group =
      weft__record_new_group(WEFT_GROUP, "unhandled errors in a TaskGroup (2 sub-exceptions)", parts, 2);
  assert_string_equal(group->error.name, "ExceptionGroup");
  assert_string_equal(group->error.message, "unhandled errors in a TaskGroup (2 sub-exceptions)");
  assert_int_equal(group->error.count, 2);
  assert_ptr_equal(group->error.parts[0], &a->error);
  assert_ptr_equal(group->error.parts[1], &b->error);
  weft__record_unref(group); /* b goes with it */
  assert_string_equal(a->error.message, "a");
  weft__record_unref(a);
  group = weft__record_new_group(WEFT_GROUP, NULL, NULL, 0);
  assert_string_equal(group->error.message, "");
  assert_null(group->error.parts);
  weft__record_unref(group);
}

static weft__record_t *group_of(weft__record_t *first, weft__record_t *second) {
  weft__record_t *parts[] = {first, second};
  return weft__record_new_group(WEFT_GROUP, "", parts, second != NULL ? 2 : 1);
}

static void test_is(void **state) {
  (void)state;
  weft__record_t *value = weft__record_make(WEFT_VALUE, 0, NULL), *type = weft__record_make(WEFT_TYPE, 0, NULL);
  assert_true(weft_error_is(&value->error, WEFT_VALUE));
  assert_false(weft_error_is(&value->error, WEFT_TYPE));
  assert_false(weft_error_is(NULL, WEFT_VALUE));
  weft__record_t *same = group_of(weft__record_ref(value), weft__record_ref(value));
  assert_true(weft_error_is(&same->error, WEFT_VALUE));
  assert_true(weft_error_is(&same->error, WEFT_GROUP));
  assert_false(weft_error_is(&same->error, WEFT_TYPE));
  weft__record_t *mixed = group_of(weft__record_ref(value), weft__record_ref(type));
  assert_false(weft_error_is(&mixed->error, WEFT_VALUE));
  assert_false(weft_error_is(&mixed->error, WEFT_TYPE));
  weft__record_t *nested = group_of(weft__record_ref(same), weft__record_ref(same));
  assert_true(weft_error_is(&nested->error, WEFT_VALUE));
  weft__record_t *first_differs = group_of(weft__record_ref(mixed), weft__record_ref(same));
  assert_false(weft_error_is(&first_differs->error, WEFT_VALUE));
  weft__record_t *last_differs = group_of(weft__record_ref(same), weft__record_ref(mixed));
  assert_false(weft_error_is(&last_differs->error, WEFT_VALUE));
  weft__record_t *none = weft__record_new_group(WEFT_GROUP, "", NULL, 0);
  assert_false(weft_error_is(&none->error, WEFT_VALUE));
  weft__record_t *all[] = {value, type, same, mixed, nested, first_differs, last_differs, none};
  for (size_t i = 0; i < weft__countof(all); i++) weft__record_unref(all[i]);
}

/* As deep as a recursion of tasks that each fail in a group: neither freeing nor asking may recurse. */
static void test_deep_group(void **state) {
  (void)state;
  weft__record_t *record = weft__record_make(WEFT_VALUE, 0, "leaf");
  for (int i = 0; i < 300000; i++) record = group_of(record, i % 2 == 0 ? weft__record_make(WEFT_VALUE, 0, "x") : NULL);
  assert_true(weft_error_is(&record->error, WEFT_VALUE));
  assert_false(weft_error_is(&record->error, WEFT_TYPE));
  weft__record_unref(record);
}

static void test_no_memory(void **state) {
  (void)state;
  weft__record_t *part = weft__record_make(WEFT_VALUE, 0, "part"), *other = weft__record_make(WEFT_VALUE, 0, "other");
  weft__alloc_fail_from(1);
  weft__record_t *record = weft__record_make(WEFT_VALUE, 0, "lost %d", 1);
  assert_ptr_equal(record, weft__record_oom());
  assert_int_equal(record->error.code, -ENOMEM);
  assert_string_equal(record->error.name, "ENOMEM");
  assert_true(*record->error.message != '\0');
  weft__record_t *parts[] = {part, other};
  weft__record_ref(part);
  weft__record_t *group = weft__record_new_group(WEFT_GROUP, "", parts, 2); /* other goes */
  assert_ptr_equal(group, weft__record_oom());
  weft__alloc_fail_from(-1);
  assert_string_equal(part->error.message, "part");
  /* The static record may be shared, and be a part, like any other. */
  for (int i = 0; i < 5; i++) weft__record_unref(weft__record_oom());
  assert_ptr_equal(weft__record_ref(weft__record_oom()), weft__record_oom());
  weft__record_unref(group_of(weft__record_oom(), part));
}

static int ref_unref(void *arg) {
  weft__record_t *record = arg;
  for (int i = 0; i < 20000; i++) weft__record_unref(weft__record_ref(record));
  weft__record_unref(record);
  return 0;
}

static void test_shared_by_threads(void **state) {
  (void)state;
  weft__record_t *record = group_of(weft__record_make(WEFT_VALUE, 0, "shared"), NULL);
  weft__thread_t threads[4];
  for (int i = 0; i < 4; i++)
    assert_int_equal(weft__thread_start(&threads[i], ref_unref, weft__record_ref(record), "refs"), 0);
  weft__record_unref(record);
  for (int i = 0; i < 4; i++) weft__thread_join(threads[i]);
}

#define COUNTED(test) cmocka_unit_test_setup_teardown(test, start_counting, nothing_left)
int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_weft_names),
      cmocka_unit_test(test_libuv_numbers),
      cmocka_unit_test(test_register),
      cmocka_unit_test(test_register_from_threads),
      COUNTED(test_record),
      COUNTED(test_messages),
      COUNTED(test_group),
      COUNTED(test_is),
      COUNTED(test_deep_group),
      COUNTED(test_no_memory),
      COUNTED(test_shared_by_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
