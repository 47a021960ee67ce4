/* Joins are last in, first out; checked, another order aborts. expect: task Task-1: one is joined, which is not what was */
#define WEFT_FORK_CHECKS 1
#include <weft.h>

static WEFT_FORKS(int, one, int);
static int one(WEFT_HEAD, int n) { return n; }
static WEFT_FORKS(int, two, int);
static int two(WEFT_HEAD, int n) { return n; }
static WEFT_FORKS(int, wrong, int);
static int wrong(WEFT_HEAD, int n) {
  WEFT_FORK(one, n);
  WEFT_FORK(two, n);
  int a = WEFT_JOIN(one);
  return a + WEFT_JOIN(two);
}
static WEFT_ASYNC(root);
static int root(void) { return WEFT_FORK_RUN((int *)NULL, wrong, 1); }

int main(void) { return weft_run(root_async()); }
