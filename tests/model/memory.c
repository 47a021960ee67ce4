/* memory.c: atomic accesses: locations, store buffers, vector clocks. See machine.h. */
#include <string.h>

#include "model/machine.h"

enum { LOCATIONS = 4096 };

static location_t locations[LOCATIONS];

static location_t *find_location(const volatile void *address) {
  size_t at = ((uintptr_t)address >> 2) * 0x9E3779B97F4A7C15u >> 40;
  location_t *location;
  for (;; at++) {
    location = &locations[at % LOCATIONS];
    if (location->address == address) break;
    if (location->address != NULL) continue;
    location->address = address;
    break;
  }
  if (location->execution != machine.execution) {
    location->execution = machine.execution;
    memset(&location->clock, 0, sizeof location->clock);
    memset(location->watched, 0, sizeof location->watched);
  }
  return location;
}

static bool worth_sharing(const location_t *location) {
  return location->written && (location->users & (location->users - 1)) != 0;
}

static void use(location_t *location, bool write) {
  if (machine.current == MAIN) return;
  location->users |= UINT64_C(1) << machine.current;
  location->written = location->written || write;
  if (!location->shared && worth_sharing(location)) machine.sharing_grew = true;
}

void memory_share(void) {
  for (unsigned i = 0; i < LOCATIONS; i++) locations[i].shared = (locations[i].users & (locations[i].users - 1)) != 0;
  machine.sharing_grew = false;
}

static bool shared(const location_t *location) { return machine.all_shared || location->shared; }

static uint64_t read_memory(const volatile void *address, size_t size) {
  uint64_t value = 0;
  memcpy(&value, (const void *)address, size);
  return value;
}
static void write_memory(const volatile void *address, size_t size, uint64_t value) {
  memcpy((void *)(uintptr_t)address, &value, size);
}
static uint64_t cut(uint64_t value, size_t size) { return size == 8 ? value : value & ((UINT64_C(1) << size * 8) - 1); }

/* ---- store buffers ----------------------------------------------------------------------------------------------------- */

static pending_store_t *buffered(thread_t *thread, unsigned i) {
  return &thread->buffer[(thread->first + i) % BUFFERED];
}

/* The newest (or oldest) buffered store to the location; NULL if there is none. */
static pending_store_t *find_buffered(thread_t *thread, const location_t *location, bool newest) {
  pending_store_t *found = NULL;
  for (unsigned i = 0; i < thread->count; i++) {
    if (buffered(thread, i)->location != location) continue;
    found = buffered(thread, i);
    if (!newest) break;
  }
  return found;
}

static void flush_until(unsigned index, const pending_store_t *last);

/* The oldest store of the thread's buffer reaches memory. */
static void flush_one(unsigned index) {
  thread_t *thread = &machine.threads[index];
  pending_store_t *store = buffered(thread, 0);
  for (unsigned i = 0; i < machine.thread_count; i++) {
    pending_store_t *rival = i == index ? NULL : find_buffered(&machine.threads[i], store->location, false);
    if (rival != NULL && may_be_late() && choose(CHOICE_LATE, 2) == 1) {
      machine.late++;
      flush_until(i, rival);
    }
  }
  if (machine.tracing) trace("    T%u's store of %#llx arrives", index, (unsigned long long)store->value);
  write_memory(store->location->address, store->size, store->value);
  store->location->clock = store->clock;
  location_t *location = store->location;
  thread->first = (thread->first + 1) % BUFFERED;
  thread->count--;
  threads_notice(location, index);
}

static void flush_until(unsigned index, const pending_store_t *last) {
  thread_t *thread = &machine.threads[index];
  while (thread->count > 0) {
    bool over = buffered(thread, 0) == last;
    flush_one(index);
    if (over) return;
  }
}

static void drain(unsigned index) {
  while (machine.threads[index].count > 0) flush_one(index);
}

void memory_flush_all(void) {
  for (unsigned i = 0; i < machine.thread_count; i++) drain(i);
}

/* Somebody looks at the location in memory: what others have buffered for it arrives now, or is late. */
static void arrivals(location_t *location) {
  for (unsigned i = 0; i < machine.thread_count; i++) {
    pending_store_t *store;
    if (i == machine.current) continue;
    while ((store = find_buffered(&machine.threads[i], location, false)) != NULL) {
      if (may_be_late() && choose(CHOICE_LATE, 2) == 1) {
        machine.late++;
        if (machine.tracing) trace("    T%u's store of %#llx is late", i, (unsigned long long)store->value);
        break;
      }
      flush_until(i, store);
    }
  }
}

bool memory_awaits(unsigned index, bool flush) {
  uint32_t watches = machine.threads[index].watches;
  for (unsigned i = 0; i < machine.thread_count; i++) {
    thread_t *other = &machine.threads[i];
    if (i == index) continue;
    for (unsigned k = 0; k < other->count; k++) {
      pending_store_t *store = buffered(other, k);
      if (store->location->watched[index] != watches) continue;
      if (flush) flush_until(i, store);
      return true;
    }
  }
  return false;
}

void memory_reset(void) {
  /* Locations keep their users from one execution to the next; the rest is stamped. */
  for (unsigned i = 0; i < MODEL_THREADS; i++) machine.threads[i].first = machine.threads[i].count = 0;
}

/* ---- clocks ------------------------------------------------------------------------------------------------------------ */

static bool acquires(enum model_order order) {
  return order == MODEL_acquire || order == MODEL_acq_rel || order == MODEL_seq_cst;
}
static bool releases(enum model_order order) {
  return order == MODEL_release || order == MODEL_acq_rel || order == MODEL_seq_cst;
}

static void acquire_from(thread_t *self, const location_t *location, enum model_order order) {
  clock_join(acquires(order) ? &self->clock : &self->acquired, &location->clock);
}

/* What a store of that order hands on. */
static const vclock_t *handed_on(const thread_t *self, enum model_order order) {
  return releases(order) ? &self->clock : &self->fenced;
}

static void tick(thread_t *self) { self->clock.at[machine.current]++; }

/* ---- the accesses ------------------------------------------------------------------------------------------------------ */

static const char *const ORDERS_OF_MAIN = "an atomic access outside of an execution's threads";

static location_t *begin(const volatile void *address, bool write, const char *where) {
  races_check_address(address, where);
  location_t *location = find_location(address);
  use(location, write);
  machine.steps++;
  if (shared(location)) preemption_point();
  return location;
}

static void say(const char *where, uint64_t value) {
  if (!machine.tracing) return;
  const char *name = where; /* the file without its folders */
  for (const char *p = where; *p != ':'; p++)
    if (*p == '/') name = p + 1;
  trace("%5u T%u %s = %#llx", machine.steps, machine.current, name, (unsigned long long)value);
}

void model_init(volatile void *address, size_t size, uint64_t value) {
  if (machine.current != MAIN) use(find_location(address), true);
  write_memory(address, size, value);
}

uint64_t model_load(const volatile void *address, size_t size, enum model_order order, const char *where) {
  if (machine.current == MAIN) return read_memory(address, size);
  location_t *location = begin(address, false, where);
  thread_t *self = &machine.threads[machine.current];
  uint64_t value;
  const pending_store_t *own = find_buffered(self, location, true);
  if (own != NULL) {
    value = own->value;
  } else {
    arrivals(location);
    value = read_memory(address, size);
    acquire_from(self, location, order);
  }
  location->watched[machine.current] = self->watches;
  say(where, value);
  return value;
}

void model_store(volatile void *address, size_t size, uint64_t value, enum model_order order, const char *where) {
  value = cut(value, size);
  if (machine.current == MAIN) {
    write_memory(address, size, value);
    return;
  }
  location_t *location = begin(address, true, where);
  thread_t *self = &machine.threads[machine.current];
  say(where, value);
  if (order == MODEL_acquire || order == MODEL_acq_rel) model_fail("%s: a store of that order", where);
  if (self->count == BUFFERED) flush_one(machine.current);
  pending_store_t *store = buffered(self, self->count++);
  *store = (pending_store_t){.location = location, .size = size, .value = value, .clock = *handed_on(self, order)};
  if (releases(order)) tick(self);
  if (order == MODEL_seq_cst) drain(machine.current);
}

/* The common part of read-modify-writes: afterwards memory holds what is the newest of all. */
static location_t *begin_rmw(const volatile void *address, const char *where) {
  if (machine.current == MAIN) model_fail("%s: %s", where, ORDERS_OF_MAIN);
  location_t *location = begin(address, true, where);
  drain(machine.current);
  arrivals(location);
  location->watched[machine.current] = machine.threads[machine.current].watches;
  return location;
}

static void write_rmw(location_t *location, size_t size, uint64_t value, enum model_order order) {
  thread_t *self = &machine.threads[machine.current];
  acquire_from(self, location, order);
  /* A read-modify-write continues the release sequence that it read from. */
  clock_join(&location->clock, handed_on(self, order));
  if (releases(order)) tick(self);
  write_memory(location->address, size, value);
  threads_notice(location, machine.current);
}

uint64_t model_rmw(volatile void *address, size_t size, enum model_rmw kind, uint64_t operand, enum model_order order,
                   const char *where) {
  if (machine.current == MAIN && machine.checking) { /* setup and check are alone */
    uint64_t old = read_memory(address, size);
    write_memory(address, size,
                 kind == MODEL_XCHG  ? operand
                 : kind == MODEL_ADD ? old + operand
                 : kind == MODEL_SUB ? old - operand
                 : kind == MODEL_OR  ? old | operand
                                     : old & operand);
    return old;
  }
  location_t *location = begin_rmw(address, where);
  uint64_t old = read_memory(address, size), value = 0;
  switch (kind) {
  case MODEL_XCHG: value = operand; break;
  case MODEL_ADD: value = old + operand; break;
  case MODEL_SUB: value = old - operand; break;
  case MODEL_OR: value = old | operand; break;
  case MODEL_AND: value = old & operand; break;
  }
  write_rmw(location, size, cut(value, size), order);
  say(where, cut(value, size));
  return old;
}

bool model_cas(volatile void *address, size_t size, void *expected, uint64_t desired, enum model_order order,
               enum model_order failure, const char *where) {
  uint64_t wanted = read_memory(expected, size);
  if (machine.current == MAIN && machine.checking) {
    uint64_t old = read_memory(address, size);
    if (old == wanted)
      write_memory(address, size, cut(desired, size));
    else
      memcpy(expected, &old, size);
    return old == wanted;
  }
  location_t *location = begin_rmw(address, where);
  uint64_t old = read_memory(address, size);
  if (old != wanted) {
    acquire_from(&machine.threads[machine.current], location, failure);
    if (machine.tracing)
      trace("%5u T%u fails, finds %#llx: %s", machine.steps, machine.current, (unsigned long long)old, where);
    memcpy(expected, &old, size);
    return false;
  }
  write_rmw(location, size, cut(desired, size), order);
  say(where, cut(desired, size));
  return true;
}

void model_fence(const char *where) {
  if (machine.current == MAIN) return;
  thread_t *self = &machine.threads[machine.current];
  machine.steps++;
  say(where, 0);
  drain(machine.current);
  clock_join(&self->clock, &self->acquired);
  self->fenced = self->clock;
  tick(self);
}

void model_fence_after_rmw(const char *where) {
  if (machine.current == MAIN) return;
  if (machine.threads[machine.current].count > 0) model_fail("%s: stores came after it", where);
  model_fence(where);
}

void model_membarrier(void) {
  machine.steps++;
  preemption_point();
  if (machine.tracing) trace("%5u T%u membarrier", machine.steps, machine.current);
  memory_flush_all();
  for (unsigned i = 0; i < machine.thread_count; i++) {
    thread_t *thread = &machine.threads[i];
    clock_join(&thread->clock, &thread->acquired);
    thread->fenced = thread->clock;
    thread->clock.at[i]++;
  }
}
