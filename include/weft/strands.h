/* weft/strands.h: strands: serial groups. The tasks of one strand run one at a time, in FIFO order, on any worker, so
 * that between two suspensions they may share data without locks, as all of asyncio's tasks do. Each suspension
 * releases the strand; resumption queues at its tail. Tasks created in a strand belong to it. */
#ifndef WEFT_STRANDS_H
#define WEFT_STRANDS_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

/* weft_strand_open: a new strand of the running loop. Owned, ended by weft_strand_unref; its tasks hold it too. NULL:
 * -ENOMEM or WEFT_RUNTIME (no running loop). Tasks enter it through weft_task_options_t.strand. */
WEFT_API WEFT_NODISCARD weft_strand_t *weft_strand_open(void);

/* weft_strand_ref [A]: one more owner; the same pointer. */
WEFT_API weft_strand_t *weft_strand_ref(weft_strand_t *strand);

/* weft_strand_unref [A]: one owner less. NULL: nothing. */
WEFT_API void weft_strand_unref(weft_strand_t *strand);

/* weft_strand_run [S]: moves this task into the strand (NULL: out of any), runs the call there, and moves it back; the
 * call's status. The strand is borrowed. */
WEFT_API WEFT_NODISCARD int weft_strand_run(weft_strand_t *strand, weft_call_t call);
#ifdef __cplusplus
}
#endif
#endif
