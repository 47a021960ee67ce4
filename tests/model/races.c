/* races.c: plain accesses of the code under test, and the memory it allocates.
 *
 * Models are compiled with -fsanitize=thread but linked without ThreadSanitizer: the calls that the compiler puts before
 * plain reads and writes come here. Two of them to one address, by two threads, one a write, that no chain of releases and
 * acquires orders are a violation (FastTrack: Flanagan, Freund, PLDI 2009, with whole read vectors); so is any access to
 * memory that was freed, which is never handed out again within an execution. Accesses are told apart by their first byte:
 * two that merely overlap are not seen. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/machine.h"

enum { ARENA = 1 << 18, GRAIN = 16, CELLS = 8192, PROBES = 4 };

/* ---- memory ------------------------------------------------------------------------------------------------------------ */

enum { FREE, TAKEN, FREED };
static char arena[ARENA] __attribute__((aligned(64)));
static unsigned char state[ARENA / GRAIN];
static size_t arena_used;
static long live;

static bool in_arena(const volatile void *address) { return (uintptr_t)address - (uintptr_t)arena < ARENA; }

void *weft__alloc_aligned(size_t align, size_t size) {
  if (align < GRAIN) align = GRAIN;
  size_t at = (arena_used + align - 1) & ~(align - 1), bytes = size == 0 ? 1 : size;
  if (at + bytes > ARENA) model_fail("the model's arena is full");
  arena_used = (at + bytes + GRAIN - 1) & ~(size_t)(GRAIN - 1);
  memset(arena + at, 0xA5, bytes);
  memset(state + at / GRAIN, TAKEN, (arena_used - at) / GRAIN);
  live++;
  return arena + at;
}
void *weft__alloc(size_t size) { return weft__alloc_aligned(GRAIN, size); }
void *weft__alloc_zero(size_t size) {
  void *memory = weft__alloc(size);
  memset(memory, 0, size);
  return memory;
}

static void access_plain(const volatile void *address, bool write);

void weft__free(void *pointer, size_t size) {
  if (pointer == NULL) return;
  size_t first = (size_t)((char *)pointer - arena) / GRAIN;
  races_check_address(pointer, "free");
  /* Whoever frees must be ordered after every use. */
  for (size_t i = 0; i < size; i += 8) access_plain((char *)pointer + i, true);
  memset(state + first, FREED, (size + GRAIN - 1) / GRAIN);
  live--;
}
void weft__free_aligned(void *pointer, size_t align, size_t size) {
  (void)align;
  weft__free(pointer, size);
}
long weft__alloc_count(void) { return live; }

void races_check_address(const volatile void *address, const char *what) {
  if (in_arena(address) && state[((uintptr_t)address - (uintptr_t)arena) / GRAIN] == FREED)
    model_fail("access to freed memory, %zu bytes into the arena: %s", (size_t)((uintptr_t)address - (uintptr_t)arena),
               what);
}

/* ---- clocks of plain accesses ------------------------------------------------------------------------------------------ */

typedef struct cell {
  uintptr_t address;
  uint64_t execution;
  uint32_t write; /* the writer's clock at its last write; 0: none in this execution */
  unsigned writer;
  uint32_t reads[MODEL_THREADS];
  const void *write_pc, *read_pc;
} cell_t;

static cell_t cells[CELLS];

void races_reset(void) {
  memset(state, FREE, (arena_used + GRAIN - 1) / GRAIN);
  arena_used = 0;
  live = 0;
}

static cell_t *find_cell(uintptr_t address) {
  size_t at = address * 0x9E3779B97F4A7C15u >> 45;
  cell_t *cell = NULL;
  for (unsigned i = 0; i < PROBES; i++) {
    cell = &cells[(at + i) % CELLS];
    if (cell->address == address && cell->execution == machine.execution) return cell;
    if (cell->execution != machine.execution) break;
  }
  memset(cell, 0, sizeof *cell); /* perhaps another address's: its history is forgotten */
  cell->address = address;
  cell->execution = machine.execution;
  return cell;
}

static void race(const char *what, unsigned with, uintptr_t address, const void *there, const void *here) {
  model_fail("data race: T%u %s %#zx at %p, T%u at %p, unordered (addr2line -e PROGRAM -fi %p %p)", machine.current,
             what, (size_t)address, here, with, there, here, there);
}

static __attribute__((noinline)) void access_at(uintptr_t address, bool write, const void *pc) {
  unsigned self = machine.current;
  if (self == MAIN || machine.failed) return;
  if (in_arena((void *)address)) races_check_address((void *)address, "plain access");
  const uint32_t *clock = machine.threads[self].clock.at;
  cell_t *cell = find_cell(address);
  if (cell->write != 0 && cell->writer != self && cell->write > clock[cell->writer])
    race(write ? "writes" : "reads", cell->writer, address, cell->write_pc, pc);
  if (!write) {
    cell->reads[self] = clock[self];
    cell->read_pc = pc;
    return;
  }
  for (unsigned i = 0; i < machine.thread_count; i++) {
    if (i != self && cell->reads[i] > clock[i]) race("writes", i, address, cell->read_pc, pc);
    cell->reads[i] = 0;
  }
  cell->write = clock[self];
  cell->writer = self;
  cell->write_pc = pc;
}

static void access_plain(const volatile void *address, bool write) {
  access_at((uintptr_t)address, write, __builtin_return_address(0));
}

/* ---- what the compiler calls ------------------------------------------------------------------------------------------- */

void __tsan_init(void);
void __tsan_func_entry(void *pc);
void __tsan_func_exit(void);
void __tsan_init(void) {}
void __tsan_func_entry(void *pc) { (void)pc; }
void __tsan_func_exit(void) {}

#define HOOK(name, write)                                                                                              \
  void name(void *address);                                                                                            \
  void name(void *address) { access_at((uintptr_t)address, write, __builtin_return_address(0)); }
#define HOOKS(prefix)                                                                                                  \
  HOOK(prefix##read1, false)                                                                                           \
  HOOK(prefix##read2, false)                                                                                           \
  HOOK(prefix##read4, false)                                                                                           \
  HOOK(prefix##read8, false)                                                                                           \
  HOOK(prefix##read16, false)                                                                                          \
  HOOK(prefix##write1, true)                                                                                           \
  HOOK(prefix##write2, true)                                                                                           \
  HOOK(prefix##write4, true)                                                                                           \
  HOOK(prefix##write8, true)                                                                                           \
  HOOK(prefix##write16, true)
HOOKS(__tsan_)
HOOKS(__tsan_unaligned_)
HOOKS(__tsan_volatile_)

#define RANGE_HOOK(name, write)                                                                                        \
  void name(void *address, unsigned long size);                                                                        \
  void name(void *address, unsigned long size) {                                                                       \
    for (unsigned long i = 0; i < size; i += 8) access_at((uintptr_t)address + i, write, __builtin_return_address(0)); \
  }
RANGE_HOOK(__tsan_read_range, false)
RANGE_HOOK(__tsan_write_range, true)

void *__tsan_memcpy(void *to, const void *from, unsigned long size);
void *__tsan_memset(void *to, int byte, unsigned long size);
void *__tsan_memcpy(void *to, const void *from, unsigned long size) { return memcpy(to, from, size); }
void *__tsan_memset(void *to, int byte, unsigned long size) { return memset(to, byte, size); }

/* Atomic accesses of public headers, which cannot include ours: weft/fork.h. */
static enum model_order order_of(int order) {
  switch (order) {
  case __ATOMIC_RELAXED: return MODEL_relaxed;
  case __ATOMIC_RELEASE: return MODEL_release;
  case __ATOMIC_ACQ_REL: return MODEL_acq_rel;
  case __ATOMIC_SEQ_CST: return MODEL_seq_cst;
  default: return MODEL_acquire;
  }
}
uint64_t __tsan_atomic64_load(const volatile uint64_t *address, int order);
void __tsan_atomic64_store(volatile uint64_t *address, uint64_t value, int order);
void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_signal_fence(int order);
uint64_t __tsan_atomic64_load(const volatile uint64_t *address, int order) {
  return model_load(address, sizeof *address, order_of(order), "header: load");
}
void __tsan_atomic64_store(volatile uint64_t *address, uint64_t value, int order) {
  model_store(address, sizeof *address, value, order_of(order), "header: store");
}
void __tsan_atomic_thread_fence(int order) {
  if (order != __ATOMIC_SEQ_CST) model_fail("a fence of that order is not modelled");
  model_fence("header: fence");
}
void __tsan_atomic_signal_fence(int order) { (void)order; }
