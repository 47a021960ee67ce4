/* interrupt.h: Ctrl-C (SIGINT) and SIGTERM become the end of an await. */
#ifndef WEFT_DEMO_INTERRUPT_H
#define WEFT_DEMO_INTERRUPT_H

#include <weft.h>

/* At the start of main, before any thread: the signals no longer interrupt anything by themselves. */
void interrupt_block(void);

/* Inside the run: from now on a signal completes `stop`, a future without a value. A second one ends the process at once,
 * status 130. 0 or a negative error. */
int interrupt_watch(weft_future_t *stop);

/* Before `stop` is released. */
void interrupt_unwatch(void);

/* Waits until `stop` is done or the time is over. 1 stopped, 0 time is over, else a negative error. */
WEFT_NODISCARD int interrupt_wait(weft_future_t *stop, double seconds);

#endif
