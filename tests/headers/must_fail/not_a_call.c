/* must not compile: incompatible type */
#include <weft.h>
static WEFT_ASYNC(nap);
static int nap(void) { return weft_sleep(0.1); }
#ifdef RIGHT
int main(void) { return weft_run(nap_async()); }
#else
int main(void) { return weft_run(nap); }
#endif
