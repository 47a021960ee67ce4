/* model_ready.c: readiness objects (runtime/loop/ready.c) between operations, a poller and a close, over a descriptor of
 * the model's own: bytes that arrive, an end of the stream, and one edge for epoll at each change. */
#include <unistd.h>

#define close model_close
static int model_close(int fd);
#include "loop/ready.c"
#include "loop/ready_table.c"
#undef close
#include "model/model.h"

enum {
  FD = 7,
  EDGE = 128,      /* in `edges`: something to fetch, beside the bits of the event */
  STREAM_END = 128 /* in `stream`: nothing more will come */
};

static weft__reactor_t *reactor;
static weft__ready_t *ready;
static uint64_t event_data, first_data; /* what epoll would answer for it; for its first registration */
static _Atomic(unsigned) stream;        /* the kernel's: the bytes that can be read */
static _Atomic(unsigned) edges;         /* the event that the next poll fetches, 0: none */
static _Atomic(unsigned) open_files, registered, freed;
static unsigned received, calls; /* calls: on the descriptor, all of them before its close */

/* ---- the kernel -------------------------------------------------------------------------------------------------------- */

int weft__reactor_register(weft__reactor_t *of, weft__ready_t *object, uint64_t data) {
  (void)of;
  (void)object;
  event_data = data;
  atom_xchg(&registered, 1, acq_rel);
  return 0;
}
void weft__reactor_rearm(weft__reactor_t *of, weft__ready_t *object) { (void)of, (void)object; }

void weft__reactor_unregister(weft__reactor_t *of, weft__ready_t *object) {
  (void)of;
  (void)object;
  MODEL_CHECK(atom_load(&open_files, acquire) == 1); /* EPOLL_CTL_DEL comes before close */
  atom_xchg(&registered, 0, acq_rel);
}
void weft__reactor_free(weft__reactor_t *of) {
  (void)of;
  atom_xchg(&freed, 1, acq_rel);
}
static int model_close(int fd) {
  calls = 0;
  MODEL_CHECK(fd == FD && atom_xchg(&open_files, 0, acq_rel) == 1);
  return 0;
}

static void arrive(unsigned n, bool end) {
  atom_add(&stream, n + (end ? STREAM_END : 0), acq_rel);
  atom_or(&edges, EDGE | (unsigned)WEFT__READY_IN | (end ? (unsigned)WEFT__READY_RDHUP : 0), acq_rel);
}

/* What read(2) of many bytes answers: what is there, 0 at the end, -1 for EAGAIN. */
static int read_some(void) {
  MODEL_CHECK(atom_load(&open_files, acquire) == 1);
  calls++;
  unsigned n = atom_and(&stream, STREAM_END, acq_rel);
  return n == 0 ? -1 : (int)(n & ~(unsigned)STREAM_END);
}

/* One turn of a poller: waits for an edge, takes it out of the kernel, delivers it. */
static void poll_once(void) {
  model_sleep_while(&edges, 0);
  unsigned event = atom_xchg(&edges, 0, acq_rel);
  if (event != 0) weft__ready_deliver(reactor, event_data, event & ~(unsigned)EDGE);
}

/* ---- an operation, as ready.h describes it ------------------------------------------------------------------------------- */

typedef struct sleeper {
  weft__ready_waiter_t waiter;
  _Atomic(unsigned) woken;
} sleeper_t;

static void wake_sleeper(weft__ready_waiter_t *waiter) {
  sleeper_t *sleeper = weft__container_of(waiter, sleeper_t, waiter);
  atom_store(&sleeper->woken, 1, release); /* the last access: the frame may go */
}

/* Every read is a short one: the stream gave less than was asked for. Answers what read does, or -2 when the object is being closed. */
static __attribute__((noinline)) int receive(void) {
  if (!weft__ready_begin(ready)) return -2;
  int n;
  for (;;) {
    uint64_t seen = weft__ready_load(ready);
    if (seen & WEFT__READY_IN) {
      n = read_some();
      if (n > 0 && weft__ready_may_clear(seen)) (void)weft__ready_clear(ready, seen, WEFT__READY_IN);
      if (n >= 0) break;
      if (!weft__ready_clear(ready, seen, WEFT__READY_IN)) continue;
    }
    sleeper_t sleeper = {.waiter.wake = wake_sleeper};
    atom_init(&sleeper.woken, 0);
    weft__spin_lock(&ready->lock);
    if (!weft__ready_wait_locked(ready, WEFT__READY_IN, &sleeper.waiter)) {
      weft__spin_unlock(&ready->lock);
      if (weft__ready_closing(ready)) {
        n = -2;
        break;
      }
      continue;
    }
    weft__spin_unlock(&ready->lock);
    model_sleep_while(&sleeper.woken, 0);
  }
  weft__ready_end(ready);
  return n;
}

static void setup(void) {
  reactor = weft__alloc_zero(sizeof *reactor);
  weft__reactor_core_init(reactor);
  atom_init(&stream, 0);
  atom_init(&edges, 0);
  atom_init(&open_files, 1);
  atom_init(&freed, 0);
  received = calls = 0;
  MODEL_CHECK(weft__ready_open(reactor, FD, &ready) == 0);
  first_data = event_data;
}

/* ---- two bytes ----------------------------------------------------------------------------------------------------------- */

static void run_bytes(unsigned index) {
  if (index == 0) {
    while (received < 2) received += (unsigned)receive();
  } else if (index == 1) {
    arrive(1, false);
    arrive(1, false);
  } else {
    poll_once();
    poll_once(); /* may wait for ever, when both edges were one */
  }
}
static void check_bytes(void) { MODEL_CHECK(received == 2); }

/* ---- data and the end of the stream in one event ------------------------------------------------------------------------- */

static void run_end(unsigned index) {
  if (index == 0) {
    MODEL_CHECK(receive() == 1);
    MODEL_CHECK(receive() == 0);
    received = 2;
  } else if (index == 1) {
    arrive(1, true);
    poll_once();
  }
}

/* ---- close --------------------------------------------------------------------------------------------------------------- */

static void run_close(unsigned index) {
  if (index == 0) {
    int rc = receive();
    MODEL_CHECK(rc == 1 || rc == -2);
    received = 2;
  } else if (index == 1) {
    arrive(1, false);
    poll_once();
  } else {
    weft__ready_close(ready);
  }
}
static void check_close(void) {
  MODEL_CHECK(received == 2 && atom_load(&open_files, relaxed) == 0 && atom_load(&registered, relaxed) == 0);
  MODEL_CHECK(atom_load(&reactor->registered, relaxed) == 0 && atom_load(&reactor->waiting, relaxed) == 0);
  MODEL_CHECK(weft__list_empty(&ready->readers));
}

/* Nothing ever comes: only the close can end the wait. */
static void run_close_alone(unsigned index) {
  if (index == 0) {
    MODEL_CHECK(receive() == -2);
    received = 2;
  } else {
    weft__ready_close(ready);
  }
}

/* ---- an event for an object that was closed, its memory another descriptor's ----------------------------------------------- */

static weft__ready_t *second;

static void run_reuse(unsigned index) {
  if (index == 0) {
    (void)weft__ready_deliver(reactor, first_data, WEFT__READY_IN); /* it was fetched before the close */
  } else {
    weft__ready_close(ready);
    atom_init(&open_files, 1);
    MODEL_CHECK(weft__ready_open(reactor, FD, &second) == 0 && second == ready);
    uint64_t seen = weft__ready_load(second);
    MODEL_CHECK(weft__ready_clear(second, seen, WEFT__READY_IN));
    weft__spin_lock(&second->lock);
    MODEL_CHECK(!(weft__ready_load(second) & WEFT__READY_IN)); /* nothing has come for this one */
    weft__spin_unlock(&second->lock);
  }
}

/* ---- a waiter that gives up ------------------------------------------------------------------------------------------------ */

static void run_give_up(unsigned index) {
  if (index == 0) {
    uint64_t seen = weft__ready_load(ready);
    (void)weft__ready_clear(ready, seen, WEFT__READY_IN);
    sleeper_t sleeper = {.waiter.wake = wake_sleeper};
    atom_init(&sleeper.woken, 0);
    weft__spin_lock(&ready->lock);
    bool linked = weft__ready_wait_locked(ready, WEFT__READY_IN, &sleeper.waiter);
    weft__spin_unlock(&ready->lock);
    bool gave_up = linked && weft__ready_unwait(ready, &sleeper.waiter);
    MODEL_CHECK(!linked || gave_up != (atom_load(&sleeper.woken, acquire) != 0));
    received = 2;
  } else {
    arrive(1, false);
    poll_once();
  }
}
static void check_give_up(void) {
  MODEL_CHECK(received == 2 && atom_load(&reactor->waiting, relaxed) == 0 && weft__list_empty(&ready->readers));
}

const model_scenario_t model_scenarios[] = {
    {.name = "ready.bytes",
     .property = "rule 5: an event between EAGAIN and clear, or clear and wait, is not lost",
     .threads = 3,
     .setup = setup,
     .run = run_bytes,
     .check = check_bytes,
     .may_rest = true,
     .bound = 2},
    {.name = "ready.end",
     .property = "rule 6: data and the end of the stream in one event are both read",
     .threads = 2,
     .setup = setup,
     .run = run_end,
     .check = check_bytes,
     .bound = 4},
    {.name = "ready.close",
     .property = "rule 7: the last user closes, once; no call meets a closed descriptor",
     .threads = 3,
     .setup = setup,
     .run = run_close,
     .check = check_close,
     .may_rest = true,
     .bound = 2},
    {.name = "ready.close_alone",
     .property = "a close ends every wait, and every wait that is about to begin",
     .threads = 2,
     .setup = setup,
     .run = run_close_alone,
     .check = check_close,
     .bound = 4},
    {.name = "ready.reuse",
     .property = "rule 7: an event that comes late does not meet the object's next life",
     .threads = 2,
     .setup = setup,
     .run = run_reuse,
     .bound = 4},
    {.name = "ready.give_up",
     .property = "a waiter that gives up was woken, or never will be",
     .threads = 2,
     .setup = setup,
     .run = run_give_up,
     .check = check_give_up,
     .bound = 4},
    {.name = NULL},
};
