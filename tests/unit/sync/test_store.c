/* test_store.c: what a queue keeps its items in, against plain arrays, and the heap's order among equals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "sync/store.h"

typedef struct item {
  int key, tag;
} item_t;

static int compare(const void *a, const void *b) { return ((const item_t *)a)->key - ((const item_t *)b)->key; }

static WEFT__NOINLINE void push_any(weft__store_t *store, const void *item) { weft__store_push(store, item); }

static void push(weft__store_t *store, item_t item) {
  if (!weft__store_has_room(store)) {
    size_t old = store->capacity, capacity = weft__store_next_capacity(store);
    unsigned char *array = weft__alloc(capacity * sizeof item);
    assert_non_null(array);
    weft__free(weft__store_grow(store, array, capacity), old * sizeof item);
  }
  push_any(store, &item);
}

static item_t pop(weft__store_t *store) {
  item_t item = *(item_t *)weft__store_first(store);
  weft__store_remove_first(store);
  return item;
}

/* The index of the one that must come out next. */
static size_t expected(unsigned kind, const item_t *items, size_t count) {
  size_t best = kind == WEFT__LIFO ? count - 1 : 0;
  for (size_t i = 0; kind == WEFT__PRIORITY && i < count; i++)
    if (items[i].key < items[best].key) best = i;
  return best;
}

static void against_an_array(void **state) {
  (void)state;
  static item_t items[5000];
  unsigned random = 12345;
  for (unsigned kind = WEFT__FIFO; kind <= WEFT__PRIORITY; kind++) {
    weft__store_t store;
    weft__store_init(&store, kind, sizeof(item_t), compare);
    size_t count = 0;
    for (int step = 0; step < 20000; step++) {
      random = random * 1103515245 + 12345;
      bool grows = (step / 500) % 2 == 0;
      if (count == 0 || (random >> 16) % 10 < (grows ? 7U : 3U)) {
        item_t item = {(int)(random >> 8 & 255), step};
        push(&store, item);
        items[count++] = item;
      } else {
        size_t at = expected(kind, items, count);
        item_t item = pop(&store);
        assert_int_equal(item.key, items[at].key);
        if (kind != WEFT__PRIORITY) assert_int_equal(item.tag, items[at].tag);
        for (at = 0; items[at].tag != item.tag; at++) assert_true(at < count);
        memmove(&items[at], &items[at + 1], (--count - at) * sizeof *items);
      }
      assert_int_equal(store.count, count);
    }
    weft__store_destroy(&store);
  }
}

/* As heapq: [(1,0) (0,1) (1,2) (0,3) (1,4) (0,5) (1,6)] pushed in this order, keys alone compared. */
static void equals_as_heapq(void **state) {
  (void)state;
  weft__store_t store;
  weft__store_init(&store, WEFT__PRIORITY, sizeof(item_t), compare);
  for (int i = 0; i < 7; i++) push(&store, (item_t){(i + 1) % 2, i});
  static const int tags[] = {1, 5, 3, 2, 6, 4, 0};
  for (int i = 0; i < 7; i++) assert_int_equal(pop(&store).tag, tags[i]);
  weft__store_destroy(&store);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(against_an_array), cmocka_unit_test(equals_as_heapq)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
