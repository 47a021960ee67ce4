/* repr.c: values and errors as Python prints them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transcript.h"

const char *repr_bool(bool value) { return value ? "True" : "False"; }

const char *repr_int(long value) { return text("%ld", value); }

const char *repr_str(const char *value) {
  char quote = strchr(value, '\'') != NULL && strchr(value, '"') == NULL ? '"' : '\'';
  char *escaped = malloc(2 * strlen(value) + 1), *to = escaped;
  if (escaped == NULL) abort();
  for (const char *from = value; *from != '\0'; from++) {
    if (*from == quote || *from == '\\' || *from == '\n') *to++ = '\\';
    *to++ = *from == '\n' ? 'n' : *from;
  }
  *to = '\0';
  const char *made = text("%c%s%c", quote, escaped, quote);
  free(escaped);
  return made;
}

const char *repr_bytes(const void *data, size_t size) {
  const unsigned char *from = data;
  char *escaped = malloc(4 * size + 1), *to = escaped;
  if (escaped == NULL) abort();
  for (size_t i = 0; i < size; i++) {
    if (from[i] == '\n')
      to += sprintf(to, "\\n");
    else if (from[i] == '\'' || from[i] == '\\')
      to += sprintf(to, "\\%c", from[i]);
    else if (from[i] < 32 || from[i] > 126)
      to += sprintf(to, "\\x%02x", from[i]);
    else
      *to++ = (char)from[i];
  }
  *to = '\0';
  const char *made = text("b'%s'", escaped);
  free(escaped);
  return made;
}

const char *repr_items(const char *const *reprs, size_t n) {
  const char *list = "";
  for (size_t i = 0; i < n; i++) list = text("%s%s%s", list, i == 0 ? "" : ", ", reprs[i]);
  return text("[%s]", list);
}

const char *repr_ints(const int *values, size_t n) {
  const char *list = "";
  for (size_t i = 0; i < n; i++) list = text("%s%s%d", list, i == 0 ? "" : ", ", values[i]);
  return text("[%s]", list);
}

const char *repr_strs(const char *const *values, size_t n) {
  const char *list = "";
  for (size_t i = 0; i < n; i++) list = text("%s%s%s", list, i == 0 ? "" : ", ", repr_str(values[i]));
  return text("[%s]", list);
}

/* KeyError's message is the key's repr already. */
const char *repr_error(const weft_error_t *error) {
  if (error == NULL) return NONE;
  if (error->message[0] == '\0') return text("%s()", error->name);
  return text("%s(%s)", error->name, error->code == KEY_ERROR ? error->message : repr_str(error->message));
}

const char *E(const weft_error_t *error) {
  if (error == NULL) return NONE;
  if (error->code == WEFT_GROUP) {
    const char *parts = "";
    for (size_t i = 0; i < error->count; i++) parts = text("%s%s%s", parts, i == 0 ? "" : ", ", E(error->parts[i]));
    return text("%s(%s)", error->name, parts);
  }
  return error->message[0] == '\0' ? text("%s", error->name) : text("%s: %s", error->name, error->message);
}

const char *kind(int status) { return status == 0 ? NONE : weft_error_name(status); }

static int compare_strs(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static int compare_ints(const void *a, const void *b) {
  int x = *(const int *)a, y = *(const int *)b;
  return (x > y) - (x < y);
}
void sort_strs(const char **values, size_t n) { qsort(values, n, sizeof *values, compare_strs); }
void sort_ints(int *values, size_t n) { qsort(values, n, sizeof *values, compare_ints); }
