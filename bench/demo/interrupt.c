/* interrupt.c: a thread of our own waits for the signals and completes the future: any thread may complete a future. */
#include "interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static pthread_t watcher;
static atomic_bool ending;

static void signals_of_interest(sigset_t *set) {
  sigemptyset(set);
  sigaddset(set, SIGINT);
  sigaddset(set, SIGTERM);
}

void interrupt_block(void) {
  sigset_t set;
  signals_of_interest(&set);
  pthread_sigmask(SIG_BLOCK, &set, NULL); /* threads inherit it, so that only the watcher receives them */
}

static void *watch(void *arg) {
  weft_future_t *stop = arg;
  sigset_t set;
  int signal;
  signals_of_interest(&set);
  for (int received = 0; sigwait(&set, &signal) == 0 && !atomic_load(&ending); received++) {
    if (received > 0) _exit(130);
    weft_ignore(weft_future_set_done(stop));
  }
  return NULL;
}

int interrupt_watch(weft_future_t *stop) {
  atomic_store(&ending, false);
  return -pthread_create(&watcher, NULL, watch, stop);
}

void interrupt_unwatch(void) {
  atomic_store(&ending, true);
  pthread_kill(watcher, SIGINT);
  pthread_join(watcher, NULL);
}

int interrupt_wait(weft_future_t *stop, double seconds) {
  return weft_wait(&stop, 1, WEFT_ALL_COMPLETED, seconds > 0 ? seconds : 0, NULL);
}
