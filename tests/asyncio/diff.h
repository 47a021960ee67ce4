/* diff.h: comparing two texts line by line. */
#ifndef TESTS_ASYNCIO_DIFF_H
#define TESTS_ASYNCIO_DIFF_H

#include <stdbool.h>

/* exact, or the same lines in any order */
bool diff_same(const char *expected, const char *printed, bool exact);
/* " " both, "-" expected only, "+" printed only; sorted first unless exact */
void diff_print(const char *expected, const char *printed, bool exact);

#endif
