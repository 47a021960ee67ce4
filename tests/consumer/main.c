/* A program of somebody else's: knows only the installed headers and library. Built by check_consumer.sh in every way
 * that the README names. */
#include <stdio.h>
#include <weft.h>

static WEFT_ASYNC(square, int, int *);
static int square(int n, int *out) {
  int rc = weft_sleep(0.001 * n);
  *out = n * n;
  return rc;
}

static WEFT_ASYNC(sum, int *);
static int sum(int *out) {
  int a = 0, b = 0;
  weft_task_t *task = weft_create_task(square_async(3, &a));
  int rc = square(4, &b);
  int joined = weft_join(task);
  *out = a + b;
  return rc < 0 ? rc : joined;
}

int main(void) {
  int total = 0;
  int rc = weft_run(sum_async(&total));
  if (rc < 0) fprintf(stderr, "%s\n", weft_strerror(rc));
  printf("%s %d\n", weft_version(), total);
  return rc == 0 && total == 25 ? 0 : 1;
}
