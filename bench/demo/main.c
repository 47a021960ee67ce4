/* main.c: weft_demo: a web server that computes, on every core. What it does is told by usage() below; where to read on:
 *
 *   demo.c       the course of the main job: one task, top to bottom
 *   http.c       a connection: one task, parsing and answering
 *   routes.c     what is answered: at once, by a tree of tasks, after a timer, after 20 ms of hashing
 *   load.c       the clients, tasks too, in a process of their own
 *   report.c     lines, table, verdict
 *   children.c, interrupt.c, stats.c, workers.c, sha256.c    the means */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "demo.h"
#include "http.h"
#include "interrupt.h"
#include "load.h"
#include "routes.h"
#include "workers.h"

static int usage(FILE *out) {
  fputs("weft_demo: a server on loopback (HTTP/1.1) that answers, sleeps and computes on all workers, under load\n"
        "  weft_demo [--seconds N] [--quick]   the main job: 15 s (--quick: 4 s), live lines, table, verdict\n"
        "  weft_demo --serve PORT              serves only (0: any free port), for curl, wrk, a browser\n"
        "  --workers N                         worker threads; else WEFT_WORKERS, else one per processor\n"
        "  --port N                            of the main job's server; else any free one\n"
        "routes: /plain, /compute (a tree of tasks), /sleep?ms=N (a timer), /digest (20 ms of SHA-256)\n"
        "Ctrl-C ends either in order. Exit status: 0 in order, 1 something was missed, 2 wrong arguments.\n",
        out);
  return out == stdout ? 0 : 2;
}

/* A number from `least` to `most` that fills the word, else -1. */
static long number(const char *word, long least, long most) {
  char *end = NULL;
  errno = 0;
  long value = word != NULL ? strtol(word, &end, 10) : -1;
  return word != NULL && errno == 0 && end != word && *end == '\0' && value >= least && value <= most ? value : -1;
}

/* weft_demo --client PORT FD: started by the main job. It ends with its parent, however that ends. */
static int client_main(int argc, char *argv[]) {
  long port = number(argc > 2 ? argv[2] : NULL, 1, 65535), fd = number(argc > 3 ? argv[3] : NULL, 0, 1023);
  stats_t *stats = fd >= 0 ? stats_map((int)fd) : NULL;
  if (port < 0 || stats == NULL) return usage(stderr);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  return load_run((int)port, stats);
}

int main(int argc, char *argv[]) {
  long port = 0, workers = 0, seconds = 15;
  bool serve = false;
  interrupt_block();
  if (argc > 1 && strcmp(argv[1], "--client") == 0) return client_main(argc, argv);
  for (int i = 1; i < argc; i++) {
    const char *value = i + 1 < argc ? argv[i + 1] : NULL;
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return usage(stdout);
    if (strcmp(argv[i], "--quick") == 0) {
      seconds = 4;
      continue;
    }
    if (strcmp(argv[i], "--serve") == 0) {
      serve = true;
      port = number(value, 0, 65535);
    } else if (strcmp(argv[i], "--port") == 0) {
      port = number(value, 0, 65535);
    } else if (strcmp(argv[i], "--workers") == 0) {
      workers = number(value, 1, WORKERS_MOST);
    } else if (strcmp(argv[i], "--seconds") == 0) {
      seconds = number(value, 1, 3600);
    } else {
      return usage(stderr);
    }
    if (port < 0 || workers < 0 || seconds < 0) {
      fprintf(stderr, "weft_demo: %s does not take '%s'\n", argv[i], value != NULL ? value : "");
      return 2;
    }
    i++;
  }
  routes_prepare();
  http_prepare();
  unsigned count = workers_count((unsigned)workers);
  return serve ? demo_serve((int)port, count) : demo_run((int)port, count, (unsigned)seconds);
}
