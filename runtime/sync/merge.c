/* merge.c: generators that run others in tasks of their own: merge and buffered.
 *
 * merge: one task per source puts its items into a queue with room for one item each; the body gets them. The last one to
 * end, or the first one to fail, shuts the queue down; what is in it comes out first.
 * buffered: one task, the feeder, reads the source, starts a task for each item, and queues these jobs in order; the body
 * joins them in that order. A semaphore bounds the items that were read and not handed over.
 * Closing either cancels its tasks and waits for them, then closes the sources. */
#include <errno.h>
#include <string.h>
#include <weft/iterators.h>
#include <weft/locks.h>
#include <weft/queues.h>
#include <weft/tasks.h>

#include "base/alloc.h"
#include "sync/generator.h"

/* ---- what both have in common ------------------------------------------------------------------------------------------ */

/* How the sources ended: the first error, 0 if there was none. */
typedef struct end {
  weft__spin_t spin;
  size_t running;
  int code;
  weft__record_t *record; /* owned */
} end_t;

/* By a task that ends with rc; true: the queue is to be shut down. */
static bool note_end(end_t *end, int rc) {
  weft__record_t *record = rc < 0 ? weft__record_for(rc) : NULL;
  weft__spin_lock(&end->spin);
  bool last = --end->running == 0 || rc < 0;
  if (rc < 0 && end->code == 0) {
    end->code = rc;
    end->record = record;
    record = NULL;
  }
  weft__spin_unlock(&end->spin);
  weft__record_unref(record);
  return last;
}

/* By the body, once the queue was shut down and is empty. */
static int answer_end(end_t *end) {
  weft__spin_lock(&end->spin);
  int code = end->code;
  weft__record_t *record = weft__record_ref(end->record);
  weft__spin_unlock(&end->spin);
  if (record != NULL) weft__set_error(record);
  return code;
}

/* 0, or WEFT_CANCELLED if the caller was cancelled meanwhile; how the task ended does not matter. */
static int cancel_and_join(weft_task_t *task) {
  if (task == NULL) return 0;
  int status;
  weft_task_cancel(task, NULL);
  return weft_join_status(task, &status) == WEFT_CANCELLED ? WEFT_CANCELLED : 0;
}

static void close_all(weft_gen_t *const sources[], size_t n, int *rc) {
  for (size_t i = 0; i < n; i++) {
    int one = weft_gen_close(sources[i]);
    if (*rc == 0) *rc = one;
  }
}

static weft_gen_t *refuse(weft_gen_t *const sources[], size_t n, int code, const char *words) {
  int rc = 0;
  close_all(sources, n, &rc);
  weft_ignore(weft_fail(code, "%s", words));
  return NULL;
}

/* ---- merge ------------------------------------------------------------------------------------------------------------- */

typedef struct merge {
  size_t n, size;
  weft_queue_t queue;
  end_t end;
  size_t item_size, room; /* room: between the items of two pullers */
  weft_gen_t **sources;
  weft_task_t **tasks;
  unsigned char *items; /* one per puller, and the body's */
} merge_t;

static WEFT_ASYNC(pull, merge_t *, size_t);
static int pull(merge_t *merge, size_t index) {
  void *item = merge->items + index * merge->room;
  int rc;
  while ((rc = weft_gen_next(merge->sources[index], item)) > 0)
    if ((rc = weft_queue_put_sized(&merge->queue, item, merge->item_size)) < 0) break;
  if (rc == WEFT_QUEUE_SHUTDOWN) rc = 0; /* somebody else failed */
  if (note_end(&merge->end, rc)) weft_queue_shutdown(&merge->queue, false);
  return 0;
}

static int start_pullers(merge_t *merge) {
  merge->end.running = merge->n;
  for (size_t i = 0; i < merge->n; i++) {
    merge->tasks[i] = weft_create_task(pull_async(merge, i));
    if (merge->tasks[i] == NULL) return weft_fail(-ENOMEM, "weft_gen_merge: no memory");
  }
  return 0;
}

static WEFT_ASYNC(merged, merge_t *);
static int merged(merge_t *merge) {
  void *item = merge->items + merge->n * merge->room;
  int rc = merge->n > 0 ? start_pullers(merge) : 0;
  if (rc < 0 || merge->n == 0) return rc;
  while ((rc = weft_queue_get_sized(&merge->queue, item, merge->item_size)) == 0)
    if ((rc = weft_gen_yield(item, NULL)) < 0) return rc;
  return rc == WEFT_QUEUE_SHUTDOWN ? answer_end(&merge->end) : rc;
}

static int close_merge(void *data) {
  merge_t *merge = data;
  int rc = 0;
  for (size_t i = 0; i < merge->n; i++)
    if (merge->tasks[i] != NULL) weft_task_cancel(merge->tasks[i], NULL);
  for (size_t i = 0; i < merge->n; i++) {
    int one = cancel_and_join(merge->tasks[i]);
    if (rc == 0) rc = one;
  }
  close_all(merge->sources, merge->n, &rc);
  weft_queue_destroy(&merge->queue);
  weft__record_unref(merge->end.record);
  weft__free(merge, merge->size);
  return rc;
}

static merge_t *new_merge(weft_gen_t *const sources[], size_t n) {
  size_t item_size = n > 0 ? sources[0]->item_size : 0, room = (item_size + 15) / 16 * 16;
  if (n > SIZE_MAX / 4 / (room + 2 * sizeof(void *))) return NULL;
  size_t pointers = n * 2 * sizeof(void *), size = sizeof(merge_t) + pointers + 16 + (n + 1) * room;
  merge_t *merge = weft__alloc_zero(size);
  if (merge == NULL) return NULL;
  if (weft_queue_init(&merge->queue, item_size > 0 ? item_size : 1, n > 0 ? n : 1) < 0) {
    weft__free(merge, size);
    return NULL;
  }
  merge->n = n;
  merge->size = size;
  merge->item_size = item_size;
  merge->room = room;
  merge->sources = (weft_gen_t **)(void *)(merge + 1);
  merge->tasks = (weft_task_t **)(void *)(merge->sources + n);
  merge->items = (unsigned char *)(((uintptr_t)(merge->tasks + n) + 15) / 16 * 16);
  for (size_t i = 0; i < n; i++) merge->sources[i] = sources[i];
  return merge;
}

weft_gen_t *weft_gen_merge(weft_gen_t *const sources[], size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (sources[i] == NULL) return refuse(sources, n, -ENOMEM, "weft_gen_merge: a source is missing (no memory?)");
    if (sources[i]->item_size != sources[0]->item_size || sources[i]->item_size == 0)
      return refuse(sources, n, -EINVAL, "weft_gen_merge: the sources' items have different sizes, or none");
  }
  merge_t *merge = new_merge(sources, n);
  weft_gen_t *gen = merge != NULL ? weft_gen_open(merged_async(merge), merge->item_size) : NULL;
  if (gen == NULL) {
    if (merge != NULL) {
      weft_queue_destroy(&merge->queue);
      weft__free(merge, merge->size);
    }
    return refuse(sources, n, -ENOMEM, "weft_gen_merge: no memory");
  }
  for (size_t i = 0; i < n; i++) weft__gen_adopt(sources[i]);
  gen->closed = close_merge;
  gen->closed_data = merge;
  return gen;
}

/* ---- buffered ---------------------------------------------------------------------------------------------------------- */

typedef struct buffered {
  weft_gen_t *source;
  size_t out_size;
  weft_map_fn fn;
  void *data;
  weft_semaphore_t room;
  weft_queue_t jobs; /* job_t * */
  weft_task_t *feeder;
  end_t end;
} buffered_t;

typedef struct job {
  weft_task_t *task;
  buffered_t *owner;
  size_t size;
  void *out;
  unsigned char item[];
} job_t;

static WEFT_ASYNC(run_job, job_t *);
static int run_job(job_t *job) {
  int rc = job->owner->fn(job->item, job->out, job->owner->data);
  return rc < 0 ? rc : 0;
}

static job_t *new_job(buffered_t *owner) {
  size_t room = (owner->source->item_size + 15) / 16 * 16, size = sizeof(job_t) + room + owner->out_size;
  job_t *job = weft__alloc_zero(size);
  if (job == NULL) return NULL;
  job->owner = owner;
  job->size = size;
  job->out = job->item + room;
  return job;
}

/* One item from the source to a queued job. 1: go on. */
static int feed_one(buffered_t *owner) {
  int rc = weft_semaphore_acquire(&owner->room);
  if (rc < 0) return rc;
  job_t *job = new_job(owner);
  if (job == NULL) return weft_fail(-ENOMEM, "weft_gen_buffered: no memory");
  rc = weft_gen_next(owner->source, job->item);
  if (rc > 0) {
    job->task = weft_create_task(run_job_async(job));
    rc = job->task != NULL ? weft_queue_put_nowait(&owner->jobs, &job) : weft_error()->code;
    if (rc == 0) return 1;
    weft_ignore(cancel_and_join(job->task));
  }
  weft__free(job, job->size);
  return rc;
}

static WEFT_ASYNC(feed, buffered_t *);
static int feed(buffered_t *owner) {
  int rc;
  while ((rc = feed_one(owner)) > 0) {
  }
  if (note_end(&owner->end, rc)) weft_queue_shutdown(&owner->jobs, false);
  return 0;
}

static WEFT_ASYNC(hand_over, buffered_t *);
static int hand_over(buffered_t *owner) {
  owner->end.running = 1;
  owner->feeder = weft_create_task(feed_async(owner));
  if (owner->feeder == NULL) return weft_fail(-ENOMEM, "weft_gen_buffered: no memory");
  job_t *job;
  int rc;
  while ((rc = weft_queue_get(&owner->jobs, &job)) == 0) {
    rc = weft_join(job->task);
    weft_semaphore_release(&owner->room);
    if (rc == 0) rc = weft_gen_yield(job->out, NULL);
    weft__free(job, job->size);
    if (rc < 0) return rc;
  }
  return rc == WEFT_QUEUE_SHUTDOWN ? answer_end(&owner->end) : rc;
}

static int close_buffered(void *data) {
  buffered_t *owner = data;
  int rc = cancel_and_join(owner->feeder);
  for (job_t *job; weft_queue_get_nowait(&owner->jobs, &job) == 0; weft__free(job, job->size)) {
    int one = cancel_and_join(job->task);
    if (rc == 0) rc = one;
  }
  close_all(&owner->source, 1, &rc);
  weft_queue_destroy(&owner->jobs);
  weft__record_unref(owner->end.record);
  weft__free(owner, sizeof *owner);
  return rc;
}

weft_gen_t *weft_gen_buffered(weft_gen_t *source, size_t n, size_t item_size, weft_map_fn fn, void *data) {
  if (source == NULL) return NULL;
  if (fn == NULL || n == 0 || n > INT32_MAX)
    return refuse(&source, 1, -EINVAL, "weft_gen_buffered: a function, and a number from 1 to 2^31 - 1");
  buffered_t *owner = item_size < SIZE_MAX / 4 ? weft__alloc_zero(sizeof *owner) : NULL;
  weft_gen_t *gen = owner != NULL ? weft_gen_open(hand_over_async(owner), item_size) : NULL;
  if (gen == NULL) {
    weft__free(owner, sizeof *owner);
    return refuse(&source, 1, -ENOMEM, "weft_gen_buffered: no memory");
  }
  weft_ignore(weft_semaphore_init(&owner->room, (long)n));
  weft_ignore(weft_queue_init(&owner->jobs, sizeof(job_t *), 0));
  owner->source = source;
  owner->out_size = item_size;
  owner->fn = fn;
  owner->data = data;
  weft__gen_adopt(source);
  gen->closed = close_buffered;
  gen->closed_data = owner;
  return gen;
}
