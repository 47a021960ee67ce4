/* watchers.c: add_reader and add_writer: callbacks for descriptors that are ready, level-triggered as in asyncio.
 *
 * A descriptor has one watcher: a uv_poll_t in the loop's libuv loop (libuv allows one per descriptor), and per direction
 * what to call. All of it is guarded by the lock of the libuv loop. A direction:
 *
 *   EMPTY --add--> ARMED --the poll reports it--> QUEUED (call_soon) --runs--> ARMED ...
 *   ARMED, QUEUED --remove, or add of another--> EMPTY (a queued call finds nothing to do)
 *
 * While a direction is QUEUED it is not polled for, so that one report is one call; afterwards it is polled for again, and
 * a descriptor that is still ready is reported again: that makes it level-triggered. A call that is running while its
 * direction is emptied or filled anew is told by the direction's turn, which every change counts up.
 *
 * A watcher goes through uv_close, whose callback frees it; a queued call knows it by descriptor and turn only. */
#include "run/watchers.h"

#include <errno.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/list.h"
#include "run/debug.h"
#include "sched/loop.h"
#include "task/contextvars.h"

enum { READER, WRITER };

typedef struct direction {
  weft_callback_fn fn; /* NULL: empty */
  void *data;
  weft_contextvars_t *context;
  bool queued;
  unsigned turn;
} direction_t;

typedef struct watcher {
  uv_poll_t poll;
  struct watcher *next; /* in the loop's table */
  weft_loop_t *loop;
  int fd;
  direction_t directions[2];
} watcher_t;

/* A queued call, which may outlive the watcher, and may never run: whole in the callback's argument, so that nothing is to
 * be freed. */
typedef struct call {
  int fd, which;
  unsigned turn;
} call_t;
_Static_assert(sizeof(void *) == 8, "a call fits into a pointer");

static void *packed(call_t call) {
  return (void *)((uintptr_t)call.turn << 32 | (uintptr_t)(unsigned)call.fd << 1 | (uintptr_t)call.which);
}
static call_t unpacked(void *data) {
  uintptr_t bits = (uintptr_t)data;
  return (call_t){.fd = (int)(bits >> 1 & INT32_MAX), .which = (int)(bits & 1), .turn = (unsigned)(bits >> 32)};
}

static int call_ready(void *data);

static uv_loop_t *lock(weft_loop_t *loop) { return weft_loop_uv_lock(loop); }
static void unlock(weft_loop_t *loop) { weft_loop_uv_unlock(loop); }

static watcher_t **find(weft_loop_t *loop, int fd) {
  watcher_t **place = (watcher_t **)(void *)&loop->watchers;
  while (*place != NULL && (*place)->fd != fd) place = &(*place)->next;
  return place;
}

/* ---- polling: all under the lock ----------------------------------------------------------------------------------------- */

static void reported(uv_poll_t *poll, int status, int events);

static int poll_again(watcher_t *watcher) {
  static const int events[] = {UV_READABLE, UV_WRITABLE};
  int wanted = 0;
  for (int i = 0; i < 2; i++)
    if (watcher->directions[i].fn != NULL && !watcher->directions[i].queued) wanted |= events[i];
  return wanted != 0 ? uv_poll_start(&watcher->poll, wanted, reported) : uv_poll_stop(&watcher->poll);
}

static void queue_call(watcher_t *watcher, int which) {
  direction_t *direction = &watcher->directions[which];
  if (direction->fn == NULL || direction->queued) return;
  weft_handle_t handle =
      weft_call_soon(watcher->loop, call_ready, packed((call_t){watcher->fd, which, direction->turn}));
  direction->queued = handle.opaque_[0] != 0; /* else memory ran out: it is polled for again at once */
}

/* On a worker, with the lock held. An error of the descriptor is for both to find. */
static void reported(uv_poll_t *poll, int status, int events) {
  watcher_t *watcher = weft__container_of(poll, watcher_t, poll);
  if (status < 0 || events & (UV_READABLE | UV_DISCONNECT)) queue_call(watcher, READER);
  if (status < 0 || events & UV_WRITABLE) queue_call(watcher, WRITER);
  (void)poll_again(watcher);
}

static void freed(uv_handle_t *handle) {
  watcher_t *watcher = weft__container_of((uv_poll_t *)(void *)handle, watcher_t, poll);
  weft__free(watcher, sizeof *watcher);
}

static void empty(direction_t *direction) {
  weft_contextvars_unref(direction->context);
  direction->context = NULL;
  direction->fn = NULL;
  direction->queued = false;
  static _Atomic(unsigned) turns; /* of all watchers: a descriptor's number comes again */
  direction->turn =
      atom_add(&turns, 1, relaxed) + 1; /* a call that is queued or running finds that it is no longer meant */
}

static void drop_if_empty(watcher_t **place) {
  watcher_t *watcher = *place;
  if (watcher->directions[READER].fn != NULL || watcher->directions[WRITER].fn != NULL) {
    (void)poll_again(watcher);
    return;
  }
  *place = watcher->next;
  uv_close((uv_handle_t *)&watcher->poll, freed);
}

/* ---- running ------------------------------------------------------------------------------------------------------------- */

/* Among the loop's callbacks. */
static int call_ready(void *data) {
  call_t call = unpacked(data);
  weft_loop_t *loop = weft__current_loop();
  if (lock(loop) == NULL) return 0;
  watcher_t *watcher = *find(loop, call.fd);
  direction_t *direction = watcher != NULL ? &watcher->directions[call.which] : NULL;
  if (direction == NULL || direction->fn == NULL || direction->turn != call.turn) {
    unlock(loop);
    return 0;
  }
  weft_callback_fn fn = direction->fn;
  void *argument = direction->data;
  weft__context_frame_t frame;
  weft__context_enter(&frame, weft__context_ref(direction->context));
  unlock(loop);
  int rc = fn(argument);
  weft__context_leave(&frame);
  if (rc < 0) {
    weft__record_t *record = weft__record_for(rc);
    weft__report_callback(loop, (const void *)(uintptr_t)fn, &record->error);
    weft__record_unref(record);
  }
  if (lock(loop) == NULL) return 0;
  watcher = *find(loop, call.fd);
  if (watcher != NULL && watcher->directions[call.which].turn == call.turn) {
    watcher->directions[call.which].queued = false;
    (void)poll_again(watcher);
  }
  unlock(loop);
  return 0;
}

/* ---- public ------------------------------------------------------------------------------------------------------------ */

static watcher_t *new_watcher(weft_loop_t *loop, uv_loop_t *uv, int fd, int *rc) {
  watcher_t *watcher = weft__alloc_zero(sizeof *watcher);
  *rc = watcher != NULL ? uv_poll_init(uv, &watcher->poll, fd) : -ENOMEM;
  if (*rc == 0) {
    watcher->loop = loop;
    watcher->fd = fd;
    return watcher;
  }
  if (watcher != NULL) weft__free(watcher, sizeof *watcher);
  return NULL;
}

static int add(weft_loop_t *loop, int fd, weft_callback_fn fn, void *data, int which, const char *what) {
  if (loop == NULL || fn == NULL || fd < 0)
    return weft_fail(-EINVAL, "%s: no %s", what, loop == NULL ? "loop" : fn == NULL ? "function" : "descriptor");
  uv_loop_t *uv = lock(loop);
  if (uv == NULL) return weft_error()->code;
  watcher_t **place = find(loop, fd);
  int rc = 0;
  if (*place == NULL) *place = new_watcher(loop, uv, fd, &rc);
  if (rc == 0) {
    direction_t *direction = &(*place)->directions[which];
    empty(direction);
    direction->fn = fn;
    direction->data = data;
    direction->context = weft__context_of_new_task();
    rc = poll_again(*place);
    if (rc < 0) {
      empty(direction);
      drop_if_empty(place);
    }
  }
  unlock(loop);
  return rc < 0 ? weft_fail(rc, "%s: descriptor %d: %s", what, fd, weft_strerror(rc)) : 0;
}

static bool remove_one(weft_loop_t *loop, int fd, int which) {
  if (loop == NULL || weft_loop_is_closed(loop)) return false;
  if (lock(loop) == NULL) return false;
  watcher_t **place = find(loop, fd);
  bool found = *place != NULL && (*place)->directions[which].fn != NULL;
  if (found) {
    empty(&(*place)->directions[which]);
    drop_if_empty(place);
  }
  unlock(loop);
  return found;
}

int weft_loop_add_reader(weft_loop_t *loop, int fd, weft_callback_fn fn, void *data) {
  return add(loop, fd, fn, data, READER, "weft_loop_add_reader");
}
int weft_loop_add_writer(weft_loop_t *loop, int fd, weft_callback_fn fn, void *data) {
  return add(loop, fd, fn, data, WRITER, "weft_loop_add_writer");
}
bool weft_loop_remove_reader(weft_loop_t *loop, int fd) { return remove_one(loop, fd, READER); }
bool weft_loop_remove_writer(weft_loop_t *loop, int fd) { return remove_one(loop, fd, WRITER); }

void weft__watchers_close(weft_loop_t *loop) {
  if (loop->watchers == NULL || lock(loop) == NULL) return;
  for (watcher_t *watcher; (watcher = loop->watchers) != NULL;) {
    loop->watchers = watcher->next;
    empty(&watcher->directions[READER]);
    empty(&watcher->directions[WRITER]);
    uv_close((uv_handle_t *)&watcher->poll, freed);
  }
  unlock(loop);
}
