/* after_fork.c: what is left of loops in the child of a fork() that the user makes (rule 38).
 *
 * The child has the forking thread alone, and a copy of everything else as it was in that moment. The other workers' threads
 * and the pools' are not there, and locks that they held stay held. So its copies of the loops are closed at once: whatever
 * takes a loop answers as after close, and a thread that was a worker is none there: what wants a running loop answers that
 * there is none. Nothing is freed: the memory is a snapshot nobody may trust. A task that returns in the child would return
 * into a scheduler that is dead: that aborts with words (worker.c).
 * The list's lock is taken before each fork and given back on both sides after it, so that the child finds the list whole. */
#include "sched/loop.h"

static weft__spin_t lock;
static weft__list_t loops = {{&loops.head, &loops.head}}; /* under lock */
static weft__once_t once = WEFT__ONCE_INIT;
static _Atomic(bool) child;

static void before(void) { weft__spin_lock(&lock); }
static void in_parent(void) { weft__spin_unlock(&lock); }
static void in_child(void) {
  for (weft__link_t *link = loops.head.next; link != &loops.head; link = link->next) {
    weft_loop_t *loop = weft__container_of(link, weft_loop_t, alive);
    atom_store(&loop->state, WEFT__LOOP_CLOSED, relaxed); /* there is only this thread */
    atom_store(&child, true, relaxed);
  }
  weft__list_init(&loops); /* the child's own come in anew */
  weft__worker_set(NULL);
  weft__spin_unlock(&lock);
}

static void watch_forks(void) { weft__around_forks(before, in_parent, in_child); }

void weft__after_fork_add(weft_loop_t *loop) {
  weft__once(&once, watch_forks);
  weft__spin_lock(&lock);
  weft__list_push_back(&loops, &loop->alive);
  weft__spin_unlock(&lock);
}

void weft__after_fork_remove(weft_loop_t *loop) {
  weft__spin_lock(&lock);
  weft__list_unlink(&loop->alive);
  weft__spin_unlock(&lock);
}

bool weft__forked(void) { return atom_load(&child, relaxed); }
