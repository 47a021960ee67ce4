/* ready_table.c: see ready_table.h. */
#include "loop/ready_table.h"

#include "base/alloc.h"

static unsigned chunk_of(uint32_t index) { return 31u - (unsigned)__builtin_clz(index / WEFT__READY_FIRST + 1); }
static uint32_t chunk_start(unsigned chunk) { return ((UINT32_C(1) << chunk) - 1) * WEFT__READY_FIRST; }
static uint32_t chunk_length(unsigned chunk) { return WEFT__READY_FIRST << chunk; }

void weft__ready_table_init(weft__ready_table_t *table) {
  weft__spin_init(&table->lock);
  table->free = NULL;
  table->size = 0;
  for (unsigned i = 0; i < WEFT__READY_CHUNKS; i++) atom_init(&table->chunk[i], NULL);
}

void weft__ready_table_destroy(weft__ready_table_t *table) {
  for (unsigned i = 0; i < WEFT__READY_CHUNKS; i++) {
    weft__ready_t *chunk = atom_load(&table->chunk[i], relaxed);
    weft__free_aligned(chunk, WEFT__CACHE_LINE, chunk == NULL ? 0 : chunk_length(i) * sizeof(weft__ready_t));
    atom_store(&table->chunk[i], NULL, relaxed);
  }
}

weft__ready_t *weft__ready_table_at(const weft__ready_table_t *table, uint32_t index) {
  unsigned k = chunk_of(index);
  /* acquire: partner of the release in take, so that the object's lock is seen initialised */
  weft__ready_t *chunk = k < WEFT__READY_CHUNKS ? atom_load(&table->chunk[k], acquire) : NULL;
  WEFT__ASSERT(chunk != NULL);
  return &chunk[index - chunk_start(k)];
}

uint32_t weft__ready_table_size(weft__ready_table_t *table) {
  weft__spin_lock(&table->lock);
  uint32_t size = table->size;
  weft__spin_unlock(&table->lock);
  return size;
}

static weft__ready_t *take_free(weft__ready_table_t *table) {
  weft__ready_t *ready = table->free;
  if (ready != NULL) {
    table->free = ready->free_next;
    return ready;
  }
  unsigned k = chunk_of(table->size);
  weft__ready_t *chunk = k < WEFT__READY_CHUNKS ? atom_load(&table->chunk[k], relaxed) : NULL;
  if (chunk == NULL) return NULL;
  uint32_t index = table->size++;
  return &chunk[index - chunk_start(k)];
}

/* A chunk for the next index, made without the lock: whoever comes second frees his. */
static bool grow(weft__ready_table_t *table) {
  unsigned k = chunk_of(weft__ready_table_size(table));
  if (k >= WEFT__READY_CHUNKS) return false;
  size_t bytes = chunk_length(k) * sizeof(weft__ready_t);
  weft__ready_t *chunk = weft__alloc_aligned(WEFT__CACHE_LINE, bytes);
  if (chunk == NULL) return false;
  for (uint32_t i = 0; i < chunk_length(k); i++) {
    weft__ready_t *ready = &chunk[i];
    atom_init(&ready->word, 0);
    atom_init(&ready->users, WEFT__READY_CLOSING);
    weft__spin_init(&ready->lock);
    ready->owned = false;
    ready->fd = -1;
    ready->index = chunk_start(k) + i;
    ready->generation = 0;
    weft__list_init(&ready->readers);
    weft__list_init(&ready->writers);
    ready->reactor = NULL;
    ready->free_next = ready->wish_next = NULL;
    ready->watch = NULL;
    atom_init(&ready->wished, false);
  }
  weft__ready_t *none = NULL;
  if (!atom_cas(&table->chunk[k], &none, chunk, release, relaxed)) weft__free_aligned(chunk, WEFT__CACHE_LINE, bytes);
  return true;
}

weft__ready_t *weft__ready_table_take(weft__ready_table_t *table) {
  do {
    weft__spin_lock(&table->lock);
    weft__ready_t *ready = take_free(table);
    weft__spin_unlock(&table->lock);
    if (ready != NULL) return ready;
  } while (grow(table));
  return NULL;
}

void weft__ready_table_give(weft__ready_table_t *table, weft__ready_t *ready) {
  weft__spin_lock(&table->lock);
  ready->free_next = table->free;
  table->free = ready;
  weft__spin_unlock(&table->lock);
}
