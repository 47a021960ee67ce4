/* children.c: see children.h */
#include "children.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Executes a program with descriptor `from` as its descriptor `to`, all others closed by their own flags; in a process group
 * of its own, so that Ctrl-C reaches it through us alone; and with `blocked` signals blocked, NULL: those that we block. */
static int start(child_t *child, const char *program, char *const arguments[], int from, int to,
                 const sigset_t *blocked) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, from, to);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | (blocked != NULL ? POSIX_SPAWN_SETSIGMASK : 0));
  if (blocked != NULL) posix_spawnattr_setsigmask(&attributes, blocked);
  int rc = posix_spawnp(&child->pid, program, &actions, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (rc != 0) child->pid = 0;
  return -rc;
}

int children_start_client(child_t *child, int port, int stats_fd) {
  char program[4096], port_word[16], name[] = "weft_demo", client[] = "--client", fd_word[] = "3";
  ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
  if (length < 0) return -errno;
  program[length] = '\0';
  snprintf(port_word, sizeof port_word, "%d", port);
  *child = (child_t){.output = -1};
  char *const arguments[] = {name, client, port_word, fd_word, NULL};
  /* SIGINT stays blocked, so that one that comes early waits until the client asks for it. */
  return start(child, program, arguments, stats_fd, 3, NULL);
}

int children_start_wrk(child_t *child, int port, unsigned seconds) {
  char url[64], duration[24], name[] = "wrk", threads[] = "-t1", connections[] = "-c32", latency[] = "--latency";
  snprintf(url, sizeof url, "http://127.0.0.1:%d/plain", port);
  snprintf(duration, sizeof duration, "-d%us", seconds);
  *child = (child_t){.output = memfd_create("wrk-output", MFD_CLOEXEC)};
  if (child->output < 0) return -errno;
  char *const arguments[] = {name, threads, connections, duration, latency, url, NULL};
  sigset_t none;
  sigemptyset(&none);
  int rc = start(child, "wrk", arguments, child->output, STDOUT_FILENO, &none);
  if (rc < 0) close(child->output);
  return rc;
}

bool children_ended(child_t *child) {
  if (child->pid > 0 && waitpid(child->pid, &child->status, WNOHANG) == child->pid) child->pid = 0;
  return child->pid == 0;
}

int children_end(child_t *child) {
  enum { PATIENCE_MS = 10000, STEP_MS = 10 };
  if (child->pid == 0) return child->status == 0 ? 0 : -ECHILD;
  kill(child->pid, SIGINT);
  for (int waited = 0; waited < PATIENCE_MS && !children_ended(child); waited += STEP_MS) {
    int rc = weft_sleep(STEP_MS / 1000.0);
    if (rc < 0) return rc;
  }
  if (child->pid > 0) {
    kill(child->pid, SIGKILL);
    waitpid(child->pid, &child->status, 0);
    child->pid = 0;
  }
  return child->status == 0 ? 0 : -ECHILD;
}

/* "1.25ms" and its kind. */
static double milliseconds(const char *word) {
  char *unit;
  double value = strtod(word, &unit);
  return strncmp(unit, "us", 2) == 0 ? value / 1e3 : strncmp(unit, "ms", 2) == 0 ? value : value * 1e3;
}

/* The words after `label`, or NULL. */
static const char *after(const char *text, const char *label) {
  const char *found = strstr(text, label);
  return found != NULL ? found + strlen(label) : NULL;
}

bool children_wrk_result(child_t *child, wrk_result_t *result) {
  char text[4096];
  ssize_t n = pread(child->output, text, sizeof text - 1, 0);
  close(child->output);
  child->output = -1;
  text[n > 0 ? n : 0] = '\0';
  *result = (wrk_result_t){0};
  const char *rate = after(text, "Requests/sec:"), *half = after(text, " 50%"), *most = after(text, " 99%");
  const char *socket_errors = after(text, "Socket errors:"), *bad = after(text, "Non-2xx or 3xx responses:");
  const char *total = after(text, "Latency Distribution");
  if (rate == NULL || half == NULL || most == NULL || total == NULL) return false;
  result->requests_s = strtod(rate, NULL);
  result->p50_ms = milliseconds(half);
  result->p99_ms = milliseconds(most);
  for (const char *line = total; (line = strchr(line, '\n')) != NULL; line++) { /* "  12345 requests in 5.00s" */
    char *end;
    unsigned long count = strtoul(line, &end, 10);
    if (strncmp(end, " requests in", 12) == 0) result->requests = count;
  }
  unsigned long connect = 0, reading = 0, writing = 0, timeout = 0;
  if (socket_errors != NULL && sscanf(socket_errors, " connect %lu, read %lu, write %lu, timeout %lu", &connect,
                                      &reading, &writing, &timeout) != 4)
    return false;
  result->errors = connect + reading + writing + timeout + (bad != NULL ? strtoul(bad, NULL, 10) : 0);
  return true;
}
