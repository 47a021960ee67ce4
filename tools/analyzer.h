/* analyzer.h: what clang's analyzer cannot see across files, put before every source by tools/check_static: weft_fail
 * returns the code it was given, which is negative; without that, each failure path is followed as if it had succeeded. */
#include <weft/error.h>
#define weft_fail(code, ...) ((void)weft_fail(code, __VA_ARGS__), (code) < 0 ? (code) : -1)
