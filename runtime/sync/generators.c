/* generators.c: the public functions of weft/generators.h, and the registry of open generators. */
#include "sync/generators.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "sched/loop.h"
#include "sync/generator.h"

/* ---- registry ---------------------------------------------------------------------------------------------------------- */

static void register_open(weft_gen_t *gen, weft_loop_t *loop) {
  weft__spin_lock(&loop->generators_lock);
  if (loop->generators.head.next == NULL) weft__list_init(&loop->generators);
  weft__list_push_back(&loop->generators, &gen->link);
  gen->loop = loop;
  weft__spin_unlock(&loop->generators_lock);
}

void weft__gen_adopt(weft_gen_t *gen) {
  weft_loop_t *loop = gen->loop;
  gen->adopted = true;
  if (loop == NULL) return;
  weft__spin_lock(&loop->generators_lock);
  weft__list_unlink(&gen->link);
  if (gen->closing != NULL) *gen->closing = NULL;
  gen->closing = NULL;
  gen->loop = NULL;
  weft__spin_unlock(&loop->generators_lock);
}

static weft__link_t *first_of(weft_loop_t *loop) {
  return loop->generators.head.next != NULL ? weft__list_first(&loop->generators) : NULL;
}

/* ---- opening, resuming, closing ---------------------------------------------------------------------------------------- */

static weft_gen_t *open_gen(const weft_call_t *body, size_t item_size, bool async) {
  if (body->entry == NULL || body->size > WEFT_CALL_BYTES) {
    weft_ignore(weft_fail(-EINVAL, "weft_gen_open: a call was expected, got one without a function"));
    return NULL;
  }
  weft_gen_t *gen = weft__alloc_zero(sizeof *gen);
  if (gen == NULL) {
    weft_ignore(weft_fail(-ENOMEM, "weft_gen_open: no memory for generator %s", body->name));
    return NULL;
  }
  gen->phase = WEFT__GEN_NEW;
  gen->async = async;
  gen->item_size = item_size;
  memcpy(&gen->call, body, sizeof gen->call);
  weft_loop_t *loop = weft__current_loop();
  if (loop != NULL) register_open(gen, loop);
  return gen;
}

weft_gen_t *weft_gen_open(weft_call_t body, size_t item_size) { return open_gen(&body, item_size, false); }

weft_gen_t *weft_agen_open(weft_call_t body, size_t item_size) { return open_gen(&body, item_size, true); }

static int check(const weft_gen_t *gen, const char *what) {
  int rc = weft__check_suspend(what);
  if (rc == 0 && gen == NULL)
    rc = weft_fail(-ENOMEM, "%s: no generator (NULL: memory ran out when it was opened?)", what);
  return rc;
}

/* NULL (checked elsewhere) and unknown sizes pass. */
static int check_size(const weft_gen_t *gen, const void *item, size_t size, const char *what) {
  if (weft__likely(item == NULL || size == 0 || gen == NULL || gen->item_size == size)) return 0;
  if (gen->item_size == 0) return 0; /* nothing is filled */
  return weft_fail(-EINVAL, "%s: the generator's items have %zu bytes, not %zu", what, gen->item_size, size);
}

int weft_gen_next_sized(weft_gen_t *gen, void *item, size_t size) {
  int rc = check_size(gen, item, size, "weft_gen_next");
  return rc < 0 ? rc : (weft_gen_next)(gen, item);
}

int weft_gen_send_sized(weft_gen_t *gen, const void *value, size_t value_size, void *item, size_t size) {
  int rc = check_size(gen, value, value_size, "weft_gen_send");
  if (rc == 0) rc = check_size(gen, item, size, "weft_gen_send");
  return rc < 0 ? rc : (weft_gen_send)(gen, value, item);
}

int weft_gen_throw_sized(weft_gen_t *gen, int code, const char *message, void *item, size_t size) {
  int rc = check_size(gen, item, size, "weft_gen_throw");
  return rc < 0 ? rc : (weft_gen_throw)(gen, code, message, item);
}

int(weft_gen_send)(weft_gen_t *gen, const void *value, void *item) {
  int rc = check(gen, "weft_gen_send");
  if (rc == 0) rc = weft__gen_enter(gen, "anext");
  if (rc < 0) return rc;
  if (gen->loop == NULL && !gen->adopted) register_open(gen, weft__current_loop()); /* opened before the run */
  rc = weft__gen_resume(gen, WEFT__GEN_SEND, value, 0, item);
  weft__gen_leave(gen);
  return rc;
}

int(weft_gen_next)(weft_gen_t *gen, void *item) {
  int rc = check(gen, "weft_gen_next");
  return rc < 0 ? rc : (weft_gen_send)(gen, NULL, item);
}

int(weft_gen_throw)(weft_gen_t *gen, int code, const char *message, void *item) {
  int rc = check(gen, "weft_gen_throw");
  if (rc == 0 && code >= 0) rc = weft_fail(-EINVAL, "weft_gen_throw: %d is no error", code);
  if (rc == 0) rc = weft__gen_enter(gen, "athrow");
  if (rc < 0) return rc;
  weft_ignore(message != NULL ? weft_fail(code, "%s", message) : weft_fail(code, NULL));
  rc = weft__gen_resume(gen, WEFT__GEN_THROW, NULL, code, item);
  weft__gen_leave(gen);
  return rc;
}

/* 0: it is entered, and may be finished. */
static int enter_to_finish(weft_gen_t *gen) {
  int rc = weft__gen_enter(gen, "aclose");
  if (rc < 0 || (gen->phase != WEFT__GEN_SUSPENDED && gen->closed == NULL)) return rc;
  rc = weft__check_suspend("weft_gen_close");
  if (rc < 0) weft__gen_leave(gen);
  return rc;
}

int weft_gen_finish(weft_gen_t *gen) {
  if (gen == NULL) return 0;
  int rc = enter_to_finish(gen);
  if (rc < 0) return rc;
  rc = weft__gen_finish(gen);
  weft__gen_leave(gen);
  return rc;
}

int weft_gen_close(weft_gen_t *gen) {
  if (gen == NULL) return 0;
  int rc = enter_to_finish(gen);
  if (rc < 0) return rc;
  rc = weft__gen_finish(gen);
  weft__gen_adopt(gen);
  weft__gen_free(gen);
  return rc;
}

/* ---- inside a body ----------------------------------------------------------------------------------------------------- */

int weft_gen_yield_sized(const void *item, size_t size, void *sent, size_t sent_size) {
  weft_gen_t *gen = weft__gen_current();
  int rc = check_size(gen, item, size, "weft_gen_yield");
  if (rc == 0) rc = check_size(gen, sent, sent_size, "weft_gen_yield");
  return rc < 0 ? rc : (weft_gen_yield)(item, sent);
}

int(weft_gen_yield)(const void *item, void *sent) {
  weft_gen_t *gen = weft__gen_current();
  if (gen == NULL) return weft_fail(WEFT_RUNTIME, "weft_gen_yield: not in a generator");
  if (gen->item != NULL && item != NULL) memcpy(gen->item, item, gen->item_size);
  if (gen->item != NULL && item == NULL) memset(gen->item, 0, gen->item_size);
  int rc = weft__gen_suspend(gen);
  if (rc < 0 || sent == NULL) return rc;
  if (gen->value != NULL)
    memcpy(sent, gen->value, gen->item_size);
  else
    memset(sent, 0, gen->item_size);
  return 0;
}

int weft_gen_return_sized(const void *value, size_t size) {
  weft_gen_t *gen = weft__gen_current();
  if (gen == NULL) return weft_fail(WEFT_RUNTIME, "weft_gen_return: not in a generator");
  if (value == NULL || size > sizeof gen->returned)
    return weft_fail(-EINVAL, "weft_gen_return: %zu bytes, at most %zu are kept", value != NULL ? size : 0,
                     sizeof gen->returned);
  memcpy(gen->returned, value, size);
  gen->returned_size = size;
  return 0;
}

int weft_gen_value_sized(weft_gen_t *gen, void *value, size_t size) {
  if (gen == NULL || value == NULL)
    return weft_fail(-EINVAL, "weft_gen_value: no %s", gen == NULL ? "generator" : "place for the value");
  int rc = weft__gen_enter(gen, "anext");
  if (rc < 0) return rc;
  if (gen->phase == WEFT__GEN_ENDED && gen->status >= 0 && gen->returned_size > 0) {
    rc = gen->returned_size == size
             ? 1
             : weft_fail(-EINVAL, "weft_gen_value: the body returned %zu bytes, not %zu", gen->returned_size, size);
    if (rc == 1) {
      memcpy(value, gen->returned, size);
      gen->returned_size = 0;
    }
  }
  weft__gen_leave(gen);
  return rc;
}

/* The inner one fills the item of whoever resumed the outer one directly. */
int weft_gen_yield_from(weft_gen_t *inner) {
  weft_gen_t *gen = weft__gen_current();
  if (gen == NULL) return weft_fail(WEFT_RUNTIME, "weft_gen_yield_from: not in a generator");
  if (inner == NULL) return weft_fail(-ENOMEM, "weft_gen_yield_from: no generator (NULL: memory ran out?)");
  if (inner->item_size != gen->item_size)
    return weft_fail(-EINVAL, "weft_gen_yield_from: items of %zu bytes in a generator of items of %zu bytes",
                     inner->item_size, gen->item_size);
  enum weft__gen_how how = WEFT__GEN_SEND;
  const void *value = NULL;
  int thrown = 0;
  for (;;) {
    int rc = weft__gen_enter(inner, "anext");
    if (rc < 0) return rc;
    rc = how == WEFT__GEN_EXIT ? weft__gen_finish(inner) : weft__gen_resume(inner, how, value, thrown, gen->item);
    weft__gen_leave(inner);
    if (how == WEFT__GEN_EXIT && rc == 0) return thrown;
    if (rc <= 0) return rc;
    thrown = weft__gen_suspend(gen);
    how = gen->how;
    value = gen->value;
  }
}

/* ---- context managers -------------------------------------------------------------------------------------------------- */

int weft_gen_enter_sized(weft_gen_t *gen, void *value, size_t size) {
  int rc = check_size(gen, value, size, "weft_gen_enter");
  return rc < 0 ? rc : (weft_gen_enter)(gen, value);
}

int(weft_gen_enter)(weft_gen_t *gen, void *value) {
  int rc = (weft_gen_next)(gen, value);
  if (rc == 0) return weft_fail(WEFT_RUNTIME, "generator didn't yield");
  return rc < 0 ? rc : 0;
}

int weft_gen_exit(weft_gen_t *gen, int body) {
  int rc = check(gen, "weft_gen_exit");
  if (rc == 0) rc = weft__gen_enter(gen, "athrow");
  if (rc < 0) return rc;
  if (body < 0) weft__set_error(weft__record_for(body));
  rc = weft__gen_resume(gen, body < 0 ? WEFT__GEN_THROW : WEFT__GEN_SEND, NULL, body, NULL);
  weft__gen_leave(gen);
  bool again = rc == 1;
  int closed = weft_gen_close(gen);
  if (again && closed == 0)
    closed = weft_fail(WEFT_RUNTIME, body < 0 ? "generator didn't stop after athrow()" : "generator didn't stop");
  if (again) return closed;
  return rc < 0 || body < 0 ? rc : body;
}

/* ---- the end of a run -------------------------------------------------------------------------------------------------- */

static void report(weft_loop_t *loop) {
  weft__report(loop, "an error occurred during closing of asynchronous generator", weft_error(), NULL, NULL);
}

/* slot: empty if its owner (another generator's body) closed it meanwhile. */
static WEFT_ASYNC(finish_left, weft_loop_t *, weft_gen_t **);
static int finish_left(weft_loop_t *loop, weft_gen_t **slot) {
  weft__spin_lock(&loop->generators_lock);
  weft_gen_t *gen = *slot;
  /* Under this lock, so that it is not freed in between; then it is ours, or somebody is finishing it. */
  bool ours = gen != NULL && weft__gen_try_enter(gen);
  if (gen != NULL) gen->closing = NULL;
  weft__spin_unlock(&loop->generators_lock);
  if (!ours) return 0;
  int rc = weft__gen_finish(gen);
  weft__gen_leave(gen);
  if (rc < 0) report(loop);
  return 0;
}

/* Remembers in slots up to size generators that did not end; how many there are. */
static size_t collect(weft_loop_t *loop, weft_gen_t *slots[], size_t size) {
  size_t count = 0;
  weft__spin_lock(&loop->generators_lock);
  for (weft__link_t *link = first_of(loop); link != NULL && link != &loop->generators.head; link = link->next) {
    weft_gen_t *gen = weft__container_of(link, weft_gen_t, link);
    if (gen->phase == WEFT__GEN_ENDED && gen->closed == NULL) continue;
    if (count < size) {
      slots[count] = gen;
      gen->closing = &slots[count];
    }
    count++;
  }
  weft__spin_unlock(&loop->generators_lock);
  return count;
}

static void finish_all(weft_loop_t *loop, weft_gen_t *slots[], weft_task_t *tasks[], size_t count) {
  for (size_t i = 0; i < count; i++) tasks[i] = weft__create_task_plain(loop, finish_left_async(loop, &slots[i]), NULL);
  for (size_t i = 0; i < count; i++) {
    while (tasks[i] != NULL && !weft_task_done(tasks[i])) weft_ignore(weft_await(tasks[i]));
    if (tasks[i] == NULL)
      weft_ignore(finish_left(loop, &slots[i]));
    else
      weft_detach(tasks[i]);
  }
}

static weft_gen_t *first_open(weft_loop_t *loop) {
  weft__spin_lock(&loop->generators_lock);
  weft__link_t *link = first_of(loop);
  weft__spin_unlock(&loop->generators_lock);
  return link != NULL ? weft__container_of(link, weft_gen_t, link) : NULL;
}

void weft__generators_shutdown(weft_loop_t *loop) {
  for (size_t count; (count = collect(loop, NULL, 0)) > 0;) {
    weft_gen_t *single[1];
    weft_task_t *single_task[1] = {NULL};
    weft_gen_t **slots = weft__alloc(count * sizeof *slots);
    weft_task_t **tasks = weft__alloc(count * sizeof *tasks);
    bool room = slots != NULL && tasks != NULL;
    size_t found = collect(loop, room ? slots : single, room ? count : 1);
    if (found > (room ? count : 1)) found = room ? count : 1;
    finish_all(loop, room ? slots : single, room ? tasks : single_task, found);
    weft__free(slots, count * sizeof *slots);
    weft__free(tasks, count * sizeof *tasks);
  }
  for (weft_gen_t *gen; (gen = first_open(loop)) != NULL;) {
    weft__gen_adopt(gen);
    weft__gen_free(gen);
  }
}
