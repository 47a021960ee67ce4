/* weft/gather.h: running several things at once and waiting for all. */
#ifndef WEFT_GATHER_H
#define WEFT_GATHER_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

enum { WEFT_RETURN_EXCEPTIONS = 1 };
/* [S] structured: first error cancels the rest */
WEFT_API WEFT_NODISCARD int weft_gather_n(const weft_call_t calls[], size_t n, int statuses[], unsigned flags);
WEFT_ASYNC_TWIN_4(weft_gather_n, const weft_call_t *, size_t, int *, unsigned);
/* [S] asyncio's: the rest runs on */
WEFT_API WEFT_NODISCARD int weft_gather_futures(weft_future_t *const futures[], size_t n, int statuses[],
                                                unsigned flags);
WEFT_ASYNC_TWIN_4(weft_gather_futures, weft_future_t *const *, size_t, int *, unsigned);
/* [S] likewise */
WEFT_API WEFT_NODISCARD int weft_gather_tasks(weft_task_t *const tasks[], size_t n, int statuses[], unsigned flags);
WEFT_ASYNC_TWIN_4(weft_gather_tasks, weft_task_t *const *, size_t, int *, unsigned);
#ifdef __cplusplus
}
template <class... Calls> inline int weft_gather(Calls... calls) {
  weft_call_t all[] = {calls...};
  return weft_gather_n(all, sizeof...(calls), nullptr, 0);
}
#else
#define weft_gather(...)                                                                                               \
  weft_gather_n((const weft_call_t[]){__VA_ARGS__}, sizeof((const weft_call_t[]){__VA_ARGS__}) / sizeof(weft_call_t),  \
                NULL, 0)
#endif
#endif
