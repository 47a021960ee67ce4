/* handles.c: scheduled callbacks: call_soon, call_later, call_at, and the handles that cancel them.
 *
 * A handle is a slot's address and the generation it was given out with. Slots live as long as their loop, in chunks, and
 * are used again; a word holds generation and state, so that a stale handle is recognised, whoever holds it.
 *
 *   FREE --call_soon--> QUEUED --run--> RUNNING --> FREE (generation + 1)
 *   FREE --call_later--> ARMED --expiry--> QUEUED
 *   ARMED --cancel--> FREE        QUEUED --cancel--> SKIPPED --run--> FREE
 *
 * Every transition out of ARMED and QUEUED is a compare-and-swap on the word, so that expiry, run and cancel agree on one
 * winner. ARMED: whoever removes the timer under the timers' lock owns the slot. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <weft/events.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "run/debug.h"
#include "run/handles.h"
#include "sched/loop.h"
#include "task/contextvars.h"

enum state { FREE, ARMED, QUEUED, RUNNING, SKIPPED };
enum { STATE_BITS = 3, CHUNK = 64 };

typedef struct slot {
  weft__item_t item;
  weft__timer_t timer;
  _Atomic(uint64_t) word; /* generation << STATE_BITS | state */
  weft_loop_t *loop;
  weft_callback_fn fn;
  void *data;
  weft_contextvars_t *context;
  _Atomic(int64_t) when;       /* WEFT__TIME_NEVER: not a timer */
  _Atomic(uint64_t) cancelled; /* bit g % 64: whether the handle of generation g was, for the last 64 generations */
  struct slot *next_free;
} slot_t;

typedef struct chunk {
  struct chunk *next;
  slot_t slots[CHUNK];
} chunk_t;

struct weft__handles {
  weft__spin_t lock;
  slot_t *free_slots;
  chunk_t *chunks;
};

static enum state state_of(uint64_t word) { return (enum state)(word & ((1u << STATE_BITS) - 1)); }

/* From a given generation's state to another; false if it is not in that state (any more). */
static bool move(slot_t *slot, uint64_t generation, enum state from, enum state to) {
  uint64_t expected = generation << STATE_BITS | (uint64_t)from;
  /* acq_rel: the winner sees what the previous state's owner wrote into the slot */
  return atom_cas(&slot->word, &expected, generation << STATE_BITS | (uint64_t)to, acq_rel, acquire);
}

int weft__handles_open(weft_loop_t *loop) {
  loop->handles = weft__alloc_zero(sizeof *loop->handles);
  return loop->handles != NULL ? 0 : -ENOMEM;
}

void weft__handles_disarm(weft_loop_t *loop) {
  for (chunk_t *chunk = loop->handles->chunks; chunk != NULL; chunk = chunk->next)
    for (unsigned i = 0; i < CHUNK; i++)
      if (state_of(atom_load(&chunk->slots[i].word, relaxed)) == ARMED) weft__timers_remove(&chunk->slots[i].timer);
}

void weft__handles_close(weft_loop_t *loop) {
  struct weft__handles *handles = loop->handles;
  for (chunk_t *chunk = handles->chunks, *next; chunk != NULL; chunk = next) {
    next = chunk->next;
    for (unsigned i = 0; i < CHUNK; i++) weft_contextvars_unref(chunk->slots[i].context);
    weft__free(chunk, sizeof *chunk);
  }
  weft__free(handles, sizeof *handles);
  loop->handles = NULL;
}

static slot_t *take_slot(weft_loop_t *loop) {
  struct weft__handles *handles = loop->handles;
  weft__spin_lock(&handles->lock);
  slot_t *slot = handles->free_slots;
  if (slot != NULL) handles->free_slots = slot->next_free;
  weft__spin_unlock(&handles->lock);
  if (slot != NULL) return slot;
  chunk_t *chunk = weft__alloc_zero(sizeof *chunk);
  if (chunk == NULL) return NULL;
  for (unsigned i = 0; i < CHUNK; i++) {
    chunk->slots[i].loop = loop;
    atom_init(&chunk->slots[i].word, (uint64_t)1 << STATE_BITS);
    weft__timer_init(&chunk->slots[i].timer);
    weft__link_init(&chunk->slots[i].item.link);
  }
  weft__spin_lock(&handles->lock);
  chunk->next = handles->chunks;
  handles->chunks = chunk;
  for (unsigned i = 1; i < CHUNK; i++) {
    chunk->slots[i].next_free = handles->free_slots;
    handles->free_slots = &chunk->slots[i];
  }
  weft__spin_unlock(&handles->lock);
  return &chunk->slots[0];
}

/* The caller owns the slot. */
static void give_slot(slot_t *slot) {
  struct weft__handles *handles = slot->loop->handles;
  weft_contextvars_unref(slot->context);
  slot->context = NULL;
  uint64_t generation = (atom_load(&slot->word, relaxed) >> STATE_BITS) + 1;
  atom_store(&slot->word, generation << STATE_BITS | FREE, release); /* stale handles' swaps fail from here on */
  weft__spin_lock(&handles->lock);
  slot->next_free = handles->free_slots;
  handles->free_slots = slot;
  weft__spin_unlock(&handles->lock);
}

static uint64_t bit_of(uint64_t generation) { return (uint64_t)1 << (generation % 64); }

static weft_handle_t handle_of(slot_t *slot, uint64_t generation) {
  weft_handle_t handle = {{(uint64_t)(uintptr_t)slot, generation}};
  return handle;
}

/* ---- running ----------------------------------------------------------------------------------------------------------- */

static void run_slot(weft__item_t *item) {
  slot_t *slot = weft__container_of(item, slot_t, item);
  uint64_t generation = atom_load(&slot->word, acquire) >> STATE_BITS;
  if (!move(slot, generation, QUEUED, RUNNING)) { /* SKIPPED */
    give_slot(slot);
    return;
  }
  weft_loop_t *loop = slot->loop;
  if (weft__unlikely(weft__loop_refuses_tasks(loop))) { /* closed */
    give_slot(slot);
    return;
  }
  weft_handle_t handle = handle_of(slot, generation);
  weft__context_frame_t frame;
  weft__context_enter(&frame, slot->context);
  slot->context = NULL;
  int64_t begun = weft__debug_begin(loop);
  weft_callback_fn fn = slot->fn;
  int rc = fn(slot->data);
  weft__debug_end(loop, begun, "Handle", NULL);
  weft__context_leave(&frame);
  if (rc < 0) {
    weft__record_t *record = weft__record_for(rc);
    if (rc == WEFT_EXIT || rc == WEFT_INTERRUPT)
      weft__base_error(loop, record);
    else
      weft__report_handle(loop, (const void *)(uintptr_t)fn, &record->error, &handle);
    weft__record_unref(record);
  }
  give_slot(slot);
}

static void expire_slot(weft__timer_t *timer) { /* under the timers' lock */
  slot_t *slot = weft__container_of(timer, slot_t, timer);
  uint64_t generation = atom_load(&slot->word, acquire) >> STATE_BITS;
  if (move(slot, generation, ARMED, QUEUED)) weft__post(slot->loop, &slot->item, weft__callback_strand(slot->loop));
}

/* ---- public ------------------------------------------------------------------------------------------------------------ */

static slot_t *prepare(weft_loop_t *loop, weft_callback_fn fn, void *data, const char *what) {
  if (loop == NULL || fn == NULL) {
    weft_ignore(weft_fail(-EINVAL, "%s: no %s", what, loop == NULL ? "loop" : "function"));
    return NULL;
  }
  if (weft__loop_refuses_tasks(loop)) {
    weft_ignore(weft_fail(WEFT_RUNTIME, "Event loop is closed"));
    return NULL;
  }
  slot_t *slot = take_slot(loop);
  if (slot == NULL) {
    weft_ignore(weft_fail(-ENOMEM, "%s: no memory", what));
    return NULL;
  }
  slot->item.run = run_slot;
  slot->fn = fn;
  slot->data = data;
  slot->context = weft__context_of_new_task();
  atom_store(&slot->when, WEFT__TIME_NEVER, relaxed);
  /* relaxed: whoever asks with the new generation got the handle from the caller, who wrote this before */
  atom_and(&slot->cancelled, ~bit_of(atom_load(&slot->word, relaxed) >> STATE_BITS), relaxed);
  return slot;
}

weft_handle_t weft_call_soon(weft_loop_t *loop, weft_callback_fn fn, void *data) {
  slot_t *slot = prepare(loop, fn, data, "weft_call_soon");
  if (slot == NULL) return (weft_handle_t){{0, 0}};
  uint64_t generation = atom_load(&slot->word, relaxed) >> STATE_BITS;
  atom_store(&slot->word, generation << STATE_BITS | QUEUED, release);
  weft__post(loop, &slot->item, weft__callback_strand(loop));
  return handle_of(slot, generation);
}

static weft_handle_t call_at(weft_loop_t *loop, int64_t when, weft_callback_fn fn, void *data, const char *what) {
  slot_t *slot = prepare(loop, fn, data, what);
  if (slot == NULL) return (weft_handle_t){{0, 0}};
  uint64_t generation = atom_load(&slot->word, relaxed) >> STATE_BITS;
  atom_store(&slot->when, when, relaxed);
  atom_store(&slot->word, generation << STATE_BITS | ARMED, release);
  weft_handle_t handle = handle_of(slot, generation);
  weft__arm_timer(loop, &slot->timer, when, expire_slot);
  return handle;
}

weft_handle_t weft_call_later(weft_loop_t *loop, double seconds, weft_callback_fn fn, void *data) {
  int64_t ns;
  if (weft__seconds_to_ns(seconds, &ns) < 0) {
    weft_ignore(weft_fail(-EINVAL, "weft_call_later: the delay is not a number"));
    return (weft_handle_t){{0, 0}};
  }
  if (loop == NULL) return call_at(NULL, 0, fn, data, "weft_call_later");
  return call_at(loop, weft__time_add(weft__loop_now(loop), ns), fn, data, "weft_call_later");
}

weft_handle_t weft_call_at(weft_loop_t *loop, double when, weft_callback_fn fn, void *data) {
  int64_t ns;
  if (weft__seconds_to_ns(when, &ns) < 0) {
    weft_ignore(weft_fail(-EINVAL, "weft_call_at: the time is not a number"));
    return (weft_handle_t){{0, 0}};
  }
  return call_at(loop, ns, fn, data, "weft_call_at");
}

bool weft_handle_cancel(weft_handle_t handle) {
  slot_t *slot = (slot_t *)(uintptr_t)handle.opaque_[0];
  if (slot == NULL) return false;
  uint64_t generation = handle.opaque_[1];
  /* Noted whether or not it still helps, as asyncio does. relaxed: a bit says nothing about other memory. */
  if ((atom_load(&slot->word, acquire) >> STATE_BITS) - generation < 64)
    atom_or(&slot->cancelled, bit_of(generation), relaxed);
  if (atom_load(&slot->word, acquire) == (generation << STATE_BITS | ARMED)) {
    /* Claimed first, so that expiry, which only looks under the timers' lock, leaves the slot alone. */
    if (move(slot, generation, ARMED, RUNNING)) {
      weft__timers_remove(&slot->timer);
      give_slot(slot);
      return true;
    }
  }
  return move(slot, generation, QUEUED, SKIPPED);
}

bool weft_handle_cancelled(weft_handle_t handle) {
  slot_t *slot = (slot_t *)(uintptr_t)handle.opaque_[0];
  if (slot == NULL) return false;
  bool cancelled = (atom_load(&slot->cancelled, acquire) & bit_of(handle.opaque_[1])) != 0;
  /* acquire on both: the generation is read after the bit, so that a bit of a much later one is not taken for ours */
  return cancelled && (atom_load(&slot->word, acquire) >> STATE_BITS) - handle.opaque_[1] < 64;
}

double weft_handle_when(weft_handle_t handle) {
  slot_t *slot = (slot_t *)(uintptr_t)handle.opaque_[0];
  if (slot == NULL) return NAN;
  if (atom_load(&slot->word, acquire) >> STATE_BITS != handle.opaque_[1]) return NAN;
  int64_t when = atom_load(&slot->when, acquire);
  uint64_t word = atom_load(&slot->word, relaxed); /* still the same generation: the time was its own */
  if (word >> STATE_BITS != handle.opaque_[1] || state_of(word) == FREE || when == WEFT__TIME_NEVER) return NAN;
  return weft__ns_to_seconds(when);
}
