/* must not compile: unused-result */
#include <weft.h>
static WEFT_ASYNC(nap);
static int nap(void) { return weft_sleep(0.1); }
static WEFT_ASYNC(all);
static int all(void) {
#ifdef RIGHT
  weft_detach(weft_create_task(nap_async()));
#else
  weft_create_task(nap_async());
#endif
  return 0;
}
int main(void) { return weft_run(all_async()); }
