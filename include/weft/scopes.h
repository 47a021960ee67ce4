/* weft/scopes.h: Trio's cancel scope: level-triggered. */
#ifndef WEFT_SCOPES_H
#define WEFT_SCOPES_H
#include <weft/types.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_scope {
  uint64_t opaque_[8];
} weft_scope_t;
WEFT_API void weft_scope_enter(weft_scope_t *scope, double deadline, bool shield);
/* [A] */
WEFT_API void weft_scope_cancel(weft_scope_t *scope);
WEFT_API WEFT_NODISCARD int weft_scope_exit(weft_scope_t *scope, int body);
#ifdef __cplusplus
}
#endif
#endif
