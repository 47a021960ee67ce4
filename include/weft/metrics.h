/* weft/metrics.h: what the workers of a loop have done: counts that are kept anyway, readable at any moment.
 *
 * [A] throughout: from any thread, while the loop runs or not, until it is closed. Each number is read by itself, so numbers
 * that belong together may be a step apart. Counts begin when the loop is opened and never go back. */
#ifndef WEFT_METRICS_H
#define WEFT_METRICS_H
#include <weft/types.h>
#ifdef __cplusplus
extern "C" {
#endif

/* Of one worker. */
typedef struct weft_worker_metrics {
  uint64_t steps;        /* of tasks, and callbacks, that it ran */
  uint64_t polls;        /* looks at its descriptors, with or without waiting */
  uint64_t steals;       /* entries and forks that it took from others */
  uint64_t parks;        /* times it went to sleep */
  uint64_t queue_length; /* what is ready in its queue now */
  uint64_t queue_high;   /* the longest that was at the beginning of a pass over the queue */
  double longest_step;   /* of a task, without suspending, in seconds; 0: none was measured */
  bool active;           /* false: a spare worker that is not needed now */
} weft_worker_metrics_t;

/* Of all workers, spares included. */
typedef struct weft_loop_metrics {
  unsigned workers;                     /* without spares */
  unsigned spares;                      /* active ones */
  unsigned idle;                        /* workers that sleep or are about to */
  uint64_t injected;                    /* what foreign threads submitted and no worker has taken yet */
  uint64_t steps, polls, steals, parks; /* sums */
  uint64_t queue_high;                  /* the greatest */
  double longest_step;                  /* the greatest */
} weft_loop_metrics_t;

/* weft_worker_metrics [A]: fills *metrics for the n-th worker, from 1; above the loop's workers: spares, as many as were
 * ever needed. 0; -EINVAL: no such worker, no loop; WEFT_RUNTIME: the loop is closed. */
#define weft_worker_metrics(loop, n, metrics) weft_worker_metrics_sized((loop), (n), (metrics), sizeof *(metrics))
/* weft_worker_metrics_sized [A]: the same; the size goes along, so that a program keeps working with a library whose struct
 * has grown. */
WEFT_API int weft_worker_metrics_sized(const weft_loop_t *loop, unsigned n, weft_worker_metrics_t *metrics,
                                       size_t size);

/* weft_loop_metrics [A]: fills *metrics. Errors as above. */
#define weft_loop_metrics(loop, metrics) weft_loop_metrics_sized((loop), (metrics), sizeof *(metrics))
/* weft_loop_metrics_sized [A]: the same, of a struct of that size. */
WEFT_API int weft_loop_metrics_sized(const weft_loop_t *loop, weft_loop_metrics_t *metrics, size_t size);

/* weft_loop_measure_steps [A]: from now on the longest step is measured, beginning with 0, or no more. It costs two
 * readings of the clock per step, which is why nobody does it unasked; debug mode does. 0; errors as above. */
WEFT_API int weft_loop_measure_steps(weft_loop_t *loop, bool on);
#ifdef __cplusplus
}
#endif
#endif
