/* runner.c: runs the cases of one program and compares what they print with asyncio's own transcripts.
 *
 * Each case runs in a process of its own, forked before any thread exists, with a time limit: a crash or a hang costs that
 * case only, and what it printed until then is shown. */
#include "runner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "diff.h"
#include "transcript.h"

struct transcript *transcript;

static struct options {
  unsigned workers, repeat, timeout;
  bool serial, real, list, show, verbose, no_fork;
  const char *expected;
} options = {.workers = 1, .repeat = 1, .timeout = 60, .expected = WEFT_EXPECTED_DIR};

static case_entry_t *cases;  /* in order of their numbers */
static weft_config_t config; /* of the case at hand */

void case_register(case_entry_t *entry) {
  case_entry_t **at = &cases;
  while (*at != NULL && strcmp((*at)->number, entry->number) < 0) at = &(*at)->next;
  entry->next = *at;
  *at = entry;
}

const weft_config_t *case_config(void) { return &config; }

/* asyncio.run(main) with the clock started inside, as the scripts do it. */
static WEFT_ASYNC(go, const weft_call_t *);
static int go(const weft_call_t *main_call) {
  transcript_start_clock();
  return weft_await_call(*main_call);
}
int run(weft_call_t main_call) { return weft_run_with(&config, go_async(&main_call)); }

static void register_kinds(void) {
  weft_error_register(KEY_ERROR, "KeyError");
  weft_error_register(OS_ERROR, "OSError");
  weft_error_register(ZERO_DIVISION, "ZeroDivisionError");
  weft_error_register(CONNECTION_RESET, "ConnectionResetError");
}

static bool on_real_clock(const case_entry_t *entry) { return options.real || entry->clock != VIRTUAL; }
static bool is_exact(const case_entry_t *entry) { return entry->order != FIFO || options.workers == 1; }

/* What stands in expected/, or NULL. */
static char *read_expected(const case_entry_t *entry) {
  char path[1024];
  snprintf(path, sizeof path, "%s/%s_%s.txt", options.expected, entry->number, entry->name);
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    printf("%s: %s\n", path, strerror(errno));
    return NULL;
  }
  char *contents = calloc(1, sizeof transcript->text);
  if (contents == NULL || fread(contents, 1, sizeof transcript->text - 1, file) == 0) printf("%s is empty\n", path);
  fclose(file);
  return contents;
}

static void run_once(const case_entry_t *entry) {
  config = (weft_config_t){.workers = options.workers,
                           .serial = options.serial || (entry->order == SINGLE && options.workers > 1),
                           .virtual_time = !on_real_clock(entry)};
  transcript_begin();
  if (entry->raw != NULL) {
    entry->raw();
  } else {
    int rc = run(entry->main_call());
    if (rc < 0) P("main raised %s", weft_error()->code == rc ? E(weft_error()) : kind(rc));
  }
  transcript_end();
}

/* A machine may be late: on the real clock a case that is made for virtual time, or says so, may try again; a hang
 * never may. A case for virtual time may print later times there, but no earlier ones. */
static bool may_be_late(const case_entry_t *entry) { return options.real && entry->clock == VIRTUAL; }
static unsigned tries_of(const case_entry_t *entry) { return entry->clock == TIMED || may_be_late(entry) ? 5 : 1; }
static bool is_as_expected(const case_entry_t *entry, const char *expected) {
  return may_be_late(entry) ? diff_same_or_late(expected, transcript->text)
                            : diff_same(expected, transcript->text, is_exact(entry));
}

/* In the process of the case: true if every run printed what is expected. */
static bool run_repeatedly(const case_entry_t *entry) {
  char *expected = read_expected(entry);
  bool good = expected != NULL;
  register_kinds();
  for (unsigned i = 0; i < options.repeat && good; i++) {
    unsigned tries = tries_of(entry);
    do {
      alarm(options.timeout);
      run_once(entry);
      good = is_as_expected(entry, expected);
    } while (!good && --tries > 0);
    if (!good) printf("run %u of %s_%s, expected (-) and printed (+):\n", i + 1, entry->number, entry->name);
    if (!good) diff_print(expected, transcript->text, is_exact(entry));
  }
  alarm(0);
  if (options.show) printf("%s", transcript->text);
  free(expected);
  fflush(stdout);
  return good;
}

static bool run_case(const case_entry_t *entry) {
  if (options.no_fork) return run_repeatedly(entry);
  transcript_begin();
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) exit(run_repeatedly(entry) ? 0 : 1);
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
  if (child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 1) return false; /* said by the child */
  if (child < 0)
    printf("fork: %s\n", strerror(errno));
  else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
    printf("no end after %u s; printed until then:\n%s", options.timeout, transcript->text);
  else if (WIFSIGNALED(status))
    printf("died of %s; printed until then:\n%s", strsignal(WTERMSIG(status)), transcript->text);
  else
    printf("its process ended with status %d\n", WEXITSTATUS(status));
  return false;
}

static bool is_chosen(const case_entry_t *entry, char *numbers[], int n) {
  for (int i = 0; i < n; i++)
    if (atoi(numbers[i]) == atoi(entry->number)) return true;
  return n == 0 && !(options.real && entry->clock != VIRTUAL); /* those run on the real clock anyway */
}

static void list_cases(void) {
  static const char *const orders[] = {"causal", "fifo", "single"}, *const clocks[] = {"virtual", "real", "real"};
  for (const case_entry_t *entry = cases; entry != NULL; entry = entry->next)
    printf("%s_%s %s %s\n", entry->number, entry->name, orders[entry->order], clocks[entry->clock]);
}

static void usage(const char *program) {
  printf(
      "usage: %s [NNN...] [--workers N] [--serial] [--real] [--repeat R] [--timeout S] [--list] [--show] [--verbose]\n"
      "          [--no-fork] [--expected DIR]\n"
      "  --real      the cases for virtual time on the real clock\n"
      "  --timeout   seconds that one run of a case may take\n"
      "  --show      what was printed, also where it is right\n"
      "  --no-fork   in this process (for a debugger)\n",
      program);
}

/* The options in; the number of arguments left, which are moved to the front. */
static int read_options(int argc, char *argv[]) {
  int left = 0;
  for (int i = 1; i < argc; i++) {
    const char *argument = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
    bool has_value = true;
    if (strcmp(argument, "--workers") == 0 && value != NULL)
      options.workers = (unsigned)atoi(value);
    else if (strcmp(argument, "--repeat") == 0 && value != NULL)
      options.repeat = (unsigned)atoi(value);
    else if (strcmp(argument, "--timeout") == 0 && value != NULL)
      options.timeout = (unsigned)atoi(value);
    else if (strcmp(argument, "--expected") == 0 && value != NULL)
      options.expected = value;
    else
      has_value = false;
    if (has_value)
      i++;
    else if (strcmp(argument, "--serial") == 0)
      options.serial = true;
    else if (strcmp(argument, "--real") == 0)
      options.real = true;
    else if (strcmp(argument, "--list") == 0)
      options.list = true;
    else if (strcmp(argument, "--show") == 0)
      options.show = true;
    else if (strcmp(argument, "--verbose") == 0)
      options.verbose = true;
    else if (strcmp(argument, "--no-fork") == 0)
      options.no_fork = true;
    else if (argument[0] >= '0' && argument[0] <= '9')
      argv[left++] = argv[i];
    else
      return -1;
  }
  return options.workers > 0 && options.repeat > 0 && options.timeout > 0 ? left : -1;
}

int main(int argc, char *argv[]) {
  int n = read_options(argc, argv), passed = 0, failed = 0;
  if (n < 0) {
    usage(argv[0]);
    return 2;
  }
  transcript = mmap(NULL, sizeof *transcript, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (transcript == MAP_FAILED) return 1;
  if (options.list) list_cases();
  for (const case_entry_t *entry = cases; entry != NULL && !options.list; entry = entry->next) {
    if (!is_chosen(entry, argv, n)) continue;
    bool good = run_case(entry);
    good ? passed++ : failed++;
    if (!good || options.verbose) printf("%s %s_%s\n", good ? "passed" : "FAILED", entry->number, entry->name);
  }
  if (!options.list) printf("%d passed, %d failed (%u workers)\n", passed, failed, options.workers);
  munmap(transcript, sizeof *transcript);
  return failed > 0 || (n > 0 && passed == 0 && !options.list);
}
