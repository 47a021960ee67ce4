/* error.c: names and texts of codes, and the records behind them.
 *
 * Registered names: a list that only grows. A node is complete before the release exchange that makes it the head; the
 * acquire load of a reader meets it. The nodes live as long as the process, so names may be borrowed for ever.
 *
 * Records: refs counts owners. Everything else is written before the record is first shared, by whoever shares it, and
 * never after. The owner that takes refs from 1 to 0 frees it. */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error_names.h"
#include "base/spin.h"

/* ---- names and texts ---- */

typedef struct label {
  const char *name, *text;
} label_t;

static const label_t errno_labels[] = {
#define X(name, text) [name] = {#name, text},
    WEFT__ERRNO_NAMES(X)
#undef X
};

/* Weft's own kinds, from WEFT_CANCELLED down. */
static const label_t weft_labels[] = {
    [WEFT_CANCELLED - WEFT_CANCELLED] = {"CancelledError", "the operation was cancelled"},
    [WEFT_CANCELLED - WEFT_TIMEOUT] = {"TimeoutError", "the operation took too long"},
    [WEFT_CANCELLED - WEFT_INVALID_STATE] = {"InvalidStateError", "the operation is not allowed in this state"},
    [WEFT_CANCELLED - WEFT_QUEUE_EMPTY] = {"QueueEmpty", "the queue is empty"},
    [WEFT_CANCELLED - WEFT_QUEUE_FULL] = {"QueueFull", "the queue is full"},
    [WEFT_CANCELLED - WEFT_QUEUE_SHUTDOWN] = {"QueueShutDown", "the queue was shut down"},
    [WEFT_CANCELLED - WEFT_INCOMPLETE_READ] = {"IncompleteReadError", "the stream ended before all was read"},
    [WEFT_CANCELLED - WEFT_LIMIT_OVERRUN] = {"LimitOverrunError", "the buffer limit was reached"},
    [WEFT_CANCELLED - WEFT_BROKEN_BARRIER] = {"BrokenBarrierError", "the barrier is broken"},
    [WEFT_CANCELLED - WEFT_BROKEN_POOL] = {"BrokenProcessPool", "a process of the pool ended abruptly"},
    [WEFT_CANCELLED - WEFT_GROUP] = {"ExceptionGroup", "several operations failed"},
    [WEFT_CANCELLED - WEFT_RUNTIME] = {"RuntimeError", "a rule of use was broken"},
    [WEFT_CANCELLED - WEFT_VALUE] = {"ValueError", "a value is not acceptable"},
    [WEFT_CANCELLED - WEFT_TYPE] = {"TypeError", "a type is not acceptable"},
    [WEFT_CANCELLED - WEFT_STOP] = {"StopIteration", "there are no more items"},
    [WEFT_CANCELLED - WEFT_EXIT] = {"SystemExit", "the program was asked to exit"},
    [WEFT_CANCELLED - WEFT_INTERRUPT] = {"KeyboardInterrupt", "the program was interrupted"},
};

typedef struct registered {
  struct registered *next;
  int code;
  char name[];
} registered_t;
static _Atomic(registered_t *) registry;
static weft__spin_t registry_lock; /* among writers */

static const registered_t *find_registered(int code) {
  /* acquire: meets the release store in weft_error_register. */
  for (const registered_t *entry = atom_load(&registry, acquire); entry != NULL; entry = entry->next)
    if (entry->code == code) return entry;
  return NULL;
}

int weft_error_register(int code, const char *name) {
  if (code > WEFT_USER || name == NULL || *name == '\0') return -EINVAL;
  size_t length = strlen(name);
  registered_t *entry = weft__alloc(sizeof *entry + length + 1);
  if (entry == NULL) return -ENOMEM;
  entry->code = code;
  memcpy(entry->name, name, length + 1);
  weft__spin_lock(&registry_lock);
  const registered_t *found = find_registered(code);
  if (found == NULL) {
    entry->next = atom_load(&registry, relaxed); /* the lock orders writers */
    atom_store(&registry, entry, release);       /* meets the acquire load in find_registered */
  }
  weft__spin_unlock(&registry_lock);
  if (found == NULL) return 0;
  weft__free(entry, sizeof *entry + length + 1);
  return strcmp(found->name, name) == 0 ? 0 : -EEXIST;
}

static label_t label_of(int code) {
  if (code >= 0) return (label_t){"OK", "no error"};
  if (code > -(int)weft__countof(errno_labels) && errno_labels[-code].name != NULL) return errno_labels[-code];
  if (code <= WEFT_CANCELLED && WEFT_CANCELLED - code < (int)weft__countof(weft_labels))
    return weft_labels[WEFT_CANCELLED - code];
  switch (code) {
#define X(name, number, text)                                                                                          \
  case number: return (label_t){#name, text};
    WEFT__LIBUV_NAMES(X)
#undef X
  }
  if (code <= WEFT_USER) {
    const registered_t *entry = find_registered(code);
    return entry != NULL ? (label_t){entry->name, entry->name} : (label_t){"Error", "an error of the application"};
  }
  return (label_t){"Error", "unknown error"};
}

const char *weft_strerror(int code) { return label_of(code).text; }
const char *weft_error_name(int code) { return label_of(code).name; }

/* Groups may be nested as deeply as tasks are, so the last group of each level is entered by the loop, not by a call:
 * the depth of calls is that of groups that have a later sibling group. */
bool weft_error_is(const weft_error_t *error, int code) {
  while (error != NULL) {
    if (error->code == code) return true;
    if (error->code != WEFT_GROUP || error->count == 0) return false;
    const weft_error_t *last_group = NULL;
    for (size_t i = 0; i < error->count; i++) {
      const weft_error_t *part = error->parts[i];
      if (part->code == code) continue;
      if (part->code != WEFT_GROUP) return false;
      if (last_group != NULL && !weft_error_is(last_group, code)) return false;
      last_group = part;
    }
    if (last_group == NULL) return true;
    error = last_group;
  }
  return false;
}

/* ---- records ---- */

static weft__record_t oom = {
    .error = {.code = -ENOMEM, .name = "ENOMEM", .message = "out of memory"}, .refs = 1, .size = 0};

weft__record_t *weft__record_oom(void) { return &oom; }

/* A record with room for the parts and then for the text, both empty yet. */
static weft__record_t *new_record(int code, int context, size_t parts, size_t text_length, char **text) {
  size_t fixed = sizeof(weft__record_t), size;
  if (__builtin_mul_overflow(parts, sizeof(weft_error_t *), &size) ||
      __builtin_add_overflow(size, fixed + text_length + 1, &size))
    return NULL;
  weft__record_t *record = weft__alloc(size);
  if (record == NULL) return NULL;
  const weft_error_t **array = (const weft_error_t **)(void *)(record + 1);
  *text = (char *)(array + parts);
  **text = '\0';
  record->error = (weft_error_t){.code = code,
                                 .name = weft_error_name(code),
                                 .message = *text,
                                 .context = context,
                                 .count = parts,
                                 .parts = parts != 0 ? array : NULL};
  atom_init(&record->refs, 1);
  record->size = size;
  record->next = NULL;
  return record;
}

weft__record_t *weft__record_new(int code, int context, const char *format, va_list arguments) {
  char *text;
  weft__record_t *record;
  if (format == NULL) {
    record = new_record(code, context, 0, 0, &text);
    return record != NULL ? record : &oom;
  }
  char small[256]; /* most messages: formatted once */
  va_list again;
  va_copy(again, arguments);
  int length = vsnprintf(small, sizeof small, format, arguments);
  if (length < 0) { /* a conversion that does not work here: the format says more than nothing */
    length = snprintf(small, sizeof small, "%s", format);
    if ((size_t)length >= sizeof small) length = sizeof small - 1;
  }
  record = new_record(code, context, 0, (size_t)length, &text);
  if (record == NULL)
    record = &oom;
  else if ((size_t)length < sizeof small)
    memcpy(text, small, (size_t)length + 1);
  else
    vsnprintf(text, (size_t)length + 1, format, again);
  va_end(again);
  return record;
}

weft__record_t *weft__record_make(int code, int context, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  weft__record_t *record = weft__record_new(code, context, format, arguments);
  va_end(arguments);
  return record;
}

weft__record_t *weft__record_new_group(int code, const char *message, weft__record_t *const parts[], size_t n) {
  if (message == NULL) message = "";
  size_t length = strlen(message);
  char *text;
  weft__record_t *record = new_record(code, 0, n, length, &text);
  if (record == NULL) {
    for (size_t i = 0; i < n; i++) weft__record_unref(parts[i]);
    return &oom;
  }
  memcpy(text, message, length + 1);
  const weft_error_t **array = (const weft_error_t **)(void *)(record + 1);
  for (size_t i = 0; i < n; i++) array[i] = &parts[i]->error;
  return record;
}

weft__record_t *weft__record_ref(weft__record_t *record) {
  if (record == NULL || record->size == 0) return record;
  unsigned before = atom_add(&record->refs, 1, relaxed); /* the caller's own reference keeps it alive */
  WEFT__ASSERT(before != 0 && before != UINT32_MAX);
  return record;
}

/* Takes one reference away; a record whose last one it was is put before `dying`. */
static weft__record_t *drop(weft__record_t *record, weft__record_t *dying) {
  if (record->size == 0) return dying;
  /* release: what this owner read of the record is read before it is freed. acquire: whoever frees it does so after all
   * others' reads. Each is the other's partner. */
  if (atom_sub(&record->refs, 1, acq_rel) != 1) return dying;
  record->next = dying;
  return record;
}

/* Dead records wait on a list instead of in calls: groups nest deeply. */
void weft__record_unref(weft__record_t *record) {
  weft__record_t *dying = record != NULL ? drop(record, NULL) : NULL;
  while (dying != NULL) {
    weft__record_t *dead = dying;
    dying = dead->next;
    for (size_t i = 0; i < dead->error.count; i++)
      dying = drop((weft__record_t *)(uintptr_t)dead->error.parts[i], dying);
    weft__free(dead, dead->size);
  }
}
