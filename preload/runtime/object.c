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

/* The symbol's address if it is the function looked for and defined here. */
static void *symbol_match(const struct object *object, uint32_t index, const char *name)
{
    const ElfW(Sym) *symbol = &object->symbols[index];
    unsigned type = ELF64_ST_TYPE(symbol->st_info);
    if (symbol->st_shndx == SHN_UNDEF ||
        (type != STT_FUNC && type != STT_NOTYPE && type != STT_GNU_IFUNC) ||
        (object->versions && object->versions[index] & VERSION_HIDDEN) ||
        strcmp(object->strings + symbol->st_name, name) != 0)
        return NULL;
    uintptr_t address = object->bias + symbol->st_value;
    return type == STT_GNU_IFUNC ? ((void *(*)(void))address)() : (void *)address;
}

static void *gnu_hash_find(const struct object *object, const char *name, uint32_t hash)
{
    const uint32_t *table = object->gnu_hash;
    uint32_t buckets = table[0], first = table[1], words = table[2], shift = table[3];
    const uint64_t *bloom = (const uint64_t *)(const void *)(table + 4);
    if (buckets == 0 || words == 0)
        return NULL;
    uint64_t word = bloom[hash / 64 & (words - 1)]; /* a power of two */
    if (!(word >> hash % 64 & word >> (hash >> shift) % 64 & 1))
        return NULL;
    const uint32_t *bucket = (const uint32_t *)(const void *)(bloom + words);
    const uint32_t *chain = bucket + buckets;
    uint32_t index = bucket[hash % buckets];
    if (index < first)
        return NULL;
    for (;; index++) {
        uint32_t entry = chain[index - first];
        void *found = (entry | 1) == (hash | 1) ? symbol_match(object, index, name) : NULL;
        if (found || entry & 1)
            return found;
    }
}

void *object_define(const struct object *object, const char *name, uint32_t hash)
{
    if (object->gnu_hash)
        return gnu_hash_find(object, name, hash);
    /* DT_HASH: { nbucket, nchain, ... }, nchain being the number of symbols */
    for (uint32_t n = 1; object->hash && n < object->hash[1]; n++) {
        void *found = symbol_match(object, n, name);
        if (found)
            return found;
    }
    return NULL;
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
