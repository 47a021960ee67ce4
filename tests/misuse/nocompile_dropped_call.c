/* A call that is built and thrown away: asyncio's "coroutine was never awaited". expect: unused.result */
#include <weft/call.h>

static WEFT_ASYNC(work, int);
static int work(int n) { return n; }
int forget(void);
int forget(void) {
#ifdef WEFT_MISUSE_CORRECTED
  return work(1) + work_async(1).args.bytes[0];
#else
  work_async(1);
  return work(1);
#endif
}
