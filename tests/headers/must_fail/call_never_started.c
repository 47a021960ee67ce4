/* must not compile: unused-result */
#include <weft.h>
static WEFT_ASYNC(nap);
static int nap(void) { return weft_sleep(0.1); }
static WEFT_ASYNC(all);
static int all(void) {
#ifdef RIGHT
  return nap();
#else
  nap_async();
  return 0;
#endif
}
int main(void) { return weft_run(all_async()); }
