/* A call built with too few arguments is a compile error. expect: too few arguments */
#include <weft/call.h>

static WEFT_ASYNC(add, int, int *);
static int add(int a, int *out) {
  *out = a;
  return 0;
}
weft_call_t build(int *out);
weft_call_t build(int *out) {
#ifdef WEFT_MISUSE_CORRECTED
  return add_async(1, out);
#else
  (void)out;
  return add_async(1);
#endif
}
