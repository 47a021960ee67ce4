/* test_stacks.c: caches, the shared pool, its mark, large classes, limits. */
#include "fiber/stacks.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "fiber/fiber.h"
#include "fiber/guards.h"
#include "fiber/regions.h"

static size_t scaled(size_t n) {
  const char *scale = getenv("WEFT_TEST_SCALE");
  double by = scale != NULL ? strtod(scale, NULL) : 1;
  return by > 0 && by < 1 ? (size_t)((double)n * by) + 1 : n;
}

static void never(void *arg) {
  (void)arg;
  abort();
}
static weft__fiber_t *make(weft__stack_cache_t *cache, size_t size) {
  return weft__fiber_new(cache, size, never, NULL);
}

static weft__stack_stats_t stats(void) {
  weft__stack_stats_t now;
  weft__stacks_stats(&now);
  return now;
}

static int hold(void **state) {
  (void)state;
  weft__alloc_counting(true);
  weft__stacks_retain();
  return 0;
}
/* The last release leaves nothing: no address space, no memory. */
static int release(void **state) {
  (void)state;
  weft__alloc_fail_after(-1);
  weft__guards_allow_light(true);
  weft__stacks_release();
  bool clean = stats().mapped == 0 && weft__alloc_live_bytes() == 0;
  weft__alloc_counting(false);
  return !clean;
}

static void test_geometry(void **state) {
  (void)state;
  weft__stack_cache_t cache = {NULL, 0};
  static const size_t sizes[] = {0, 1, WEFT__FIBER_DEFAULT_USABLE, WEFT__FIBER_DEFAULT_USABLE + 1, 500000, 5000000};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    weft__fiber_t *fiber = make(&cache, sizes[i]);
    assert_non_null(fiber);
    assert_true(fiber->size >= sizes[i]);
    assert_int_equal(fiber->stack_high - fiber->stack_low, fiber->size);
    assert_ptr_equal(fiber->stack_high, fiber); /* the header is beside the first page */
    assert_int_equal((uintptr_t)fiber->stack_high % 64, 0);
    uintptr_t block = (uintptr_t)fiber->stack_low - WEFT__STACK_GUARD, low, high;
    size_t bytes = WEFT__STACK_BLOCK;
    while (block + bytes < (uintptr_t)fiber->stack_high) bytes *= 2;
    assert_int_equal(block % bytes, 0); /* aligned to its size */
    assert_true(bytes == WEFT__STACK_BLOCK || bytes / 2 < sizes[i] + WEFT__STACK_GUARD + WEFT__STACK_HEADER_MAX);
    assert_true(weft__stacks_find_guard(block, &low, &high));
    assert_true(low == block && high == block + bytes);
    assert_true(weft__stacks_find_guard(block + WEFT__STACK_GUARD - 1, &low, &high));
    assert_false(weft__stacks_find_guard(block + WEFT__STACK_GUARD, &low, &high));
    weft__fiber_free(&cache, fiber);
  }
  uintptr_t low, high;
  assert_false(weft__stacks_find_guard((uintptr_t)&cache, &low, &high));
  assert_false(weft__stacks_find_guard(0, &low, &high));
  weft__stack_cache_flush(&cache);
}

#ifndef WEFT_CONTEXT_UCONTEXT /* its headers are too large to be moved */
/* Headers and stack tops of neighbours do not meet in the same cache sets. */
static void test_colours(void **state) {
  (void)state;
  weft__fiber_t *fibers[16];
  unsigned seen = 0;
  for (int i = 0; i < 16; i++) {
    fibers[i] = make(NULL, 1);
    seen |= 1u << ((uintptr_t)fibers[i] / 64 % 64 % 16);
  }
  assert_int_equal(__builtin_popcount(seen), 16);
  for (int i = 0; i < 16; i++) weft__fiber_free(NULL, fibers[i]);
}

#endif

static void test_cache_is_lifo(void **state) {
  (void)state;
  weft__stack_cache_t cache;
  weft__stack_cache_init(&cache);
  weft__fiber_t *a = make(&cache, 1), *b = make(&cache, 1);
  assert_ptr_not_equal(a, b);
  weft__fiber_free(&cache, a);
  weft__fiber_free(&cache, b);
  assert_int_equal(cache.count, 2);
  assert_ptr_equal(make(&cache, 1), b);
  assert_ptr_equal(make(&cache, 1), a);
  assert_int_equal(cache.count, 0);
  weft__fiber_free(&cache, a);
  weft__fiber_free(&cache, b);
  weft__stack_cache_flush(&cache);
  assert_int_equal(cache.count, 0);
  assert_int_equal(stats().live, 0);
  assert_int_equal(stats().warm, 2);
}

/* A worker keeps a bounded number; what it frees beyond that another one gets. */
static void test_caches_exchange(void **state) {
  (void)state;
  enum { COUNT = 300 };
  weft__stack_cache_t one = {NULL, 0}, other = {NULL, 0};
  weft__fiber_t *fibers[COUNT];
  for (size_t i = 0; i < COUNT; i++) assert_non_null(fibers[i] = make(&one, 1));
  assert_int_equal(stats().live, COUNT);
  size_t mapped = stats().mapped;
  for (size_t i = 0; i < COUNT; i++) {
    weft__fiber_free(&one, fibers[i]);
    assert_true(one.count <= 64);
  }
  weft__stack_stats_t now = stats();
  assert_int_equal(now.live, one.count);
  assert_int_equal(now.warm, COUNT - one.count);
  unsigned length = 0;
  for (weft__fiber_t *fiber = one.first; fiber != NULL; fiber = fiber->next) length++;
  assert_int_equal(length, one.count);
  for (size_t i = 0; i < now.warm; i++) assert_non_null(fibers[i] = make(&other, 1));
  assert_int_equal(stats().mapped, mapped); /* nothing new was needed */
  for (size_t i = 0; i < now.warm; i++) weft__fiber_free(&other, fibers[i]);
  weft__stack_cache_flush(&one);
  weft__stack_cache_flush(&other);
  assert_int_equal(stats().warm, COUNT);
}

static size_t resident(const weft__fiber_t *fiber) {
  unsigned char pages[WEFT__STACK_BLOCK / 4096];
  long page = sysconf(_SC_PAGESIZE);
  size_t n = fiber->size / (size_t)page, count = 0;
  if (mincore((void *)fiber->stack_low, n * (size_t)page, pages) != 0) return SIZE_MAX;
  for (size_t i = 0; i < n; i++) count += pages[i] & 1;
  return count;
}

/* Above the mark blocks go cold: their pages go back to the system, and they come into use again whole. */
static void test_mark(void **state) {
  (void)state;
  enum { MARK = 200, COUNT = MARK + 300 };
  weft__fiber_t *fibers[COUNT];
  weft__stacks_keep_warm(MARK);
  for (size_t i = 0; i < COUNT; i++) {
    assert_non_null(fibers[i] = make(NULL, 1));
    memset(fibers[i]->stack_high - 8192, 1, 8192);
  }
  for (size_t i = 0; i < COUNT; i++) weft__fiber_free(NULL, fibers[i]);
  weft__stack_stats_t now = stats();
  assert_int_equal(now.live, 0);
  assert_int_equal(now.warm, MARK);
  assert_int_equal(now.cold, COUNT - MARK);
  size_t mapped = now.mapped, cold = 0;
  for (size_t i = 0; i < COUNT; i++) {
    assert_non_null(fibers[i] = make(NULL, 1));
    cold += resident(fibers[i]) <= 1; /* at most the page that the header shares */
  }
  assert_int_equal(cold, COUNT - MARK);
  now = stats();
  assert_int_equal(now.mapped, mapped);
  assert_int_equal(now.live, COUNT);
  assert_int_equal(now.warm + now.cold, 0);
  for (size_t i = 0; i < COUNT; i++) {
    uintptr_t low, high;
    assert_true(weft__stacks_find_guard((uintptr_t)fibers[i]->stack_low - 1, &low, &high));
    weft__fiber_free(NULL, fibers[i]);
  }
  weft__stacks_keep_warm(4096);
}

static void test_large(void **state) {
  (void)state;
  weft__fiber_t *fibers[10];
  for (size_t i = 0; i < 10; i++) {
    assert_non_null(fibers[i] = make(NULL, 1 << 20));
    memset(fibers[i]->stack_low, 1, fibers[i]->size);
  }
  assert_int_equal(stats().large, 10);
  size_t mapped = stats().mapped;
  assert_int_equal(mapped, 10 * (2u << 20));
  for (size_t i = 0; i < 10; i++) weft__fiber_free(NULL, fibers[i]);
  assert_int_equal(stats().large, 0);
  assert_int_equal(stats().mapped, 4 * (2u << 20)); /* a few are kept, with little memory in them */
  weft__fiber_t *again = make(NULL, 1 << 20);
  assert_true(again == fibers[0] || again == fibers[1] || again == fibers[2] || again == fibers[3]);
  assert_int_equal(again->stack_low[0], 0);
  weft__fiber_free(NULL, again);
  weft__fiber_t *huge = make(NULL, 100 << 20);
  assert_non_null(huge);
  assert_true(huge->size >= 100u << 20);
  huge->stack_low[0] = 1;
  weft__fiber_free(NULL, huge);
  assert_int_equal(stats().mapped, 4 * (2u << 20));
}

static void test_absurd_sizes(void **state) {
  (void)state;
  assert_null(make(NULL, SIZE_MAX));
  assert_non_null(strstr(weft__stacks_error(), "larger than the address space"));
  assert_null(make(NULL, SIZE_MAX / 2));
  assert_null(make(NULL, (size_t)1 << 60));
  assert_null(make(NULL, (size_t)1 << 50)); /* more than a processor can address */
  assert_non_null(strstr(weft__stacks_error(), "address space ran out"));
  assert_int_equal(stats().large, 0);
  assert_int_equal(stats().mapped, 0);
}

/* Each place where memory can run out answers NULL and leaves all counts right. */
static void test_planned_failures(void **state) {
  (void)state;
  static const size_t sizes[] = {1, 1 << 20, 1, 1 << 20};
  for (size_t i = 0; i < 4; i++) {
    long n = 1;
    weft__guards_allow_light(i < 2);
    for (bool failed = true; failed; n++) {
      weft__stacks_release();
      weft__stacks_retain();
      weft__alloc_fail_from(n);
      weft__fiber_t *fiber = make(NULL, sizes[i]);
      failed = weft__alloc_failed();
      weft__alloc_fail_from(-1);
      assert_int_equal(fiber == NULL, failed);
      assert_int_equal(stats().live + stats().large, fiber != NULL);
      if (fiber != NULL) weft__fiber_free(NULL, fiber);
      assert_int_equal(stats().live + stats().large, 0);
    }
    assert_true(n > (i < 2 && weft__guards_light() ? 3 : 4)); /* mapping, bookkeeping, and a guard that needs memory */
  }
}

/* ---- guards ---- */

static bool child_dies(void (*fn)(void *), void *arg) {
  pid_t child = fork();
  if (child == 0) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGSEGV, SIG_DFL);
    fn(arg);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}
static void touch(void *arg) { *(volatile char *)arg = 1; }

static void check_guard(weft__fiber_t *fiber) {
  char *low = fiber->stack_low;
  assert_false(child_dies(touch, low));
  assert_true(child_dies(touch, low - 1));
  assert_true(child_dies(touch, low - WEFT__STACK_GUARD / 2));
  assert_true(child_dies(touch, low - WEFT__STACK_GUARD));
}

static void test_guards_fault(void **state) {
  (void)state;
  for (int light = 1; light >= 0; light--) {
    weft__guards_allow_light(light != 0);
    weft__stacks_release();
    weft__stacks_retain();
    weft__fiber_t *small = make(NULL, 1), *second = make(NULL, 1), *large = make(NULL, 1 << 20);
    check_guard(small);
    check_guard(second);
    check_guard(large);
    weft__fiber_free(NULL, small);
    weft__fiber_free(NULL, second);
    weft__fiber_free(NULL, large);
  }
}

/* ---- the system's limits ---- */

/* Sanitizers and Valgrind have limits of their own before these; there the planned failures stand for them. */
#if !defined WEFT__ASAN && !defined WEFT__TSAN && !defined WEFT_VALGRIND
#define SYSTEM_LIMITS 1

/* With guards that are mappings of their own the system's limit is met: NULL and a line that says what to do, and
 * everything works on. In a child, because the limit is the process's. */
static void meet_limit(void *arg) {
  size_t *scale = arg;
  weft__guards_allow_light(false);
  weft__fiber_t *first = NULL;
  size_t count = 0;
  for (;; count++) {
    weft__fiber_t *fiber = make(NULL, 1);
    if (fiber == NULL) break;
    fiber->next = first;
    first = fiber;
    if (count > *scale) _exit(3); /* no limit met */
  }
  if (count < 1000) _exit(4);
  if (strstr(weft__stacks_error(), "vm.max_map_count") == NULL) _exit(5);
  if (stats().live != count) _exit(6);
  /* One freed, one made; none more. */
  weft__fiber_t *freed = first;
  first = first->next;
  weft__fiber_free(NULL, freed);
  if (make(NULL, 1) != freed) _exit(7);
  if (make(NULL, 1) != NULL) _exit(8);
  freed->next = first;
  for (first = freed; first != NULL;) {
    weft__fiber_t *fiber = first;
    first = first->next;
    weft__fiber_free(NULL, fiber);
  }
  weft__stacks_release();
  _exit(stats().mapped == 0 ? 0 : 9);
}

static void test_limit_of_mappings(void **state) {
  (void)state;
  size_t most = 0;
  FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
  if (file == NULL || fscanf(file, "%zu", &most) != 1 || most > 300000) most = 0;
  if (file != NULL) fclose(file);
  if (most == 0) {
    print_message("max_map_count is too high to meet the limit: planned failures stand for it\n");
    return;
  }
  pid_t child = fork();
  if (child == 0) meet_limit(&most);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

static void meet_address_limit(void) {
  size_t pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%zu", &pages) != 1) _exit(10);
  fclose(file);
  rlim_t bytes = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)100 << 20); /* 400 blocks more */
  struct rlimit limit = {.rlim_cur = bytes, .rlim_max = bytes};
  if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(2);
  size_t count = 0;
  while (make(NULL, 1) != NULL && count < 2000) count++;
  if (count == 2000) _exit(3);
  if (count < 380) _exit(4); /* smaller slabs fill what is left */
  _exit(strstr(weft__stacks_error(), "address space ran out") != NULL ? 0 : 5);
}

static void test_limit_of_address_space(void **state) {
  (void)state;
  pid_t child = fork();
  if (child == 0) meet_address_limit();
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

#endif

/* ---- threads share the pool ---- */

static int churn(void *arg) {
  unsigned seed = *(unsigned *)arg;
  weft__stack_cache_t cache = {NULL, 0};
  weft__fiber_t *held[100] = {NULL};
  size_t rounds = scaled(20000);
  for (size_t i = 0; i < rounds; i++) {
    seed = seed * 1664525 + 1013904223;
    size_t at = (seed >> 10) % 100;
    if (held[at] != NULL) {
      if (*(unsigned *)(void *)(held[at]->stack_high - 64) != (unsigned)at) return 1; /* somebody else had it */
      weft__fiber_free((seed & 1) != 0 ? &cache : NULL, held[at]);
      held[at] = NULL;
    } else {
      held[at] = make((seed & 1) != 0 ? &cache : NULL, (seed >> 4) % 50 == 0 ? 300000 : 1);
      if (held[at] == NULL) return 2;
      *(unsigned *)(void *)(held[at]->stack_high - 64) = (unsigned)at;
    }
  }
  for (size_t i = 0; i < 100; i++)
    if (held[i] != NULL) weft__fiber_free(&cache, held[i]);
  weft__stack_cache_flush(&cache);
  return 0;
}

static void test_threads(void **state) {
  (void)state;
  weft__thread_t threads[4];
  unsigned seeds[4] = {1, 2, 3, 4};
  for (int i = 0; i < 4; i++) assert_int_equal(weft__thread_start(&threads[i], churn, &seeds[i], "churn"), 0);
  for (int i = 0; i < 4; i++) assert_int_equal(weft__thread_join(threads[i]), 0);
  assert_int_equal(stats().live, 0);
  assert_int_equal(stats().large, 0);
}

/* Two runtimes: the stacks stay until the second is closed. */
static void test_two_holders(void **state) {
  (void)state;
  weft__stacks_retain();
  weft__fiber_free(NULL, make(NULL, 1));
  weft__stacks_release();
  assert_true(stats().mapped != 0);
}

#define POOLED(test) cmocka_unit_test_setup_teardown(test, hold, release)
int main(void) {
  const struct CMUnitTest tests[] = {
      POOLED(test_geometry),
#ifndef WEFT_CONTEXT_UCONTEXT
      POOLED(test_colours),
#endif
      POOLED(test_cache_is_lifo),     POOLED(test_mark),
      POOLED(test_caches_exchange),   POOLED(test_large),
      POOLED(test_absurd_sizes),      POOLED(test_planned_failures),
      POOLED(test_guards_fault),      POOLED(test_threads),
#ifdef SYSTEM_LIMITS
      POOLED(test_limit_of_mappings), POOLED(test_limit_of_address_space),
#endif

      POOLED(test_two_holders),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
