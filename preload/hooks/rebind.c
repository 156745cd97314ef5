/*
 * Rewriting of relocated slots. ELF: generic ABI chapter 5 ("Dynamic Linking"),
 * x86-64 psABI 4.4, AArch64 ELF ABI 5.7.
 */
#include "hooks/rebind.h"
#include "runtime/object.h"
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

struct request {
    const struct rebind *table;
    size_t count;
    const void *owner; /* an address in the object to leave alone */
    size_t changed;
};

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
    if (object_contains(info, request->owner) ||
        object_contains(info, (const void *)(uintptr_t)rebind_objects) ||
        !object_read(&object, info))
        return 0;
    for (int kind = 0; kind < 2; kind++)
        for (size_t n = 0; object.relocations[kind] && n < object.counts[kind]; n++)
            rebind_slot(&object, &object.relocations[kind][n], request);
    return 0;
}

size_t rebind_objects(const struct rebind *table, size_t count, const void *owner)
{
    struct request request = {table, count, owner, 0};
    dl_iterate_phdr(rebind_object, &request);
    return request.changed;
}
