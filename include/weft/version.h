/* weft/version.h: the version of these headers and of the library that runs. */
#ifndef WEFT_VERSION_H
#define WEFT_VERSION_H
#include <weft/types.h>
#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 1
#define WEFT_VERSION_PATCH 0
/* The headers' version as text. */
#define WEFT_VERSION "0.1.0"

/* weft_version [A]: the version of the library that runs, "0.1.0"; static. It differs from WEFT_VERSION when the
 * program was compiled against other headers than the shared library's. */
WEFT_API const char *weft_version(void);
#ifdef __cplusplus
}
#endif
#endif
