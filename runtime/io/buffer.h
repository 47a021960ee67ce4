/* buffer.h: bytes between a socket and its stream: appended at the end, taken from the front. */
#ifndef WEFT_IO_BUFFER_H
#define WEFT_IO_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* All zero: empty. The content is bytes[start, start + used). */
typedef struct weft__buffer {
  unsigned char *bytes;
  size_t start, used, capacity;
} weft__buffer_t;

void weft__buffer_free(weft__buffer_t *buffer);
/* Room for `more` bytes behind the content, at weft__buffer_end. False: no memory, nothing changed. */
bool weft__buffer_reserve(weft__buffer_t *buffer, size_t more);
bool weft__buffer_append(weft__buffer_t *buffer, const void *data, size_t size);
/* Drops bytes from the front. Memory of an empty buffer is given back if it is large. */
void weft__buffer_consume(weft__buffer_t *buffer, size_t size);

static inline unsigned char *weft__buffer_front(const weft__buffer_t *buffer) { return buffer->bytes + buffer->start; }
static inline unsigned char *weft__buffer_end(const weft__buffer_t *buffer) {
  return buffer->bytes + buffer->start + buffer->used;
}
static inline size_t weft__buffer_room(const weft__buffer_t *buffer) {
  return buffer->capacity - buffer->start - buffer->used;
}

#endif
