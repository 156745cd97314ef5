/*
 * Rewriting of relocated slots. ELF: generic ABI chapter 5 ("Dynamic Linking"),
 * x86-64 psABI 4.4, AArch64 ELF ABI 5.7.
 */
#include "hooks/rebind.h"
#include "runtime/sys.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__x86_64__)
#define RELOC_JUMP_SLOT R_X86_64_JUMP_SLOT
#define RELOC_GLOB_DAT R_X86_64_GLOB_DAT
#define RELOC_ABSOLUTE R_X86_64_64
#elif defined(__aarch64__)
#define RELOC_JUMP_SLOT R_AARCH64_JUMP_SLOT
#define RELOC_GLOB_DAT R_AARCH64_GLOB_DAT
#define RELOC_ABSOLUTE R_AARCH64_ABS64
#endif

#define PAGE ((uintptr_t)4096)

struct object {
    uintptr_t bias;
    const ElfW(Sym) * symbols;
    const char *strings;
    const ElfW(Rela) * relocations[2]; /* DT_RELA, DT_JMPREL */
    size_t counts[2];
    uintptr_t relro_start, relro_end; /* read-only after relocation */
};

struct request {
    const struct rebind *table;
    size_t count;
    uintptr_t owner; /* an address in the object to leave alone */
    size_t changed;
};

/* glibc relocates most pointers in the dynamic section, but not the vDSO's. */
static const void *dynamic_pointer(uintptr_t bias, ElfW(Addr) value)
{
    return (const void *)(value < bias ? bias + value : value);
}

static bool object_read(struct object *object, const struct dl_phdr_info *info)
{
    const ElfW(Dyn) *dynamic = NULL;
    memset(object, 0, sizeof *object);
    object->bias = info->dlpi_addr;
    for (unsigned n = 0; n < info->dlpi_phnum; n++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[n];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_DYNAMIC)
            dynamic = (const ElfW(Dyn) *)start;
        if (header->p_type == PT_GNU_RELRO) {
            object->relro_start = start & ~(PAGE - 1);
            object->relro_end = (start + header->p_memsz) & ~(PAGE - 1);
        }
    }
    for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
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
        default:
            break;
        }
    }
    return object->symbols && object->strings;
}

static bool contains(const struct dl_phdr_info *info, uintptr_t address)
{
    for (unsigned n = 0; n < info->dlpi_phnum; n++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[n];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_LOAD && address >= start && address < start + header->p_memsz)
            return true;
    }
    return false;
}

static bool slot_write(const struct object *object, uintptr_t *slot, uintptr_t value)
{
    uintptr_t page = (uintptr_t)slot & ~(PAGE - 1);
    bool relro = page >= object->relro_start && page < object->relro_end;
    if (relro && sys_call3(SYS_mprotect, page, PAGE, PROT_READ | PROT_WRITE) < 0)
        return false;
    *slot = value;
    if (relro)
        sys_call3(SYS_mprotect, page, PAGE, PROT_READ);
    return true;
}

static void rebind_slot(const struct object *object, const ElfW(Rela) * relocation,
                        struct request *request)
{
    unsigned type = ELF64_R_TYPE(relocation->r_info);
    if (type != RELOC_JUMP_SLOT && type != RELOC_GLOB_DAT && type != RELOC_ABSOLUTE)
        return;
    const ElfW(Sym) *symbol = &object->symbols[ELF64_R_SYM(relocation->r_info)];
    if (symbol->st_name == 0 || relocation->r_addend != 0)
        return;
    const char *name = object->strings + symbol->st_name;
    for (size_t n = 0; n < request->count; n++) {
        const struct rebind *rebind = &request->table[n];
        if (!rebind->original || strcmp(rebind->name, name) != 0)
            continue;
        uintptr_t *slot = (uintptr_t *)(object->bias + relocation->r_offset);
        /* A slot not bound yet still leads to the object's own PLT. */
        bool bound = *slot == (uintptr_t)rebind->original;
        bool lazy = type == RELOC_JUMP_SLOT && symbol->st_shndx == SHN_UNDEF;
        if ((bound || lazy) && slot_write(object, slot, (uintptr_t)rebind->replacement))
            request->changed++;
        return;
    }
}

static int rebind_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct request *request = arg;
    struct object object;
    if (contains(info, request->owner) || contains(info, (uintptr_t)&rebind_objects) ||
        !object_read(&object, info))
        return 0;
    for (int kind = 0; kind < 2; kind++)
        for (size_t n = 0; object.relocations[kind] && n < object.counts[kind]; n++)
            rebind_slot(&object, &object.relocations[kind][n], request);
    return 0;
}

size_t rebind_objects(const struct rebind *table, size_t count, const void *owner)
{
    struct request request = {table, count, (uintptr_t)owner, 0};
    dl_iterate_phdr(rebind_object, &request);
    return request.changed;
}
