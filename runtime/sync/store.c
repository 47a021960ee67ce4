/* store.c: see store.h. The heap moves its items as Python's heapq does, so that equal ones come out in the same order. */
#include "sync/store.h"

#include <string.h>

#include "base/alloc.h"

void weft__store_init(weft__store_t *store, enum weft__store_kind kind, size_t item_size, weft_compare_fn compare) {
  memset(store, 0, sizeof *store);
  store->kind = kind;
  store->item_size = (unsigned)item_size;
  store->compare = compare;
}

void weft__store_destroy(weft__store_t *store) {
  weft__free(store->items, store->capacity * store->item_size);
  weft__store_forget(store);
}

void weft__store_forget(weft__store_t *store) {
  store->items = NULL;
  store->capacity = store->head = store->count = 0;
}

size_t weft__store_next_capacity(const weft__store_t *store) {
  if (store->capacity == 0) return store->item_size < 256 ? 16 : 4;
  return store->capacity > SIZE_MAX / 2 / store->item_size ? 0 : store->capacity * 2;
}

unsigned char *weft__store_grow(weft__store_t *store, unsigned char *array, size_t capacity) {
  unsigned char *old = store->items;
  size_t size = store->item_size, before_end = store->capacity - store->head;
  if (before_end > store->count) before_end = store->count;
  if (store->count > 0) {
    memcpy(array, weft__store_at(store, store->head), before_end * size);
    memcpy(array + before_end * size, old, (store->count - before_end) * size);
  }
  store->items = array;
  store->capacity = capacity;
  store->head = 0;
  return old;
}

static void set(weft__store_t *store, size_t index, const void *item) {
  unsigned char *slot = weft__store_at(store, index);
  if (slot != item) weft__store_copy(store, slot, item);
}

/* Puts item, which lies outside of the heap or at its end, where it belongs between `index` and the root. */
void weft__store_sift_up(weft__store_t *store, size_t index, const void *item) {
  while (index > 0) {
    size_t parent = (index - 1) / 2;
    if (store->compare(item, weft__store_at(store, parent)) >= 0) break;
    set(store, index, weft__store_at(store, parent));
    index = parent;
  }
  set(store, index, item);
}

/* The root is to go: the smaller child moves up down to a leaf, then the last item takes that place and rises. */
void weft__store_remove_root(weft__store_t *store) {
  size_t end = store->count, index = 0;
  const void *last = weft__store_at(store, end);
  for (size_t child; (child = 2 * index + 1) < end; index = child) {
    if (child + 1 < end && store->compare(weft__store_at(store, child), weft__store_at(store, child + 1)) >= 0) child++;
    set(store, index, weft__store_at(store, child));
  }
  if (end > 0) weft__store_sift_up(store, index, last);
}
