/* transcript.h: what a conformance case is written with. A case is a coroutine function that prints; what it printed is
 * compared with expected/NNN_name.txt, printed by asyncio itself.
 *
 *   CASE(013, seed_hello_world, CAUSAL, VIRTUAL) {   the body is the main of asyncio.run(main)
 *     P("hello");
 *     int rc = S(20);
 *     P("world");
 *     return rc;
 *   }
 *
 * Order: CAUSAL, the text is forced, at any number of workers; FIFO, exact at one worker, else the same lines in any order;
 * SINGLE, exact at one worker, and on several inside a strand (the run is `serial`).
 * Clock: VIRTUAL, the clock jumps to the next timer when nothing can run; REAL, threads, sockets, signals; TIMED, likewise,
 * and the text takes a machine for granted that is not late by tens of milliseconds: such a case may try again.
 * Texts made here (text, repr_…) live until the run of the case ends. Everything may be called from any thread. */
#ifndef TESTS_ASYNCIO_TRANSCRIPT_H
#define TESTS_ASYNCIO_TRANSCRIPT_H

#include <weft.h>

/* ---- cases ---------------------------------------------------------------------------------------------------------- */
enum { CAUSAL, FIFO, SINGLE };
enum { VIRTUAL, REAL, TIMED };

typedef struct case_entry {
  const char *number, *name;
  int order, clock;
  weft_call_t (*main_call)(void); /* asyncio.run(main), or */
  void (*raw)(void);              /* a program that opens and runs its loops itself */
  struct case_entry *next;
} case_entry_t;
void case_register(case_entry_t *entry);

#define CASE(number, name, order, clock)                                                                               \
  static WEFT_ASYNC(c##number##_main);                                                                                 \
  CASE_ENTRY_(number, name, order, clock, c##number##_main_async, NULL)                                                \
  static int c##number##_main(void)
#define RAW_CASE(number, name, order, clock)                                                                           \
  static void c##number##_raw(void);                                                                                   \
  CASE_ENTRY_(number, name, order, clock, NULL, c##number##_raw)                                                       \
  static void c##number##_raw(void)
#define CASE_ENTRY_(number, name, order, clock, main_call, raw)                                                        \
  __attribute__((constructor)) static void case##number##_register(void) {                                             \
    static case_entry_t entry_ = {#number, #name, order, clock, main_call, raw, NULL};                                 \
    case_register(&entry_);                                                                                            \
  }

/* For raw cases: the settings of the mode at hand; asyncio.run(main) with them. */
const weft_config_t *case_config(void);
int run(weft_call_t main_call);

/* ---- printing ------------------------------------------------------------------------------------------------------- */
void P(const char *format, ...) WEFT_PRINTF(1, 2); /* one line */
void T(const char *format, ...) WEFT_PRINTF(1, 2); /* one line with the time: "[40] text" */
int now(void);                                     /* milliseconds since main started, floored to 10 */
/* Sleeps, in milliseconds; S_text gives its text as the result, as asyncio's sleep(delay, result) does. */
WEFT_ASYNC(S, double);
WEFT_ASYNC(S_text, double, const char *, const char **);

/* Awaits and prints how it ended, in one line: "[40] label: returned 5", "… raised ValueError: x", "… cancelled (why)".
 *   outcome(weft_join(task), "A", repr_int(value));
 * The value's text is made after the await, and only if that ended well. */
#define outcome(status, label, value)                                                                                  \
  do {                                                                                                                 \
    int outcome_ = (status);                                                                                           \
    print_outcome(outcome_, (label), outcome_ >= 0 ? (value) : NULL);                                                  \
  } while (0)
void print_outcome(int status, const char *label, const char *value); /* label may be NULL */

/* Leaves the function with the error, as an exception would. */
#define TRY(call)                                                                                                      \
  do {                                                                                                                 \
    int try_ = (call);                                                                                                 \
    if (try_ < 0) return try_;                                                                                         \
  } while (0)

/* ---- texts ---------------------------------------------------------------------------------------------------------- */
const char *text(const char *format, ...) WEFT_PRINTF(1, 2);
#define NONE "None"
const char *repr_bool(bool value);
const char *repr_int(long value);
const char *repr_str(const char *value);                    /* 'x' */
const char *repr_bytes(const void *data, size_t size);      /* b'x\n' */
const char *repr_ints(const int *values, size_t n);         /* [1, 2] */
const char *repr_strs(const char *const *values, size_t n); /* ['a', 'b'] */
const char *repr_items(const char *const *reprs, size_t n); /* [a, b]: of texts that are reprs already */
const char *repr_error(const weft_error_t *error);          /* ValueError('x') */
#define LIST(...)                                                                                                      \
  repr_items((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
void sort_strs(const char **values, size_t n);
void sort_ints(int *values, size_t n);

/* Errors: E gives "Kind: message", groups "ExceptionGroup(A: a, B: b)"; kind the name alone, "None" for 0. */
const char *E(const weft_error_t *error);
const char *kind(int status);

/* Kinds that Weft lacks; their names are registered before the first case. */
enum {
  KEY_ERROR = WEFT_USER,
  OS_ERROR = WEFT_USER - 1,
  ZERO_DIVISION = WEFT_USER - 2,
  CONNECTION_RESET = WEFT_USER - 3,
};

#endif
