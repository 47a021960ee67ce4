/* weft/strands.h: serial groups: the tasks of one strand run one at a time. */
#ifndef WEFT_STRANDS_H
#define WEFT_STRANDS_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

/* owned; NULL without memory */
WEFT_API WEFT_NODISCARD weft_strand_t *weft_strand_open(void);
/* [A] */
WEFT_API weft_strand_t *weft_strand_ref(weft_strand_t *strand);
/* [A] */
WEFT_API void weft_strand_unref(weft_strand_t *strand);
/* [S] runs call in this task but inside the strand; NULL: outside any */
WEFT_API WEFT_NODISCARD int weft_strand_run(weft_strand_t *strand, weft_call_t call);
#ifdef __cplusplus
}
#endif
#endif
