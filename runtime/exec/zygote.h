/* zygote.h: the process from which the processes of pools are forked, as this one sees it.
 *
 * It is forked from this process, if all goes well before there are any threads; if not, it proves that nothing it needs is
 * locked for ever, or is forked again (zygote_proof.c). It does nothing but fork, kill and wait
 * for processes of pools. Each of those has a socket whose other end is here. None survives this process: the zygote
 * watches it (a pidfd) and its own socket, and ends when either does; its children end with it (PR_SET_PDEATHSIG, which
 * follows the forking thread: the zygote has one). It is no child of this process, but was left to init at birth: waiting
 * for children here finds none that the program did not start. */
#ifndef WEFT_EXEC_ZYGOTE_H
#define WEFT_EXEC_ZYGOTE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Counted: each retain, which makes it if need be, wants a release. 0 or a negative errno. */
int weft__zygote_retain(void);
void weft__zygote_release(void);

typedef struct weft__process {
  uint64_t serial;
  pid_t pid;
  int fd; /* close it */
} weft__process_t;

int weft__zygote_spawn(weft__process_t *process);
/* By serial numbers, so that a number that is used again kills nobody else. */
void weft__zygote_kill(uint64_t serial);
/* Ends it if it still runs; its wait status, or a negative errno (the zygote is gone). */
int weft__zygote_reap(uint64_t serial, int *status);

/* In the zygote: never returns. It says its number, proves itself, and says it again. */
__attribute__((noreturn)) void weft__zygote_main(int control, pid_t parent);
/* In the zygote: returns, if no lock that is needed there was held when it was forked. */
void weft__zygote_prove(void);
/* In a process of a pool: runs jobs until the socket ends. */
__attribute__((noreturn)) void weft__process_main(int fd);

#endif
