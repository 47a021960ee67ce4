/* workers.h: who did the work: requests and leaves of /compute per worker thread, seen from outside the runtime. */
#ifndef WEFT_DEMO_WORKERS_H
#define WEFT_DEMO_WORKERS_H

#include <stdint.h>

enum { WORKERS_MOST = 1024 };

typedef struct worker_work {
  unsigned thread;   /* its kernel thread id */
  uint64_t requests; /* answered by tasks that were on this worker when the answer began */
  uint64_t leaves;   /* of /compute's trees */
  uint64_t stolen;   /* of those, leaves of a request that began on another worker */
  double processor_s;
} worker_work_t;

unsigned workers_current(void); /* an id of the worker this is running on, now */
void workers_note_request(void);
void workers_note_leaf(unsigned home);

/* Copies up to `size` entries, one per thread that did anything; their number. While the threads live. */
unsigned workers_read(worker_work_t work[], unsigned size);

/* How many workers a run with `ordered` (0: as many as the runtime would choose) gets. */
unsigned workers_count(unsigned ordered);

#endif
