/* must not compile: conflicting types */
#include <weft.h>
static WEFT_ASYNC(nap);
#ifdef RIGHT
static int nap(void) { return weft_sleep(0.1); }
#else
static double nap(void) { return weft_sleep(0.1); }
#endif
int main(void) { return weft_run(nap_async()); }
