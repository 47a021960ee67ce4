/* strand.c: see strand.h. */
#include "sched/strand.h"

#include <errno.h>
#include <weft/strands.h>

#include "base/alloc.h"

static void run_strand(weft__item_t *item) {
  (void)item; /* never called: the worker loop recognises strands by this function, see weft__strand_runs_item */
  weft__panic("a strand's item was run as a callback");
}

bool weft__strand_runs_item(const weft__item_t *item) { return item->run == run_strand; }

weft_strand_t *weft__strand_new(weft_loop_t *loop, bool callbacks, bool serial) {
  weft_strand_t *strand = weft__alloc_zero(sizeof *strand);
  if (strand == NULL) return NULL;
  strand->item.run = run_strand;
  weft__link_init(&strand->item.link);
  atom_init(&strand->refs, 1);
  strand->loop = loop;
  weft__list_init(&strand->members);
  strand->serial = serial;
  strand->callbacks = callbacks;
  return strand;
}

void weft__strand_ref(weft_strand_t *strand) { atom_add(&strand->refs, 1, relaxed); /* whoever adds one holds one */ }

void weft__strand_unref(weft_strand_t *strand) {
  /* acq_rel: everything done with the strand happens before it is freed */
  if (atom_sub(&strand->refs, 1, acq_rel) != 1) return;
  WEFT__ASSERT(weft__list_empty(&strand->members));
  weft__free(strand, sizeof *strand);
}

bool weft__strand_moves(const weft_strand_t *strand) { return !strand->loop->alone; }

/* A hop's entry is marked in the task. A canceller makes the task READY first and queues it after: whichever of its
 * requeue and this push comes second under the lock finds the other's work done. */
void weft__strand_push(weft_strand_t *strand, weft__item_t *item, bool hop) {
  weft__spin_lock(&strand->lock);
  if (item->run == NULL) {
    weft_task_t *task = weft__task_of_item(item);
    if (hop &&
        weft__word_phase(atom_load(&task->future.word, acquire)) != WEFT__HOP) { /* cancelled: queued, or about to be */
      weft__spin_unlock(&strand->lock);
      return;
    }
    task->hop_queued = hop;
  }
  weft__list_push_back(&strand->members, &item->link);
  strand->count++;
  bool start = !strand->active;
  if (start) {
    strand->active = true;
    weft__strand_ref(strand); /* the queued item's own */
  }
  weft__spin_unlock(&strand->lock);
  if (start) weft__schedule_entry(strand->loop, &strand->item, false, false);
}

void weft__strand_requeue(weft_strand_t *strand, weft__item_t *item) {
  weft__spin_lock(&strand->lock);
  bool queued = weft__link_linked(&item->link);
  if (queued) {
    weft__task_of_item(item)->hop_queued = false;
    weft__list_unlink(&item->link);
    weft__list_push_back(&strand->members, &item->link);
  }
  weft__spin_unlock(&strand->lock);
  if (!queued) weft__strand_push(strand, item, false);
}

static void expire_as_runner(weft_strand_t *strand) {
  weft__timers_t *timers = weft__timers_of(strand->loop);
  if (weft__timers_next(timers) != INT64_MAX) weft__timers_expire(timers, weft__loop_now(strand->loop));
}

/* Between two passes of the callbacks' strand. False: the loop stops here. */
static bool begin_pass(weft_strand_t *strand) {
  if (strand->serial) expire_as_runner(strand);
  weft__spin_lock(&strand->lock);
  bool stop = strand->stop && !strand->stop_next;
  strand->stop_next = false;
  if (stop) strand->stop = false;
  strand->pass_left = strand->count;
  weft__spin_unlock(&strand->lock);
  if (stop) weft__loop_stop(strand->loop);
  return !stop;
}

/* The first member, as an entry, or 0 if there is none. Only the strand's runner. */
weft__entry_t weft__strand_next(weft_strand_t *strand) {
  if (strand->callbacks && atom_load(&strand->loop->stopping, relaxed)) return 0; /* it waits for the next run */
  if (strand->callbacks && strand->pass_left == 0 && !begin_pass(strand)) return 0;
  weft__spin_lock(&strand->lock);
  weft__link_t *link = weft__list_pop_front(&strand->members);
  weft__item_t *item = NULL;
  bool hop = false;
  if (link != NULL) {
    strand->count--;
    strand->running = true;
    item = weft__container_of(link, weft__item_t, link);
    hop = item->run == NULL && weft__task_of_item(item)->hop_queued;
  }
  weft__spin_unlock(&strand->lock);
  if (strand->pass_left > 0) strand->pass_left--;
  return item == NULL ? 0 : (weft__entry_t)item | (hop ? WEFT__ENTRY_HOP : 0);
}

void weft__strand_release(weft_strand_t *strand) {
  weft__spin_lock(&strand->lock);
  bool more = strand->count > 0 || strand->stop;
  strand->running = false;
  if (!more) strand->active = false;
  weft__spin_unlock(&strand->lock);
  if (more)
    weft__schedule_entry(strand->loop, &strand->item, false, false);
  else
    weft__strand_unref(strand);
}

void weft__strand_stop(weft_strand_t *strand) {
  weft__spin_lock(&strand->lock);
  strand->stop = true;
  strand->stop_next = !strand->running;
  bool start = !strand->active;
  if (start) {
    strand->active = true;
    weft__strand_ref(strand);
  }
  weft__spin_unlock(&strand->lock);
  if (start) weft__schedule_entry(strand->loop, &strand->item, false, false);
}

void weft__strand_end_run(weft_strand_t *strand) {
  weft__spin_lock(&strand->lock);
  strand->stop = strand->stop_next = false; /* of the run that is over */
  weft__spin_unlock(&strand->lock);
}

bool weft__strand_is_active(weft_strand_t *strand) {
  weft__spin_lock(&strand->lock);
  bool active = strand->active;
  weft__spin_unlock(&strand->lock);
  return active;
}

void weft__strand_run_timers(weft_strand_t *strand) {
  weft_loop_t *loop = strand->loop;
  int64_t next = weft__timers_next(weft__timers_of(loop));
  /* A look from outside must not move a virtual clock unless something is due. */
  if (next == INT64_MAX || (loop->config.virtual_time && next > atom_load(&loop->virtual_now, relaxed))) return;
  weft__spin_lock(&strand->lock);
  bool claimed = !strand->active;
  strand->active = true;
  weft__spin_unlock(&strand->lock);
  if (!claimed) return; /* its runner looks at the timers between passes */
  weft__strand_ref(strand);
  expire_as_runner(strand);
  weft__strand_release(strand);
}

void weft__strand_drop(weft_strand_t *strand) {
  weft__link_t *link;
  while ((link = weft__list_pop_front(&strand->members)) != NULL)
    weft__drop_item(strand->loop, weft__container_of(link, weft__item_t, link));
  strand->count = 0;
  strand->active = false;
  weft__strand_unref(strand);
}

weft_strand_t *weft_strand_open(void) {
  weft_loop_t *loop = weft__current_loop();
  if (loop == NULL) {
    weft_ignore(weft_fail(WEFT_RUNTIME, "no running event loop"));
    return NULL;
  }
  weft_strand_t *strand = weft__strand_new(loop, false, false);
  if (strand == NULL) weft_ignore(weft_fail(-ENOMEM, "no memory for a strand"));
  return strand;
}

weft_strand_t *weft_strand_ref(weft_strand_t *strand) {
  if (strand != NULL) weft__strand_ref(strand);
  return strand;
}

void weft_strand_unref(weft_strand_t *strand) {
  if (strand != NULL) weft__strand_unref(strand);
}

int weft_strand_run(weft_strand_t *strand, weft_call_t call) {
  int rc = weft__check_suspend("weft_strand_run");
  if (rc < 0) return rc;
  if (call.entry == NULL) return weft_fail(WEFT_TYPE, "weft_strand_run: a call without a function");
  weft_task_t *task = weft__current_task();
  weft_strand_t *outer = task->strand;
  if (strand == outer) return call.entry(call.args.bytes);
  if (strand != NULL && strand->loop != task->future.loop)
    return weft_fail(WEFT_RUNTIME, "weft_strand_run: the strand belongs to a different loop");
  if (strand != NULL) weft__strand_ref(strand);
  task->strand = strand; /* read by whoever queues the task: by us, in the requeue */
  weft__requeue();
  rc = call.entry(call.args.bytes);
  task->strand = outer;
  weft__requeue();
  if (strand != NULL) weft__strand_unref(strand);
  return rc;
}
