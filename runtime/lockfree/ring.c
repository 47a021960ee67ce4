/* ring.c: see ring.h for the states and the argument. */
#include "lockfree/ring.h"

#include <errno.h>

#include "base/alloc.h"

static size_t cells_bytes(uint64_t capacity) {
  return sizeof(weft__ring_cells_t) + (size_t)capacity * sizeof(_Atomic(uintptr_t));
}

static weft__ring_cells_t *cells_new(uint64_t capacity, weft__ring_cells_t *older) {
  weft__ring_cells_t *cells = weft__alloc(cells_bytes(capacity));
  if (cells == NULL) return NULL;
  cells->older = older;
  cells->mask = capacity - 1;
  return cells;
}

int weft__ring_init(weft__ring_t *ring, size_t capacity) {
  WEFT__ASSERT(capacity > 0 && (capacity & (capacity - 1)) == 0);
  atom_init(&ring->head, 0);
  atom_init(&ring->tail, 0);
  weft__ring_cells_t *cells = cells_new(capacity, NULL);
  atom_init(&ring->cells, cells);
  return cells == NULL ? -ENOMEM : 0;
}

void weft__ring_destroy(weft__ring_t *ring) {
  weft__ring_cells_t *cells = atom_load(&ring->cells, relaxed);
  while (cells != NULL) {
    weft__ring_cells_t *older = cells->older;
    weft__free(cells, cells_bytes(cells->mask + 1));
    cells = older;
  }
  atom_store(&ring->cells, NULL, relaxed);
}

WEFT__COLD int weft__ring_grow(weft__ring_t *ring) {
  weft__ring_cells_t *old = atom_load(&ring->cells, relaxed);
  weft__ring_cells_t *bigger = cells_new((old->mask + 1) * 2, old);
  if (bigger == NULL) return -ENOMEM;
  uint64_t tail = atom_load(&ring->tail, relaxed);
  /* Takers may move head meanwhile: cells below it are copied for nothing and read by nobody. */
  for (uint64_t p = atom_load(&ring->head, acquire); p < tail; p++)
    atom_store(&bigger->cell[p & bigger->mask], atom_load(&old->cell[p & old->mask], relaxed), relaxed);
  atom_store(&ring->cells, bigger, release); /* partner: the takers' acquire of cells */
  return 0;
}

size_t weft__ring_take_half(weft__ring_t *ring, uintptr_t out[], size_t limit) {
  uint64_t head = atom_load(&ring->head, acquire);
  for (;;) {
    uint64_t tail = atom_load(&ring->tail, acquire);
    if (head >= tail) return 0;
    uint64_t n = (tail - head + 1) / 2;
    if (n > limit) n = limit;
    weft__ring_cells_t *cells = atom_load(&ring->cells, acquire);
    for (uint64_t i = 0; i < n; i++) out[i] = atom_load(&cells->cell[(head + i) & cells->mask], relaxed);
    if (atom_cas(&ring->head, &head, head + n, acq_rel, acquire)) return (size_t)n;
  }
}
