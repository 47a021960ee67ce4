/* symbols.c: see symbols.h. ELF (System V ABI, gABI 4.1): the file's full symbol table if it has one, else that of its
 * exported functions. Nothing in the file is trusted: it may have been replaced since the process began. */
#include "inspect/symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

typedef struct weft__symbol_table {
  struct weft__symbol_table *next;
  uintptr_t bias; /* of the object: the addresses of its file plus this are those of the process */
  ElfW(Sym) * symbols;
  size_t count;
  char *names; /* ends with a zero byte */
  size_t names_size;
} table_t;

enum { TABLE_BYTES_MAX = 1 << 28 }; /* whatever a damaged header says */

static bool read_at(int file, void *into, size_t size, uint64_t offset) {
  char *to = into;
  while (size > 0) {
    ssize_t n = pread(file, to, size, (off_t)offset);
    if (n <= 0) return false;
    to += n;
    offset += (uint64_t)n;
    size -= (size_t)n;
  }
  return true;
}

/* size + extra bytes, the latter zero. */
static void *read_block(int file, uint64_t offset, uint64_t size, size_t extra) {
  if (size == 0 || size > TABLE_BYTES_MAX) return NULL;
  char *block = weft__alloc((size_t)size + extra);
  if (block == NULL) return NULL;
  memset(block + size, 0, extra);
  if (read_at(file, block, (size_t)size, offset)) return block;
  weft__free(block, (size_t)size + extra);
  return NULL;
}

static bool is_ours(const ElfW(Ehdr) * header) {
  return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_ident[EI_CLASS] == ELFCLASS64 &&
         header->e_shentsize == sizeof(ElfW(Shdr)) && header->e_shnum > 0;
}

static void read_sections(int file, const ElfW(Shdr) * sections, size_t count, table_t *table) {
  const ElfW(Shdr) *found = NULL;
  for (size_t i = 0; i < count; i++)
    if (sections[i].sh_type == SHT_SYMTAB || (sections[i].sh_type == SHT_DYNSYM && found == NULL)) found = &sections[i];
  if (found == NULL || found->sh_link >= count || found->sh_entsize != sizeof(ElfW(Sym))) return;
  const ElfW(Shdr) *strings = &sections[found->sh_link];
  uint64_t size = found->sh_size - found->sh_size % sizeof(ElfW(Sym));
  ElfW(Sym) *symbols = read_block(file, found->sh_offset, size, 0);
  char *names = symbols != NULL ? read_block(file, strings->sh_offset, strings->sh_size, 1) : NULL;
  if (names == NULL) {
    weft__free(symbols, (size_t)size);
    return;
  }
  table->symbols = symbols;
  table->count = (size_t)size / sizeof *symbols;
  table->names = names;
  table->names_size = (size_t)strings->sh_size;
}

static void read_file(const char *path, table_t *table) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  ElfW(Ehdr) header;
  if (read_at(file, &header, sizeof header, 0) && is_ours(&header)) {
    uint64_t size = (uint64_t)header.e_shnum * sizeof(ElfW(Shdr));
    ElfW(Shdr) *sections = read_block(file, header.e_shoff, size, 0);
    if (sections != NULL) read_sections(file, sections, header.e_shnum, table);
    weft__free(sections, sections != NULL ? (size_t)size : 0);
  }
  close(file);
}

/* ---- which object holds an address --------------------------------------------------------------------------------------- */

typedef struct object {
  uintptr_t address, bias;
  char path[512];
  bool found;
} object_t;

static int is_object(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  object_t *object = argument;
  for (size_t i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
    if (segment->p_type != PT_LOAD || object->address - info->dlpi_addr - segment->p_vaddr >= segment->p_memsz)
      continue;
    object->bias = info->dlpi_addr;
    bool program = info->dlpi_name == NULL || info->dlpi_name[0] == '\0';
    snprintf(object->path, sizeof object->path, "%s", program ? "/proc/self/exe" : info->dlpi_name);
    object->found = true;
    return 1;
  }
  return 0;
}

static table_t *table_for(weft__symbols_t *symbols, uintptr_t address) {
  object_t object = {.address = address};
  dl_iterate_phdr(is_object, &object);
  if (!object.found) return NULL;
  for (table_t *table = symbols->tables; table != NULL; table = table->next)
    if (table->bias == object.bias) return table;
  table_t *table = weft__alloc_zero(sizeof *table);
  if (table == NULL) return NULL;
  table->bias = object.bias;
  read_file(object.path, table); /* without one it stays empty: the file is not tried again */
  table->next = symbols->tables;
  symbols->tables = table;
  return table;
}

bool weft__symbols_find(weft__symbols_t *symbols, uintptr_t address, char *name, size_t size, uintptr_t *start) {
  if (size > 0) name[0] = '\0';
  const table_t *table = table_for(symbols, address);
  if (table == NULL) return false;
  const ElfW(Sym) *best = NULL;
  ElfW(Addr) at = address - table->bias;
  for (size_t i = 0; i < table->count; i++) {
    const ElfW(Sym) *symbol = &table->symbols[i];
    if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF) continue;
    if (at < symbol->st_value || at - symbol->st_value >= (symbol->st_size > 0 ? symbol->st_size : 1)) continue;
    if (symbol->st_name >= table->names_size) continue;
    if (best == NULL || symbol->st_value > best->st_value) best = symbol;
  }
  if (best == NULL) return false;
  snprintf(name, size, "%s", table->names + best->st_name);
  *start = table->bias + best->st_value;
  return name[0] != '\0';
}

void weft__symbols_close(weft__symbols_t *symbols) {
  for (table_t *table = symbols->tables, *next; table != NULL; table = next) {
    next = table->next;
    weft__free(table->symbols, table->count * sizeof *table->symbols);
    weft__free(table->names, table->names != NULL ? table->names_size + 1 : 0);
    weft__free(table, sizeof *table);
  }
  symbols->tables = NULL;
}
