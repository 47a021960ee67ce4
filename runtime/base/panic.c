/* panic.c: the last words of a process that cannot go on. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"

/* One write of one buffer on this stack: it works with no memory left, and lines of several threads do not mix. */
void weft__panic(const char *format, ...) {
  char text[1024] = "weft: ";
  size_t prefix = sizeof "weft: " - 1, room = sizeof text - prefix - 1;
  va_list arguments;
  va_start(arguments, format);
  int written = vsnprintf(text + prefix, room, format, arguments);
  va_end(arguments);
  size_t length = prefix + (written < 0 ? 0 : (size_t)written < room ? (size_t)written : room - 1);
  text[length++] = '\n';
  ssize_t ignored = write(STDERR_FILENO, text, length);
  (void)ignored;
  abort();
}
