/* nqueens: all placements of 12 queens, a fork for every placement of one more; ops = solutions. "serial": calls.
 * -- n=14 for another size. */
#include "harness.h"

enum { N = 12, N_MAX = 16 };

typedef struct board {
  int8_t row[N_MAX];
} board_t;

/* The columns' rows that may hold the next queen; how many. */
static int candidates(const board_t *board, int n, int x, int8_t *out) {
  int count = 0;
  for (int y = 0; y < n; y++) {
    int i = 0;
    for (; i < x; i++) {
      int p = (uint8_t)board->row[i], d = x - i;
      if (y == p || y == p - d || y == p + d) break;
    }
    if (i == x) out[count++] = (int8_t)y;
  }
  return count;
}
static board_t with(const board_t *board, int x, int8_t y) {
  board_t next = *board;
  next.row[x] = y;
  return next;
}

static WEFT_FORKS(int, queens, board_t, int, int);
static int queens(WEFT_HEAD, board_t board, int n, int x) {
  if (x == n) return 1;
  int8_t rows[2 * N_MAX]; /* gcc fears for more than n */
  int count = candidates(&board, n, x, rows);
  if (count == 0) return 0;
  for (int i = 0; i + 1 < count; i++) WEFT_FORK(queens, with(&board, x, rows[i]), n, x + 1);
  int sum = WEFT_CALL(queens, with(&board, x, rows[count - 1]), n, x + 1);
  for (int i = 0; i + 1 < count; i++) sum += WEFT_JOIN(queens);
  return sum;
}

__attribute__((noinline)) static int serial(board_t board, int n, int x) {
  if (x == n) return 1;
  int8_t rows[2 * N_MAX]; /* gcc fears for more than n */
  int count = candidates(&board, n, x, rows), sum = 0;
  for (int i = 0; i < count; i++) sum += serial(with(&board, x, rows[i]), n, x + 1);
  return sum;
}

static int size_of(const bench_run_t *run) {
  long n = bench_option(run, "n", N);
  BENCH_CHECK(n >= 1 && n <= N_MAX);
  return (int)n;
}
static void check(bench_run_t *run, int rc, int found) {
  static const int solutions[] = {1,   1,   0,    0,     2,     10,     4,       40,      92,
                                  352, 724, 2680, 14200, 73712, 365596, 2279184, 14772512};
  BENCH_CHECK(rc < 0 || found == solutions[size_of(run)]);
  run->ops = found > 0 ? found : 1;
}

static WEFT_ASYNC(root, bench_run_t *);
static int root(bench_run_t *run) {
  int found = 0;
  bench_start(run);
  int rc = WEFT_FORK_RUN(&found, queens, (board_t){{0}}, size_of(run), 0);
  bench_stop(run);
  check(run, rc, found);
  return rc;
}
static int run_weft(bench_run_t *run) { return bench_weft(run, root_async(run)); }

static int run_serial(bench_run_t *run) {
  bench_start(run);
  int found = serial((board_t){{0}}, size_of(run), 0);
  bench_stop(run);
  check(run, 0, found);
  return 0;
}

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {{"weft", run_weft, 0, 1}, {"serial", run_serial, BENCH_SERIAL, 1}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "nqueens", .ops = 1, .runtimes = runtimes});
}
