/* text.h: a text that is put together piece by piece, as snprintf does: cut to its size, its whole length counted. */
#ifndef WEFT_INSPECT_TEXT_H
#define WEFT_INSPECT_TEXT_H

#include <stdarg.h>
#include <stdio.h>

#include "base/base.h"

typedef struct weft__text {
  char *start; /* size bytes; NULL with 0 */
  size_t size, length;
} weft__text_t;

static inline weft__text_t weft__text(char *start, size_t size) {
  if (size > 0) start[0] = '\0';
  return (weft__text_t){start, size, 0};
}

static inline WEFT__PRINTF(2, 3) void weft__text_add(weft__text_t *text, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  bool room = text->length < text->size;
  int n = vsnprintf(room ? text->start + text->length : NULL, room ? text->size - text->length : 0, format, arguments);
  va_end(arguments);
  if (n > 0) text->length += (size_t)n;
}

#endif
