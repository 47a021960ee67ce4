/* current_error.c: weft_fail and weft_error: the last record of the current task, or of this thread where there is none. */
#include <string.h>

#include "base/threads.h"
#include "task/task.h"

static weft__once_t once = WEFT__ONCE_INIT;
static weft__tss_t thread_record;
static weft__record_t cancelled = {
    .error = {.code = WEFT_CANCELLED, .name = "CancelledError", .message = ""}, .refs = 1, .size = 0};

static void drop_record(void *record) { weft__record_unref(record); }
static void make_key(void) { WEFT__ASSERT(weft__tss_create(&thread_record, drop_record) == 0); }

weft__record_t *weft__record_cancelled(void) { return &cancelled; }

weft__record_t *weft__last_record(void) {
  weft_task_t *task = weft__current_task();
  if (task != NULL) return task->record;
  weft__once(&once, make_key);
  return weft__tss_get(thread_record);
}

void weft__set_error(weft__record_t *record) {
  weft_task_t *task = weft__current_task();
  weft__record_t *old;
  if (task != NULL) {
    old = task->record;
    task->record = record;
  } else {
    weft__once(&once, make_key);
    old = weft__tss_get(thread_record);
    weft__tss_set(thread_record, record);
  }
  weft__record_unref(old);
}

weft__record_t *weft__record_for(int code) {
  weft__record_t *last = weft__last_record();
  if (last != NULL && last->error.code == code) return weft__record_ref(last);
  if (code == WEFT_CANCELLED) return weft__record_ref(&cancelled);
  return weft__record_make(code, 0, NULL);
}

int weft_fail(int code, const char *format, ...) {
  weft__record_t *last = weft__last_record();
  va_list arguments;
  va_start(arguments, format);
  weft__record_t *record = weft__record_new(code, last != NULL ? last->error.code : 0, format, arguments);
  va_end(arguments);
  weft__set_error(record);
  return code;
}

const weft_error_t *weft_error(void) {
  static const weft_error_t none = {.name = "", .message = ""};
  weft__record_t *last = weft__last_record();
  return last != NULL ? &last->error : &none;
}
