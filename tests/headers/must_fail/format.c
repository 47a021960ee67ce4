/* must not compile: format */
#include <weft.h>
static WEFT_ASYNC(refuse, const char *);
#ifdef RIGHT
static int refuse(const char *what) { return weft_fail(WEFT_VALUE, "no %s", what); }
#else
static int refuse(const char *what) { return weft_fail(WEFT_VALUE, "no %d", what); }
#endif
int main(void) { return weft_run(refuse_async("tea")); }
