/* A coroutine function returns int, nothing else. expect: conflicting types for */
#include <weft/call.h>

static WEFT_ASYNC(size, const char *);
#ifdef WEFT_MISUSE_CORRECTED
static int size(const char *text) { return text[0]; }
#else
static char *size(const char *text) { return (char *)text; }
#endif
weft_call_t build(void);
weft_call_t build(void) { return size_async("x"); }
