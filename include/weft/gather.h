/* weft/gather.h: running several things at once and waiting for all of them. */
#ifndef WEFT_GATHER_H
#define WEFT_GATHER_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

/* Flags of the gather functions. */
enum weft_gather_flags {
  WEFT_RETURN_EXCEPTIONS = 1 /* return_exceptions=True: an error is only a status; the answer is 0 */
};

/* weft_gather_n [S], gather(*coros), structured: runs the calls as tasks and returns when all have ended; the first
 * error cancels the rest and is the answer, else 0. calls are copied as tasks are made; a call is 96 bytes, so large
 * arrays want the heap. statuses (n of them, NULL: not wanted) are all filled. Cancelled: cancels all, waits for all.
 * n == 0: 0. -EINVAL: a flag that does not exist; -ENOMEM: those that were made are cancelled and awaited. */
WEFT_API WEFT_NODISCARD int weft_gather_n(const weft_call_t calls[], size_t n, int statuses[], unsigned flags);
WEFT_ASYNC_TWIN_4(weft_gather_n, const weft_call_t *, size_t, int *, unsigned);

/* weft_gather_futures [S], gather(*futures): waits for all; the first error is answered at once and the rest runs on:
 * its statuses are then WEFT_INVALID_STATE. The futures are borrowed, one may stand there twice; with a NULL
 * among them -ENOMEM at once. Cancelled: cancels all and waits for all. Otherwise as weft_gather_n. */
WEFT_API WEFT_NODISCARD int weft_gather_futures(weft_future_t *const futures[], size_t n, int statuses[],
                                                unsigned flags);
WEFT_ASYNC_TWIN_4(weft_gather_futures, weft_future_t *const *, size_t, int *, unsigned);

/* weft_gather_tasks [S], gather(*tasks): weft_gather_futures over tasks, which are borrowed: join or detach them
 * after. */
WEFT_API WEFT_NODISCARD int weft_gather_tasks(weft_task_t *const tasks[], size_t n, int statuses[], unsigned flags);
WEFT_ASYNC_TWIN_4(weft_gather_tasks, weft_task_t *const *, size_t, int *, unsigned);
#ifdef __cplusplus
}
/* weft_gather(call, …) [S]: weft_gather_n over the calls given, without statuses and flags. */
template <class... Calls> inline int weft_gather(Calls... calls) {
  weft_call_t all[] = {calls...};
  return weft_gather_n(all, sizeof...(calls), nullptr, 0);
}
#else
/* weft_gather(call, …) [S]: weft_gather_n over the calls given, without statuses and flags. */
#define weft_gather(...)                                                                                               \
  weft_gather_n((const weft_call_t[]){__VA_ARGS__}, sizeof((const weft_call_t[]){__VA_ARGS__}) / sizeof(weft_call_t),  \
                NULL, 0)
#endif
#endif
