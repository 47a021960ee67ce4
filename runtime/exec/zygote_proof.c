/* zygote_proof.c: whether a process that was forked from one of several threads can live.
 *
 * It has one thread, and the state in which the fork found every lock: one that another thread held stays held for ever.
 * The C library and jemalloc see to their own heaps and streams at a fork; not everything does: the libraries'
 * time zone and random numbers, the loader's list, and AddressSanitizer's heap, which has a lock for each size. What is
 * free now stays free, for there is nobody else; so taking each of these locks once proves it for all of this process's
 * life and its children's. Where one is held this never returns, and the parent, which waits with a limit, forks again. */
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "exec/zygote.h"

#ifdef __SANITIZE_ADDRESS__
#define WEFT__ADDRESS_SANITIZER 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define WEFT__ADDRESS_SANITIZER 1
#endif
#endif

#ifdef WEFT__ADDRESS_SANITIZER
/* Its heap hands out from a cache of the thread, 64 KiB of each size at most: only beyond that the size's lock is taken.
 * Its sizes lie a quarter apart. What is given back goes to its quarantine, under another lock, and threads are in a list
 * of its own. */
enum { CACHED = 64 * 1024, BLOCKS_MAX = 1024, LARGEST = 1024 * 1024 };

static int nothing(void *data) { return data != NULL; }

static void prove_heap(void) {
  static void *blocks[BLOCKS_MAX];
  for (size_t size = 8; size <= LARGEST; size += size >= 64 ? size / 8 : 8) {
    size_t count = 2 * CACHED / size + 2;
    if (count > BLOCKS_MAX) count = BLOCKS_MAX;
    for (size_t i = 0; i < count; i++) blocks[i] = malloc(size);
    for (size_t i = 0; i < count; i++) free(blocks[i]);
  }
  weft__thread_t thread;
  if (weft__thread_start(&thread, nothing, NULL, NULL) == 0) weft__thread_join(thread);
}
#else
static void prove_heap(void) {
  enum { LARGEST = 1024 * 1024 };
  for (size_t size = 8; size <= LARGEST; size *= 2) {
    void *volatile block = malloc(size); /* else the compiler knows that nobody needs it */
    free(block);
    weft__free(weft__alloc(size), size);
  }
}
#endif

static int see(struct dl_phdr_info *info, size_t size, void *data) {
  (void)info;
  (void)size;
  (void)data;
  return 1; /* one is enough */
}

void weft__zygote_prove(void) {
  prove_heap();
  FILE *stream = fopen("/dev/null", "we");
  if (stream != NULL) fclose(stream);
  struct tm local;
  time_t now = time(NULL);
  localtime_r(&now, &local);
  tzset();
  dl_iterate_phdr(see, NULL);
  char state[32];
  char *before = initstate(1, state, sizeof state); /* and back: the numbers go on where they were */
  if (before != NULL) setstate(before);
}
