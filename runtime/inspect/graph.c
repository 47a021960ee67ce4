/* graph.c: who waits for whom: asyncio's call graph.
 *
 * What waits for a future is in its list of nodes: tasks that await it (weft__wait_t, in their frames) and watches that
 * were registered on behalf of something (weft__watch_t.waiter). Under the future's LOCK each of them is alive: who waits
 * unlinks its node, under that LOCK, before it goes on. So a reference can be added there. One LOCK at a time: the graph is
 * no snapshot of one moment, each node is. Two more are in no list: a task that runs in place what it awaits (it is
 * RUNNING, and its waiting_on says so: found among all tasks), and a gather over calls, whose children know it.
 *
 * The graph is built breadth first, in a list, without recursion: chains may be long. A future that is met again is not
 * entered again (a deadlock is a cycle, and waiters may have common waiters). */
#include <weft/inspect.h>

#include <errno.h>

#include "base/alloc.h"
#include "inspect/stack.h"
#include "inspect/text.h"
#include "sched/loop.h"
#include "sync/gather.h"
#include "task/wait.h"

/* ---- one future -------------------------------------------------------------------------------------------------------- */

weft_task_t *weft_future_task(weft_future_t *future) {
  return future != NULL && future->kind == WEFT__KIND_TASK ? weft__task_of_future(future) : NULL;
}

weft_future_t *weft_task_waiting_on(weft_task_t *task) {
  if (task == NULL) return NULL;
  weft_future_t *awaited = NULL;
  uint64_t word = weft__word_lock(&task->future.word);
  enum weft__phase phase = weft__word_phase(word);
  atom_fence_after_rmw();
  /* While it waits, also for what it runs in place, that is its to keep alive until we give LOCK back: as in cancel.c. */
  if (weft__word_outcome(word) == WEFT__PENDING && (phase == WEFT__WAITING || phase == WEFT__RUNNING))
    awaited = weft_future_ref(atom_load(&task->waiting_on, acquire)); /* partner: the release where it is set */
  weft__word_unlock(&task->future.word, 0, 0);
  return awaited;
}

typedef struct waiters {
  weft_future_t **futures;
  size_t size, count;
} waiters_t;

static void add_waiter(waiters_t *waiters, weft_future_t *future) {
  if (future == NULL || weft__future_done(future)) return;
  if (waiters->count < waiters->size) waiters->futures[waiters->count] = weft_future_ref(future);
  waiters->count++;
}

static weft_future_t *waiter_of_node(weft__node_t *node) {
  if (node->kind == WEFT__NODE_WATCH) return weft__container_of(node, weft__watch_t, node)->waiter;
  return &weft__container_of(node, weft__wait_t, node)->task->future;
}

struct in_place {
  const weft_future_t *future;
  waiters_t *waiters;
};
static void visit_task(weft_task_t *task, void *data) {
  const struct in_place *in_place = data;
  if (atom_load(&task->waiting_on, relaxed) != in_place->future) return; /* a hint, compared only */
  if (weft__word_phase(atom_load(&task->future.word, acquire)) == WEFT__RUNNING)
    add_waiter(in_place->waiters, &task->future);
}

static void collect_waiters(weft_future_t *future, waiters_t *waiters) {
  /* A closed loop has given up its tasks, and the frames with their nodes. */
  if (future->loop != NULL && weft__loop_refuses_tasks(future->loop)) return;
  uint64_t word = weft__word_lock(&future->word);
  if (weft__word_outcome(word) == WEFT__PENDING) {
    for (weft__link_t *link = future->nodes.head.next; link != &future->nodes.head; link = link->next)
      add_waiter(waiters, waiter_of_node(weft__container_of(link, weft__node_t, link)));
    if (future->kind == WEFT__KIND_TASK) add_waiter(waiters, weft__gather_of_child(weft__task_of_future(future)));
  }
  weft__word_unlock(&future->word, 0, 0);
  struct in_place in_place = {future, waiters};
  if (future->loop != NULL) weft__registry_visit(future->loop, visit_task, &in_place);
}

int weft_future_awaited_by(weft_future_t *future, weft_future_t *found[], size_t size) {
  if (future == NULL || (found == NULL && size > 0))
    return weft_fail(-EINVAL, "weft_future_awaited_by: no %s", future == NULL ? "future" : "array");
  waiters_t waiters = {found, size, 0};
  collect_waiters(future, &waiters);
  return (int)waiters.count;
}

/* ---- the graph --------------------------------------------------------------------------------------------------------- */

typedef struct node {
  weft_call_graph_t graph; /* first */
  weft_frame_t *frames;
  size_t capacity;            /* of frames */
  size_t index;               /* among those that wait for the parent's future */
  struct node *parent, *next; /* next: in the list of all, and of those to be looked at */
  struct node *same;          /* in the table of futures */
} node_t;

typedef struct building {
  node_t *first, *last, **buckets;
  size_t count, bucket_count;
  weft__symbols_t symbols;
} building_t;

static node_t *node_of(weft_call_graph_t *graph) { return (node_t *)graph; }

static size_t bucket_of(const building_t *building, const weft_future_t *future) {
  return (size_t)(((uintptr_t)future >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (building->bucket_count - 1);
}

static bool is_known(const building_t *building, const weft_future_t *future) {
  const node_t *node = building->buckets[bucket_of(building, future)];
  while (node != NULL && node->graph.future != future) node = node->same;
  return node != NULL;
}

static void remember(building_t *building, node_t *node) {
  node_t **bucket = &building->buckets[bucket_of(building, node->graph.future)];
  node->same = *bucket;
  *bucket = node;
}

/* Four nodes a bucket, on the average, are few enough. */
static bool make_room(building_t *building) {
  if (building->bucket_count > 0 && building->count < building->bucket_count * 4) return true;
  size_t old_count = building->bucket_count, count = old_count > 0 ? old_count * 8 : 16;
  node_t **buckets = weft__alloc_zero(count * sizeof *buckets);
  if (buckets == NULL) return old_count > 0;
  weft__free(building->buckets, old_count * sizeof *buckets);
  building->buckets = buckets;
  building->bucket_count = count;
  for (node_t *node = building->first; node != NULL; node = node->next)
    if (!node->graph.repeated) remember(building, node);
  return true;
}

/* Takes the reference over, also when there is no memory. */
static node_t *add_node(building_t *building, weft_future_t *future, node_t *parent) {
  node_t *node = make_room(building) ? weft__alloc_zero(sizeof *node) : NULL;
  if (node == NULL) {
    weft_future_unref(future);
    return NULL;
  }
  node->graph.future = future;
  node->parent = parent;
  node->graph.repeated = is_known(building, future);
  if (!node->graph.repeated) remember(building, node);
  if (building->last != NULL) building->last->next = node;
  building->last = node;
  if (building->first == NULL) building->first = node;
  building->count++;
  return node;
}

/* References of all that wait for the node's future, in an array of the size that is answered. */
static int take_waiters(weft_future_t *future, weft_future_t ***out, size_t *size) {
  size_t room = 4;
  for (;;) {
    weft_future_t **found = weft__alloc(room * sizeof *found);
    if (found == NULL) return -ENOMEM;
    waiters_t waiters = {found, room, 0};
    collect_waiters(future, &waiters);
    if (waiters.count <= room) {
      *out = found;
      *size = room;
      return (int)waiters.count;
    }
    for (size_t i = 0; i < room; i++) weft_future_unref(found[i]);
    weft__free(found, room * sizeof *found);
    room = waiters.count + waiters.count / 4;
  }
}

static int add_waiters_of(building_t *building, node_t *node) {
  weft_future_t **found;
  size_t size;
  int count = take_waiters(node->graph.future, &found, &size), rc = 0;
  if (count < 0) return count;
  if (count > 0) {
    node->graph.awaited_by = weft__alloc((size_t)count * sizeof(weft_call_graph_t *));
    if (node->graph.awaited_by == NULL) rc = -ENOMEM;
  }
  for (int i = 0; i < count; i++) {
    node_t *waiter = rc == 0 ? add_node(building, found[i], node) : NULL;
    if (waiter != NULL) {
      waiter->index = (size_t)i;
      node->graph.awaited_by[i] = &waiter->graph;
    } else if (rc == 0) {
      rc = -ENOMEM;
    } else {
      weft_future_unref(found[i]);
    }
  }
  if (node->graph.awaited_by != NULL) node->graph.count = (size_t)count;
  weft__free(found, size * sizeof *found);
  return rc;
}

static int look_at(building_t *building, node_t *node, size_t limit) {
  weft_task_t *task = weft_future_task(node->graph.future);
  if (task != NULL && limit > 0) {
    int depth = weft__stack_frames(task, &building->symbols, limit, &node->frames, &node->capacity);
    if (depth < 0) return depth;
    node->graph.depth = (size_t)depth;
    node->graph.call_stack = node->frames;
  }
  return add_waiters_of(building, node);
}

static void free_nodes(node_t *node) {
  while (node != NULL) {
    node_t *next = node->next;
    weft_future_unref(node->graph.future);
    weft__free(node->frames, node->capacity * sizeof *node->frames);
    weft__free(node->graph.awaited_by, node->graph.count * sizeof(weft_call_graph_t *));
    weft__free(node, sizeof *node);
    node = next;
  }
}

static int build(building_t *building, weft_future_t *future, size_t limit) {
  if (add_node(building, weft_future_ref(future), NULL) == NULL) return -ENOMEM;
  for (node_t *node = building->first; node != NULL; node = node->next) {
    int rc = node->graph.repeated ? 0 : look_at(building, node, limit);
    if (rc < 0) return rc;
  }
  return 0;
}

int weft_capture_call_graph(weft_future_t *future, size_t limit, weft_call_graph_t **graph) {
  if (graph == NULL) return weft_fail(-EINVAL, "weft_capture_call_graph: nowhere to put the graph");
  *graph = NULL;
  if (future == NULL) future = weft_task_future(weft__current_task());
  if (future == NULL) return weft_fail(WEFT_RUNTIME, "weft_capture_call_graph: no future, and no task that asks");
  building_t building = {0};
  int rc = build(&building, future, limit);
  weft__free(building.buckets, building.bucket_count * sizeof *building.buckets);
  weft__symbols_close(&building.symbols);
  if (rc < 0) {
    free_nodes(building.first);
    return weft_fail(rc, "weft_capture_call_graph: no memory");
  }
  *graph = &building.first->graph;
  return 0;
}

void weft_call_graph_free(weft_call_graph_t *graph) {
  if (graph != NULL) free_nodes(node_of(graph));
}

/* ---- as text ------------------------------------------------------------------------------------------------------------- */

static void format_node(weft__text_t *text, const weft_call_graph_t *graph, size_t level) {
  int indent = (int)(level * 4);
  weft_task_t *task = weft_future_task(graph->future);
  char name[128];
  if (task != NULL) {
    weft__task_copy_name(task, name, sizeof name);
    weft__text_add(text, "%*s* Task(name='%s', id=%p)", indent, "", name, (void *)task);
  } else {
    weft__text_add(text, "%*s* Future(id=%p)", indent, "", (void *)graph->future);
  }
  weft__text_add(text, graph->repeated ? " ...\n" : "\n");
  if (graph->depth > 0) weft__text_add(text, "%*s  + Call stack:\n", indent, "");
  for (size_t i = 0; i < graph->depth; i++)
    weft__text_add(text, "%*s  |   %s+0x%zx\n", indent, "",
                   graph->call_stack[i].function[0] != '\0' ? graph->call_stack[i].function : "?",
                   graph->call_stack[i].offset);
  if (graph->count > 0) weft__text_add(text, "%*s  + Awaited by:\n", indent, "");
}

/* Depth first, without recursion: down to the first, else to the next beside, else up. */
static void format_graph(weft__text_t *text, weft_call_graph_t *root) {
  size_t level = 0;
  node_t *node = node_of(root);
  while (node != NULL) {
    format_node(text, &node->graph, level);
    if (node->graph.count > 0) {
      node = node_of(node->graph.awaited_by[0]);
      level++;
      continue;
    }
    node_t *beside = NULL;
    while (node->parent != NULL && beside == NULL) {
      node_t *parent = node->parent;
      if (node->index + 1 < parent->graph.count) {
        beside = node_of(parent->graph.awaited_by[node->index + 1]);
      } else {
        node = parent;
        level--;
      }
    }
    node = beside;
  }
}

int weft_format_call_graph(weft_future_t *future, size_t limit, char *text, size_t size) {
  if (text == NULL && size > 0) return weft_fail(-EINVAL, "weft_format_call_graph: no text");
  weft_call_graph_t *graph;
  int rc = weft_capture_call_graph(future, limit, &graph);
  if (rc < 0) return rc;
  weft__text_t whole = weft__text(text, size);
  format_graph(&whole, graph);
  weft_call_graph_free(graph);
  return (int)whole.length;
}

int weft_print_call_graph(weft_future_t *future, size_t limit, FILE *file) {
  weft_call_graph_t *graph;
  int rc = weft_capture_call_graph(future, limit, &graph);
  if (rc < 0) return rc;
  weft__text_t counted = weft__text(NULL, 0);
  format_graph(&counted, graph);
  size_t size = counted.length + 1;
  char *text = weft__alloc(size);
  if (text != NULL) {
    weft__text_t whole = weft__text(text, size);
    format_graph(&whole, graph); /* names may have changed meanwhile: it is cut then */
    fputs(text, file != NULL ? file : stderr);
  }
  weft__free(text, text != NULL ? size : 0);
  weft_call_graph_free(graph);
  return text != NULL ? 0 : weft_fail(-ENOMEM, "weft_print_call_graph: no memory");
}
