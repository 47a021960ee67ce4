/* A function of a tree that ends with a fork open. expect: task Task-1: forgets ended with forks that were never joined */
#include <weft.h>

static WEFT_FORKS(int, forgets, int);
static int forgets(WEFT_HEAD, int n) {
  if (n > 0) WEFT_FORK(forgets, n - 1);
  return n;
}
static WEFT_ASYNC(root);
static int root(void) { return WEFT_FORK_RUN((int *)NULL, forgets, 1); }

int main(void) { return weft_run(root_async()); }
