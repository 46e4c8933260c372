// Finds the kernel's clock_gettime, which it maps into every process (vDSO), by the ELF tables there.
#include "system.h"

clock_function fast_clock;

#ifdef __LP64__
typedef Elf64_Ehdr elf_header;
typedef Elf64_Phdr elf_segment;
typedef Elf64_Dyn elf_entry;
typedef Elf64_Sym elf_symbol;
#else
typedef Elf32_Ehdr elf_header;
typedef Elf32_Phdr elf_segment;
typedef Elf32_Dyn elf_entry;
typedef Elf32_Sym elf_symbol;
#endif

#ifdef __aarch64__
static const char wanted[] = "__kernel_clock_gettime";
#else
static const char wanted[] = "__vdso_clock_gettime";
#endif

static int is_wanted(const char *name) {
  for (size_t i = 0; i < sizeof wanted; i++)
    if (name[i] != wanted[i]) return 0;
  return 1;
}

// `image` is the value of AT_SYSINFO_EHDR. NULL when the function is not there.
void *find_clock(uintptr_t image) {
  const elf_header *header = (const elf_header *)image;
  const elf_segment *segments = (const elf_segment *)(image + header->e_phoff);
  const elf_entry *entry = NULL;
  uintptr_t bias = 0;
  int has_bias = 0;
  for (int i = 0; i < header->e_phnum; i++) {
    if (segments[i].p_type == PT_LOAD && !has_bias) {
      bias = image + segments[i].p_offset - segments[i].p_vaddr;
      has_bias = 1;
    }
    if (segments[i].p_type == PT_DYNAMIC) entry = (const elf_entry *)(image + segments[i].p_offset);
  }
  if (!entry || !has_bias) return NULL;
  const elf_symbol *symbols = NULL;
  const char *names = NULL;
  const uint32_t *hash = NULL;
  for (; entry->d_tag != DT_NULL; entry++) {
    uintptr_t address = bias + (uintptr_t)entry->d_un.d_ptr;
    if (entry->d_tag == DT_SYMTAB) symbols = (const elf_symbol *)address;
    if (entry->d_tag == DT_STRTAB) names = (const char *)address;
    if (entry->d_tag == DT_HASH) hash = (const uint32_t *)address;
  }
  if (!symbols || !names) return NULL;
  // Newer kernels have no DT_HASH, which tells the count; there the names follow the symbols.
  size_t count = 0;
  if (hash) {
    count = hash[1];
  } else {
    while ((const char *)(symbols + count + 1) <= names && count < 256) count++;
  }
  for (size_t i = 0; i < count; i++)
    if (symbols[i].st_shndx != 0 && is_wanted(names + symbols[i].st_name))
      return (void *)(bias + (uintptr_t)symbols[i].st_value);
  return NULL;
}
