/* must not compile: unused-result */
#include <weft.h>
static WEFT_ASYNC(nap);
static int nap(void) {
#ifdef RIGHT
  weft_ignore(weft_sleep(0.1));
#else
  weft_sleep(0.1);
#endif
  return 0;
}
int main(void) { return weft_run(nap_async()); }
