/* store.h: what a queue keeps: items of one size, first in first out, last in first out, or smallest first.
 *
 * A ring (FIFO), a stack, or a binary heap in one growing array. Growing is in two steps, so that memory is asked for
 * outside of the queue's lock. Not safe by itself: whoever owns the store guards it. */
#ifndef WEFT_SYNC_STORE_H
#define WEFT_SYNC_STORE_H

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

static inline bool weft__store_has_room(const weft__store_t *store) { return store->count < store->capacity; }
/* The capacity to ask for next; 0 if it would not fit into memory. */
size_t weft__store_next_capacity(const weft__store_t *store);
/* Moves to a larger array, made by weft__alloc; the old one is answered, to be freed with its capacity. */
unsigned char *weft__store_grow(weft__store_t *store, unsigned char *array, size_t capacity);

/* There is room. */
void weft__store_push(weft__store_t *store, const void *item);
/* The one that comes out next; there is one. */
void *weft__store_first(const weft__store_t *store);
void weft__store_remove_first(weft__store_t *store);

#endif
