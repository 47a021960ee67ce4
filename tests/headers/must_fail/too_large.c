/* must not compile: arguments too large */
#include <weft.h>
struct block {
#ifdef RIGHT
  char bytes[64];
#else
  char bytes[65];
#endif
};
static WEFT_ASYNC(keep, struct block);
static int keep(struct block b) { return b.bytes[0]; }
int main(void) {
  struct block b = {{0}};
  return weft_run(keep_async(b));
}
