/* weft/generators.h: generators; the body may also await. */
#ifndef WEFT_GENERATORS_H
#define WEFT_GENERATORS_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

WEFT_API WEFT_NODISCARD weft_gen_t *weft_gen_open(weft_call_t body, size_t item_size);
/* [S] 1 item, 0 end (sticky), < 0 error */
WEFT_API WEFT_NODISCARD int weft_gen_next(weft_gen_t *gen, void *item);
WEFT_ASYNC_TWIN_2(weft_gen_next, weft_gen_t *, void *);
/* [S] value becomes the yield's result */
WEFT_API WEFT_NODISCARD int weft_gen_send(weft_gen_t *gen, const void *value, void *item);
WEFT_ASYNC_TWIN_3(weft_gen_send, weft_gen_t *, const void *, void *);
/* [S] */
WEFT_API WEFT_NODISCARD int weft_gen_throw(weft_gen_t *gen, int code, const char *message, void *item);
WEFT_ASYNC_TWIN_4(weft_gen_throw, weft_gen_t *, int, const char *, void *);
/* [S] ends the body, releases */
WEFT_API int weft_gen_close(weft_gen_t *gen);
WEFT_ASYNC_TWIN_1(weft_gen_close, weft_gen_t *);
/* [S] inside a body; sent may be NULL */
WEFT_API WEFT_NODISCARD int weft_gen_yield(const void *item, void *sent);
/* [S] */
WEFT_API WEFT_NODISCARD int weft_gen_yield_from(weft_gen_t *inner);
/* [S] asynccontextmanager over a generator with one yield */
WEFT_API WEFT_NODISCARD int weft_gen_enter(weft_gen_t *gen, void *value);
/* [S] */
WEFT_API WEFT_NODISCARD int weft_gen_exit(weft_gen_t *gen, int body);
#ifdef __cplusplus
}
#endif
#endif
