/*
 * Rewriting of relocated slots. ELF: generic ABI chapter 5 ("Dynamic Linking"),
 * x86-64 psABI 4.4, AArch64 ELF ABI 5.7.
 */
#include "slots/rebind.h"
#include "kit/sys.h"
#include "runtime/object.h"

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

#define KEYS 512 /* of name_key */

struct request {
    const struct rebind *table;
    size_t count;
    const void *owner;               /* an address in the object to leave alone */
    rebind_note note;                /* NULL: nobody asks */
    rebind_old old;                  /* not NULL: slots are restored */
    const struct dl_phdr_info *info; /* of the object at hand */
    bool unprotected;                /* its read-only slots are writable now */
    uint64_t keys[KEYS / 64];        /* which name_key values the table has */
    size_t changed;
};

/* Makes the object's read-only slots writable, or read-only again. One call for all of them:
 * an object has hundreds. */
static bool protect(const struct object *object, int protection)
{
    return sys_call3(SYS_mprotect, object->relro_start, object->relro_end - object->relro_start,
                     protection) >= 0;
}

static bool slot_write(struct request *request, const struct object *object, uintptr_t *slot,
                       uintptr_t value)
{
    uintptr_t address = (uintptr_t)slot;
    bool relro = address >= object->relro_start && address < object->relro_end;
    if (relro && !request->unprotected)
        request->unprotected = protect(object, PROT_READ | PROT_WRITE);
    if (relro && !request->unprotected)
        return false;
    *slot = value;
    return true;
}

/* Two bytes of a name, as a number below KEYS: enough to pass over nearly all names that are
 * not in the table. */
static unsigned name_key(const char *name)
{
    return (unsigned char)name[0] * 2u ^ (name[0] ? (unsigned char)name[1] : 0u);
}

static void fill_keys(struct request *request)
{
    for (size_t n = 0; n < request->count; n++) {
        unsigned key = request->table[n].original ? name_key(request->table[n].name) : 0;
        request->keys[key / 64] |= UINT64_C(1) << key % 64;
    }
}

static const struct rebind *find(const struct request *request, const char *name)
{
    unsigned key = name_key(name);
    if (!(request->keys[key / 64] >> key % 64 & 1))
        return NULL;
    for (size_t n = 0; n < request->count; n++)
        if (request->table[n].original && strcmp(request->table[n].name, name) == 0)
            return &request->table[n];
    return NULL;
}

/* What is to be done with a slot of that function: leads it to the original now, is it not
 * bound yet (then it leads to the object's own PLT)? */
static bool is_wanted(const struct request *request, const struct rebind *rebind, uintptr_t value,
                      bool lazy)
{
    if (request->old)
        return value == (uintptr_t)rebind->replacement;
    return value == (uintptr_t)rebind->original ||
           (lazy && !rebind->bound_only && object_contains(request->info, (const void *)value));
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
    const struct rebind *rebind = find(request, object->strings + symbol->st_name);
    if (!rebind)
        return;
    uintptr_t *slot = (uintptr_t *)(object->bias + relocation->r_offset);
    uintptr_t now = *slot, value = (uintptr_t)rebind->replacement;
    bool lazy = type == RELOC_JUMP_SLOT && symbol->st_shndx == SHN_UNDEF;
    if (!is_wanted(request, rebind, now, lazy) || (request->note && !request->note(slot, now)))
        return;
    if (request->old)
        value = request->old(slot, now);
    if (slot_write(request, object, slot, value))
        request->changed++;
}

static int rebind_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct request *request = arg;
    struct object object;
    if (object_contains(info, request->owner) ||
        object_contains(info, (const void *)(uintptr_t)rebind_objects) ||
        !object_read(&object, info))
        return 0;
    request->info = info;
    request->unprotected = false;
    for (int kind = 0; kind < 2; kind++)
        for (size_t n = 0; object.relocations[kind] && n < object.counts[kind]; n++)
            rebind_slot(&object, &object.relocations[kind][n], request);
    if (request->unprotected)
        protect(&object, PROT_READ);
    return 0;
}

static size_t go_through(struct request *request)
{
    fill_keys(request);
    dl_iterate_phdr(rebind_object, request);
    return request->changed;
}

size_t rebind_objects(const struct rebind *table, size_t count, const void *owner)
{
    struct request request = {.table = table, .count = count, .owner = owner};
    return go_through(&request);
}

size_t rebind_all(const struct rebind *table, size_t count, rebind_note note)
{
    struct request request = {.table = table, .count = count, .note = note};
    return go_through(&request);
}

void rebind_restore(const struct rebind *table, size_t count, rebind_old old)
{
    struct request request = {.table = table, .count = count, .old = old};
    go_through(&request);
}
