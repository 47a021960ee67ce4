// oneTBB, by task_group. usage: tbb-bench fib|skynet|nqueens|matmul WORKERS N: fib(N), 10^N leaves, an N x N board,
// N x N matrices. Prints the benches' JSON line; an operation is a join of fib, a leaf of skynet, otherwise the whole run.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

static void check(bool condition) {
  if (!condition) std::abort();
}

static uint64_t fib(uint64_t n) {
  if (n < 2) return n;
  uint64_t x = 0;
  tbb::task_group group;
  group.run([&] { x = fib(n - 1); });
  uint64_t y = fib(n - 2);
  group.wait();
  return x + y;
}

static uint64_t skynet(uint64_t base, uint64_t leaves) {
  if (leaves == 1) return base;
  uint64_t step = leaves / 10, sums[10], sum = 0;
  tbb::task_group group;
  for (uint64_t i = 0; i < 9; i++) group.run([&sums, i, base, step] { sums[i] = skynet(base + step * i, step); });
  sums[9] = skynet(base + step * 9, step);
  group.wait();
  for (uint64_t part : sums) sum += part;
  return sum;
}

enum { LARGEST = 16 };
struct Board {
  int rows;
  int8_t columns[LARGEST];
};

static bool fits(const Board &board, int column) {
  for (int i = 0; i < board.rows; i++) {
    int other = board.columns[i], distance = board.rows - i;
    if (column == other || column == other - distance || column == other + distance) return false;
  }
  return true;
}

static uint64_t queens(Board board, int size) {
  if (board.rows == size) return 1;
  int columns[LARGEST], n = 0;
  for (int column = 0; column < size; column++)
    if (fits(board, column)) columns[n++] = column;
  if (n == 0) return 0;
  uint64_t counts[LARGEST], sum = 0;
  auto place = [&](int i) {
    Board next = board;
    next.columns[next.rows++] = static_cast<int8_t>(columns[i]);
    counts[i] = queens(next, size);
  };
  tbb::task_group group;
  for (int i = 0; i + 1 < n; i++) group.run([&place, i] { place(i); });
  place(n - 1);
  group.wait();
  for (int i = 0; i < n; i++) sum += counts[i];
  return sum;
}

enum { LEAF = 32 };
static void leaf(const int *a, const int *b, int *c, int n, int width) {
  for (int i = 0; i < n; i++)
    for (int k = 0; k < n; k++)
      for (int j = 0; j < n; j++) c[i * width + j] += a[i * width + k] * b[k * width + j];
}

// C += A B by quadrants: four products at once, then the other four.
static void multiply(const int *a, const int *b, int *c, int n, int width) {
  if (n <= LEAF) {
    leaf(a, b, c, n, width);
    return;
  }
  int h = n / 2, down = h * width;
  for (int half = 0; half < 2; half++, a += h, b += down) {
    tbb::task_group group;
    group.run([=] { multiply(a, b, c, h, width); });
    group.run([=] { multiply(a, b + h, c + h, h, width); });
    group.run([=] { multiply(a + down, b, c + down, h, width); });
    multiply(a + down, b + h, c + down + h, h, width);
    group.wait();
  }
}

static int *matrix(int n, int value) {
  size_t cells = static_cast<size_t>(n) * static_cast<size_t>(n);
  int *all = static_cast<int *>(std::aligned_alloc(64, cells * sizeof(int)));
  check(all != nullptr);
  for (size_t i = 0; i < cells; i++) all[i] = value;
  return all;
}

static long peak_kb() {
  char line[128];
  long kb = 0;
  FILE *file = std::fopen("/proc/self/status", "r");
  while (file != nullptr && std::fgets(line, sizeof line, file) != nullptr)
    if (std::strncmp(line, "VmHWM:", 6) == 0) kb = std::strtol(line + 6, nullptr, 10);
  if (file != nullptr) std::fclose(file);
  return kb;
}

using Clock = std::chrono::steady_clock;

int main(int argc, char *argv[]) {
  check(argc == 4);
  std::string bench = argv[1];
  int workers = std::atoi(argv[2]), n = std::atoi(argv[3]);
  tbb::global_control limit(tbb::global_control::max_allowed_parallelism, static_cast<size_t>(workers));
  tbb::task_arena arena(workers);
  Clock::time_point start, stop;
  uint64_t ops = 1;
  arena.execute([&] {
    if (bench == "fib") {
      uint64_t a = 0, b = 1;
      for (int i = 0; i < n; i++) {
        uint64_t next = a + b;
        a = b;
        b = next;
      }
      ops = b - 1;
      fib(20);
      start = Clock::now();
      check(fib(static_cast<uint64_t>(n)) == a);
      stop = Clock::now();
    } else if (bench == "skynet") {
      for (int i = 0; i < n; i++) ops *= 10;
      skynet(0, 10000);
      start = Clock::now();
      check(skynet(0, ops) == ops * (ops - 1) / 2);
      stop = Clock::now();
    } else if (bench == "nqueens") {
      static const uint64_t solutions[] = {1,   1,   0,    0,     2,     10,     4,       40,      92,
                                           352, 724, 2680, 14200, 73712, 365596, 2279184, 14772512};
      check(n <= LARGEST);
      queens(Board{}, 8);
      start = Clock::now();
      check(queens(Board{}, n) == solutions[n]);
      stop = Clock::now();
    } else if (bench == "matmul") {
      int *a = matrix(n, 1), *b = matrix(n, 1), *c = matrix(n, 0);
      multiply(a, b, c, n, n); // touches every page
      start = Clock::now();
      multiply(a, b, c, n, n);
      stop = Clock::now();
      for (int i = 0; i < n * n; i++) check(c[i] == 2 * n);
      std::free(a);
      std::free(b);
      std::free(c);
    } else {
      std::abort();
    }
  });
  double ns = std::chrono::duration<double, std::nano>(stop - start).count();
  std::printf("{\"bench\":\"%s\",\"runtime\":\"tbb\",\"workers\":%d,\"ns_per_op\":%.3f,\"ops\":%llu,\"wall_s\":%.6f,"
              "\"max_rss_kb\":%ld}\n",
              bench.c_str(), workers, ns * workers / static_cast<double>(ops), static_cast<unsigned long long>(ops),
              ns / 1e9, peak_kb());
  return 0;
}
