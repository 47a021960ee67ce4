/* symbols.h: the names of functions by address, static ones too: from the symbol tables in the files that the process was
 * loaded from. */
#ifndef WEFT_INSPECT_SYMBOLS_H
#define WEFT_INSPECT_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The tables that were read so far. One thread at a time; {0} is empty; close frees them. */
typedef struct weft__symbols {
  struct weft__symbol_table *tables;
} weft__symbols_t;

/* The function that holds address: its name, cut to size - 1 characters, and its start. False: not known (stripped, no
 * file, no memory), name is then "". */
bool weft__symbols_find(weft__symbols_t *symbols, uintptr_t address, char *name, size_t size, uintptr_t *start);
void weft__symbols_close(weft__symbols_t *symbols);

#endif
