/* store.h: what a queue keeps: items of one size, first in first out, last in first out, or smallest first.
 *
 * A ring (FIFO), a stack, or a binary heap in one growing array. Growing is in two steps, so that memory is asked for
 * outside of the queue's lock. Not safe by itself: whoever owns the store guards it. */
#ifndef WEFT_SYNC_STORE_H
#define WEFT_SYNC_STORE_H

#include <string.h>
#include <weft/queues.h>

#include "base/base.h"

enum weft__store_kind { WEFT__FIFO, WEFT__LIFO, WEFT__PRIORITY };
enum { WEFT__ITEM_MAX = 1 << 20 };

typedef struct weft__store {
  unsigned char *items;
  size_t capacity;
  size_t head; /* FIFO: index of the first item; else 0 */
  size_t count;
  unsigned item_size;
  unsigned kind;
  weft_compare_fn compare;
} weft__store_t;

void weft__store_init(weft__store_t *store, enum weft__store_kind kind, size_t item_size, weft_compare_fn compare);
/* Frees the array; the items in it are forgotten. */
void weft__store_destroy(weft__store_t *store);
/* Empty, as if new; the memory is somebody else's now. What it holds and how stays. */
void weft__store_forget(weft__store_t *store);

static inline bool weft__store_has_room(const weft__store_t *store) { return store->count < store->capacity; }
/* The capacity to ask for next; 0 if it would not fit into memory. */
size_t weft__store_next_capacity(const weft__store_t *store);
/* Moves to a larger array, made by weft__alloc; the old one is answered, to be freed with its capacity. */
unsigned char *weft__store_grow(weft__store_t *store, unsigned char *array, size_t capacity);

/* One item, to or from the array. */
static inline void weft__store_copy(const weft__store_t *store, void *to, const void *from) {
  switch (store->item_size) { /* the usual sizes without a call */
  case 4: memcpy(to, from, 4); break;
  case 8: memcpy(to, from, 8); break;
  case 16: memcpy(to, from, 16); break;
  default: memcpy(to, from, store->item_size);
  }
}

static inline unsigned char *weft__store_at(const weft__store_t *store, size_t index) {
  return store->items + index * store->item_size;
}

/* Where the ring's i-th item is. */
static inline size_t weft__store_ring_index(const weft__store_t *store, size_t i) {
  size_t index = store->head + i;
  return index >= store->capacity ? index - store->capacity : index;
}

/* Of a heap. */
void weft__store_sift_up(weft__store_t *store, size_t index, const void *item);
void weft__store_remove_root(weft__store_t *store);

/* There is room. */
static inline void weft__store_push(weft__store_t *store, const void *item) {
  WEFT__DEBUG_ASSERT(weft__store_has_room(store));
  size_t index = store->count++;
  if (weft__likely(store->kind == WEFT__FIFO))
    weft__store_copy(store, weft__store_at(store, weft__store_ring_index(store, index)), item);
  else if (store->kind == WEFT__LIFO)
    weft__store_copy(store, weft__store_at(store, index), item);
  else
    weft__store_sift_up(store, index, item);
}

/* The one that comes out next; there is one. */
static inline void *weft__store_first(const weft__store_t *store) {
  WEFT__DEBUG_ASSERT(store->count > 0);
  return weft__store_at(store, store->kind == WEFT__LIFO ? store->count - 1 : store->head);
}

static inline void weft__store_remove_first(weft__store_t *store) {
  store->count--;
  if (weft__likely(store->kind == WEFT__FIFO))
    store->head = weft__store_ring_index(store, 1);
  else if (store->kind == WEFT__PRIORITY)
    weft__store_remove_root(store);
}

#endif
