/* harness.c: see harness.h */
#include "harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t bench_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Not getrusage: its peak includes that of the process that forked us. */
long bench_peak_rss_kb(const char *pid) {
  char path[64], line[128];
  long kb = 0;
  snprintf(path, sizeof path, "/proc/%s/status", pid);
  FILE *file = fopen(path, "re");
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, "VmHWM:", 6) == 0) kb = strtol(line + 6, NULL, 10);
  if (file != NULL) fclose(file);
  return kb;
}

void bench_start(bench_run_t *run) { run->start_ns = bench_now_ns(); }
void bench_stop(bench_run_t *run) { run->stop_ns = bench_now_ns(); }

void bench_broken(const char *file, int line, const char *condition) {
  fprintf(stderr, "%s:%d: wrong result, nothing measured: %s\n", file, line, condition);
  exit(3);
}

long bench_option(const bench_run_t *run, const char *name, long fallback) {
  size_t length = strlen(name);
  for (const char *const *word = run->options; word != NULL && *word != NULL; word++)
    if (strncmp(*word, name, length) == 0 && (*word)[length] == '=') return strtol(*word + length + 1, NULL, 10);
  return fallback;
}

static int usage(const char *program, const bench_t *bench) {
  fprintf(stderr, "usage: %s [--runtime NAME] [--workers N] [--ops N] [--list] [-- NAME=VALUE...]\nruntimes:", program);
  for (const bench_runtime_t *r = bench->runtimes; r->name != NULL; r++) fprintf(stderr, " %s", r->name);
  fputc('\n', stderr);
  return 2;
}

/* A positive number that fills the whole word, else 0. */
static long positive(const char *word) {
  char *end = NULL;
  errno = 0;
  long value = word != NULL ? strtol(word, &end, 10) : 0;
  return word != NULL && errno == 0 && end != word && *end == '\0' && value > 0 ? value : 0;
}

static const bench_runtime_t *find(const bench_t *bench, const char *name) {
  for (const bench_runtime_t *r = bench->runtimes; r->name != NULL; r++)
    if (strcmp(r->name, name) == 0) return r;
  return NULL;
}

static void print_line(const bench_t *bench, const char *runtime, const bench_run_t *run) {
  double wall_ns = (double)(run->stop_ns - run->start_ns);
  double ns_per_op = run->ns_per_op > 0 ? run->ns_per_op : wall_ns * run->workers / (double)run->ops;
  printf("{\"bench\":\"%s\",\"runtime\":\"%s\",\"workers\":%u,\"ns_per_op\":%.3f,\"ops\":%ld,\"wall_s\":%.6f,\"max_rss_"
         "kb\":%ld",
         bench->name, runtime, run->workers, ns_per_op, run->ops, wall_ns / 1e9,
         run->max_rss_kb > 0 ? run->max_rss_kb : bench_peak_rss_kb("self"));
  if (run->p999_us > 0)
    printf(",\"p50_ms\":%.4f,\"p99_ms\":%.4f,\"p999_ms\":%.4f", run->p50_us / 1e3, run->p99_us / 1e3,
           run->p999_us / 1e3);
  else if (run->p50_us > 0)
    printf(",\"p50_us\":%.1f,\"p99_us\":%.1f", run->p50_us, run->p99_us);
  if (run->bytes_per_op > 0) printf(",\"bytes_per_op\":%.1f", run->bytes_per_op);
  puts("}");
}

int bench_main(int argc, char *argv[], const bench_t *bench) {
  const bench_runtime_t *runtime = &bench->runtimes[0];
  bench_run_t run = {.workers = 1};
  for (int i = 1; i < argc; i += 2) { /* each option but the first two ends the loop or takes a value */
    const char *value = i + 1 < argc ? argv[i + 1] : NULL;
    if (strcmp(argv[i], "--list") == 0) {
      for (const bench_runtime_t *r = bench->runtimes; r->name != NULL; r++)
        if (!(r->flags & BENCH_UNLISTED)) puts(r->name);
      return 0;
    }
    if (strcmp(argv[i], "--") == 0) {
      run.options = (const char *const *)&argv[i + 1];
      break;
    }
    if (strcmp(argv[i], "--runtime") == 0 && value != NULL) {
      if ((runtime = find(bench, value)) == NULL) return usage(argv[0], bench);
    } else if (strcmp(argv[i], "--workers") == 0) {
      long workers = positive(value);
      if (workers == 0 || workers > 1024) return usage(argv[0], bench);
      run.workers = (unsigned)workers;
    } else if (strcmp(argv[i], "--ops") == 0) {
      if ((run.ops = positive(value)) == 0) return usage(argv[0], bench);
    } else {
      return usage(argv[0], bench);
    }
  }
  if (runtime->flags & BENCH_SERIAL) run.workers = 1;
  if (run.ops == 0) run.ops = bench->ops * runtime->ops_factor;
  int rc = runtime->run(&run);
  if (rc < 0) {
    fprintf(stderr, "bench_%s --runtime %s: failed with %d\n", bench->name, runtime->name, rc);
    return 1;
  }
  BENCH_CHECK(run.ops > 0 && run.stop_ns > run.start_ns);
  print_line(bench, runtime->name, &run);
  return 0;
}
