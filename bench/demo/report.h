/* report.h: what the demo prints: a line per second, the table at the end, the verdict. */
#ifndef WEFT_DEMO_REPORT_H
#define WEFT_DEMO_REPORT_H

#include <stdbool.h>

#include "children.h"
#include "stats.h"
#include "workers.h"

typedef struct report {
  const stats_t *stats;
  unsigned workers; /* ordered */
  worker_work_t work[WORKERS_MOST];
  unsigned working; /* entries of work */
  double seconds;   /* how long the load lasted */
  bool interrupted; /* by Ctrl-C: then not everything is demanded */
  bool wrk_ran, wrk_missing, wrk_readable;
  wrk_result_t wrk;
  int client_status;    /* of the load's process: 0 or a negative error */
  int run_status;       /* weft_run's */
  int tasks_left;       /* unfinished ones beside main, after the server was closed */
  int descriptors_left; /* more than before the run */
} report_t;

/* The line of one second. Remembers the counts for the next one's. */
void report_progress(report_t *report, double seconds, bool wrk_running);

void report_table(const report_t *report);

/* Prints each criterion that was missed and the verdict; the exit status. */
int report_verdict(const report_t *report);

#endif
