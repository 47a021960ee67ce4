/* stats.c: see stats.h */
#include "stats.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

stats_t *stats_map(int fd) {
  void *memory = mmap(NULL, sizeof(stats_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

stats_t *stats_open(int *fd) {
  *fd = memfd_create("weft-demo-stats", MFD_CLOEXEC);
  if (*fd < 0) return NULL;
  return ftruncate(*fd, sizeof(stats_t)) < 0 ? NULL : stats_map(*fd);
}

void stats_good(stats_t *stats, int route, uint64_t ns) { histogram_add(&stats->routes[route].latency, ns); }

void stats_error(stats_t *stats, int route, const char *format, ...) {
  int none = 0;
  atomic_fetch_add_explicit(&stats->routes[route].errors, 1, memory_order_relaxed);
  if (!atomic_compare_exchange_strong(&stats->first_error, &none, 1)) return;
  int n = snprintf(stats->words, sizeof stats->words, "%s: ", route_paths[route]);
  va_list args;
  va_start(args, format);
  vsnprintf(stats->words + n, sizeof stats->words - (size_t)n, format, args);
  va_end(args);
  atomic_store_explicit(&stats->first_error, 2, memory_order_release);
}

uint64_t stats_errors(const stats_t *stats) {
  uint64_t errors = 0;
  for (int i = 0; i < ROUTES; i++) errors += atomic_load_explicit(&stats->routes[i].errors, memory_order_relaxed);
  return errors;
}

const char *stats_first_error(const stats_t *stats) {
  return atomic_load_explicit(&stats->first_error, memory_order_acquire) == 2 ? stats->words : "";
}
