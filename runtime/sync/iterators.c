/* iterators.c: generators out of one generator, item by item: iterate, map, filter, take, timeout.
 *
 * Each is a generator whose body stands on a stage: the source, and room for an item of either side. The stage is freed,
 * and its source closed, when the generator is closed. */
#include <weft/iterators.h>

#include <errno.h>
#include <math.h>
#include <weft/timeouts.h>

#include "base/alloc.h"
#include "sync/generator.h"

typedef struct stage {
  weft_gen_t *source;
  union {
    weft_next_fn next;
    weft_map_fn map;
    weft_filter_fn filter;
  } fn;
  void *data;
  size_t left;
  double seconds;
  size_t size; /* of the whole */
  void *out;
  unsigned char item[];
} stage_t;

static WEFT_ASYNC(iterate, stage_t *);
static int iterate(stage_t *stage) {
  int rc;
  while ((rc = stage->fn.next(stage->data, stage->item)) > 0)
    if ((rc = weft_gen_yield(stage->item, NULL)) < 0) break;
  return rc;
}

static WEFT_ASYNC(map, stage_t *);
static int map(stage_t *stage) {
  int rc;
  while ((rc = weft_gen_next(stage->source, stage->item)) > 0) {
    if ((rc = stage->fn.map(stage->item, stage->out, stage->data)) < 0) break;
    if ((rc = weft_gen_yield(stage->out, NULL)) < 0) break;
  }
  return rc;
}

static WEFT_ASYNC(filter, stage_t *);
static int filter(stage_t *stage) {
  int rc;
  while ((rc = weft_gen_next(stage->source, stage->item)) > 0) {
    if ((rc = stage->fn.filter(stage->item, stage->data)) < 0) break;
    if (rc > 0 && (rc = weft_gen_yield(stage->item, NULL)) < 0) break;
  }
  return rc;
}

static WEFT_ASYNC(take, stage_t *);
static int take(stage_t *stage) {
  int rc = 0;
  for (; stage->left > 0 && (rc = weft_gen_next(stage->source, stage->item)) > 0; stage->left--)
    if ((rc = weft_gen_yield(stage->item, NULL)) < 0) break;
  return rc;
}

static WEFT_ASYNC(limit, stage_t *);
static int limit(stage_t *stage) {
  int rc;
  while ((rc = weft_wait_for(weft_gen_next_async(stage->source, stage->item), stage->seconds)) > 0)
    if ((rc = weft_gen_yield(stage->item, NULL)) < 0) break;
  return rc;
}

static int close_stage(void *data) {
  stage_t *stage = data;
  int rc = weft_gen_close(stage->source);
  weft__free(stage, stage->size);
  return rc;
}

/* What becomes of a source when its stage does not come about. */
static weft_gen_t *refuse(weft_gen_t *source, int code, const char *what) {
  weft_ignore(weft_gen_close(source));
  weft_ignore(weft_fail(code, "%s: %s", what, code == -ENOMEM ? "no memory" : "no function"));
  return NULL;
}

/* item_size: of the items on both sides unless there is a source. */
static stage_t *new_stage(weft_gen_t *source, size_t item_size) {
  size_t in = source != NULL ? source->item_size : item_size;
  size_t room = (in + 15) / 16 * 16;
  if (in > SIZE_MAX / 4 || item_size > SIZE_MAX / 4) return NULL;
  stage_t *stage = weft__alloc_zero(sizeof *stage + room + item_size);
  if (stage == NULL) return NULL;
  stage->size = sizeof *stage + room + item_size;
  stage->source = source;
  stage->out = stage->item + room;
  return stage;
}

static weft_gen_t *open_stage(stage_t *stage, weft_call_t body, size_t item_size, const char *what) {
  weft_gen_t *gen = weft_gen_open(body, item_size);
  if (gen == NULL) {
    weft_gen_t *source = stage->source;
    weft__free(stage, stage->size);
    return refuse(source, -ENOMEM, what);
  }
  gen->closed = close_stage;
  gen->closed_data = stage;
  if (stage->source != NULL) weft__gen_adopt(stage->source);
  return gen;
}

weft_gen_t *weft_gen_iterate(weft_next_fn next, void *data, size_t item_size) {
  if (next == NULL) return refuse(NULL, -EINVAL, "weft_gen_iterate");
  stage_t *stage = new_stage(NULL, item_size);
  if (stage == NULL) return refuse(NULL, -ENOMEM, "weft_gen_iterate");
  stage->fn.next = next;
  stage->data = data;
  return open_stage(stage, iterate_async(stage), item_size, "weft_gen_iterate");
}

weft_gen_t *weft_gen_map(weft_gen_t *source, size_t item_size, weft_map_fn fn, void *data) {
  if (source == NULL) return NULL;
  if (fn == NULL) return refuse(source, -EINVAL, "weft_gen_map");
  stage_t *stage = new_stage(source, item_size);
  if (stage == NULL) return refuse(source, -ENOMEM, "weft_gen_map");
  stage->fn.map = fn;
  stage->data = data;
  return open_stage(stage, map_async(stage), item_size, "weft_gen_map");
}

weft_gen_t *weft_gen_filter(weft_gen_t *source, weft_filter_fn fn, void *data) {
  if (source == NULL) return NULL;
  if (fn == NULL) return refuse(source, -EINVAL, "weft_gen_filter");
  stage_t *stage = new_stage(source, 0);
  if (stage == NULL) return refuse(source, -ENOMEM, "weft_gen_filter");
  stage->fn.filter = fn;
  stage->data = data;
  return open_stage(stage, filter_async(stage), source->item_size, "weft_gen_filter");
}

weft_gen_t *weft_gen_take(weft_gen_t *source, size_t n) {
  if (source == NULL) return NULL;
  stage_t *stage = new_stage(source, 0);
  if (stage == NULL) return refuse(source, -ENOMEM, "weft_gen_take");
  stage->left = n;
  return open_stage(stage, take_async(stage), source->item_size, "weft_gen_take");
}

weft_gen_t *weft_gen_timeout(weft_gen_t *source, double seconds) {
  if (source == NULL) return NULL;
  if (isnan(seconds)) {
    weft_ignore(weft_gen_close(source));
    weft_ignore(weft_fail(-EINVAL, "weft_gen_timeout: the limit is not a number"));
    return NULL;
  }
  stage_t *stage = new_stage(source, 0);
  if (stage == NULL) return refuse(source, -ENOMEM, "weft_gen_timeout");
  stage->seconds = seconds;
  return open_stage(stage, limit_async(stage), source->item_size, "weft_gen_timeout");
}
