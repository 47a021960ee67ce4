/* More than 64 bytes of arguments are a compile error that says what to do instead. expect: pass a pointer to a struct */
#include <weft/call.h>

struct big {
  char bytes[WEFT_CALL_BYTES + 1];
};
#ifdef WEFT_MISUSE_CORRECTED
static WEFT_ASYNC(eat, struct big *);
static int eat(struct big *big) { return big->bytes[0]; }
#else
static WEFT_ASYNC(eat, struct big);
static int eat(struct big big) { return big.bytes[0]; }
#endif
weft_call_t build(struct big *big);
weft_call_t build(struct big *big) {
#ifdef WEFT_MISUSE_CORRECTED
  return eat_async(big);
#else
  return eat_async(*big);
#endif
}
