/* exports.h: the functions that processes of a pool may run, in order of registration. */
#ifndef WEFT_EXEC_EXPORTS_H
#define WEFT_EXEC_EXPORTS_H

#include <weft/executors.h>

/* The export that a call means: of its very function, else the only one of that name. NULL: there is none; *why says so
 * (static). */
const weft_export_t *weft__export_of(const weft_call_t *call, const char **why);
const weft_export_t *weft__export_find(const char *file, const char *name);

#endif
