/* diff.h: comparing two texts line by line. */
#ifndef TESTS_ASYNCIO_DIFF_H
#define TESTS_ASYNCIO_DIFF_H

#include <stdbool.h>

/* exact, or the same lines in any order */
bool diff_same(const char *expected, const char *printed, bool exact);
/* the same lines in the same order, but the times "[30] " that they begin with may be later ones */
bool diff_same_or_late(const char *expected, const char *printed);
/* " " both, "-" expected only, "+" printed only; sorted first unless exact */
void diff_print(const char *expected, const char *printed, bool exact);

#endif
