/* weft/generators.h: generators, synchronous and asynchronous in one: a body that yields items and may also await.
 *
 *     static WEFT_ASYNC(countdown, int);
 *     static int countdown(int from) {
 *       int rc = 0;
 *       for (; from > 0 && rc == 0; from--) rc = weft_gen_yield(&from, NULL);
 *       return rc;
 *     }
 *     gen = weft_gen_open(countdown_async(3), sizeof i);
 *     while ((rc = weft_gen_next(gen, &i)) > 0) use(i);
 *     weft_ignore(weft_gen_close(gen));
 *
 * The body runs in the task that asks for the next item; two at once: WEFT_VALUE ("generator already executing"). Every
 * generator is closed by its owner; those left open are closed at the end of the run. */
#ifndef WEFT_GENERATORS_H
#define WEFT_GENERATORS_H
#include <weft/call.h>
#ifdef __cplusplus
extern "C" {
#endif

/* weft_gen_open, calling a generator function: a generator that has not started; items have item_size bytes. Owned,
 * ended by weft_gen_close. NULL: -ENOMEM, WEFT_TYPE (no call). */
WEFT_API WEFT_NODISCARD weft_gen_t *weft_gen_open(weft_call_t body, size_t item_size);

/* weft_agen_open, calling an asynchronous generator function: the same; its errors have the words that asyncio has for
 * asynchronous generators. */
WEFT_API WEFT_NODISCARD weft_gen_t *weft_agen_open(weft_call_t body, size_t item_size);

/* As with futures, the names of the functions that move items are macros that pass the pointers' sizes on to functions
 * ending in _sized, which answer -EINVAL if those are not the items'. NULL and pointers to void and to characters are not
 * checked. */

/* weft_gen_next [S], next, __anext__: runs the body to its next yield. 1: item (NULL: not wanted) is filled; 0: the
 * body has returned, now or before; < 0: its error, once, then 0. WEFT_STOP out of a body becomes WEFT_RUNTIME. */
WEFT_API WEFT_NODISCARD int weft_gen_next(weft_gen_t *gen, void *item);
WEFT_ASYNC_TWIN_2(weft_gen_next, weft_gen_t *, void *);
/* weft_gen_next_sized [S]: through the macro. */
WEFT_API WEFT_NODISCARD int weft_gen_next_sized(weft_gen_t *gen, void *item, size_t size);
WEFT_ASYNC_TWIN_3(weft_gen_next_sized, weft_gen_t *, void *, size_t);
#define weft_gen_next(gen, item) weft_gen_next_sized((gen), (item), WEFT_SIZEOF_(item))
#define weft_gen_next_async(gen, item) weft_gen_next_sized_async((gen), (item), WEFT_SIZEOF_(item))

/* weft_gen_send [S], send, asend: as next; the yield that the body stands at fills its `sent` with a copy of value,
 * item_size bytes. NULL is next. WEFT_TYPE: a value for a body that has not started. */
WEFT_API WEFT_NODISCARD int weft_gen_send(weft_gen_t *gen, const void *value, void *item);
WEFT_ASYNC_TWIN_3(weft_gen_send, weft_gen_t *, const void *, void *);
/* weft_gen_send_sized [S]: through the macro. */
WEFT_API WEFT_NODISCARD int weft_gen_send_sized(weft_gen_t *gen, const void *value, size_t value_size, void *item,
                                                size_t size);
WEFT_ASYNC_TWIN_5(weft_gen_send_sized, weft_gen_t *, const void *, size_t, void *, size_t);
#define weft_gen_send(gen, value, item)                                                                                \
  weft_gen_send_sized((gen), (value), WEFT_SIZEOF_(value), (item), WEFT_SIZEOF_(item))
#define weft_gen_send_async(gen, value, item)                                                                          \
  weft_gen_send_sized_async((gen), (value), WEFT_SIZEOF_(value), (item), WEFT_SIZEOF_(item))

/* weft_gen_throw [S], throw, athrow: as next; the yield that the body stands at answers code, < 0, with the message
 * (copied). A body that has not started never does, and code is the answer. */
WEFT_API WEFT_NODISCARD int weft_gen_throw(weft_gen_t *gen, int code, const char *message, void *item);
WEFT_ASYNC_TWIN_4(weft_gen_throw, weft_gen_t *, int, const char *, void *);
/* weft_gen_throw_sized [S]: through the macro. */
WEFT_API WEFT_NODISCARD int weft_gen_throw_sized(weft_gen_t *gen, int code, const char *message, void *item,
                                                 size_t size);
WEFT_ASYNC_TWIN_5(weft_gen_throw_sized, weft_gen_t *, int, const char *, void *, size_t);
#define weft_gen_throw(gen, code, message, item)                                                                       \
  weft_gen_throw_sized((gen), (code), (message), (item), WEFT_SIZEOF_(item))
#define weft_gen_throw_async(gen, code, message, item)                                                                 \
  weft_gen_throw_sized_async((gen), (code), (message), (item), WEFT_SIZEOF_(item))

/* weft_gen_close [S], close, aclose: the yield that the body stands at answers WEFT_CANCELLED (GeneratorExit); waits
 * for the body's end and frees the generator, consumed. 0 or the error that came out instead; WEFT_RUNTIME: it yielded
 * again. NULL: 0. */
WEFT_API int weft_gen_close(weft_gen_t *gen);
WEFT_ASYNC_TWIN_1(weft_gen_close, weft_gen_t *);

/* weft_gen_yield [S], yield: inside a body: hands a copy of item over and waits to be asked again. 0: go on, sent
 * (NULL: not wanted) is filled, with zeros after a plain next; < 0: thrown in or closed: clean up and return it.
 * WEFT_RUNTIME: not in a generator. */
WEFT_API WEFT_NODISCARD int weft_gen_yield(const void *item, void *sent);
/* weft_gen_yield_sized [S]: through the macro. */
WEFT_API WEFT_NODISCARD int weft_gen_yield_sized(const void *item, size_t size, void *sent, size_t sent_size);
#define weft_gen_yield(item, sent) weft_gen_yield_sized((item), WEFT_SIZEOF_(item), (sent), WEFT_SIZEOF_(sent))

/* weft_gen_return_sized, return value: keeps a copy of value, of up to 32 bytes, as the body's return value, for
 * `return weft_gen_return(&value);`. Answers 0. -EINVAL: too large; WEFT_RUNTIME: not in a generator. */
WEFT_API int weft_gen_return_sized(const void *value, size_t size);
#define weft_gen_return(value) weft_gen_return_sized((value), sizeof *(value))

/* weft_gen_value_sized, StopIteration.value: moves the return value to value, which is filled, once the body has ended. 1;
 * 0: there is none (any more). After weft_gen_next, weft_gen_yield_from and their kin have answered 0. -EINVAL: it has
 * another size; it stays. */
WEFT_API int weft_gen_value_sized(weft_gen_t *gen, void *value, size_t size);
#define weft_gen_value(gen, value) weft_gen_value_sized((gen), (value), sizeof *(value))

/* weft_gen_finish [S], value = generator.close() (3.13): weft_gen_close that does not free the generator: its return value
 * can be read, and next goes on answering 0. */
WEFT_API WEFT_NODISCARD int weft_gen_finish(weft_gen_t *gen);
WEFT_ASYNC_TWIN_1(weft_gen_finish, weft_gen_t *);

/* weft_gen_yield_from [S], yield from: inside a body: hands over every item of inner, and passes send, throw and close
 * on to it. Its items must have this generator's size (-EINVAL). inner is borrowed. 0 at its end, or its error. */
WEFT_API WEFT_NODISCARD int weft_gen_yield_from(weft_gen_t *inner);

/* weft_gen_enter [S], asynccontextmanager's __aenter__: runs gen to its only yield, whose item fills value (NULL: not
 * wanted). 0, or the error before it; WEFT_RUNTIME: it did not yield. */
WEFT_API WEFT_NODISCARD int weft_gen_enter(weft_gen_t *gen, void *value);
/* weft_gen_enter_sized [S]: through the macro. */
WEFT_API WEFT_NODISCARD int weft_gen_enter_sized(weft_gen_t *gen, void *value, size_t size);
#define weft_gen_enter(gen, value) weft_gen_enter_sized((gen), (value), WEFT_SIZEOF_(value))

/* weft_gen_exit [S], its __aexit__: runs the rest, in which the yield answers body, the block's status, and frees gen,
 * consumed. The rest's status: 0 swallows body's error. WEFT_RUNTIME: it yielded again. */
WEFT_API WEFT_NODISCARD int weft_gen_exit(weft_gen_t *gen, int body);
#ifdef __cplusplus
}
#endif
#endif
