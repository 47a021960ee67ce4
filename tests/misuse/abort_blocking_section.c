/* A task that ends inside a blocking section: its worker would count as blocked for ever.
 * expect: forgetful left a blocking section open */
#include <weft.h>

static WEFT_ASYNC(forgetful);
static int forgetful(void) { return weft_blocking_enter(); }

int main(void) { return weft_run_with(&(weft_config_t){.workers = 2}, forgetful_async()); }
