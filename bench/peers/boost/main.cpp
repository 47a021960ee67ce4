// Boost.Fiber. usage: boost-bench BENCH WORKERS OPS [X]. Prints the benches' JSON line.
#include <atomic>
#include <barrier>
#include <boost/fiber/algo/work_stealing.hpp>
#include <boost/fiber/all.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <vector>
namespace bf = boost::fibers;
using clk = std::chrono::steady_clock;
static long statusKB(const char *k) {
  FILE *f = fopen("/proc/self/status", "r");
  char l[256];
  long v = 0;
  while (fgets(l, 256, f))
    if (!strncmp(l, k, strlen(k))) v = atol(l + strlen(k));
  fclose(f);
  return v;
}
static void report(const char *cmd, int w, long n, clk::duration d, const std::string &ex = "") {
  double ns = std::chrono::duration<double, std::nano>(d).count() / n;
  printf("{\"bench\":\"%s\",\"runtime\":\"boost.fiber\",\"workers\":%d,\"ns_per_op\":%.3f,\"ops\":%ld,\"wall_s\":%.6f,"
         "\"max_rss_kb\":%ld,\"note\":\"%s\"}\n",
         cmd, w, ns * w, n, ns * n / 1e9, statusKB("VmHWM:"), ex.c_str());
}
static size_t STK = getenv("STK") ? atol(getenv("STK")) : 16384;
// one pooled allocator per thread (pooled_fixedsize_stack is not thread safe: free happens on the
// thread that ends the fiber), so use fixedsize_stack (malloc) for work stealing and pooled for 1 thread
struct any_stack {
  static thread_local std::vector<void *> cache;
  boost::context::stack_context allocate() {
    void *p;
    if (!cache.empty()) {
      p = cache.back();
      cache.pop_back();
    } else
      p = malloc(STK);
    boost::context::stack_context c;
    c.size = STK;
    c.sp = (char *)p + STK;
    return c;
  }
  void deallocate(boost::context::stack_context &c) noexcept {
    void *p = (char *)c.sp - c.size;
    if (cache.size() < 4096)
      cache.push_back(p);
    else
      free(p);
  }
};
thread_local std::vector<void *> any_stack::cache;
template <class F> bf::fiber spawn(F &&f) {
  return bf::fiber(bf::launch::post, std::allocator_arg, any_stack(), std::forward<F>(f));
}
int main(int argc, char **argv) {
  std::string cmd = argv[1];
  int w = atoi(argv[2]);
  long n = atol(argv[3]);
  long x = argc > 4 ? atol(argv[4]) : 0;
  bool susp = getenv("SUSPEND") && atoi(getenv("SUSPEND"));
  std::vector<std::thread> th;
  std::barrier bar(w);
  bf::mutex qm;
  bf::condition_variable_any qc;
  bool quit = false;
  for (int i = 1; i < w; i++)
    th.emplace_back([&] {
      bf::use_scheduling_algorithm<bf::algo::work_stealing>(w, susp);
      bar.arrive_and_wait();
      std::unique_lock<bf::mutex> l(qm);
      qc.wait(l, [&] { return quit; });
    });
  if (w > 1) {
    bf::use_scheduling_algorithm<bf::algo::work_stealing>(w, susp);
    bar.arrive_and_wait();
  }
  auto body = [&] {
    auto t = clk::now();
    auto el = [&] { return clk::now() - t; };
    if (cmd == "spawn_batch") {
      long batch = x ? x : n, done = 0;
      std::vector<bf::fiber> v;
      v.reserve(batch);
      std::atomic<long> s{0};
      for (; done < n; done += batch) {
        for (long i = 0; i < batch; i++) v.push_back(spawn([&s] { s.fetch_add(1, std::memory_order_relaxed); }));
        for (auto &f : v) f.join();
        v.clear();
      }
      if (s != done) abort();
      report("spawn_batch", w, done, el(), "batch=" + std::to_string(batch));
    } else if (cmd == "spawn_join") {
      long s = 0;
      for (long i = 0; i < n; i++) {
        spawn([&s] { s++; }).join();
      }
      if (s != n) abort();
      report("spawn_join", w, n, el());
    } else if (cmd == "yield") {
      long per = n / x;
      std::vector<bf::fiber> v;
      for (long i = 0; i < x; i++)
        v.push_back(spawn([per] {
          for (long j = 0; j < per; j++) boost::this_fiber::yield();
        }));
      for (auto &f : v) f.join();
      report("yield", w, per * x, el(), "tasks=" + std::to_string(x));
    } else if (cmd == "pingpong") {
      auto run = [&](auto &a, auto &b, const char *e) {
        auto p = spawn([&] {
          unsigned long v;
          while (a.pop(v) == bf::channel_op_status::success) b.push(v + 1);
        });
        auto q = spawn([&] {
          unsigned long v = 0;
          for (long i = 0; i < n; i++) {
            a.push(v);
            b.pop(v);
          }
          a.close();
          if ((long)v != n) abort();
        });
        q.join();
        p.join();
        report("pingpong", w, n, el(), e);
      };
      if (x == 1) {
        bf::unbuffered_channel<unsigned long> a, b;
        run(a, b, "unbuffered");
      } else {
        bf::buffered_channel<unsigned long> a(2), b(2);
        run(a, b, "buffered(2)");
      }
    } else if (cmd == "queue") {
      if (!x) x = 4;
      bf::buffered_channel<unsigned long> c(128);
      long per = n / x;
      std::vector<bf::fiber> v;
      for (long i = 0; i < x; i++)
        v.push_back(spawn([&] {
          for (long j = 0; j < per; j++) c.push(j);
        }));
      long k = 0;
      auto q = spawn([&] {
        unsigned long u;
        while (c.pop(u) == bf::channel_op_status::success) k++;
      });
      for (auto &f : v) f.join();
      c.close();
      q.join();
      if (k != per * x) abort();
      report("queue", w, k, el(), "prod=4 cap=128");
    } else if (cmd == "sleep_many") {
      long r0 = statusKB("VmRSS:");
      unsigned long r = 42;
      std::vector<bf::fiber> v;
      v.reserve(n);
      for (long i = 0; i < n; i++) {
        r ^= r << 13;
        r ^= r >> 7;
        r ^= r << 17;
        int ms = 1 + r % 1000;
        v.push_back(spawn([ms] { boost::this_fiber::sleep_for(std::chrono::milliseconds(ms)); }));
      }
      for (auto &f : v) f.join();
      auto e = el();
      report("sleep_many", w, n, e, "bytes_task=" + std::to_string((statusKB("VmHWM:") - r0) * 1024 / n));
    } else if (cmd == "parked") {
      long r0 = statusKB("VmRSS:");
      bf::mutex m;
      bf::condition_variable cv;
      bool go = false;
      std::atomic<long> c{0};
      std::vector<bf::fiber> v;
      v.reserve(n);
      for (long i = 0; i < n; i++)
        v.push_back(spawn([&] {
          std::unique_lock<bf::mutex> l(m);
          c++;
          cv.wait(l, [&] { return go; });
        }));
      while (c < n) boost::this_fiber::yield();
      auto e = el();
      long r1 = statusKB("VmRSS:");
      {
        std::unique_lock<bf::mutex> l(m);
        go = true;
      }
      cv.notify_all();
      for (auto &f : v) f.join();
      report("parked", w, n, e, "bytes_task=" + std::to_string((r1 - r0) * 1024 / n));
    } else if (cmd == "lock" || cmd == "lock_yield") {
      if (!x) x = 1000;
      bool y = cmd == "lock_yield";
      bf::mutex m;
      long k = 0, per = n / x;
      std::vector<bf::fiber> v;
      for (long i = 0; i < x; i++)
        v.push_back(spawn([&] {
          for (long j = 0; j < per; j++) {
            std::unique_lock<bf::mutex> l(m);
            k++;
            if (y) boost::this_fiber::yield();
          }
        }));
      for (auto &f : v) f.join();
      if (k != per * x) abort();
      report(cmd.c_str(), w, per * x, el(), "tasks=" + std::to_string(x));
    } else if (cmd == "gather") {
      if (!x) x = 10;
      for (long i = 0; i < n; i++) {
        bf::fiber v[64];
        for (long j = 0; j < x; j++) v[j] = spawn([] {});
        for (long j = 0; j < x; j++) v[j].join();
      }
      report("gather", w, n * x, el(), "k=10 (op = one child)");
    } else
      abort();
  };
  bf::fiber(bf::launch::post, std::allocator_arg, bf::fixedsize_stack(256 * 1024), body).join();
  {
    std::unique_lock<bf::mutex> l(qm);
    quit = true;
  }
  qc.notify_all();
  fflush(stdout);
  for (auto &t : th) t.join();
}
