/* buffer.c: see buffer.h. */
#include "io/buffer.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

enum { SMALLEST = 4096, KEPT = 64 * 1024 };

void weft__buffer_free(weft__buffer_t *buffer) {
  weft__free(buffer->bytes, buffer->capacity);
  *buffer = (weft__buffer_t){0};
}

bool weft__buffer_reserve(weft__buffer_t *buffer, size_t more) {
  if (weft__buffer_room(buffer) >= more) return true;
  if (more > SIZE_MAX / 2 - buffer->used) return false;
  size_t needed = buffer->used + more;
  if (buffer->capacity >= needed && buffer->start >= buffer->used) {
    memcpy(buffer->bytes, weft__buffer_front(buffer), buffer->used); /* half of it is free: they do not overlap */
    buffer->start = 0;
    return true;
  }
  size_t capacity = buffer->capacity > SMALLEST ? buffer->capacity : SMALLEST;
  while (capacity < needed) capacity *= 2;
  unsigned char *bytes = weft__alloc(capacity);
  if (bytes == NULL) return false;
  if (buffer->used > 0) memcpy(bytes, weft__buffer_front(buffer), buffer->used);
  weft__free(buffer->bytes, buffer->capacity);
  buffer->bytes = bytes;
  buffer->start = 0;
  buffer->capacity = capacity;
  return true;
}

bool weft__buffer_append(weft__buffer_t *buffer, const void *data, size_t size) {
  if (!weft__buffer_reserve(buffer, size)) return false;
  if (size > 0) memcpy(weft__buffer_end(buffer), data, size);
  buffer->used += size;
  return true;
}

void weft__buffer_consume(weft__buffer_t *buffer, size_t size) {
  buffer->start += size;
  buffer->used -= size;
  if (buffer->used > 0) return;
  buffer->start = 0;
  if (buffer->capacity > KEPT) weft__buffer_free(buffer);
}
