/* The ready ring: first in, first out; grows; every item exactly once with many takers; no memory, nothing changed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "lockfree/ring.h"

static void fifo_through_growth(void **state) {
  (void)state;
  weft__ring_t ring;
  assert_int_equal(weft__ring_init(&ring, 2), 0);
  uintptr_t next_in = 1, next_out = 1;
  for (unsigned round = 0; round < 50; round++) {
    for (unsigned i = 0; i < round; i++) assert_int_equal(weft__ring_push(&ring, next_in++), 0);
    for (unsigned i = 0; i < round / 2; i++)
      assert_int_equal(round % 2 ? weft__ring_take(&ring) : weft__ring_take_alone(&ring), next_out++);
    assert_int_equal(weft__ring_size(&ring), next_in - next_out);
  }
  while (next_out < next_in) assert_int_equal(weft__ring_take(&ring), next_out++);
  assert_int_equal(weft__ring_take(&ring), 0);
  assert_int_equal(weft__ring_take_alone(&ring), 0);
  weft__ring_destroy(&ring);
}

static void half_rounds_up_oldest_first(void **state) {
  (void)state;
  weft__ring_t ring;
  uintptr_t out[64];
  assert_int_equal(weft__ring_init(&ring, 4), 0);
  assert_int_equal(weft__ring_take_half(&ring, out, 64), 0);
  for (uintptr_t i = 1; i <= 9; i++) assert_int_equal(weft__ring_push(&ring, i), 0);
  assert_int_equal(weft__ring_take_half(&ring, out, 64), 5);
  for (uintptr_t i = 0; i < 5; i++) assert_int_equal(out[i], i + 1);
  assert_int_equal(weft__ring_take_half(&ring, out, 1), 1);
  assert_int_equal(out[0], 6);
  assert_int_equal(weft__ring_size(&ring), 3);
  weft__ring_destroy(&ring);
}

static void no_memory_leaves_it_as_it_was(void **state) {
  (void)state;
  weft__ring_t ring;
  assert_int_equal(weft__ring_init(&ring, 2), 0);
  assert_int_equal(weft__ring_push(&ring, 1), 0);
  assert_int_equal(weft__ring_push(&ring, 2), 0);
  weft__alloc_fail_after(1);
  assert_int_equal(weft__ring_push(&ring, 3), -ENOMEM);
  assert_true(weft__alloc_failed());
  weft__alloc_fail_after(-1);
  assert_int_equal(weft__ring_size(&ring), 2);
  assert_int_equal(weft__ring_push(&ring, 3), 0);
  for (uintptr_t i = 1; i <= 3; i++) assert_int_equal(weft__ring_take(&ring), i);
  weft__ring_destroy(&ring);
}

/* One owner pushes and takes, thieves take one or half: each number comes out once, and each thief sees them rise. */
enum { THIEVES = 3 };
static struct {
  weft__ring_t ring;
  unsigned items;
  _Atomic(unsigned char) *seen;
  _Atomic(bool) over;
  _Atomic(unsigned) taken, wrong;
} shared;

static void see(uintptr_t item, uintptr_t *last) {
  if (item == 0 || item > shared.items || item <= *last || atom_add(&shared.seen[item - 1], 1, relaxed) != 0)
    atom_add(&shared.wrong, 1, relaxed);
  *last = item;
  atom_add(&shared.taken, 1, relaxed);
}

static int thief(void *argument) {
  bool half = argument != NULL;
  uintptr_t out[8], last = 0;
  while (!atom_load(&shared.over, acquire) || weft__ring_size(&shared.ring) > 0) {
    size_t n = half ? weft__ring_take_half(&shared.ring, out, 8) : (out[0] = weft__ring_take(&shared.ring)) != 0;
    for (size_t i = 0; i < n; i++) see(out[i], &last);
  }
  return 0;
}

static void every_item_exactly_once(void **state) {
  (void)state;
  const char *scale = getenv("WEFT_TEST_SCALE");
  shared.items = (unsigned)(400000 * (scale != NULL ? atof(scale) : 1.0));
  if (shared.items < 1000) shared.items = 1000;
  shared.seen = calloc(shared.items, 1);
  assert_non_null(shared.seen);
  assert_int_equal(weft__ring_init(&shared.ring, 2), 0);
  weft__thread_t threads[THIEVES];
  for (unsigned i = 0; i < THIEVES; i++)
    assert_int_equal(weft__thread_start(&threads[i], thief, i % 2 ? &shared : NULL, "thief"), 0);
  uintptr_t last = 0;
  for (uintptr_t i = 1; i <= shared.items; i++) {
    assert_int_equal(weft__ring_push(&shared.ring, i), 0);
    uintptr_t item;
    if (i % 3 == 0 && (item = weft__ring_take(&shared.ring)) != 0) see(item, &last);
  }
  atom_store(&shared.over, true, release);
  for (unsigned i = 0; i < THIEVES; i++) weft__thread_join(threads[i]);
  assert_int_equal(atom_load(&shared.wrong, relaxed), 0);
  assert_int_equal(atom_load(&shared.taken, relaxed), shared.items);
  weft__ring_destroy(&shared.ring);
  free((void *)shared.seen);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fifo_through_growth),
      cmocka_unit_test(half_rounds_up_oldest_first),
      cmocka_unit_test(no_memory_leaves_it_as_it_was),
      cmocka_unit_test(every_item_exactly_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
