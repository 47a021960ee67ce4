/* More open forks than a task has slots for. expect: task Task-1: more than a million forks are open */
#include <weft.h>

static WEFT_FORKS(int, one, int);
static int one(WEFT_HEAD, int n) { return n; }
static WEFT_FORKS(int, runaway, int);
static int runaway(WEFT_HEAD, int n) {
  for (int i = 0; i < n; i++) WEFT_FORK(one, i);
  int sum = 0;
  for (int i = 0; i < n; i++) sum += WEFT_JOIN(one);
  return sum;
}
static WEFT_ASYNC(root);
static int root(void) { return WEFT_FORK_RUN((int *)NULL, runaway, 2000000); }

int main(void) { return weft_run_with(&(const weft_config_t){.workers = 1}, root_async()); }
