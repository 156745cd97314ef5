#include "runtime/object.h"

#include <elf.h>
#include <string.h>

#define PAGE ((uintptr_t)4096)

/* glibc relocates the pointers in a dynamic section, but not the vDSO's. */
static const void *dynamic_pointer(uintptr_t bias, ElfW(Addr) value)
{
    return (const void *)(value < bias ? bias + value : value);
}

static void dynamic_read(struct object *object, const ElfW(Dyn) * dynamic)
{
    for (; dynamic->d_tag != DT_NULL; dynamic++) {
        const void *pointer = dynamic_pointer(object->bias, dynamic->d_un.d_ptr);
        switch (dynamic->d_tag) {
        case DT_SYMTAB:
            object->symbols = pointer;
            break;
        case DT_STRTAB:
            object->strings = pointer;
            break;
        case DT_RELA:
            object->relocations[0] = pointer;
            break;
        case DT_RELASZ:
            object->counts[0] = dynamic->d_un.d_val / sizeof(ElfW(Rela));
            break;
        case DT_JMPREL:
            object->relocations[1] = pointer;
            break;
        case DT_PLTRELSZ:
            object->counts[1] = dynamic->d_un.d_val / sizeof(ElfW(Rela));
            break;
        case DT_GNU_HASH:
            object->gnu_hash = pointer;
            break;
        case DT_HASH:
            object->hash = pointer;
            break;
        case DT_VERSYM:
            object->versions = pointer;
            break;
        default:
            break;
        }
    }
}

bool object_read(struct object *object, const struct dl_phdr_info *info)
{
    memset(object, 0, sizeof *object);
    object->bias = info->dlpi_addr;
    for (unsigned n = 0; n < info->dlpi_phnum; n++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[n];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_DYNAMIC)
            dynamic_read(object, (const ElfW(Dyn) *)start);
        if (header->p_type == PT_GNU_RELRO) {
            object->relro_start = start & ~(PAGE - 1);
            object->relro_end = (start + header->p_memsz) & ~(PAGE - 1);
        }
    }
    return object->symbols && object->strings;
}

bool object_contains(const struct dl_phdr_info *info, const void *address)
{
    for (unsigned n = 0; n < info->dlpi_phnum; n++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[n];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_LOAD && (uintptr_t)address - start < header->p_memsz)
            return true;
    }
    return false;
}

#define VERSION_HIDDEN 0x8000u /* not the default version (GNU symbol versioning) */

/* Is the symbol the function or variable looked for, and defined here? */
static bool symbol_matches(const struct object *object, uint32_t index, const char *name)
{
    const ElfW(Sym) *symbol = &object->symbols[index];
    unsigned type = ELF64_ST_TYPE(symbol->st_info);
    return symbol->st_shndx != SHN_UNDEF &&
           (type == STT_FUNC || type == STT_OBJECT || type == STT_NOTYPE ||
            type == STT_GNU_IFUNC) &&
           strcmp(object->strings + symbol->st_name, name) == 0;
}

/* Index 0 is no symbol (ELF gABI, "Symbol Table"). */
#define NO_SYMBOL 0

/* Looks at a symbol: true when it is the default version, which ends the search. *found is
 * then that one, or else the first version that isn't the default. */
static bool symbol_ends_search(const struct object *object, uint32_t index, const char *name,
                               uint32_t *found)
{
    bool hidden = object->versions && object->versions[index] & VERSION_HIDDEN;
    if ((hidden && *found != NO_SYMBOL) || !symbol_matches(object, index, name))
        return false;
    *found = index;
    return !hidden;
}

static uint32_t gnu_hash_find(const struct object *object, const char *name, uint32_t hash)
{
    const uint32_t *table = object->gnu_hash;
    uint32_t buckets = table[0], first = table[1], words = table[2], shift = table[3];
    const uint64_t *bloom = (const uint64_t *)(const void *)(table + 4);
    uint32_t found = NO_SYMBOL;
    if (buckets == 0 || words == 0)
        return NO_SYMBOL;
    uint64_t word = bloom[hash / 64 & (words - 1)]; /* a power of two */
    if (!(word >> hash % 64 & word >> (hash >> shift) % 64 & 1))
        return NO_SYMBOL;
    const uint32_t *bucket = (const uint32_t *)(const void *)(bloom + words);
    const uint32_t *chain = bucket + buckets;
    uint32_t index = bucket[hash % buckets];
    if (index < first)
        return NO_SYMBOL;
    for (;; index++) {
        uint32_t entry = chain[index - first];
        bool same_hash = (entry | 1) == (hash | 1);
        if ((same_hash && symbol_ends_search(object, index, name, &found)) || entry & 1)
            return found;
    }
}

/* DT_HASH: { nbucket, nchain, ... }, nchain being the number of symbols. */
static uint32_t hash_find(const struct object *object, const char *name)
{
    uint32_t found = NO_SYMBOL;
    for (uint32_t n = 1; object->hash && n < object->hash[1]; n++)
        if (symbol_ends_search(object, n, name, &found))
            break;
    return found;
}

void *object_define(const struct object *object, const char *name, uint32_t hash)
{
    uint32_t index = object->gnu_hash ? gnu_hash_find(object, name, hash) : hash_find(object, name);
    if (index == NO_SYMBOL)
        return NULL;
    const ElfW(Sym) *symbol = &object->symbols[index];
    uintptr_t address = object->bias + symbol->st_value;
    return ELF64_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC ? ((void *(*)(void))address)()
                                                           : (void *)address;
}

struct search {
    const char *names;
    void **first;
};

static uint32_t hash_of(const char *name)
{
    uint32_t hash = 5381;
    for (; *name; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash;
}

static int search_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    const struct search *search = arg;
    void **first = search->first;
    struct object object;
    if (!object_read(&object, info))
        return 0;
    for (const char *name = search->names; *name; name += strlen(name) + 1, first++)
        if (!*first)
            *first = object_define(&object, name, hash_of(name));
    return 0;
}

void object_first_definitions(const char *names, void **first)
{
    struct search search = {names, first};
    for (const char *name = names; *name; name += strlen(name) + 1)
        *first++ = NULL;
    dl_iterate_phdr(search_object, &search);
}
