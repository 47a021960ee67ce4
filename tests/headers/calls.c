/* Calls with 0 to 8 parameters and with the largest arguments arrive at their function as they were given; the twins of
 * library functions carry their arguments. Needs no library: what it calls of it is defined here. */
#include <stdio.h>
#include <weft.h>

struct wide {
  char text[WEFT_CALL_BYTES];
};
typedef int (*action_fn)(int);

static int sum, failures;

static void check(int got, int wanted, const char *what) {
  if (got == wanted) return;
  printf("%s: %d instead of %d\n", what, got, wanted);
  failures++;
}

static WEFT_ASYNC(none);
static int none(void) { return 7; }
static WEFT_ASYNC(one, int);
static int one(int a) { return a; }
static WEFT_ASYNC(two, char, long);
static int two(char a, long b) { return a * 10 + (int)b; }
static WEFT_ASYNC(three, int, double, const char *);
static int three(int a, double b, const char *c) { return a * 100 + (int)b * 10 + c[0] - '0'; }
static WEFT_ASYNC(four, short, short, short, short);
static int four(short a, short b, short c, short d) { return a * 1000 + b * 100 + c * 10 + d; }
static WEFT_ASYNC(five, int, int, int, int, int);
static int five(int a, int b, int c, int d, int e) {
  return four_async((short)a, (short)b, (short)c, (short)d).size ? e : -1;
}
static WEFT_ASYNC(six, int, int, int, int, int, action_fn);
static int six(int a, int b, int c, int d, int e, action_fn f) { return f(a + b + c + d + e); }
static WEFT_ASYNC(seven, int, int, int, int, int, int, const int *);
static int seven(int a, int b, int c, int d, int e, int f, const int *g) { return a + b + c + d + e + f + *g; }
static WEFT_ASYNC(eight, long, long, long, long, long, long, long, long);
static int eight(long a, long b, long c, long d, long e, long f, long g, long h) {
  long digits[] = {a, b, c, d, e, f, g, h};
  long value = 0;
  for (int i = 0; i < 8; i++) value = value * 10 + digits[i];
  return (int)value;
}
static WEFT_ASYNC(largest, struct wide);
static int largest(struct wide w) { return w.text[0] + w.text[WEFT_CALL_BYTES - 1]; }

static int twice(int n) { return 2 * n; }

static int run(weft_call_t call) {
  weft_call_t copy = call; /* a value: what runs is a copy */
  return copy.entry(copy.args.bytes);
}

/* The library's side of the twins that are tried. */
int weft_sleep(double seconds) { return (int)(seconds * 4); }
int weft_yield(void) { return 11; }
int weft_queue_put_sized(weft_queue_t *q, const void *item, size_t size) {
  return q == NULL && size == sizeof(int) ? *(const int *)item : -1;
}
ssize_t weft_stream_read(weft_stream_t *s, void *buffer, size_t size) {
  return s == NULL && buffer == NULL && size == INT_MAX ? 13 : -1;
}

int main(void) {
  struct wide w = {{3}};
  int item = 5;
  w.text[WEFT_CALL_BYTES - 1] = 4;
  sum = 9;
  check(run(none_async()), 7, "no parameter");
  check(run(one_async(42)), 42, "1 parameter");
  check(run(two_async(1, 2)), 12, "2 parameters");
  check(run(three_async(1, 2.5, "3")), 123, "3 parameters");
  check(run(four_async(1, 2, 3, 4)), 1234, "4 parameters");
  check(run(five_async(1, 2, 3, 4, 5)), 5, "5 parameters");
  check(run(six_async(1, 2, 3, 4, 5, twice)), 30, "6 parameters");
  check(run(seven_async(1, 2, 3, 4, 5, 6, &sum)), 30, "7 parameters");
  check(run(eight_async(1, 2, 3, 4, 5, 6, 7, 8)), 12345678, "8 parameters");
  check(run(largest_async(w)), 7, "the largest arguments");
  check(strcmp(eight_async(1, 2, 3, 4, 5, 6, 7, 8).name, "eight"), 0, "the name");
  check((int)eight_async(1, 2, 3, 4, 5, 6, 7, 8).size, 64, "the size");
  check(run(weft_sleep_async(2.5)), 10, "weft_sleep_async");
  check(run(weft_yield_async()), 11, "weft_yield_async");
  check(run(weft_queue_put_async((weft_queue_t *)NULL, &item)), 5, "weft_queue_put_async");
  check(run(weft_stream_read_async((weft_stream_t *)NULL, NULL, SIZE_MAX)), 13, "weft_stream_read_async");
  return failures == 0 ? 0 : 1;
}
