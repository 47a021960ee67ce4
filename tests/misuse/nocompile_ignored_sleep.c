/* The status of a suspending call is where a cancellation arrives: ignoring it is a warning. expect: unused.result */
#include <weft/sleep.h>

int nap(void);
int nap(void) {
#ifdef WEFT_MISUSE_CORRECTED
  return weft_sleep(1);
#else
  weft_sleep(1);
  return 0;
#endif
}
