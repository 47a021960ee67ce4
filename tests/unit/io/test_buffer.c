/* The byte buffer against a plain one: whatever is appended comes out in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "io/buffer.h"

static unsigned char next_in, next_out;

static void append(weft__buffer_t *buffer, size_t size) {
  static unsigned char bytes[20000];
  for (size_t i = 0; i < size; i++) bytes[i] = next_in++;
  size_t used = buffer->used;
  assert_true(weft__buffer_append(buffer, bytes, size));
  assert_int_equal(buffer->used, used + size);
}

static void consume(weft__buffer_t *buffer, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (weft__buffer_front(buffer)[i] != next_out++) fail_msg("byte %zu of %zu is wrong", i, size);
  weft__buffer_consume(buffer, size);
}

static void bytes_come_out_in_order(void **state) {
  (void)state;
  weft__alloc_counting(true);
  weft__buffer_t buffer = {0};
  unsigned seed = 1;
  for (int step = 0; step < 20000; step++) {
    size_t size = (seed = seed * 1103515245u + 12345u) >> 16;
    if (size % 2 == 0)
      append(&buffer, size % (step % 100 == 0 ? 20000 : 300));
    else
      consume(&buffer, buffer.used == 0 ? 0 : size % (buffer.used + 1));
    assert_true(weft__buffer_end(&buffer) == NULL || weft__buffer_end(&buffer) <= buffer.bytes + buffer.capacity);
  }
  consume(&buffer, buffer.used);
  weft__buffer_free(&buffer);
  assert_int_equal(weft__alloc_live_bytes(), 0);
  weft__alloc_counting(false);
}

/* A queue that never empties must not creep through ever more memory. */
static void a_short_queue_stays_small(void **state) {
  (void)state;
  weft__buffer_t buffer = {0};
  append(&buffer, 100);
  for (int step = 0; step < 100000; step++) {
    append(&buffer, 100);
    consume(&buffer, 100);
  }
  assert_true(buffer.capacity <= 8192);
  weft__buffer_free(&buffer);
  next_in = next_out = 0;
}

static void a_large_empty_one_gives_its_memory_back(void **state) {
  (void)state;
  weft__buffer_t buffer = {0};
  for (int i = 0; i < 20; i++) append(&buffer, 20000);
  consume(&buffer, 400000);
  assert_int_equal(buffer.capacity, 0);
  append(&buffer, 10);
  consume(&buffer, 10);
  assert_true(buffer.capacity > 0); /* a small one is kept for the next bytes */
  weft__buffer_free(&buffer);
}

static void without_memory_nothing_changes(void **state) {
  (void)state;
  weft__buffer_t buffer = {0};
  append(&buffer, 4000);
  weft__buffer_t before = buffer;
  weft__alloc_fail_after(1);
  assert_false(weft__buffer_append(&buffer, "too much for the rest", 200));
  weft__alloc_fail_after(-1);
  assert_memory_equal(&before, &buffer, sizeof buffer);
  assert_false(weft__buffer_reserve(&buffer, (size_t)-1));
  consume(&buffer, 4000);
  weft__buffer_free(&buffer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bytes_come_out_in_order),
      cmocka_unit_test(a_short_queue_stays_small),
      cmocka_unit_test(a_large_empty_one_gives_its_memory_back),
      cmocka_unit_test(without_memory_nothing_changes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
