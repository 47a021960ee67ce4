/* task_memory.c: the memory of tasks: slabs, and what each worker keeps of them for the tasks that it creates next.
 *
 * A slab is 2 MiB, aligned to that, of tasks of one of two sizes; a task's address tells its slab. Everything of a slab is
 * guarded by one lock, which workers take for many tasks at once: a worker's list is refilled by batches that grow as long
 * as it asks, and above a mark half of it goes back. A slab with tasks to give is listed; one that has all its tasks back is
 * freed. The second and later slabs of a size ask for huge pages: a million tasks are 256 MB, and the first touch of so many
 * small pages costs twice what creating, running and joining the tasks does.
 * A task that is free is linked through its first word. Foreign threads take and give one by one. */
#include "sched/task_memory.h"

#include <sys/mman.h>

#include "base/alloc.h"

/* Where mistakes are looked for every task has memory of its own, so that a stale handle is seen. */
#if defined WEFT_DEBUG_CHECKS || defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { SLABS = 0 };
#else
enum { SLABS = 1 };
#endif

enum { SLAB_BYTES = 2 * 1024 * 1024, BATCH_MAX = 64, FREE_TASKS_MAX = 512 };

typedef struct slab {
  weft__link_t link; /* in `listed`, while it has tasks to give */
  unsigned class;
  unsigned live;           /* tasks that are not here */
  unsigned fresh;          /* from this index on they were never used; the first is taken by this header */
  weft__free_task_t *free; /* used before */
} slab_t;
_Static_assert(sizeof(slab_t) <= WEFT__TASK_SMALL, "the header takes the place of one task");

static struct {
  weft__spin_t lock;
  weft__list_t listed[WEFT__TASK_CLASSES]; /* zero: not used yet */
  unsigned slabs[WEFT__TASK_CLASSES];
} pool;

static size_t bytes_of(unsigned class) { return class == WEFT__TASK_CLASS_SMALL ? WEFT__TASK_SMALL : WEFT__TASK_LARGE; }
static unsigned capacity_of(unsigned class) { return (unsigned)(SLAB_BYTES / bytes_of(class)); }
static slab_t *slab_of(void *task) { return (slab_t *)((uintptr_t)task & ~(uintptr_t)(SLAB_BYTES - 1)); }

/* Under the lock. */
static slab_t *first_listed(unsigned class) {
  weft__list_t *list = &pool.listed[class];
  if (list->head.next == NULL) weft__list_init(list);
  weft__link_t *link = weft__list_first(list);
  return link != NULL ? weft__container_of(link, slab_t, link) : NULL;
}

/* Without the lock. */
static bool add_slab(unsigned class) {
  slab_t *slab = weft__alloc_aligned(SLAB_BYTES, SLAB_BYTES);
  if (slab == NULL) return false;
  weft__spin_lock(&pool.lock);
  bool huge = pool.slabs[class]++ > 0;
  weft__spin_unlock(&pool.lock);
  /* Before the first touch, which else makes small pages of it. Refused: small ones do. */
  if (huge) madvise(slab, SLAB_BYTES, MADV_HUGEPAGE);
  *slab = (slab_t){.class = class, .fresh = 1};
  weft__spin_lock(&pool.lock);
  (void)first_listed(class);
  weft__list_push_back(&pool.listed[class], &slab->link);
  weft__spin_unlock(&pool.lock);
  return true;
}

/* Up to `wanted` tasks, linked; at least one, or NULL without memory. */
static weft__free_task_t *take_tasks(unsigned class, unsigned wanted, unsigned *taken) {
  weft__free_task_t *first = NULL, **end = &first; /* in order of their addresses, where they are fresh */
  *taken = 0;
  weft__spin_lock(&pool.lock);
  slab_t *slab;
  while ((slab = first_listed(class)) == NULL) {
    weft__spin_unlock(&pool.lock);
    if (!add_slab(class)) return NULL;
    weft__spin_lock(&pool.lock);
  }
  while (*taken < wanted && (slab->free != NULL || slab->fresh < capacity_of(class))) {
    weft__free_task_t *task = slab->free;
    if (task != NULL)
      slab->free = task->next;
    else
      task = (weft__free_task_t *)(void *)((char *)slab + slab->fresh++ * bytes_of(class));
    *end = task;
    end = &task->next;
    ++*taken;
  }
  *end = NULL;
  slab->live += *taken;
  if (slab->free == NULL && slab->fresh == capacity_of(class)) weft__list_unlink(&slab->link);
  weft__spin_unlock(&pool.lock);
  return first;
}

/* The first `count` of the list go back; answers the rest. */
static weft__free_task_t *give_tasks(weft__free_task_t *task, unsigned count) {
  slab_t *empty = NULL; /* linked by free */
  weft__spin_lock(&pool.lock);
  for (weft__free_task_t *next; count > 0; count--, task = next) {
    next = task->next;
    slab_t *slab = slab_of(task);
    task->next = slab->free;
    slab->free = task;
    if (!weft__link_linked(&slab->link)) weft__list_push_back(&pool.listed[slab->class], &slab->link);
    if (--slab->live > 0) continue;
    weft__list_unlink(&slab->link);
    pool.slabs[slab->class]--;
    slab->free = (weft__free_task_t *)(void *)empty;
    empty = slab;
  }
  weft__spin_unlock(&pool.lock);
  while (empty != NULL) {
    slab_t *slab = empty;
    empty = (slab_t *)(void *)slab->free;
    weft__free_aligned(slab, SLAB_BYTES, SLAB_BYTES);
  }
  return task;
}

WEFT__NOINLINE weft_task_t *weft__task_memory_new(weft__worker_t *worker, unsigned class) {
  if (!SLABS) return weft__alloc(bytes_of(class));
  if (weft__alloc_refused()) return NULL;
  unsigned taken, wanted = worker != NULL ? worker->task_batch : 0;
  weft__free_task_t *first = take_tasks(class, wanted > 0 ? wanted : 1, &taken);
  if (first == NULL || worker == NULL) return (weft_task_t *)(void *)first;
  worker->task_batch = wanted == 0 ? 2 : wanted < BATCH_MAX ? wanted * 2 : wanted;
  worker->free_tasks[class] = first->next;
  worker->free_task_count[class] = taken - 1;
  return (weft_task_t *)(void *)first;
}

void weft__task_memory_give(weft_task_t *task) {
  unsigned class = weft__task_class(task->args_size, task->ending);
  if (!SLABS) {
    weft__free(task, bytes_of(class));
    return;
  }
  weft__worker_t *worker = weft__worker();
  weft__free_task_t *node = (weft__free_task_t *)(void *)task;
  if (weft__unlikely(worker == NULL)) {
    (void)give_tasks(node, 1);
    return;
  }
  node->next = worker->free_tasks[class];
  worker->free_tasks[class] = node;
  if (weft__likely(++worker->free_task_count[class] <= FREE_TASKS_MAX)) return;
  /* The older half. */
  weft__free_task_t *kept = node;
  for (unsigned i = 1; i < FREE_TASKS_MAX / 2; i++) kept = kept->next;
  unsigned excess = worker->free_task_count[class] - FREE_TASKS_MAX / 2;
  (void)give_tasks(kept->next, excess);
  kept->next = NULL;
  worker->free_task_count[class] = FREE_TASKS_MAX / 2;
}

void weft__task_memory_rest(weft__worker_t *worker) {
  for (unsigned class = 0; class < WEFT__TASK_CLASSES; class ++) {
    if (worker->free_task_count[class] > 0) (void)give_tasks(worker->free_tasks[class], worker->free_task_count[class]);
    worker->free_tasks[class] = NULL;
    worker->free_task_count[class] = 0;
  }
  worker->task_batch = 0;
}
