/* must not compile: too few arguments */
#include <weft.h>
static WEFT_ASYNC(fetch, const char *, int);
static int fetch(const char *url, int port) { return url[0] + port; }
#ifdef RIGHT
int main(void) { return weft_run(fetch_async("a", 80)); }
#else
int main(void) { return weft_run(fetch_async("a")); }
#endif
