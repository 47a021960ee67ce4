/* error.h: error records, the refcounted immutable objects behind a code.
 *
 * A record is made once, never changed, and freed with its last reference; the parts of a group are held by it. Public
 * code sees the first member, a weft_error_t. Making a record cannot fail: where memory ran out one static ENOMEM record
 * stands in for it, whose references are not counted. */
#ifndef WEFT_BASE_ERROR_H
#define WEFT_BASE_ERROR_H

#include <stdarg.h>
#include <weft/error.h>

#include "base/atomics.h"
#include "base/base.h"

typedef struct weft__record weft__record_t;
struct weft__record {
  weft_error_t error; /* first, so that a part of a group is a record too */
  _Atomic(unsigned) refs;
  size_t size;          /* of the whole allocation; 0: static, never freed */
  weft__record_t *next; /* while it is being freed */
};

/* One reference for the caller. format may be NULL: an empty message. */
weft__record_t *weft__record_new(int code, int context, const char *format, va_list arguments) WEFT__PRINTF(3, 0);
weft__record_t *weft__record_make(int code, int context, const char *format, ...) WEFT__PRINTF(3, 4);
/* A group: takes over the caller's reference to each of the n parts, also when the answer is the ENOMEM record.
 * message is copied; NULL: empty. */
weft__record_t *weft__record_new_group(int code, const char *message, weft__record_t *const parts[], size_t n);
weft__record_t *weft__record_ref(weft__record_t *record); /* NULL stays NULL */
void weft__record_unref(weft__record_t *record);          /* NULL does nothing */
/* The static ENOMEM record. */
weft__record_t *weft__record_oom(void);

#endif
