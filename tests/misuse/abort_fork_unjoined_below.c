/* Checked, a fork left open deep in a tree is found at the next fork. expect: task Task-1: forgets is forked over a fork */
#define WEFT_FORK_CHECKS 1
#include <weft.h>

static WEFT_FORKS(int, forgets, int);
static int forgets(WEFT_HEAD, int n) {
  if (n > 0) WEFT_FORK(forgets, n - 1);
  return n;
}
static WEFT_FORKS(int, two, int);
static int two(WEFT_HEAD, int n) {
  int a = WEFT_CALL(forgets, n);
  WEFT_FORK(forgets, 0);
  return a + WEFT_JOIN(forgets);
}
static WEFT_ASYNC(root);
static int root(void) { return WEFT_FORK_RUN((int *)NULL, two, 1); }

int main(void) { return weft_run(root_async()); }
