// The same program's twin in C++17.
#include <cstdio>
#include <weft.h>

static WEFT_ASYNC(half, double, double *);
static int half(double x, double *out) {
  *out = x / 2;
  return weft_yield();
}

int main() {
  double out = 0;
  int rc = weft_run(half_async(5.0, &out));
  std::printf("%s %g\n", weft_version(), out);
  return rc == 0 && out == 2.5 ? 0 : 1;
}
