/* stats.h: what the clients saw, in memory that the load's process shares with the server's: the one counts, the other
 * prints. All counters are relaxed atomics; a reader may see a request sooner in one than in another. */
#ifndef WEFT_DEMO_STATS_H
#define WEFT_DEMO_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#include "histogram.h"
#include "routes.h"

enum { STATS_WORDS = 240 };

typedef struct route_stats {
  histogram_t latency; /* of good answers, ns; their number is the histogram's total */
  _Atomic uint64_t errors;
} route_stats_t;

typedef struct stats {
  route_stats_t routes[ROUTES];
  _Atomic uint64_t connections; /* opened */
  atomic_int first_error;       /* 0 none, 1 being written, 2 in `words` (release; read with acquire) */
  char words[STATS_WORDS];
} stats_t;

/* Makes the shared memory: *fd is its descriptor, closed in programs that are executed. NULL with errno set. */
stats_t *stats_open(int *fd);
/* Maps the memory that another process made. */
stats_t *stats_map(int fd);

void stats_good(stats_t *stats, int route, uint64_t ns);
/* Counts an error and keeps the words of the first. */
void stats_error(stats_t *stats, int route, const char *format, ...) __attribute__((format(printf, 3, 4)));

uint64_t stats_errors(const stats_t *stats);
const char *stats_first_error(const stats_t *stats); /* "" when there was none */

#endif
