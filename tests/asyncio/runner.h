/* runner.h: between the runner (runner.c) and what a case prints with (transcript.c). */
#ifndef TESTS_ASYNCIO_RUNNER_H
#define TESTS_ASYNCIO_RUNNER_H

#include <stddef.h>

/* What the case printed so far: in memory shared by the runner and the process of the case, so that it survives a crash. */
struct transcript {
  size_t size;
  char text[1 << 18];
};
extern struct transcript *transcript;

void transcript_begin(void);       /* empty */
void transcript_start_clock(void); /* inside a loop: time 0 is now */
void transcript_end(void);         /* frees the texts of the run */

#endif
