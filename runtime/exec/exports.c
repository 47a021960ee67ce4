/* exports.c: see exports.h. A list that only grows: a node is complete before the exchange that makes it the head (release),
 * which a reader's load acquires. */
#include "exec/exports.h"

#include <string.h>

#include "base/atomics.h"

static _Atomic(weft_export_t *) exports;

void weft_export_register(weft_export_t *export_) {
  weft_export_t *head = atom_load(&exports, relaxed);
  do {
    export_->next = head;
  } while (!atom_cas_weak(&exports, &head, export_, release, relaxed));
}

const weft_export_t *weft__export_of(const weft_call_t *call, const char **why) {
  const weft_export_t *found = NULL;
  bool several = false;
  for (const weft_export_t *at = atom_load(&exports, acquire); at != NULL; at = at->next) {
    if (at->entry == call->entry) return at;
    if (strcmp(at->name, call->name) != 0) continue;
    several = found != NULL;
    found = at;
  }
  /* The same inline function has another address in each file that builds calls of it. */
  *why = several ? "several functions of that name are exported" : "it is not exported: WEFT_EXPORT";
  return several ? NULL : found;
}

const weft_export_t *weft__export_find(const char *file, const char *name) {
  for (const weft_export_t *at = atom_load(&exports, acquire); at != NULL; at = at->next)
    if (strcmp(at->name, name) == 0 && strcmp(at->file, file) == 0) return at;
  return NULL;
}
