/* transcript.c: T, P, S and outcome: lines are gathered in a block that the runner shares with the process of the case. */
#include "transcript.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"

/* Guards the block's size and the list of texts. Held for a copy at most, never across a suspension. */
static pthread_mutex_t transcript_lock = PTHREAD_MUTEX_INITIALIZER;
static double clock_start; /* written by the run's first task before main begins */

/* A text made for the case at hand; freed when its run ends. */
struct made_text {
  struct made_text *next;
  char characters[];
};
static struct made_text *made_texts;

static const char *make_text(const char *prefix, const char *format, va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  int length = vsnprintf(NULL, 0, format, again);
  va_end(again);
  size_t head = strlen(prefix);
  struct made_text *made = malloc(sizeof *made + head + (size_t)length + 1);
  if (length < 0 || made == NULL) abort();
  memcpy(made->characters, prefix, head);
  vsnprintf(made->characters + head, (size_t)length + 1, format, arguments);
  pthread_mutex_lock(&transcript_lock);
  made->next = made_texts;
  made_texts = made;
  pthread_mutex_unlock(&transcript_lock);
  return made->characters;
}

const char *text(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const char *made = make_text("", format, arguments);
  va_end(arguments);
  return made;
}

static void add_line(const char *line) {
  size_t length = strlen(line);
  pthread_mutex_lock(&transcript_lock);
  if (transcript->size + length + 2 < sizeof transcript->text) {
    memcpy(transcript->text + transcript->size, line, length);
    transcript->text[transcript->size + length] = '\n';
    transcript->text[transcript->size + length + 1] = '\0';
    transcript->size += length + 1;
  }
  pthread_mutex_unlock(&transcript_lock);
}

void transcript_begin(void) {
  transcript->size = 0;
  transcript->text[0] = '\0';
}

void transcript_end(void) {
  while (made_texts != NULL) {
    struct made_text *made = made_texts;
    made_texts = made->next;
    free(made);
  }
}

void P(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  add_line(make_text("", format, arguments));
  va_end(arguments);
}

static void print_timed(const char *format, va_list arguments) {
  char prefix[32];
  snprintf(prefix, sizeof prefix, "[%d] ", now());
  add_line(make_text(prefix, format, arguments));
}

void T(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  print_timed(format, arguments);
  va_end(arguments);
}

void transcript_start_clock(void) { clock_start = weft_loop_time(weft_get_running_loop()); }

int now(void) { return (int)((weft_loop_time(weft_get_running_loop()) - clock_start + 0.0005) * 100) * 10; }

int S(double ms) { return weft_sleep(ms / 1000); }

int S_text(double ms, const char *value, const char **result) {
  int rc = S(ms);
  if (rc == 0) *result = value;
  return rc;
}

void print_outcome(int status, const char *label, const char *value) {
  const char *how;
  const weft_error_t *error = weft_error();
  if (status >= 0)
    how = text("returned %s", value);
  else if (status == WEFT_CANCELLED)
    how = error->code == status && error->message[0] != '\0' ? text("cancelled (%s)", error->message) : "cancelled";
  else
    how = text("raised %s", error->code == status ? E(error) : kind(status));
  if (label != NULL)
    T("%s: %s", label, how);
  else
    T("%s", how);
}
