/* idle: a runtime that has nothing to do must not wake up. While the main task waits for something from outside, a foreign
 * thread lets it fall asleep, and then counts the voluntary context switches of all other threads of the process for
 * seconds=10. An operation is a second; ns_per_op is the processor time that they used; the line on standard error says how
 * many switches there were.
 *
 *   bench_idle --workers 4 -- seconds=10 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

static long seconds, switches = -1;
static bench_run_t *the_run;

static long switches_of(const char *thread) {
  char path[320], line[256];
  long n = 0;
  snprintf(path, sizeof path, "/proc/self/task/%s/status", thread);
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0; /* it has just ended */
  while (fgets(line, sizeof line, file) != NULL && sscanf(line, "voluntary_ctxt_switches: %ld", &n) != 1) {
  }
  fclose(file);
  return n;
}

static long switches_of_others(void) {
  long self = syscall(SYS_gettid), sum = 0;
  DIR *tasks = opendir("/proc/self/task");
  BENCH_CHECK(tasks != NULL);
  for (struct dirent *entry; (entry = readdir(tasks)) != NULL;)
    if (entry->d_name[0] != '.' && strtol(entry->d_name, NULL, 10) != self) sum += switches_of(entry->d_name);
  closedir(tasks);
  return sum;
}

static void *watch(void *future) {
  struct timespec before, after;
  nanosleep(&(const struct timespec){.tv_sec = 1}, NULL); /* everybody has fallen asleep */
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  bench_start(the_run);
  long at_first = switches_of_others();
  nanosleep(&(const struct timespec){.tv_sec = seconds}, NULL);
  switches = switches_of_others() - at_first;
  bench_stop(the_run);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  the_run->ns_per_op =
      ((double)(after.tv_sec - before.tv_sec) * 1e9 + (double)(after.tv_nsec - before.tv_nsec)) / (double)seconds;
  weft_ignore(weft_future_set_done(future));
  return NULL;
}

static WEFT_ASYNC(waits);
static int waits(void) {
  weft_future_t *future = weft_future_open(0);
  pthread_t thread;
  BENCH_CHECK(pthread_create(&thread, NULL, watch, future) == 0);
  int rc = weft_await_future(future, NULL);
  pthread_join(thread, NULL);
  weft_future_unref(future);
  return rc;
}

static int run_weft(bench_run_t *run) {
  seconds = bench_option(run, "seconds", 10);
  the_run = run;
  int rc = bench_weft(run, waits_async());
  if (rc < 0) return rc;
  run->ops = seconds;
  fprintf(stderr, "idle: %ld voluntary context switches of %u workers in %ld s\n", switches, run->workers, seconds);
  return 0;
}

int main(int argc, char *argv[]) {
  static const bench_runtime_t runtimes[] = {{"weft", run_weft, 0, 1}, {0}};
  return bench_main(argc, argv, &(const bench_t){.name = "idle", .ops = 10, .runtimes = runtimes});
}
