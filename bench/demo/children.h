/* children.h: the two load generators, each a process of its own: this program again (--client), and wrk. */
#ifndef WEFT_DEMO_CHILDREN_H
#define WEFT_DEMO_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <weft.h>

typedef struct child {
  pid_t pid;  /* 0: not running */
  int output; /* wrk: a memory file with what it printed, else -1 */
  int status; /* as waitpid gives it, once it has ended */
} child_t;

typedef struct wrk_result {
  double requests_s, p50_ms, p99_ms;
  uint64_t requests, errors;
} wrk_result_t;

/* Each 0 or a negative error; -ENOENT: not installed. */
int children_start_client(child_t *child, int port, int stats_fd);
int children_start_wrk(child_t *child, int port, unsigned seconds);

/* Has it ended? Does not wait. */
bool children_ended(child_t *child);
/* Asks it to end (SIGINT), waits up to ten seconds, then insists (SIGKILL). 0 when it ended by itself with status 0. */
WEFT_NODISCARD int children_end(child_t *child);

/* Reads what wrk printed and closes it. False when that is no wrk report. */
bool children_wrk_result(child_t *child, wrk_result_t *result);

#endif
