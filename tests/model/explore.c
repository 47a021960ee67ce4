/* explore.c: which schedules are tried, and the program around it.
 *
 * A choice is asked for wherever the machine could go on in more than one way; an execution is a list of answers. First all
 * lists are tried depth first, with at most 0, 1, … bound preemptions, and as many late stores, each time from the start
 * (iterative context bounding: Musuvathi, Qadeer, PLDI 2007); when a location turns out to be shared the pass begins
 * again. Then come random schedules without bounds.
 *
 * A schedule is printed as the answers that are not 0, each as STEP LETTER INDEX = ANSWER: at the access of that number the
 * machine was asked for a preemption (p), the next thread (n), a late store (l) or the model's own choice (a). */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "model/machine.h"

enum { CHOICES = 40000, RANDOM_RUNS = 10000 };
enum mode { SYSTEMATIC, RANDOM, REPLAY };

typedef struct answer {
  unsigned step;
  unsigned short index; /* among those of its kind at this step */
  unsigned char kind, n, chosen;
} answer_t;

static struct {
  enum mode mode;
  unsigned bound;
  answer_t answers[CHOICES];
  unsigned count, depth; /* known so far; asked so far in this execution */
  unsigned step, asked[CHOICE_KINDS];
  answer_t *replay;
  unsigned replay_count;
  uint64_t random;
  unsigned long steps;
} search;

static const char letters[] = "pnla";

/* ---- choices ----------------------------------------------------------------------------------------------------------- */

static uint64_t next_random(void) { /* xorshift64* (Vigna 2016) */
  uint64_t x = search.random;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  search.random = x;
  return x * 0x2545F4914F6CDD1Du >> 32;
}

bool may_preempt(void) { return search.mode != SYSTEMATIC || machine.preemptions < search.bound; }
bool may_be_late(void) { return search.mode != SYSTEMATIC || machine.late < search.bound; }

static unsigned draw(enum choice_kind kind, unsigned n) {
  if (kind == CHOICE_PREEMPT) return next_random() % 8 != 0 ? 0 : 1 + (unsigned)(next_random() % (n - 1));
  if (kind == CHOICE_LATE) return next_random() % 4 == 0;
  return (unsigned)(next_random() % n);
}

static unsigned look_up(unsigned step, enum choice_kind kind, unsigned index, unsigned n) {
  for (unsigned i = 0; i < search.replay_count; i++) {
    const answer_t *answer = &search.replay[i];
    if (answer->step == step && answer->kind == kind && answer->index == index)
      return answer->chosen < n ? answer->chosen : 0;
  }
  return 0;
}

unsigned choose(enum choice_kind kind, unsigned n) {
  if (search.step != machine.steps) memset(search.asked, 0, sizeof search.asked);
  search.step = machine.steps;
  unsigned index = search.asked[kind]++;
  if (search.mode == REPLAY) return look_up(machine.steps, kind, index, n);
  if (search.depth < search.count) {
    const answer_t *known = &search.answers[search.depth++];
    if (known->kind != kind || known->n != n || known->step != machine.steps) {
      fprintf(stderr, "the model is not deterministic: step %u kind %c of %u, before: step %u kind %c of %u\n",
              machine.steps, letters[kind], n, known->step, letters[known->kind], known->n);
      exit(2);
    }
    return known->chosen;
  }
  if (search.count == CHOICES) model_fail("more than %d choices in one execution", CHOICES);
  unsigned chosen = search.mode == RANDOM ? draw(kind, n) : 0;
  search.answers[search.count++] = (answer_t){.step = machine.steps,
                                              .index = (unsigned short)index,
                                              .kind = kind,
                                              .n = (unsigned char)n,
                                              .chosen = (unsigned char)chosen};
  search.depth++;
  return chosen;
}

unsigned model_any(unsigned n) { return n < 2 ? 0 : choose(CHOICE_ANY, n); }

void trace(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  putchar('\n');
}

/* ---- violations -------------------------------------------------------------------------------------------------------- */

static void run_once(void) {
  search.depth = 0;
  search.step = UINT32_MAX;
  threads_run();
  search.steps += machine.steps;
}

static void print_schedule(void) {
  printf("schedule:");
  const char *between = " ";
  for (unsigned i = 0; i < search.count; i++) {
    const answer_t *answer = &search.answers[i];
    if (answer->chosen == 0) continue;
    printf("%s%u%c%u=%u", between, answer->step, letters[answer->kind], answer->index, answer->chosen);
    between = ",";
  }
  printf("%s\n", *between == ' ' ? " default" : "");
}

/* Runs the failed execution again, now telling every step. */
static void report(unsigned long executions) {
  char first[sizeof machine.failure];
  memcpy(first, machine.failure, sizeof first);
  printf("VIOLATION of %s after %lu executions: %s\n", machine.scenario->name, executions, first);
  printf("property: %s\n", machine.scenario->property);
  print_schedule();
  machine.tracing = true;
  search.count = search.depth;
  run_once();
  machine.tracing = false;
  if (!machine.failed)
    printf("(the second run of this schedule went well: the model keeps state between executions)\n");
  printf("again: --scenario %s --replay SCHEDULE\n", machine.scenario->name);
}

/* The code under test touched what it must not. */
static void on_fault(int number) {
  printf("VIOLATION of %s: signal %d\nproperty: %s\n", machine.scenario->name, number, machine.scenario->property);
  search.count = search.depth;
  print_schedule();
  _exit(1);
}

static void catch_faults(void) {
  static char stack[16384];
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};
  const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
  sigaltstack(&alternate, NULL);
  for (unsigned i = 0; i < weft__countof(faults); i++) sigaction(faults[i], &action, NULL);
}

/* ---- the searches ------------------------------------------------------------------------------------------------------ */

/* The next list of answers, in depth-first order. False: that was the last. */
static bool advance(void) {
  search.count = search.depth;
  while (search.count > 0) {
    answer_t *last = &search.answers[search.count - 1];
    if (last->chosen + 1u < last->n) {
      last->chosen++;
      return true;
    }
    search.count--;
  }
  return false;
}

typedef struct outcome {
  unsigned long executions, random;
  int exhausted; /* the bound up to which all schedules were tried */
  bool violated;
} outcome_t;

/* All schedules of one bound: true when the limit was not reached. */
static bool try_all(outcome_t *outcome, unsigned long limit) {
  search.count = 0;
  for (;;) {
    if (outcome->executions >= limit) return false;
    run_once();
    outcome->executions++;
    if (machine.failed) {
      outcome->violated = true;
      return false;
    }
    if (machine.sharing_grew) { /* there are more places to preempt than was thought: from the start */
      memory_share();
      search.count = 0;
    } else if (!advance()) {
      return true;
    }
  }
}

static void explore(outcome_t *outcome, int bound, unsigned long limit, unsigned long random_runs, uint64_t seed) {
  *outcome = (outcome_t){.exhausted = -1};
  search.mode = SYSTEMATIC;
  for (search.bound = 0; (int)search.bound <= bound && !outcome->violated; search.bound++) {
    if (!try_all(outcome, limit)) break;
    outcome->exhausted = (int)search.bound;
  }
  if (!outcome->violated) search.mode = RANDOM; /* the report runs the schedule again as it was run */
  search.random = seed;
  while (outcome->random < random_runs && !outcome->violated) {
    search.count = 0;
    if (machine.sharing_grew) memory_share();
    run_once();
    outcome->random++;
    outcome->violated = machine.failed;
  }
  if (outcome->violated) report(outcome->executions + outcome->random);
}

/* ---- the program ------------------------------------------------------------------------------------------------------- */

static unsigned parse_schedule(const char *text, answer_t **out) {
  unsigned n = 0, size = 1;
  for (const char *p = text; *p != '\0'; p++) size += *p == ',';
  answer_t *answers = calloc(size, sizeof *answers);
  *out = answers;
  while (answers != NULL && *text != '\0') {
    unsigned step, index, chosen;
    char letter;
    int length;
    if (sscanf(text, "%u%c%u=%u%n", &step, &letter, &index, &chosen, &length) != 4 || strchr(letters, letter) == NULL)
      break;
    answers[n++] = (answer_t){.step = step,
                              .index = (unsigned short)index,
                              .kind = (unsigned char)(strchr(letters, letter) - letters),
                              .chosen = (unsigned char)chosen};
    text += length;
    if (*text == ',') text++;
  }
  return n;
}

static int replay(const char *schedule) {
  search.replay_count = parse_schedule(schedule, &search.replay);
  search.mode = REPLAY;
  machine.all_shared = machine.tracing = true;
  run_once();
  free(search.replay);
  printf("%s\n", machine.failed ? machine.failure : "this schedule goes well");
  return machine.failed;
}

static double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int usage(void) {
  fprintf(
      stderr,
      "usage: PROGRAM [--scenario NAME] [--bound N] [--executions N] [--random N] [--seed N] [--replay SCHEDULE]\n");
  return 2;
}

int main(int argc, char **argv) {
  const char *only = NULL, *schedule = NULL;
  long bound = -1;
  unsigned long limit = 3000000, random_runs = 0;
  double factor = 1;
  uint64_t seed = 1;
  const char *scale = getenv("WEFT_TEST_SCALE"); /* the inner loop looks less far */
  if (scale != NULL && strtod(scale, NULL) < 1) factor = strtod(scale, NULL);
  limit = (unsigned long)((double)limit * factor) + 1000;
  for (int i = 1; i < argc; i += 2) {
    const char *value = i + 1 < argc ? argv[i + 1] : NULL;
    if (value == NULL) return usage();
    if (strcmp(argv[i], "--scenario") == 0)
      only = value;
    else if (strcmp(argv[i], "--bound") == 0)
      bound = strtol(value, NULL, 10);
    else if (strcmp(argv[i], "--executions") == 0)
      limit = strtoul(value, NULL, 10);
    else if (strcmp(argv[i], "--random") == 0)
      random_runs = strtoul(value, NULL, 10);
    else if (strcmp(argv[i], "--seed") == 0)
      seed = strtoul(value, NULL, 10);
    else if (strcmp(argv[i], "--replay") == 0)
      schedule = value;
    else
      return usage();
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  catch_faults();
  int status = 0;
  unsigned ran = 0;
  for (const model_scenario_t *scenario = model_scenarios; scenario->name != NULL; scenario++) {
    if (only != NULL && strcmp(only, scenario->name) != 0) continue;
    ran++;
    machine.scenario = scenario;
    if (schedule != NULL) return replay(schedule);
    double started = seconds_now();
    outcome_t outcome;
    search.steps = 0;
    unsigned long usual = scenario->random != 0 ? scenario->random : RANDOM_RUNS;
    explore(&outcome, bound >= 0 ? (int)bound : scenario->bound, limit,
            random_runs != 0 ? random_runs : (unsigned long)((double)usual * factor) + 100,
            seed * 0x9E3779B97F4A7C15u + 1);
    printf("%s | %s | bound %d | %lu executions | %lu random | %lu steps | %.1f s | %s\n",
           outcome.violated ? "VIOLATED" : "holds", scenario->name, outcome.exhausted, outcome.executions,
           outcome.random, search.steps, seconds_now() - started, scenario->property);
    if (outcome.violated) status = 1;
    if (status != 0) break;
  }
  if (ran == 0) {
    fprintf(stderr, "no scenario '%s'\n", only != NULL ? only : "");
    return 2;
  }
  return status;
}
