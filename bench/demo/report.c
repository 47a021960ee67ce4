/* report.c: see report.h */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>

#include "histogram.h"

static uint64_t requests_served(report_t *report) {
  uint64_t requests = 0;
  report->working = workers_read(report->work, WORKERS_MOST);
  for (unsigned i = 0; i < report->working; i++) requests += report->work[i].requests;
  return requests;
}

/* ---- the live line ---------------------------------------------------------------------------------------------------- */
void report_progress(report_t *report, double seconds, bool wrk_running) {
  static histogram_t before[ROUTES]; /* the counts at the last line */
  static uint64_t requests_before;
  static double seconds_before;
  uint64_t requests = requests_served(report);
  double rate = (double)(requests - requests_before) / (seconds - seconds_before);
  printf("%5.1f s %8.0f req/s %4lu errors   p99 ms:", seconds, rate, (unsigned long)stats_errors(report->stats));
  for (int i = 0; i < ROUTES; i++) {
    const histogram_t *latency = &report->stats->routes[i].latency;
    double p99 = histogram_percentile(latency, &before[i], 0.99) / 1e6;
    histogram_copy(&before[i], latency);
    if (p99 > 0)
      printf("  %s %.1f", route_paths[i] + 1, p99);
    else
      printf("  %s -", route_paths[i] + 1);
  }
  printf("%s\n", wrk_running ? "   with wrk" : "");
  fflush(stdout);
  requests_before = requests;
  seconds_before = seconds;
}

/* ---- the table -------------------------------------------------------------------------------------------------------- */
static void print_routes(const report_t *report) {
  printf("\n%-12s %9s %10s %9s %9s %9s %7s\n", "route", "requests", "requests/s", "p50 ms", "p99 ms", "p99.9 ms",
         "errors");
  for (int i = 0; i < ROUTES; i++) {
    const histogram_t *latency = &report->stats->routes[i].latency;
    uint64_t total = histogram_total(latency);
    printf("%-12s %9lu %10.0f %9.2f %9.2f %9.2f %7lu\n", route_paths[i], (unsigned long)total,
           report->seconds > 0 ? (double)total / report->seconds : 0, histogram_percentile(latency, NULL, 0.5) / 1e6,
           histogram_percentile(latency, NULL, 0.99) / 1e6, histogram_percentile(latency, NULL, 0.999) / 1e6,
           (unsigned long)atomic_load_explicit(&report->stats->routes[i].errors, memory_order_relaxed));
  }
  if (report->wrk_readable)
    printf("%-12s %9lu %10.0f %9.2f %9.2f %9s %7lu\n", "/plain (wrk)", (unsigned long)report->wrk.requests,
           report->wrk.requests_s, report->wrk.p50_ms, report->wrk.p99_ms, "-", (unsigned long)report->wrk.errors);
  else if (report->wrk_missing)
    puts("(wrk is not installed: own clients only; Debian: apt install wrk)");
}

static void print_workers(const report_t *report) {
  printf("\n%-12s %9s %10s %9s %12s\n", "worker", "requests", "leaves", "stolen", "processor s");
  enum { MOST_ROWS = 64 };
  for (unsigned i = 0; i < report->working && i < MOST_ROWS; i++)
    printf("%-12u %9lu %10lu %9lu %12.2f\n", i + 1, (unsigned long)report->work[i].requests,
           (unsigned long)report->work[i].leaves, (unsigned long)report->work[i].stolen, report->work[i].processor_s);
  if (report->working > MOST_ROWS) printf("... and %u more\n", report->working - MOST_ROWS);
  puts("(leaves: of the trees of /compute; stolen: run by another worker than the one their request began on)");
  if (report->working > report->workers)
    puts("(threads beyond the workers: spares, which stood in while all computed)");
}

void report_table(const report_t *report) {
  print_routes(report);
  print_workers(report);
  const char *words = stats_first_error(report->stats);
  if (words[0] != '\0') printf("\nfirst error: %s\n", words);
}

/* ---- the verdict ------------------------------------------------------------------------------------------------------ */
static bool missed(bool bad, const char *criterion) {
  if (bad) printf("missed: %s\n", criterion);
  return bad;
}

int report_verdict(const report_t *report) {
  uint64_t requests = report->wrk.requests, errors = stats_errors(report->stats) + report->wrk.errors;
  unsigned routes = 0, busy = 0;
  for (int i = 0; i < ROUTES; i++) {
    uint64_t total = histogram_total(&report->stats->routes[i].latency);
    requests += total;
    routes += total > 0;
  }
  for (unsigned i = 0; i < report->working; i++) busy += report->work[i].requests + report->work[i].leaves > 0;
  puts("");
  unsigned misses = 0;
  misses += missed(errors > 0, "no errors");
  misses += missed(routes < ROUTES && !report->interrupted, "every route answered");
  misses += missed(busy < report->workers && !report->interrupted, "every worker worked");
  misses += missed(report->wrk_ran && !report->wrk_readable && !report->interrupted, "wrk's report was understood");
  misses += missed(report->client_status < 0, "the clients ended by themselves, in order");
  misses += missed(report->run_status < 0, "the run ended in order");
  misses += missed(report->tasks_left > 0, "no task was left after the server was closed");
  misses += missed(report->descriptors_left > 0, "no descriptor was leaked");
  printf(
      "weft demo: %s  %lu requests in %.1f s, %lu errors, %u of %d routes, %u of %u workers, %d descriptors leaked%s\n",
      misses > 0            ? "FAIL"
      : report->interrupted ? "STOPPED"
                            : "PASS",
      (unsigned long)requests, report->seconds, (unsigned long)errors, routes, ROUTES,
      busy < report->workers ? busy : report->workers, report->workers, report->descriptors_left,
      misses > 0            ? ""
      : report->interrupted ? ", ended early by Ctrl-C, clean shutdown"
                            : ", clean shutdown");
  fflush(stdout);
  return misses > 0;
}
