/* must not compile: at most 8 parameters */
#include <weft.h>
#ifdef RIGHT
static WEFT_ASYNC(many, char, char, char, char, char, char, char, char);
static int many(char a, char b, char c, char d, char e, char f, char g, char h) {
  return a + b + c + d + e + f + g + h;
}
int main(void) { return weft_run(many_async(1, 2, 3, 4, 5, 6, 7, 8)); }
#else
static WEFT_ASYNC(many, char, char, char, char, char, char, char, char, char);
int main(void) { return 0; }
#endif
