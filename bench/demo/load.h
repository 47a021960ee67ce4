/* load.h: the demo's own clients: weft tasks in a process of their own. */
#ifndef WEFT_DEMO_LOAD_H
#define WEFT_DEMO_LOAD_H

#include "stats.h"

/* Drives the server on `port` until SIGINT or SIGTERM, counting into `stats`. The process's exit status. */
int load_run(int port, stats_t *stats);

#endif
