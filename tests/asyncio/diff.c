/* diff.c: lines of two texts, the same or not, and the longest common subsequence of what differs. */
#include "diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lines {
  char *copy;
  char **line;
  size_t n;
};

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static struct lines split(const char *from, bool sorted) {
  size_t size = strlen(from) + 1;
  struct lines lines = {malloc(size), malloc(size * sizeof(char *)), 0};
  if (lines.copy == NULL || lines.line == NULL) abort();
  memcpy(lines.copy, from, size);
  for (char *at = lines.copy; *at != '\0';) {
    lines.line[lines.n++] = at;
    char *end = strchr(at, '\n');
    if (end == NULL) break;
    *end = '\0';
    at = end + 1;
  }
  if (sorted) qsort(lines.line, lines.n, sizeof *lines.line, compare);
  return lines;
}

static void drop(struct lines *lines) {
  free(lines->copy);
  free(lines->line);
}

bool diff_same(const char *expected, const char *printed, bool exact) {
  if (exact) return strcmp(expected, printed) == 0;
  struct lines a = split(expected, true), b = split(printed, true);
  bool same = a.n == b.n;
  for (size_t i = 0; i < a.n && same; i++) same = strcmp(a.line[i], b.line[i]) == 0;
  drop(&a);
  drop(&b);
  return same;
}

/* A line's time, "[30] text", and what follows it; a line without one has -1. */
static long stamp_of(const char *line, const char **text) {
  long stamp = -1;
  int length = 0;
  if (sscanf(line, "[%ld] %n", &stamp, &length) != 1 || length == 0) stamp = -1;
  *text = line + (stamp < 0 ? 0 : length);
  return stamp;
}

bool diff_same_or_late(const char *expected, const char *printed) {
  struct lines a = split(expected, false), b = split(printed, false);
  bool same = a.n == b.n;
  for (size_t i = 0; i < a.n && same; i++) {
    const char *wanted, *got;
    long wanted_at = stamp_of(a.line[i], &wanted), got_at = stamp_of(b.line[i], &got);
    same = strcmp(wanted, got) == 0 && (wanted_at < 0) == (got_at < 0) && got_at >= wanted_at;
  }
  drop(&a);
  drop(&b);
  return same;
}

void diff_print(const char *expected, const char *printed, bool exact) {
  struct lines a = split(expected, !exact), b = split(printed, !exact);
  size_t width = b.n + 1, i = 0, j = 0;
  unsigned *common = calloc((a.n + 1) * width, sizeof *common); /* [i][j]: of the lines from i and from j on */
  if (common == NULL) abort();
  for (size_t x = a.n; x-- > 0;)
    for (size_t y = b.n; y-- > 0;) {
      unsigned down = common[(x + 1) * width + y], right = common[x * width + y + 1];
      bool equal = strcmp(a.line[x], b.line[y]) == 0;
      common[x * width + y] = equal ? common[(x + 1) * width + y + 1] + 1 : down > right ? down : right;
    }
  while (i < a.n || j < b.n) {
    if (i < a.n && j < b.n && strcmp(a.line[i], b.line[j]) == 0) {
      printf("    %s\n", a.line[i]);
      i++, j++;
    } else if (j == b.n || (i < a.n && common[(i + 1) * width + j] >= common[i * width + j + 1])) {
      printf("  - %s\n", a.line[i++]);
    } else {
      printf("  + %s\n", b.line[j++]);
    }
  }
  free(common);
  drop(&a);
  drop(&b);
}
