/* ring.h: a growing FIFO of words with one producer (the owner) and many consumers, who may take half of it at once.
 *
 * State: two 64-bit positions that only grow, head <= tail, and a power-of-two array of cells; position p lives in cell
 * p & (capacity - 1). Cells [head, tail) hold the queue.
 *   push (owner):        write cell tail, then tail := tail + 1 (release).
 *   take (anybody):      read head, tail, the cells [head, head + n), then compare-and-swap head -> head + n.
 *   grow (owner, full):  copy [head, tail) into an array of twice the size, publish the array (release).
 * Why a successful swap of head proves that the cells read were right: head only grows, so it was h all the while. The
 * owner writes cell t only while t - head < capacity, so it never wrote a cell of [h, h + n) again after its first
 * writing; an array that has been replaced is never written again. Hence the cells read, from the old array or the new
 * one, held positions [h, h + n). A taker that loses the swap drops what it read without looking into it.
 * Happens-before: the taker's acquire load of tail meets the owner's release store of tail, so it sees the cells, the
 * array, and everything that the pushed items point to. The swap of head is a release so that the owner, whose load of
 * head acquires it, writes a cell only after the taker has read it.
 * Replaced arrays are kept until the ring is destroyed (their sizes sum to less than the last one's).
 * Both ends move away from Chase and Lev's deque (SPAA 2005): nobody pops the newest end, so taking half is safe. */
#ifndef WEFT_LOCKFREE_RING_H
#define WEFT_LOCKFREE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomics.h"
#include "base/base.h"

typedef struct weft__ring_cells {
  struct weft__ring_cells *older;
  uint64_t mask;
  _Atomic(uintptr_t) cell[];
} weft__ring_cells_t;

typedef struct weft__ring {
  WEFT__CACHE_ALIGNED _Atomic(uint64_t) head; /* takers */
  WEFT__CACHE_ALIGNED _Atomic(uint64_t) tail; /* written by the owner only */
  _Atomic(weft__ring_cells_t *) cells;        /* written by the owner only */
} weft__ring_t;

/* capacity: a power of two. -ENOMEM when memory ran out. */
int weft__ring_init(weft__ring_t *ring, size_t capacity);
void weft__ring_destroy(weft__ring_t *ring);
/* Makes room for one more; owner only. -ENOMEM leaves the ring as it was. */
int weft__ring_grow(weft__ring_t *ring);

/* How many there are: exact for the owner while nobody takes, else a hint. */
static inline size_t weft__ring_size(const weft__ring_t *ring) {
  uint64_t head = atom_load(&ring->head, relaxed), tail = atom_load(&ring->tail, relaxed);
  return tail > head ? (size_t)(tail - head) : 0;
}

/* Owner only. -ENOMEM when the ring is full and cannot grow. */
static inline int weft__ring_push(weft__ring_t *ring, uintptr_t value) {
  uint64_t tail = atom_load(&ring->tail, relaxed);
  weft__ring_cells_t *cells = atom_load(&ring->cells, relaxed);
  /* acquire: partner of the takers' release on head; the cell that is about to be reused has been read. */
  if (weft__unlikely(tail - atom_load(&ring->head, acquire) > cells->mask)) {
    int rc = weft__ring_grow(ring);
    if (rc < 0) return rc;
    cells = atom_load(&ring->cells, relaxed);
  }
  atom_store(&cells->cell[tail & cells->mask], value, relaxed);
  atom_store(&ring->tail, tail + 1, release); /* partner: the takers' acquire of tail */
  return 0;
}

/* Takes the oldest; 0 when empty. Any thread. */
static inline uintptr_t weft__ring_take(weft__ring_t *ring) {
  uint64_t head = atom_load(&ring->head, acquire);
  for (;;) {
    if (head >= atom_load(&ring->tail, acquire)) return 0;
    weft__ring_cells_t *cells = atom_load(&ring->cells, acquire);
    uintptr_t value = atom_load(&cells->cell[head & cells->mask], relaxed);
    if (atom_cas(&ring->head, &head, head + 1, acq_rel, acquire)) return value;
  }
}

/* The same for a ring that nobody else takes from (one worker): no locked instruction. */
static inline uintptr_t weft__ring_take_alone(weft__ring_t *ring) {
  uint64_t head = atom_load(&ring->head, relaxed);
  if (head >= atom_load(&ring->tail, relaxed)) return 0;
  weft__ring_cells_t *cells = atom_load(&ring->cells, relaxed);
  uintptr_t value = atom_load(&cells->cell[head & cells->mask], relaxed);
  atom_store(&ring->head, head + 1, release);
  return value;
}

/* The oldest, 0 when empty. By the owner; others may take it meanwhile. */
static inline uintptr_t weft__ring_oldest(weft__ring_t *ring) {
  uint64_t head = atom_load(&ring->head, acquire);
  if (head >= atom_load(&ring->tail, relaxed)) return 0;
  weft__ring_cells_t *cells = atom_load(&ring->cells, relaxed);
  return atom_load(&cells->cell[head & cells->mask], relaxed);
}

/* Takes the oldest if it is `value`. By the owner. */
static inline bool weft__ring_take_this(weft__ring_t *ring, uintptr_t value) {
  uint64_t head = atom_load(&ring->head, acquire);
  if (head >= atom_load(&ring->tail, relaxed)) return false;
  weft__ring_cells_t *cells = atom_load(&ring->cells, relaxed);
  if (atom_load(&cells->cell[head & cells->mask], relaxed) != value) return false;
  return atom_cas(&ring->head, &head, head + 1, acq_rel, relaxed);
}

/* Takes half of the queue, rounded up, at most `limit`, oldest first, into out; how many. Any thread. */
size_t weft__ring_take_half(weft__ring_t *ring, uintptr_t out[], size_t limit);

#endif
