/* thread_watch.c: see thread_watch.h. The id is published last (release) and read first (acquire), so the clock beside it
 * is that thread's. */
#include "base/thread_watch.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/threads.h"

void weft__thread_watch_begin(weft__thread_watch_t *watch) {
  atom_store(&watch->clock, weft__thread_clock(), relaxed);
  atom_store(&watch->thread_id, (int)syscall(SYS_gettid), release);
}

void weft__thread_watch_end(weft__thread_watch_t *watch) { atom_store(&watch->thread_id, 0, release); }

int64_t weft__thread_watch_processor_ns(const weft__thread_watch_t *watch) {
  struct timespec time;
  if (atom_load(&watch->thread_id, acquire) == 0) return -1;
  clockid_t clock = atom_load(&watch->clock, relaxed);
  if (clock_gettime(clock, &time) != 0) return -1; /* it ended meanwhile */
  return (int64_t)time.tv_sec * WEFT__NS_PER_SECOND + time.tv_nsec;
}

bool weft__thread_watch_sleeps(const weft__thread_watch_t *watch) {
  char path[64], text[256];
  int thread_id = atom_load(&watch->thread_id, acquire);
  if (thread_id == 0) return false;
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread_id);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return false;
  text[n] = '\0';
  const char *name_end = strrchr(text, ')'); /* a name may contain anything */
  if (name_end == NULL || name_end[1] != ' ') return false;
  return strchr("SDTt", name_end[2]) != NULL && name_end[2] != '\0';
}
