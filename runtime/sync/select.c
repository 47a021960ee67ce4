/* select.c: the first of several operations.
 *
 * 1. A look at each case in order, without any registration: what can be done is done.
 * 2. Otherwise the cases are registered one after the other: queues by a node among their waiters, futures by a watch,
 *    the shortest timer by a deadline, descriptors by a readiness object of a duplicate (the descriptor itself may be
 *    watched already). While that goes on a case that was registered may be chosen already.
 * 3. The task waits until one is chosen (selection.h: one claim decides). A queue's case is then done, first in line; if
 *    somebody was faster all the same, the claim is given back and everything is looked at again.
 * 4. All registrations are taken back. Watches that are queued run later and find the state, which has a count of
 *    references: ours and one per watch that has not run. */
#include <weft/select.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "loop/ready.h"
#include "sched/clock.h"
#include "sched/deadline.h"
#include "sched/loop.h"
#include "sync/queues.h"
#include "task/task.h"

typedef struct state state_t;

typedef struct entry {
  weft__watch_t watch;
  weft__select_node_t node;
  state_t *state;
  bool watched;
  weft__ready_t *ready; /* of a duplicate of the descriptor; owned */
  weft__ready_waiter_t waiter;
} entry_t;

struct state {
  _Atomic(size_t) refs;
  weft__selection_t selection;
  weft_select_case_t *cases;
  size_t count;
  weft_strand_t *strand;
  weft__deadline_t *deadline;
  int timer; /* index of the shortest timer, or -1 */
  _Atomic(bool) timed_out;
  entry_t entries[];
};

static size_t size_of(size_t count) { return sizeof(state_t) + count * sizeof(entry_t); }

static void drop(state_t *state, size_t refs) {
  /* acq_rel: what every holder did happens before the memory goes */
  if (atom_sub(&state->refs, refs, acq_rel) != refs) return;
  if (state->strand != NULL) weft__strand_unref(state->strand);
  weft__free(state, size_of(state->count));
}

/* ---- chosen ------------------------------------------------------------------------------------------------------------ */

static void future_done(weft__watch_t *watch) {
  entry_t *entry = weft__container_of(watch, entry_t, watch);
  (void)weft__selection_claim(&entry->state->selection, entry->node.index);
  drop(entry->state, 1);
}

/* Under the readiness object's lock. */
static void descriptor_ready(weft__ready_waiter_t *waiter) {
  entry_t *entry = weft__container_of(waiter, entry_t, waiter);
  (void)weft__selection_claim(&entry->state->selection, entry->node.index);
}

static void time_is_up(void *data) {
  state_t *state = data;
  /* before the claim: if that is lost to a queue's case that comes to nothing, the flag is what is looked at again;
   * relaxed: the selection's lock, or the deadline's close, orders it */
  atom_store(&state->timed_out, true, relaxed);
  (void)weft__selection_claim(&state->selection, state->timer);
}

/* ---- checking and looking ------------------------------------------------------------------------------------------------ */

/* 0 or a negative error; the shortest timer's index and time. */
static int check(weft_select_case_t cases[], size_t n, int *timer, int64_t *limit) {
  weft_loop_t *loop = weft__current_loop();
  size_t live = 0;
  if (n > INT_MAX || (n > 0 && cases == NULL)) return weft_fail(-EINVAL, "weft_select: no cases, or too many");
  for (size_t i = 0; i < n; i++) {
    weft_select_case_t *c = &cases[i];
    int64_t ns;
    int rc = 0;
    switch (c->kind) {
    case WEFT_SELECT_NONE: continue;
    case WEFT_SELECT_FUTURE:
      if (c->what == NULL)
        rc = weft_fail(-ENOMEM, "weft_select: no future in case %zu", i);
      else if (((weft_future_t *)c->what)->loop != loop)
        rc =
            weft_fail(WEFT_VALUE, "The future belongs to a different loop than the one specified as the loop argument");
      break;
    case WEFT_SELECT_GET:
    case WEFT_SELECT_PUT:
      rc = c->what != NULL ? weft__queue_check(c->what, c->item, c->size, "weft_select")
                           : weft_fail(-EINVAL, "weft_select: no queue in case %zu", i);
      break;
    case WEFT_SELECT_READABLE:
    case WEFT_SELECT_WRITABLE:
      if (c->fd < 0) rc = weft_fail(-EBADF, "weft_select: no descriptor in case %zu", i);
      break;
    case WEFT_SELECT_TIMER:
      if (weft__seconds_to_ns(c->seconds, &ns) < 0)
        rc = weft_fail(-EINVAL, "weft_select: the time of case %zu is not a number", i);
      else if (*timer < 0 || ns < *limit) {
        *timer = (int)i;
        *limit = ns;
      }
      break;
    default: rc = weft_fail(-EINVAL, "weft_select: case %zu is of no known kind: %d", i, c->kind);
    }
    if (rc < 0) return rc;
    live++;
  }
  return live > 0 ? 0 : weft_fail(WEFT_VALUE, "weft_select: nothing to wait for");
}

static bool is_descriptor(const weft_select_case_t *c) {
  return c->kind == WEFT_SELECT_READABLE || c->kind == WEFT_SELECT_WRITABLE;
}

static bool descriptor_is_ready(const weft_select_case_t *c) {
  struct pollfd one = {.fd = c->fd, .events = c->kind == WEFT_SELECT_READABLE ? POLLIN | POLLRDHUP : POLLOUT};
  return poll(&one, 1, 0) > 0 && !(one.revents & POLLNVAL);
}

/* The first case that can be done at once, done; -1: none. */
static int look(weft_select_case_t cases[], size_t n, int timer, int64_t limit) {
  for (size_t i = 0; i < n; i++) {
    weft_select_case_t *c = &cases[i];
    bool is_queue = c->kind == WEFT_SELECT_GET || c->kind == WEFT_SELECT_PUT, done = false;
    c->status = 0;
    if (is_queue)
      done = weft__queue_select(c->what, c->kind == WEFT_SELECT_PUT, c->item, NULL, &c->status) == WEFT__QUEUE_DONE;
    else if (c->kind == WEFT_SELECT_FUTURE)
      done = weft__future_done(c->what);
    else if (c->kind == WEFT_SELECT_TIMER)
      done = (int)i == timer && limit <= 0;
    else if (is_descriptor(c))
      done = descriptor_is_ready(c);
    if (done) return (int)i;
  }
  return -1;
}

/* ---- waiting ----------------------------------------------------------------------------------------------------------- */

static state_t *new_state(weft_select_case_t cases[], size_t n, int timer) {
  state_t *state = n > (SIZE_MAX - sizeof *state) / sizeof(entry_t) ? NULL : weft__alloc_zero(size_of(n));
  if (state == NULL) return NULL;
  atom_init(&state->refs, 1);
  weft__spin_init(&state->selection.lock);
  weft__awaiter_init(&state->selection.awaiter);
  atom_init(&state->selection.winner, -1);
  state->cases = cases;
  state->count = n;
  state->timer = timer;
  state->strand = weft__current_task()->strand;
  if (state->strand != NULL) weft__strand_ref(state->strand);
  for (size_t i = 0; i < n; i++) {
    entry_t *entry = &state->entries[i];
    entry->state = state;
    entry->node.selection = &state->selection;
    entry->node.index = (int)i;
    weft__wait_init(&entry->node.wait);
    weft__link_init(&entry->waiter.link);
    entry->waiter.wake = descriptor_ready;
    entry->node.wait.node.kind = WEFT__NODE_SELECT;
  }
  return state;
}

static int winner(state_t *state) {
  weft__spin_lock(&state->selection.lock);
  int index = atom_load(&state->selection.winner, relaxed);
  weft__spin_unlock(&state->selection.lock);
  return index;
}

static bool is_queue(const weft_select_case_t *c) { return c->kind == WEFT_SELECT_GET || c->kind == WEFT_SELECT_PUT; }

static enum weft__queue_step try_queue(state_t *state, int index) {
  weft_select_case_t *c = &state->cases[index];
  return weft__queue_select(c->what, c->kind == WEFT_SELECT_PUT, c->item, &state->entries[index].node, &c->status);
}

static void watch(state_t *state, entry_t *entry, weft_future_t *future) {
  entry->watched = true;
  atom_add(&state->refs, 1, relaxed); /* we hold one */
  weft__future_watch_for(future, &entry->watch, future_done, NULL, state->strand, &weft__current_task()->future);
}

/* 0 or a negative error. Whatever comes from here on claims; what was there before is found by looking. */
static int watch_descriptor(state_t *state, entry_t *entry, const weft_select_case_t *c) {
  uint64_t bit = c->kind == WEFT_SELECT_READABLE ? WEFT__READY_IN : WEFT__READY_OUT;
  if (entry->ready == NULL) {
    int fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return weft_fail(-errno, "weft_select: descriptor %d: %s", c->fd, weft_strerror(-errno));
    int rc = weft__ready_open(weft__worker()->home->reactor, fd, &entry->ready);
    if (rc < 0) {
      close(fd);
      return weft_fail(rc, "weft_select: descriptor %d cannot be waited for: %s", c->fd, weft_strerror(rc));
    }
  }
  for (;;) {
    uint64_t seen = weft__ready_load(entry->ready);
    if (seen & bit) {
      if (descriptor_is_ready(c)) {
        (void)weft__selection_claim(&state->selection, entry->node.index);
        return 0;
      }
      if (!weft__ready_clear(entry->ready, seen, bit)) continue;
    }
    weft__spin_lock(&entry->ready->lock);
    bool linked = weft__link_linked(&entry->waiter.link) || weft__ready_wait_locked(entry->ready, bit, &entry->waiter);
    weft__spin_unlock(&entry->ready->lock);
    if (linked) return 0;
    if (weft__ready_closing(entry->ready)) return weft_fail(-ECANCELED, "weft_select: the loop is being closed");
  }
}

/* Registers what is not registered, and looks at everything again. 1: a case was done or chosen for good; < 0: an error. */
static int register_cases(state_t *state) {
  for (size_t i = 0; i < state->count; i++) {
    weft_select_case_t *c = &state->cases[i];
    entry_t *entry = &state->entries[i];
    if (winner(state) >= 0) return 0; /* on to it */
    if (is_queue(c)) {
      if (try_queue(state, (int)i) == WEFT__QUEUE_DONE) return 1;
    } else if (is_descriptor(c)) {
      int rc = watch_descriptor(state, entry, c);
      if (rc < 0) return rc;
    } else if (c->kind == WEFT_SELECT_FUTURE) {
      if (!entry->watched)
        watch(state, entry, c->what);
      else if (weft__future_done(c->what))
        (void)weft__selection_claim(&state->selection, (int)i);
    }
  }
  if (atom_load(&state->timed_out, relaxed)) (void)weft__selection_claim(&state->selection, state->timer);
  return 0;
}

/* The index of the case that was done, or a negative error. */
static int wait_for_one(state_t *state) {
  for (;;) {
    int rc = register_cases(state);
    if (rc != 0) return rc < 0 ? rc : winner(state);
    weft__spin_lock(&state->selection.lock);
    rc = weft__awaiter_park(&state->selection.awaiter, &state->selection.lock);
    if (rc < 0) return rc;
    int chosen = winner(state);
    if (!is_queue(&state->cases[chosen]) || try_queue(state, chosen) == WEFT__QUEUE_DONE) return chosen;
  }
}

static void let_go(state_t *state) {
  weft__deadline_close(state->deadline);
  size_t refs = 1;
  for (size_t i = 0; i < state->count; i++) {
    weft_select_case_t *c = &state->cases[i];
    entry_t *entry = &state->entries[i];
    if (is_queue(c)) weft__queue_unselect(c->what, c->kind == WEFT_SELECT_PUT, &entry->node);
    if (entry->watched && weft__future_unwatch(c->what, &entry->watch)) refs++;
    if (entry->ready != NULL) {
      (void)weft__ready_unwait(entry->ready, &entry->waiter);
      weft__ready_close(entry->ready);
    }
  }
  drop(state, refs);
}

int weft_select(weft_select_case_t cases[], size_t n) {
  int timer = -1, rc = weft__check_suspend("weft_select");
  int64_t limit = WEFT__TIME_NEVER;
  if (rc == 0) rc = check(cases, n, &timer, &limit);
  if (rc < 0) return rc;
  rc = look(cases, n, timer, limit);
  if (rc >= 0) return rc;
  state_t *state = new_state(cases, n, timer);
  if (state == NULL) return weft_fail(-ENOMEM, "weft_select: no memory for %zu cases", n);
  if (limit != WEFT__TIME_NEVER) {
    weft_loop_t *loop = weft__current_loop();
    state->deadline =
        weft__deadline_open(loop, weft__time_add(weft__loop_now(loop), limit), state->strand, time_is_up, state);
    if (state->deadline == NULL) {
      drop(state, 1);
      return weft_fail(-ENOMEM, "weft_select: no memory for a timer");
    }
  }
  rc = wait_for_one(state);
  let_go(state);
  return rc;
}

static int wait_descriptor(int fd, int kind) {
  weft_select_case_t one = {.kind = kind, .fd = fd};
  int rc = weft_select(&one, 1);
  return rc < 0 ? rc : 0;
}

int weft_wait_readable(int fd) { return wait_descriptor(fd, WEFT_SELECT_READABLE); }
int weft_wait_writable(int fd) { return wait_descriptor(fd, WEFT_SELECT_WRITABLE); }
