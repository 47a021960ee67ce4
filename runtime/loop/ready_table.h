/* ready_table.h: where readiness objects lie: memory that never changes its type while the reactor exists.
 *
 * Chunk k holds FIRST << k objects; index i lies in the chunk that the bit length of i / FIRST + 1 names. Chunks are only
 * added, and published with release; a poller that meets an index acquires the chunk's pointer. Freed objects wait in a
 * list under the lock. */
#ifndef WEFT_LOOP_READY_TABLE_H
#define WEFT_LOOP_READY_TABLE_H

#include "loop/ready.h"

enum { WEFT__READY_FIRST = 32, WEFT__READY_CHUNKS = 24 };

typedef struct weft__ready_table {
  weft__spin_t lock;
  weft__ready_t *free;
  uint32_t size; /* indices below it were given out at least once; under the lock */
  _Atomic(weft__ready_t *) chunk[WEFT__READY_CHUNKS];
} weft__ready_table_t;

void weft__ready_table_init(weft__ready_table_t *table);
void weft__ready_table_destroy(weft__ready_table_t *table);
/* An object with its index, lock and generation; NULL when memory ran out. */
weft__ready_t *weft__ready_table_take(weft__ready_table_t *table);
void weft__ready_table_give(weft__ready_table_t *table, weft__ready_t *ready);
/* The object of an index that was given out. */
weft__ready_t *weft__ready_table_at(const weft__ready_table_t *table, uint32_t index);
/* How many indices were ever given out: [0, that) are valid for _at. */
uint32_t weft__ready_table_size(weft__ready_table_t *table);

#endif
